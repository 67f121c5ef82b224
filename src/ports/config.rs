//! What each instance of a configuration runs on, as it says so itself.

use async_trait::async_trait;
use serde::Serialize;

use crate::{model::Timestamp, ports::PortError};

/// What an instance says of the configuration that it runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RunsOn {
    /// A generation or a hash, since that time where it says so.
    Generation {
        /// As the instance writes it.
        generation: String,
        /// Since when it runs on it.
        since: Option<Timestamp>,
    },
    /// What stood at its source at that time; what that was is not said.
    LoadedAt {
        /// When it was read.
        at: Timestamp,
    },
    /// It answers, and cannot tell.
    Unclear {
        /// Why.
        why: String,
    },
    /// It does not answer.
    Silent {
        /// What the connection said.
        why: String,
    },
}

/// One instance, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Its name or its address.
    pub name: String,
    /// What it says.
    pub runs_on: RunsOn,
    /// Why it has refused a later configuration, and goes on with that of before.
    pub rejected: Option<String>,
    /// How that is known, such as `GET /config`.
    pub known_by: String,
}

/// Asks the instances of one configuration.
#[async_trait]
pub trait Configs: Send + Sync {
    /// All of them. One that does not answer is a part of the answer.
    ///
    /// # Errors
    /// Where nobody knows which instances there are.
    async fn instances(&self) -> Result<Vec<Instance>, PortError>;
}
