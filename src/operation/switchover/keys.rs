//! What a switchover writes, by name.

use std::fmt;

use serde::{Deserialize as _, Serialize};

use crate::{
    model::{Slot, Weights},
    operation,
};

/// Something that a switchover writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The shares of live traffic.
    Weights,
    /// How many replicas the slot is meant to have.
    Scale(Slot),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weights => f.write_str("weights"),
            Self::Scale(slot) => write!(f, "scale/{slot}"),
        }
    }
}

/// What stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    Weights(Weights),
    /// The number of replicas.
    Scale(u32),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weights(weights) => weights.fmt(f),
            Self::Scale(replicas) => replicas.fmt(f),
        }
    }
}

impl operation::Key for Key {
    type Value = Value;

    fn parse(name: &str) -> Option<Self> {
        match name.strip_prefix("scale/") {
            Some(slot) => slot.parse().ok().map(Self::Scale),
            None => (name == "weights").then_some(Self::Weights),
        }
    }

    fn value(&self, stored: &serde_json::Value) -> serde_json::Result<Value> {
        match self {
            Self::Weights => Weights::deserialize(stored).map(Value::Weights),
            Self::Scale(_) => u32::deserialize(stored).map(Value::Scale),
        }
    }
}
