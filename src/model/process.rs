//! Who a process is: its pid, when it started and in which boot, so that a reused pid is never mistaken for it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names one process for good: no later process of this or any other boot has the same identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The process id.
    pub pid: i32,
    /// When it started, in clock ticks since the boot (field 22 of `/proc/PID/stat`, see proc(5)).
    pub start_ticks: u64,
    /// The kernel's id of the boot, from `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.pid, self.start_ticks)
    }
}
