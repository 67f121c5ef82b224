//! The operations: the one shape that they have, which there are, and what each one's steps mean. The guard does the rest.

mod adapter;
pub mod drill;
pub mod faults;
mod kind;
mod platform;
pub mod preconditions;
mod registry;
pub mod reload;
mod report;
pub mod switchover;

pub use kind::{FencedKey, Key, Kind, Of, Steps, fenced_keys, plan, spec};
pub use platform::{Build, Platform};
pub use registry::{KINDS, Registered, found, kind_of};
pub use report::{Part, Report, Table};
