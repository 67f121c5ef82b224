//! When a fault may have begun, which no test knows.

/// The weight of a fault that begins at the `t`-th observation, counted from 1: 1/(t(t+1)). All of them sum to 1.
#[must_use]
pub fn start_weight(t: u64) -> f64 {
    let t = t.max(1) as f64;
    1.0 / (t * (t + 1.0))
}
