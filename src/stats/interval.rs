//! Confidence limits for a bad share, and how much burstier than a binomial its errors come.

use serde::{Deserialize, Serialize};
use statrs::function::{
    beta::{checked_beta_reg, checked_ln_beta},
    erf::erf_inv,
};

/// Above so many bad requests the incomplete beta function no longer converges, and the score limit is as good.
const MANY: f64 = 1_000.0;

/// Halvings of [0, 1] in a search for a limit; more than a float can tell apart.
const HALVINGS: usize = 80;

/// The upper limit of Clopper and Pearson (1934): the largest share that `bad` of `total` leave credible at `error`.
///
/// `error` is the one-sided chance of a limit below the true share, such as 0.05. Counts need not be whole, so that
/// they can be divided by a [`Dispersion`]. 1 where there were no requests. Beyond 1,000 bad requests, and as many good
/// ones, Wilson's score limit stands in, which there differs by less than 0.2 % of the limit.
#[must_use]
pub fn clopper_pearson_upper(bad: f64, total: f64, error: f64) -> f64 {
    let bad = bad.clamp(0.0, total.max(0.0));
    let good = total - bad;
    if !usable(good, error) {
        return 1.0;
    }
    if bad > MANY && good > MANY {
        return wilson(bad, total, error);
    }
    // P(X <= bad | p) = 1 - I_p(bad + 1, good), falling in p.
    smallest(bad / total, |p| 1.0 - checked_beta_reg(bad + 1.0, good, p).unwrap_or(0.0) <= error)
}

/// Whether there are good requests to draw a limit from, and a chance of error to draw it at.
fn usable(good: f64, error: f64) -> bool {
    good > 0.0 && error > 0.0 && error < 1.0
}

/// The lower limit of Clopper and Pearson (1934), the counterpart of [`clopper_pearson_upper`].
#[must_use]
pub fn clopper_pearson_lower(bad: f64, total: f64, error: f64) -> f64 {
    if total <= 0.0 {
        return 0.0;
    }
    1.0 - clopper_pearson_upper(total - bad.clamp(0.0, total), total, error)
}

/// Wilson's upper score limit (1927).
fn wilson(bad: f64, total: f64, error: f64) -> f64 {
    let z = std::f64::consts::SQRT_2 * erf_inv(1.0 - 2.0 * error);
    let share = bad / total;
    let middle = share + z * z / (2.0 * total);
    let width = z * (share * (1.0 - share) / total + z * z / (4.0 * total * total)).sqrt();
    ((middle + width) / (1.0 + z * z / total)).clamp(0.0, 1.0)
}

/// The upper limit of a confidence sequence: it holds at all times at once, however long one looked, with chance 1 - `error`.
///
/// Beta-binomial mixture with prior Beta(1/2, 1/2) (Robbins 1970; Howard et al., arXiv 1810.08240): p is excluded once
/// B(1/2 + bad, 1/2 + good)/B(1/2, 1/2) >= p^bad (1-p)^good / `error`. Requests are taken as independent; divide the counts by
/// a [`Dispersion`] where they are not.
#[must_use]
pub fn sequence_upper(bad: f64, total: f64, error: f64) -> f64 {
    let bad = bad.clamp(0.0, total.max(0.0));
    let good = total - bad;
    if !usable(good, error) {
        return 1.0;
    }
    let Ok(evidence) = checked_ln_beta(0.5 + bad, 0.5 + good) else { return 1.0 };
    let ln_mixture = evidence - std::f64::consts::PI.ln();
    let ln_bound = -error.ln();
    smallest(bad / total, |p| {
        let seen = if bad > 0.0 { bad * p.ln() } else { 0.0 } + good * (-p).ln_1p();
        ln_mixture - seen >= ln_bound
    })
}

/// The lower limit of a confidence sequence, the counterpart of [`sequence_upper`].
#[must_use]
pub fn sequence_lower(bad: f64, total: f64, error: f64) -> f64 {
    if total <= 0.0 {
        return 0.0;
    }
    1.0 - sequence_upper(total - bad.clamp(0.0, total), total, error)
}

/// The smallest p above `from` at which `excluded` turns true; it has to stay so up to 1.
fn smallest(from: f64, excluded: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (from, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if excluded(middle) { high = middle } else { low = middle }
    }
    high
}

