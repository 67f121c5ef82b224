//! The limits against which the benchmark of decisions measures delays.

use std::time::Duration;

use interlock::stats::start_weight;
use proptest::prelude::*;

#[path = "../support/limits.rs"]
#[allow(dead_code, reason = "shared with the benchmark of decisions, which uses more of it")]
mod support;

use support::{Price, block_growth, kl_bernoulli, lorden_delay, reachable_yardstick, two_sample_rate, wald_delay};

#[test]
fn the_limits_of_the_documented_case() {
    // 20 requests/s, 2 % against a tolerated 0.4 %: Wald's limit is about 14 s.
    assert!((wald_delay(0.01, 20.0, 0.02, 0.004) - 14.1).abs() < 0.1);
    assert!((kl_bernoulli(1.0, 0.004) - 250.0_f64.ln()).abs() < 1e-9);
    assert_eq!(kl_bernoulli(0.3, 0.3), 0.0);
    assert!(wald_delay(0.01, 20.0, 0.004, 0.004).is_infinite());
    let block = Duration::from_secs(5);
    let price = Price { alpha: 0.01, objectives: 1, grid: 8, start: start_weight(1) };
    let reach = reachable_yardstick(&price, 20.0, 0.02, 0.004, block);
    assert!(reach > wald_delay(0.01, 20.0, 0.02, 0.004) + 5.0);
    assert!(lorden_delay(0.01, 360, 20.0, 0.02, 0.004) > wald_delay(0.01, 20.0, 0.02, 0.004));
}

#[test]
fn a_block_never_tells_more_than_the_ratio_of_shares() {
    for requests in [10, 100, 1_000, 10_000] {
        let growth = block_growth(requests, 0.02, 0.004);
        assert!(growth > 0.0 && growth <= 5.0_f64.ln() + 1e-9, "{requests}: {growth}");
    }
    assert!((block_growth(1, 0.02, 0.004) - kl_bernoulli(0.02, 0.004)).abs() < 1e-6);
    assert!(block_growth(100, 0.004, 0.004) < 1e-9);
}

#[test]
fn two_samples_tell_no_more_than_one_whose_level_is_known() {
    let pair = two_sample_rate(10.0, 10.0, 0.02, 0.002, 1.0);
    assert!(pair > 0.0 && pair < 10.0 * kl_bernoulli(0.02, 0.002));
    assert_eq!(two_sample_rate(10.0, 10.0, 0.002, 0.002, 1.0), 0.0);
    // With a baseline without end its level is known.
    assert!((two_sample_rate(10.0, 1e9, 0.02, 0.002, 1.0) / (10.0 * kl_bernoulli(0.02, 0.002)) - 1.0).abs() < 1e-3);
}

proptest! {
    #[test]
    fn divergence_is_never_negative(p in 0.0..=1.0f64, q in 1e-9..1.0f64) {
        prop_assert!(kl_bernoulli(p, q) >= 0.0);
    }

    #[test]
    fn a_larger_fault_is_found_sooner(p0 in 1e-5..0.1f64, small in 1.1..3.0f64, more in 1.01..3.0f64, n in 1u64..500) {
        let (p1, p2) = ((p0 * small).min(0.9), (p0 * small * more).min(0.95));
        prop_assume!(p2 > p1);
        prop_assert!(wald_delay(0.01, 20.0, p2, p0) <= wald_delay(0.01, 20.0, p1, p0));
        prop_assert!(block_growth(n, p2, p0) >= block_growth(n, p1, p0) - 1e-9);
    }
}
