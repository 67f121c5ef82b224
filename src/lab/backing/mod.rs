//! What stands behind doors of scripts as a process of its own: one file for each, over a skeleton that all share.

mod bus;
pub mod cache;
mod disk;
mod kind;
pub mod messages;
mod queue;
pub mod registry;
mod serve;
pub mod vectors;

pub use kind::Backing;
pub use serve::{Options, serve};
