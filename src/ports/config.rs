//! What each instance of a configuration runs on, as it says so itself.

use async_trait::async_trait;
use serde::Serialize;

use crate::{model::Timestamp, ports::PortError};

/// What every instance should run on, and since when that stands at its source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Desired {
    /// The generation or the hash, where it is known.
    pub generation: Option<String>,
    /// Since when, for who tells times.
    pub changed: Option<Timestamp>,
    /// What says so, such as the name of a file.
    pub told_by: String,
}

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
        /// Why it reads nothing later, where that is known.
        why: Option<String>,
    },
    /// What its source says, but for what it lacks of that.
    Source {
        /// When it has read its source last.
        at: Timestamp,
        /// What it does not run on, and what that takes.
        lacks: Option<String>,
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
    /// What is wrong with it, whatever it runs on.
    pub trouble: Option<String>,
    /// How that is known, such as `GET /config`.
    pub known_by: String,
}

/// All instances, and what they should run on, where the place that they were asked at knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// What is desired there.
    pub desired: Option<Desired>,
    /// One that does not answer is among them.
    pub instances: Vec<Instance>,
}

/// Asks the instances of one configuration.
#[async_trait]
pub trait Configs: Send + Sync {
    /// All of them.
    ///
    /// # Errors
    /// Where nobody knows which instances there are.
    async fn look(&self) -> Result<Look, PortError>;
}
