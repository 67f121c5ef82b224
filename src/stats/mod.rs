//! Sequential tests and confidence limits. Pure: no clock, no I/O.

mod alternating;
mod blocks;
mod combined;
mod difference;
mod interval;
mod paired;
mod requests;
mod start;

pub use alternating::Alternating;
pub use blocks::{BETS, BlockTest};
pub use combined::CombinedTest;
pub use difference::DifferenceTest;
pub use interval::{Dispersion, clopper_pearson_lower, clopper_pearson_upper, sequence_lower, sequence_upper};
pub use paired::{Arm, PairedTest};
pub use requests::{ODDS, RequestTest};
pub use start::start_weight;
