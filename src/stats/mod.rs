//! Sequential tests, confidence limits, and the limits of what any test can reach. Pure: no clock, no I/O.

mod blocks;
mod interval;
mod limits;
mod paired;
mod requests;

pub use blocks::{BETS, BlockTest};
pub use interval::{Dispersion, clopper_pearson_lower, clopper_pearson_upper, sequence_upper};
pub use limits::{
    Price, block_growth, block_yardstick, kl_bernoulli, lorden_delay, reachable_yardstick, start_weight,
    two_sample_delay, two_sample_rate, wald_delay,
};
pub use paired::{Arm, PairedTest, RISK_FACTORS, expected_share};
pub use requests::{ODDS, RequestTest};
