//! What a failover drill does to a database, and what it leaves.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the primary is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// Its role is handed over as planned.
    Switchover,
    /// Its host is killed, and we promote a standby, for clusters in which nothing else does.
    Promote,
    /// It is killed, and the cluster's manager finds out.
    Kill,
    /// It gets no time, and accepts connections all the same.
    Pause,
    /// Nobody reaches it, and it reaches nobody.
    Partition,
    /// Its disk takes no writes.
    Stall,
}

impl Method {
    /// Whether the fault ends by itself after a length of time, rather than with the failover.
    #[must_use]
    pub const fn is_timed(self) -> bool {
        matches!(self, Self::Pause | Self::Partition | Self::Stall)
    }

    /// One word for plans and reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Switchover => "switchover",
            Self::Promote => "promote",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::Stall => "stall",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What of a host is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Victim {
    /// All of it, as if its power was cut.
    #[default]
    Host,
    /// The database; its manager lives on.
    Database,
    /// The manager; the database lives on.
    Manager,
}

/// What stands after a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Restore {
    /// The same primary as before.
    #[default]
    Original,
    /// Every node, and the primary wherever it is.
    Rejoined,
}
