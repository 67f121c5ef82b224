//! Test A: an e-process on the bad shares of blocks, valid however requests within a block depend on each other.

use serde::{Deserialize, Serialize};

/// The fractions of its wealth that the test bets, each divided by p0 to become lambda.
///
/// Small bets find small faults in thin traffic, large ones find large faults at once. The best bet is about
/// (p1/p0 - 1) over the variance of x/p0: 0.02 for a doubling at 10 requests a block, 0.95 for five times p0 at 1,000.
pub const BETS: [f64; 8] = [0.02, 0.06, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95];

/// Wealth beyond this is given away, which can only make the e-value smaller and so keeps the bound.
const CAP: f64 = 1e250;

/// The state of test A for one objective.
///
/// With x the bad share of block t and lambda = c/p0,
///
/// ```text
/// S_j <- (S_j + w_t) (1 + lambda_j (x_t - p0)),   w_t = 1/(t(t+1))
/// E_t = (sum_j S_j)/J + (1 - sum_{s<=t} w_s)
/// ```
///
/// The weights w let a fault begin at any block; the weight of the starts still to come is part of E, for without
/// it E would not be a supermartingale. By Ville's inequality the chance that E ever reaches 1/alpha is at most alpha
/// whenever the mean of x given the past is at most p0. Betting: Waudby-Smith and Ramdas, arXiv 2010.09686.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockTest {
    blocks: u64,
    wealth: [f64; BETS.len()],
}

impl BlockTest {
    /// A test that has seen nothing; its e-value is 1.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds in one block: `bad_share` is its bad requests over all of its requests, `p0` the mean that is tolerated.
    ///
    /// A block without requests must not be given. `p0` may differ between blocks as long as it is fixed before, or
    /// apart from, the block's outcome. A `p0` outside (0, 1) or a share that is no number multiplies nothing.
    pub fn observe(&mut self, p0: f64, bad_share: f64) {
        if !(p0 > 0.0 && p0 < 1.0 && bad_share.is_finite()) {
            return;
        }
        self.blocks = self.blocks.saturating_add(1);
        let start = super::start_weight(self.blocks);
        let excess = bad_share.clamp(0.0, 1.0) / p0 - 1.0;
        for (wealth, bet) in self.wealth.iter_mut().zip(BETS) {
            // The factor is at least 1 - c > 0, since the excess is at least -1.
            *wealth = ((*wealth + start) * (1.0 + bet * excess)).min(CAP);
        }
    }

    /// The e-value: how many times over the null hypothesis has been beaten.
    #[must_use]
    pub fn e_value(&self) -> f64 {
        // The weights sum to 1 - 1/(t+1).
        let to_come = 1.0 / (self.blocks as f64 + 1.0);
        self.wealth.iter().map(|s| s / BETS.len() as f64).sum::<f64>() + to_come
    }

    /// The natural logarithm of the e-value.
    #[must_use]
    pub fn ln_e(&self) -> f64 {
        self.e_value().ln()
    }

    /// How many blocks were folded in.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    use super::*;

    /// Runs one stream of blocks of 100 requests with errors in bursts, p exactly p0.
    fn one_run(rng: &mut SmallRng, burst: u32, blocks: u32, p0: f64) -> (f64, f64) {
        let mut test = BlockTest::new();
        let mut peak = f64::MIN;
        for _ in 0..blocks {
            let clusters = (0..100 / burst).filter(|_| rng.random_bool(p0)).count() as u32;
            test.observe(p0, f64::from(clusters * burst) / 100.0);
            peak = peak.max(test.e_value());
        }
        (test.e_value(), peak)
    }

    #[test]
    fn the_mean_is_one_and_the_bound_holds_at_p0_with_bursts() {
        for burst in [1, 5, 10] {
            let mut rng = SmallRng::seed_from_u64(7 + u64::from(burst));
            let runs: Vec<_> = (0..4_000).map(|_| one_run(&mut rng, burst, 60, 0.02)).collect();
            // Few blocks keep the variance of E small enough for its mean to be seen.
            let short: f64 = (0..40_000).map(|_| one_run(&mut rng, burst, 3, 0.02).0).sum::<f64>() / 40_000.0;
            assert!((short - 1.0).abs() < 0.05, "burst {burst}: mean {short}");
            let crossed = runs.iter().filter(|(_, peak)| *peak >= 100.0).count();
            assert!(crossed <= 40, "burst {burst}: {crossed} of 4000 crossed");
        }
    }

    #[test]
    fn the_worst_stream_stays_finite() {
        let mut test = BlockTest::new();
        for _ in 0..100_000 {
            test.observe(1e-6, 1.0);
            assert!(test.e_value().is_finite());
        }
        assert!(test.ln_e() > 500.0);
        for _ in 0..100_000 {
            test.observe(1e-6, 0.0);
            assert!(test.e_value().is_finite() && test.e_value() > 0.0);
        }
    }

    #[test]
    fn nonsense_multiplies_nothing() {
        let mut test = BlockTest::new();
        for (p0, share) in [(0.0, 0.5), (1.0, 0.5), (f64::NAN, 0.5), (0.1, f64::NAN), (0.1, f64::INFINITY)] {
            test.observe(p0, share);
        }
        assert_eq!(test, BlockTest::new());
        assert!((test.e_value() - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn a_worse_block_is_never_less_evidence(
            shares in prop::collection::vec(0.0..1.0f64, 1..40), at in 0usize..40, more in 0.0..1.0f64, p0 in 1e-5..0.5f64,
        ) {
            let at = at % shares.len();
            let (mut low, mut high) = (BlockTest::new(), BlockTest::new());
            for (i, share) in shares.iter().enumerate() {
                low.observe(p0, *share);
                high.observe(p0, if i == at { share + (1.0 - share) * more } else { *share });
            }
            prop_assert!(high.e_value() >= low.e_value() * (1.0 - 1e-12));
        }

        #[test]
        fn a_restart_changes_nothing(shares in prop::collection::vec(0.0..1.0f64, 2..60), cut in 0usize..60, p0 in 1e-6..0.5f64) {
            let mut straight = BlockTest::new();
            let mut resumed = BlockTest::new();
            for (i, share) in shares.iter().enumerate() {
                straight.observe(p0, *share);
                resumed.observe(p0, *share);
                if i == cut % shares.len() {
                    resumed = serde_json::from_str(&serde_json::to_string(&resumed).unwrap()).unwrap();
                }
            }
            prop_assert_eq!(straight, resumed);
        }
    }
}
