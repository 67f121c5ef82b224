//! Every process that the project starts: known by more than its pid, and ended when its owner goes.

mod exec;
mod identity;
mod launch;
mod limits;

pub use exec::{ChildOptions, become_program};
pub use identity::Identity;
pub use launch::{Launch, Output, Running};
pub use limits::raise_file_limit;
pub use nix::sys::signal::Signal;
