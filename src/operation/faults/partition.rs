//! Nobody reaches a host, and it reaches nobody.

use super::{Ends, Fault};
use crate::{model::Victim, ports::Act};

/// Nobody reaches a host, and it reaches nobody.
pub const PARTITION: Fault = Fault {
    method: "partition",
    victim: Victim::Host,
    about: "Nobody reaches it, and it reaches nobody.",
    verb: "cut off",
    said: "cut off",
    inject: &[Act::Partition],
    ends: Ends::AfterTime,
};
