//! Sequential tests and confidence limits. Pure: no clock, no I/O.

mod blocks;
mod interval;
mod paired;
mod requests;
mod start;

pub use blocks::{BETS, BlockTest};
pub use interval::{Dispersion, clopper_pearson_lower, clopper_pearson_upper, sequence_upper};
pub use paired::{Arm, PairedTest, RISK_FACTORS, expected_share};
pub use requests::{ODDS, RequestTest};
pub use start::start_weight;
