//! A manager is killed, and its database lives on.

use super::{Ends, Fault};
use crate::{model::Victim, ports::Act};

/// A manager is killed, and its database lives on.
pub const KILL_MANAGER: Fault = Fault {
    method: "kill",
    victim: Victim::Manager,
    about: "It is killed, and the cluster's manager finds out.",
    verb: "kill the manager of",
    said: "without its manager",
    inject: &[Act::KillManager],
    ends: Ends::WithFailover,
};
