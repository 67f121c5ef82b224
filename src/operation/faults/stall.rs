//! A host's disk takes no writes.

use super::{Ends, Fault};
use crate::{model::Victim, ports::Act};

/// A host's disk takes no writes.
pub const STALL: Fault = Fault {
    method: "stall",
    victim: Victim::Host,
    about: "Its disk takes no writes.",
    verb: "stall the disk of",
    said: "unable to write to its disk",
    inject: &[Act::StallDisk],
    ends: Ends::AfterTime,
};
