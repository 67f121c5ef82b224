//! What stands behind doors of scripts as a process of its own: one file for each, over a skeleton that all share.

mod bus;
mod kind;
pub mod messages;
mod queue;
mod serve;

pub use kind::Backing;
pub use serve::{Options, serve};
