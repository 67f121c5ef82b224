//! Word to people that something needs them.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;

/// What people are told when a run is held, stuck or rolled back. Carries no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The run.
    pub run: String,
    /// The operation and its target, such as `switchover tenant`.
    pub title: String,
    /// `held`, `stuck` or `rolled-back`.
    pub outcome: String,
    /// Why, with the evidence.
    pub why: String,
    /// What to do next.
    pub next: String,
}

/// Tells people.
#[async_trait]
pub trait Notify: Send + Sync {
    /// Sends one notice; bounded in time, tried once more at most.
    ///
    /// # Errors
    /// Where the receiver cannot be reached or refuses.
    async fn notify(&self, notice: &Notice) -> Result<(), PortError>;
    /// Names the receiver for people, without its secrets.
    fn name(&self) -> String;
}
