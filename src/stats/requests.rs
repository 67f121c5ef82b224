//! Test A': an e-process on single requests, faster than test A, and valid only where requests are independent.

use serde::{Deserialize, Serialize};

/// The alternatives p1 that the test weighs against p0, as multiples of it.
pub const ODDS: [f64; 8] = [1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 300.0];

/// No alternative reaches 1, where a single good request would refute it for ever.
const HIGHEST: f64 = 0.99;

/// The state of test A' for one objective, in log space.
///
/// The likelihood ratio of p_j against p0, mixed over alternatives and over starts with w_t = 1/(t(t+1)) as in test A.
/// Errors that come in bursts break its bound: in the decision benchmark bursts of 5 or 10 at p0 roll back three quarters
/// and more of healthy releases.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestTest {
    looks: u64,
    /// Nothing before the first look: the logarithm of no wealth has no place in JSON.
    ln_wealth: Option<[f64; ODDS.len()]>,
}

impl RequestTest {
    /// A test that has seen nothing; its e-value is 1.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds in one look of `total` requests, `bad` of them bad; `p0` is the probability that is tolerated.
    ///
    /// A look without requests, or a `p0` outside (0, 1), multiplies nothing.
    pub fn observe(&mut self, p0: f64, total: u64, bad: u64) {
        if !(p0 > 0.0 && p0 < 1.0) || total == 0 {
            return;
        }
        let bad_count = bad.min(total) as f64;
        let good_count = total as f64 - bad_count;
        let ratios = ODDS.map(|odds| {
            let p1 = (p0 * odds).min(HIGHEST.max(p0));
            bad_count * (p1 / p0).ln() + good_count * ((1.0 - p1) / (1.0 - p0)).ln()
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

    /// How many looks with requests were folded in.
    #[must_use]
    pub const fn looks(&self) -> u64 {
        self.looks
    }
}

/// Folds one look's log likelihood ratios into wealth that may start at any look.
pub(super) fn fold<const J: usize>(looks: &mut u64, wealth: &mut Option<[f64; J]>, ratios: [f64; J]) {
    *looks = looks.saturating_add(1);
    let start = super::start_weight(*looks).ln();
    let before = wealth.unwrap_or([f64::NEG_INFINITY; J]);
    let mut after = ratios;
    for (ln_s, old) in after.iter_mut().zip(before) {
        *ln_s += ln_add(old, start);
    }
    *wealth = Some(after);
}

/// The logarithm of the mean wealth plus the weight of the starts to come.
pub(super) fn mixed<const J: usize>(looks: u64, wealth: Option<&[f64; J]>) -> f64 {
    let to_come = -(looks as f64 + 1.0).ln();
    let share = (J as f64).ln();
    wealth.map_or(0.0, |all| all.iter().fold(to_come, |sum, ln_s| ln_add(sum, ln_s - share)))
}

/// ln(exp(a) + exp(b)) without overflow.
fn ln_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn the_bound_holds_for_independent_requests_and_not_for_bursts() {
        let mut crossed = [0u32; 2];
        for (slot, burst) in [1u64, 10].into_iter().enumerate() {
            let mut rng = SmallRng::seed_from_u64(11);
            for _ in 0..1_000 {
                let mut test = RequestTest::new();
                let mut peak = f64::MIN;
                for _ in 0..100 {
                    let clusters = (0..100 / burst).filter(|_| rng.random_bool(0.01)).count() as u64;
                    test.observe(0.01, 100, clusters * burst);
                    peak = peak.max(test.ln_e());
                }
                crossed[slot] += u32::from(peak >= 100.0_f64.ln());
            }
        }
        assert!(crossed[0] <= 10, "{crossed:?}");
        assert!(crossed[1] > 300, "the warning in the documentation has to stay true: {crossed:?}");
    }

    #[test]
    fn the_mean_is_one_at_p0() {
        // Enumerated, not drawn: the largest alternatives win so rarely that no simulation would see them.
        let p0 = 0.05_f64;
        let chance = |bad: u64| {
            statrs::function::factorial::binomial(10, bad) * p0.powi(bad as i32) * (1.0 - p0).powi(10 - bad as i32)
        };
        let mut mean = 0.0;
        for (a, b, c) in (0..=10).flat_map(|a| (0..=10).flat_map(move |b| (0..=10).map(move |c| (a, b, c)))) {
            let mut test = RequestTest::new();
            for bad in [a, b, c] {
                test.observe(p0, 10, bad);
            }
            mean += chance(a) * chance(b) * chance(c) * test.e_value();
        }
        assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    }

    #[test]
    fn the_worst_stream_stays_a_number() {
        let mut test = RequestTest::new();
        for _ in 0..100_000 {
            test.observe(1e-6, 1_000_000, 1_000_000);
        }
        assert!(test.ln_e().is_finite());
        for _ in 0..100_000 {
            test.observe(1e-6, 1_000_000_000, 0);
        }
        assert!(test.ln_e().is_finite());
    }

    proptest! {
        #[test]
        fn more_errors_are_never_less_evidence(bad in prop::collection::vec(0u64..50, 1..30), at in 0usize..30, more in 0u64..50) {
            let at = at % bad.len();
            let (mut low, mut high) = (RequestTest::new(), RequestTest::new());
            for (i, e) in bad.iter().enumerate() {
                low.observe(0.01, 100, *e);
                high.observe(0.01, 100, if i == at { e + more } else { *e });
            }
            prop_assert!(high.ln_e() >= low.ln_e() - 1e-9);
        }

        #[test]
        fn a_restart_changes_nothing(bad in prop::collection::vec(0u64..100, 1..30), cut in 0usize..30) {
            let (mut straight, mut resumed) = (RequestTest::new(), RequestTest::new());
            for (i, e) in bad.iter().enumerate() {
                if i == cut % bad.len() {
                    resumed = serde_json::from_str(&serde_json::to_string(&resumed).unwrap()).unwrap();
                }
                straight.observe(0.003, 100, *e);
                resumed.observe(0.003, 100, *e);
            }
            prop_assert_eq!(straight, resumed);
        }
    }
}
