//! Test B: two slots that both take traffic, compared in two ways, so that neither kind of fault that both have is blamed on one.

use serde::{Deserialize, Serialize};

use super::{Arm, BlockTest, DifferenceTest, paired::expected_share};

/// A bad share of so many times what is tolerated is no matter of how faults fall on the two slots.
const FAR: f64 = 5.0;

/// The state of test B for one objective.
///
/// ```text
/// E = min(E_d, (E_s + E_x)/2)
/// ```
///
/// - E_d bets on the difference of the thinned and clipped bad shares ([`DifferenceTest`]): it holds where a fault strikes a share of a
///   slot's requests, such as all those of a second.
/// - E_s bets on the candidate's share of a block's errors, against theta(r0): it holds where a fault strikes a fixed number of requests,
///   whichever slot they come to. It tells little where the candidate has most of the traffic: one block multiplies it by 1/theta at most.
/// - E_x bets on the candidate's bad share alone, against five times p0, so that a large fault is found at once all the same.
///
/// The mean of e-values is one, so (E_s + E_x)/2 holds for faults of a fixed size in a candidate that fails at most at five times p0, and
/// the smaller of two is one wherever either is. What is paid: a fault below five times p0 is found later, the more traffic the candidate
/// has.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CombinedTest {
    difference: DifferenceTest,
    split: BlockTest,
    excess: BlockTest,
}

impl CombinedTest {
    /// A test that has seen nothing; its e-value is 1.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A test that goes on with what one of its parts has seen.
    #[must_use]
    pub fn after(difference: DifferenceTest) -> Self {
        Self { difference, ..Self::default() }
    }

    /// Folds in one block; `tolerated` is r0, `p0` the tolerated share.
    pub fn observe(&mut self, tolerated: f64, p0: f64, candidate: Arm, baseline: Arm) {
        let Some(expected) = expected_share(candidate, baseline, tolerated) else { return };
        self.difference.observe(tolerated, candidate, baseline);
        let (ours, theirs) = (candidate.bad.min(candidate.total) as f64, baseline.bad.min(baseline.total) as f64);
        if ours + theirs > 0.0 {
            self.split.observe(expected, ours / (ours + theirs));
        }
        self.excess.observe(FAR * p0, ours / candidate.total as f64);
    }

    /// The e-value.
    #[must_use]
    pub fn e_value(&self) -> f64 {
        self.difference.e_value().min(f64::midpoint(self.split.e_value(), self.excess.e_value()))
    }

    /// The natural logarithm of the e-value.
    #[must_use]
    pub fn ln_e(&self) -> f64 {
        self.e_value().ln()
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    use super::*;

    const P0: f64 = 0.004;
    const SEED: u64 = 43;

    /// Requests of a block of which `share` are bad, in bursts of so many.
    fn bursts(rng: &mut SmallRng, total: u64, share: f64, burst: u64) -> Arm {
        let bad = (0..total / burst).filter(|_| rng.random_bool(share)).count() as u64 * burst;
        Arm { total, bad }
    }

    /// A slot that has an outage of its own in some of its blocks: a fifth of the time fails.
    fn outages(rng: &mut SmallRng, total: u64, share: f64) -> Arm {
        let bad = if rng.random_bool(share * 5.0) { total / 5 } else { 0 };
        Arm { total, bad }
    }

    /// How many of 100 healthy releases are taken for bad ones, by what a block of a slot is.
    fn false_ones(weight: u64, slot: impl Fn(&mut SmallRng, u64) -> Arm) -> usize {
        let mut rng = SmallRng::seed_from_u64(SEED + weight);
        let is_false = |_: &u32| {
            let mut test = CombinedTest::new();
            (0..120).any(|_| {
                let (candidate, old) = (slot(&mut rng, 4 * weight), slot(&mut rng, 400 - 4 * weight));
                test.observe(1.2, P0, candidate, old);
                test.ln_e() >= 100.0_f64.ln()
            })
        };
        (0..100).filter(is_false).count()
    }

    #[test]
    fn neither_bursts_of_a_fixed_size_nor_outages_of_each_slots_own_are_blamed_on_the_candidate_at_any_weight() {
        let mut crossed = Vec::new();
        for weight in [5, 50, 75, 90, 95] {
            crossed.push((weight, "bursts", false_ones(weight, |rng, total| bursts(rng, total, P0, 10))));
            crossed.push((weight, "bursts at 2 p0", false_ones(weight, |rng, total| bursts(rng, total, 2.0 * P0, 10))));
            crossed.push((weight, "outages", false_ones(weight, |rng, total| outages(rng, total, P0))));
        }
        // At 1 % false ones, five or more of 100 come in 0.4 % of seeds.
        assert!(crossed.iter().all(|(.., false_ones)| *false_ones <= 4), "seed {SEED}: {crossed:?} of 100");
    }

    #[test]
    fn a_worse_candidate_is_found_at_every_weight_and_a_better_one_is_not_blamed() {
        for weight in [5, 50, 75, 95] {
            let mut rng = SmallRng::seed_from_u64(SEED);
            let (mut worse, mut better) = (CombinedTest::new(), CombinedTest::new());
            for _ in 0..60 {
                let (ours, theirs) = (10 * weight, 1_000 - 10 * weight);
                worse.observe(1.2, P0, bursts(&mut rng, ours, 0.1, 1), bursts(&mut rng, theirs, P0, 1));
                better.observe(1.2, P0, bursts(&mut rng, ours, P0, 1), bursts(&mut rng, theirs, 0.1, 1));
            }
            assert!(worse.ln_e() > 400.0_f64.ln(), "{weight}: {}", worse.ln_e());
            assert!(better.ln_e() <= 0.0, "{weight}: {}", better.ln_e());
        }
    }

    #[test]
    fn an_empty_arm_contributes_one() {
        let mut test = CombinedTest::new();
        test.observe(1.2, P0, Arm { total: 100, bad: 100 }, Arm::default());
        test.observe(1.2, P0, Arm::default(), Arm { total: 100, bad: 100 });
        assert_eq!(test, CombinedTest::new());
        assert!((test.e_value() - 1.0).abs() < 1e-12);
    }
}
