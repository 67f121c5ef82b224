//! Every process that the project starts: known by more than its pid, and ended when its owner goes.

mod account;
mod below;
mod exec;
mod group;
mod identity;
mod launch;
mod limits;
mod orphans;
mod stop;

pub use account::Account;
pub use below::{Below, below};
pub use exec::{ChildOptions, become_program};
pub use group::{Group, Whereabouts, host, pid_namespace};
pub use launch::{Launch, Output, Running};
pub use limits::raise_file_limit;
pub use nix::sys::signal::Signal;
pub use orphans::{adopt_orphans, reap};
pub use stop::StopSignals;

pub use crate::model::Identity;