/// Sums over blocks from which the dispersion of their bad shares follows.
///
/// The dispersion is the observed variance of block shares over the binomial one, at least 1 (Pearson's chi-square over its
/// degrees of freedom). Dividing bad and total counts by it gives about the number of independent requests that would
/// tell as much: bursts of 10 errors have a dispersion of about 10. This is an approximation, no bound: the factor is
/// itself estimated from the few blocks with errors, is unknown before the first burst was seen, and does not know of
/// dependence that is longer than a block. Only claims of health and the baseline's limit use it; the tests that roll back
/// do not.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispersion {
    blocks: u64,
    total: f64,
    bad: f64,
    /// The sum of bad^2/total over blocks.
    squares: f64,
}

impl Dispersion {
    /// Folds in one block; one without requests is left out.
    pub fn observe(&mut self, total: u64, bad: u64) {
        if total == 0 {
            return;
        }
        let (n, e) = (total as f64, bad.min(total) as f64);
        self.blocks = self.blocks.saturating_add(1);
        self.total += n;
        self.bad += e;
        self.squares += e * e / n;
    }

    /// The dispersion, at least 1; 1 where there are fewer than two blocks or no spread at all.
    #[must_use]
    pub fn factor(&self) -> f64 {
        let share = self.bad / self.total;
        if self.blocks < 2 || !(share > 0.0 && share < 1.0) {
            return 1.0;
        }
        // sum n (x - p)^2 = sum e^2/n - e^2/n over all.
        let spread = self.squares - self.bad * share;
        (spread / (share * (1.0 - share)) / (self.blocks as f64 - 1.0)).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn limits_agree_with_printed_tables() {
        // Zero of n: 1 - 0.05^(1/n). 5 of 100: binom.test(5, 100, conf.level = .9)$conf.int is 0.01991 .. 0.10225.
        assert!((clopper_pearson_upper(0.0, 100.0, 0.05) - 0.029_513).abs() < 1e-5);
        assert!((clopper_pearson_upper(5.0, 100.0, 0.05) - 0.102_25).abs() < 1e-4);
        assert!((clopper_pearson_lower(5.0, 100.0, 0.05) - 0.019_91).abs() < 1e-4);
        assert!((clopper_pearson_upper(100.0, 100.0, 0.05) - 1.0).abs() < 1e-12);
        assert!((clopper_pearson_lower(0.0, 100.0, 0.05)).abs() < 1e-12);
        assert!((clopper_pearson_upper(0.0, 0.0, 0.05) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_two_formulas_meet() {
        for total in [2_100.0, 20_000.0, 1e6, 1e8] {
            let exact = clopper_pearson_upper(MANY, total, 0.05);
            let score = wilson(MANY, total, 0.05);
            assert!((exact / score - 1.0).abs() < 2e-3, "{total}: {exact} {score}");
        }
    }

    #[test]
    fn a_confidence_sequence_holds_at_all_times() {
        let mut rng = SmallRng::seed_from_u64(17);
        let mut failed = 0;
        for _ in 0..500 {
            let (mut bad, mut below) = (0u64, false);
            for look in 1..=100u64 {
                bad += (0..20).filter(|_| rng.random_bool(0.02)).count() as u64;
                below |= sequence_upper(bad as f64, (look * 20) as f64, 0.05) < 0.02;
            }
            failed += u32::from(below);
        }
        assert!(failed <= 25, "{failed} of 500");
    }

    #[test]
    fn dispersion_is_one_for_independent_errors_and_the_burst_for_bursts() {
        for burst in [1u64, 10] {
            let mut rng = SmallRng::seed_from_u64(23);
            let mut dispersion = Dispersion::default();
            for _ in 0..2_000 {
                dispersion.observe(100, burst * (0..100 / burst).filter(|_| rng.random_bool(0.02)).count() as u64);
            }
            let factor = dispersion.factor();
            assert!((factor / burst as f64 - 1.0).abs() < 0.15, "bursts of {burst}: {factor}");
        }
        assert!((Dispersion::default().factor() - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn limits_are_ordered(bad in 0u32..3_000, more in 0u32..1_000_000) {
            let (e, n) = (f64::from(bad), f64::from(bad + more).max(1.0));
            let upper = clopper_pearson_upper(e, n, 0.05);
            prop_assert!((0.0..=1.0).contains(&upper) && upper >= e / n - 1e-12);
            prop_assert!(clopper_pearson_lower(e, n, 0.05) <= e / n + 1e-12);
            // Validity at all times costs width.
            prop_assert!(sequence_upper(e, n, 0.05) >= upper * 0.998);
            prop_assert!(clopper_pearson_upper(e, n, 0.01) >= upper);
            prop_assert!(clopper_pearson_upper(e / 4.0, n / 4.0, 0.05) >= upper * 0.998);
        }
    }
}
