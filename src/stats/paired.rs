//! Test B: compares the errors of two slots that both take traffic, look by look.

use serde::{Deserialize, Serialize};

use super::requests::{fold, mixed};

/// The relative risks that the test weighs, as multiples of the tolerated one.
pub const RISK_FACTORS: [f64; 8] = [1.25, 1.6, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0];

/// One slot's requests in one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arm {
    /// Requests, bad ones included.
    pub total: u64,
    /// Bad requests.
    pub bad: u64,
}

/// The share of a look's errors that falls on the candidate when its risk is `risk` times the baseline's.
///
/// theta(r) = q r / (q r + 1 - q), where q is the candidate's share of that look's requests. It has to be the look's
/// own share: with a cumulative one, a step of the weights looks like a fault (Simpson's paradox). `None` where a slot
/// had no requests, since then the errors could have fallen on one side only.
#[must_use]
pub(super) fn expected_share(candidate: Arm, baseline: Arm, risk: f64) -> Option<f64> {
    if candidate.total == 0 || baseline.total == 0 {
        return None;
    }
    let (c, b) = (candidate.total as f64, baseline.total as f64);
    Some(c * risk / (c * risk + b))
}

/// The state of test B for one objective, in log space.
///
/// Given how many errors a look had, their split between the slots is binomial with theta(r), whatever the level of
/// errors is; so an outage that both slots share is no evidence. E is the mixture over r_j > r0 of
/// [theta(r_j)/theta(r0)]^s [(1-theta(r_j))/(1-theta(r0))]^f. Source: Lindon and Malek, arXiv 2011.03567. It is mixed over
/// starts as in test A, so that a fault that comes with a later weight is found as well. It takes errors as
/// independent; where they come in bursts, [`super::DifferenceTest`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairedTest {
    /// Looks with errors; one without errors tells nothing, so no start is spent on it.
    looks: u64,
    ln_wealth: Option<[f64; RISK_FACTORS.len()]>,
}

impl PairedTest {
    /// A test that has seen nothing; its e-value is 1.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds in one look; `tolerated` is r0, the relative risk that is still accepted.
    ///
    /// A look in which a slot had no requests, or in which neither had an error, multiplies nothing.
    pub fn observe(&mut self, tolerated: f64, candidate: Arm, baseline: Arm) {
        let (s, f) = (candidate.bad.min(candidate.total) as f64, baseline.bad.min(baseline.total) as f64);
        let Some(null) = expected_share(candidate, baseline, tolerated) else { return };
        if s + f == 0.0 || !(null > 0.0 && null < 1.0) {
            return;
        }
        let q = candidate.total as f64;
        let rest = baseline.total as f64;
        let ratios = RISK_FACTORS.map(|factor| {
            // theta(r)/theta(r0) and its complement, written so that neither cancels nor overflows.
            let scale = (q * tolerated + rest) / (q * tolerated * factor + rest);
            s * (factor * scale).ln() + f * scale.ln()
        });
        fold(&mut self.looks, &mut self.ln_wealth, ratios);
    }

    /// The natural logarithm of the e-value.
    #[must_use]
    pub fn ln_e(&self) -> f64 {
        mixed(self.looks, self.ln_wealth.as_ref())
    }

    /// The e-value; infinite where it exceeds what a float holds.
    #[must_use]
    pub fn e_value(&self) -> f64 {
        self.ln_e().exp()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    use super::*;

    fn draw(rng: &mut SmallRng, total: u64, p: f64) -> Arm {
        Arm { total, bad: (0..total).filter(|_| rng.random_bool(p)).count() as u64 }
    }

    #[test]
    fn stepped_weights_with_a_moving_level_are_no_evidence() {
        // Errors are common while the candidate gets much: cumulative shares would blame it.
        let mut rng = SmallRng::seed_from_u64(5);
        let mut crossed = 0;
        for _ in 0..400 {
            let mut test = PairedTest::new();
            let mut peak = f64::MIN;
            for (weight, p) in [(5, 0.001), (25, 0.01), (75, 0.2)] {
                for _ in 0..40 {
                    let candidate = draw(&mut rng, weight, p);
                    let baseline = draw(&mut rng, 100 - weight, p);
                    test.observe(1.0, candidate, baseline);
                    peak = peak.max(test.ln_e());
                }
            }
            crossed += u32::from(peak >= 100.0_f64.ln());
        }
        assert!(crossed <= 4, "{crossed}");
    }

    #[test]
    fn a_worse_candidate_is_found_and_a_better_one_is_not_blamed() {
        let mut rng = SmallRng::seed_from_u64(6);
        let (mut worse, mut better) = (PairedTest::new(), PairedTest::new());
        for _ in 0..120 {
            worse.observe(1.5, draw(&mut rng, 50, 0.1), draw(&mut rng, 50, 0.005));
            better.observe(1.5, draw(&mut rng, 50, 0.005), draw(&mut rng, 50, 0.1));
        }
        assert!(worse.ln_e() > 1000.0_f64.ln());
        assert!(better.ln_e() < 0.0);
    }

    #[test]
    fn an_empty_arm_contributes_one() {
        let mut test = PairedTest::new();
        test.observe(1.0, Arm { total: 100, bad: 100 }, Arm::default());
        test.observe(1.0, Arm::default(), Arm { total: 100, bad: 100 });
        test.observe(1.0, Arm { total: 100, bad: 0 }, Arm { total: 100, bad: 0 });
        assert_eq!(test, PairedTest::new());
    }

    proptest! {
        #[test]
        fn evidence_is_finite_and_survives_a_restart(
            looks in prop::collection::vec((0u64..1_000_000, 0u64..1_000_000, 0.0..1.0f64, 0.0..1.0f64), 1..50),
        ) {
            let (mut straight, mut resumed) = (PairedTest::new(), PairedTest::new());
            for (c, b, x, y) in looks {
                let candidate = Arm { total: c, bad: (c as f64 * x) as u64 };
                let baseline = Arm { total: b, bad: (b as f64 * y) as u64 };
                straight.observe(1.5, candidate, baseline);
                resumed.observe(1.5, candidate, baseline);
                resumed = serde_json::from_str(&serde_json::to_string(&resumed).unwrap()).unwrap();
                prop_assert!(straight.ln_e().is_finite());
            }
            prop_assert_eq!(straight, resumed);
        }
    }
}
