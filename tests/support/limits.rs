//! How soon a fault can be found at all, against which delays are measured.
//!
//! Rates are in requests per second, delays in seconds, probabilities and shares between 0 and 1. A delay is infinite
//! where nothing tells the hypotheses apart.

use std::time::Duration;

/// Steps of the golden-section searches; the interval shrinks by 0.618 at each.
const STEPS: usize = 90;

/// The Kullback-Leibler divergence of Bernoulli(`p`) from Bernoulli(`q`) in nats per request.
pub fn kl_bernoulli(p: f64, q: f64) -> f64 {
    let term = |a: f64, b: f64| {
        if a <= 0.0 {
            0.0
        } else if b <= 0.0 {
            f64::INFINITY
        } else {
            a * (a / b).ln()
        }
    };
    (term(p, q) + term(1.0 - p, 1.0 - q)).max(0.0)
}

/// Wald's limit: no power-one test at `alpha` has a shorter mean delay on independent requests at `rate`.
///
/// ln(1/alpha)/(rate KL(p1 || p0)). Wald, Sequential Analysis (1947).
pub fn wald_delay(alpha: f64, rate: f64, p1: f64, p0: f64) -> f64 {
    -alpha.ln() / (rate * kl_bernoulli(p1, p0))
}

/// What a test has to pay for that does not know the fault's size and start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// The bound on false rollbacks over all objectives.
    pub alpha: f64,
    /// Objectives, k.
    pub objectives: usize,
    /// Alternatives on the test's grid, J.
    pub grid: usize,
    /// The weight w_m of the observation at which the fault began; see `interlock::stats::start_weight`.
    pub start: f64,
}

impl Price {
    /// The evidence that has to be gathered, in nats: ln(k/alpha) + ln J + ln(1/w_m).
    pub fn nats(&self) -> f64 {
        (self.objectives as f64 / self.alpha).ln() + (self.grid as f64).ln() - self.start.ln()
    }
}

/// What a test can reach on independent requests: Wald's limit with the prices of not knowing, plus one block.
///
/// (ln(k/alpha) + ln J + ln(1/w_m))/(rate KL(p1 || p0)) plus one block.
pub fn reachable_yardstick(price: &Price, rate: f64, p1: f64, p0: f64, block: Duration) -> f64 {
    price.nats() / (rate * kl_bernoulli(p1, p0)) + block.as_secs_f64()
}

/// Lorden's limit for a change at an unknown time, where false alarms are `looks`/`alpha` looks apart in the mean.
///
/// ln(ARL)/(rate KL(p1 || p0)) with ARL = looks/alpha. Lorden, Annals of Mathematical Statistics 42 (1971).
pub fn lorden_delay(alpha: f64, looks: u64, rate: f64, p1: f64, p0: f64) -> f64 {
    (looks as f64 / alpha).ln() / (rate * kl_bernoulli(p1, p0))
}

/// The evidence per second, in nats, by which two slots can be told apart: the least over all levels p of errors.
///
/// min over p of [rate_c KL(p_c || r0 p) + rate_b KL(p_b || p)], where `tolerated` is the relative risk r0.
pub fn two_sample_rate(rate_c: f64, rate_b: f64, p_c: f64, p_b: f64, tolerated: f64) -> f64 {
    if p_c <= tolerated * p_b {
        return 0.0;
    }
    let at = |p: f64| rate_c * kl_bernoulli(p_c, tolerated * p) + rate_b * kl_bernoulli(p_b, p);
    // Convex in p, and the least lies between the two samples' own levels.
    let (low, high) = (p_b, (p_c / tolerated).min(1.0 / tolerated).min(1.0));
    at(golden(low, high, |p| -at(p)))
}

/// The two-sample limit: ln(1/alpha) over [`two_sample_rate`].
pub fn two_sample_delay(alpha: f64, rate_c: f64, rate_b: f64, p_c: f64, p_b: f64, tolerated: f64) -> f64 {
    -alpha.ln() / two_sample_rate(rate_c, rate_b, p_c, p_b, tolerated)
}

/// The most evidence per block, in nats, that a test can gather which assumes nothing within a block.
///
/// max over c in [0, 1] of E ln(1 + c (x/p0 - 1)) for x = Binomial(`requests`, p1)/requests. This is the least divergence from
/// the fault to any distribution on [0, 1] with mean p0 (Honda and Takemura, COLT 2010); it never exceeds ln(p1/p0), however
/// many requests a block has, since a healthy service could show that very block with probability p0/p1.
pub fn block_growth(requests: u64, p1: f64, p0: f64) -> f64 {
    let shares = binomial(requests, p1);
    let growth = |c: f64| shares.iter().map(|(x, mass)| mass * (1.0 + c * (x / p0 - 1.0)).ln()).sum::<f64>();
    // At c = 1 a block without errors would cost everything.
    let best = golden(0.0, 1.0 - 1e-9, growth);
    growth(best).max(0.0)
}

/// The yardstick of a test on blocks: the prices of [`reachable_yardstick`] at [`block_growth`], plus one block; in seconds.
pub fn block_yardstick(price: &Price, requests: u64, p1: f64, p0: f64, block: Duration) -> f64 {
    (price.nats() / block_growth(requests, p1, p0) + 1.0) * block.as_secs_f64()
}

/// Shares and their probabilities under a binomial, without the tails beyond twelve standard deviations.
fn binomial(n: u64, p: f64) -> Vec<(f64, f64)> {
    if p <= 0.0 || n == 0 {
        return vec![(0.0, 1.0)];
    }
    if p >= 1.0 {
        return vec![(1.0, 1.0)];
    }
    let size = n as f64;
    let reach = 12.0 * (size * p * (1.0 - p)).sqrt() + 12.0;
    let (low, high) = ((size * p - reach).max(0.0) as u64, ((size * p + reach) as u64).min(n));
    let ln_choose = |k: u64| statrs::function::factorial::ln_binomial(n, k);
    (low..=high)
        .map(|k| (k as f64 / size, (ln_choose(k) + k as f64 * p.ln() + (size - k as f64) * (-p).ln_1p()).exp()))
        .collect()
}

/// The place of the maximum of a concave function on [low, high], by golden sections.
fn golden(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    for _ in 0..STEPS {
        let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
        if f(a) < f(b) { low = a } else { high = b }
    }
    f64::midpoint(low, high)
}
