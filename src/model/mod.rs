//! Nouns that every layer shares: slots, weights, targets, run ids, processes, times. No I/O, no clock.

mod drill;
mod duration;
mod id;
mod process;
mod slot;
mod time;
pub mod trace;

pub use drill::{Restore, Victim};
pub use duration::HumanDuration;
pub use id::{Epoch, RunId, Target};
pub use process::Identity;
pub use slot::{Slot, Weights};
pub use time::{Moment, Timestamp};
