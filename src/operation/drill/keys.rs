//! What a drill writes, by name.

use std::fmt;

use serde::{Deserialize as _, Serialize};

use crate::{
    operation::{self, faults::said},
    ports::{Flow, HostState},
};

/// Where the primary's role is when it is not where it was before the drill.
pub const ELSEWHERE: &str = "elsewhere";

/// Something that a drill writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// The ledger's table.
    Ledger,
    /// Where the primary's role is.
    Primary,
    Host(String),
    /// Whether a node sends its changes on.
    Replication(String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger => f.write_str("ledger"),
            Self::Primary => f.write_str("primary"),
            Self::Host(name) => write!(f, "host/{name}"),
            Self::Replication(name) => write!(f, "replication/{name}"),
        }
    }
}

/// What stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Whether the table is there.
    Ledger(bool),
    /// The node that had the role before the drill, or [`ELSEWHERE`].
    Primary(String),
    Host(HostState),
    /// Whether changes are sent on.
    Replication(Flow),
}

impl Value {
    /// The role is not where it was.
    pub fn elsewhere() -> Self {
        Self::Primary(ELSEWHERE.to_owned())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ledger(true) => "there",
            Self::Ledger(false) => "not there",
            Self::Primary(node) => node,
            Self::Host(state) => return f.write_str(&said(*state)),
            Self::Replication(Flow::Flowing) => "sent on",
            Self::Replication(Flow::Frozen) => "stopped",
        })
    }
}

impl operation::Key for Key {
    type Value = Value;

    fn parse(name: &str) -> Option<Self> {
        match name.split_once('/') {
            Some(("host", name)) => Some(Self::Host(name.to_owned())),
            Some(("replication", name)) => Some(Self::Replication(name.to_owned())),
            None if name == "ledger" => Some(Self::Ledger),
            None if name == "primary" => Some(Self::Primary),
            _ => None,
        }
    }

    fn value(&self, stored: &serde_json::Value) -> serde_json::Result<Value> {
        match self {
            Self::Ledger => bool::deserialize(stored).map(Value::Ledger),
            Self::Primary => String::deserialize(stored).map(Value::Primary),
            Self::Host(_) => HostState::deserialize(stored).map(Value::Host),
            Self::Replication(_) => Flow::deserialize(stored).map(Value::Replication),
        }
    }
}
