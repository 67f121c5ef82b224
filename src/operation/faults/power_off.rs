//! A host loses its power.

use super::{Ends, Fault};
use crate::{model::Victim, ports::Act};

/// A host loses its power.
pub const POWER_OFF: Fault = Fault {
    method: "kill",
    victim: Victim::Host,
    about: "It is killed, and the cluster's manager finds out.",
    verb: "power off",
    said: "powered off",
    inject: &[Act::PowerOff],
    ends: Ends::WithFailover,
};
