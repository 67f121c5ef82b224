//! What a failover drill does to a database, and what it leaves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What of a host a fault befalls.
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
