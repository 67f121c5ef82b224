//! Keeps the lab's processes up, and takes orders about what they should be.

mod control;
mod keeper;
mod launches;
mod lists;
mod part;
mod ports;
mod prometheus;
mod scripted;
mod serve;

pub use control::{FenceScale, SetRelease, SetScale};
pub use scripted::accepts;
pub use serve::{Options, WithDatabase, serve};
