//! A database is killed, and its manager lives on.

use super::{Ends, Fault};
use crate::{model::Victim, ports::Act};

/// A database is killed, and its manager lives on.
pub const KILL_DATABASE: Fault = Fault {
    method: "kill",
    victim: Victim::Database,
    about: "It is killed, and the cluster's manager finds out.",
    verb: "kill the database of",
    said: "without its database",
    inject: &[Act::KillDatabase],
    ends: Ends::WithFailover,
};
