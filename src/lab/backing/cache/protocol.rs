//! What services and the cache say to each other, as JSON.

use serde::{Deserialize, Serialize};

/// A key of a service: no service sees the values of another. `POST /reads`, and `POST /fills` for whoever has a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    pub service: String,
    pub key: String,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Found {
    Value(serde_json::Value),
    /// Nothing; whoever fetches the value may bring it.
    Missing(Fill),
}

/// Leave to bring the value of one key, until that key is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// The process that gave it; the next one takes nothing for it.
    pub process: u64,
    pub number: u64,
}

/// A value that was fetched: `POST /values`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    pub key: Key,
    pub fill: Fill,
    pub value: serde_json::Value,
    /// When its time is over, in milliseconds since 1970.
    pub until: i64,
}

/// Whether a value was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    pub kept: bool,
}

/// Keys whose values are good no longer: `POST /drops`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drops {
    pub service: String,
    pub drops: Vec<Drop>,
}

/// One key, or all that begin with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drop {
    pub key: String,
    pub prefix: bool,
}
