//! A host gets no time, and accepts connections all the same.

use super::{Ends, Fault};
use crate::{model::Victim, ports::Act};

/// A host gets no time, and accepts connections all the same.
pub const PAUSE: Fault = Fault {
    method: "pause",
    victim: Victim::Host,
    about: "It gets no time, and accepts connections all the same.",
    verb: "pause",
    said: "paused",
    inject: &[Act::Pause],
    ends: Ends::AfterTime,
};
