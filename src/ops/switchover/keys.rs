//! The names of what a switchover writes.

use crate::model::Slot;

/// The shares of live traffic.
pub const WEIGHTS: &str = "weights";

/// How many replicas a slot is meant to have.
pub fn scale(slot: Slot) -> String {
    format!("scale/{slot}")
}

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The shares of live traffic.
    Weights,
    /// How many replicas the slot is meant to have.
    Scale(Slot),
}

impl Key {
    /// Reads a key's name.
    pub fn parse(key: &str) -> Option<Self> {
        match key.strip_prefix("scale/") {
            Some(slot) => slot.parse().ok().map(Self::Scale),
            None => (key == WEIGHTS).then_some(Self::Weights),
        }
    }
}
