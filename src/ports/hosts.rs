//! The machines that a database's nodes run on: what a drill does to them, and takes back.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Means, Permit, PortError};
use crate::model::Epoch;

/// How one host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HostState {
    /// Everything runs.
    Running,
    /// Nothing runs: the power is off.
    Down,
    /// Nothing gets any time, and connections are accepted all the same.
    Paused,
    /// Nobody reaches it, and it reaches nobody.
    Partitioned,
    /// The database was killed; its manager runs.
    Crashed,
    /// The manager was killed; the database runs.
    Orphaned,
    /// Its disk takes no writes.
    Stalled,
}

impl HostState {
    /// One word for plans and reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Down => "down",
            Self::Paused => "paused",
            Self::Partitioned => "partitioned",
            Self::Crashed => "crashed",
            Self::Orphaned => "orphaned",
            Self::Stalled => "stalled",
        }
    }
}

impl fmt::Display for HostState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Whether a primary sends its changes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Flow {
    /// It does.
    Flowing,
    /// What sends them is stopped.
    Frozen,
}

/// The machines that nodes run on, and those of what coordinates them. Names are those of [`super::Database::nodes`], and
/// such as `etcd`.
///
/// Each call is bounded in time by the adapter. Repeating one changes nothing more.
#[async_trait]
pub trait Hosts: Send + Sync {
    /// The hosts' names.
    fn names(&self) -> Vec<String>;
    /// Whether this host can be brought into a state.
    fn can(&self, host: &str, state: HostState) -> bool;
    /// Whether this host's replication can be stopped.
    fn can_freeze(&self, host: &str) -> bool;
    /// How a host stands, looked at and not remembered.
    ///
    /// # Errors
    /// Where it cannot be asked.
    async fn state(&self, host: &str) -> Result<HostState, PortError>;
    /// Raises the epoch at a host: once this returns, no order of an earlier one is under way there or will be taken. A host
    /// that knows no epochs intends each act, and [`Hosts::settle`] ends it.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has given orders; where the host cannot be asked.
    async fn fence(&self, host: &str, epoch: Epoch) -> Result<(), PortError>;
    /// Brings a host into a state, from whatever it is in. To [`HostState::Running`]: releases, heals and starts; returns once
    /// its processes run, which does not mean that the node takes part again.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has given orders.
    async fn set_state(&self, host: &str, to: HostState, permit: &dyn Permit) -> Result<(), PortError>;
    /// Whether a host's database sends its changes on.
    ///
    /// # Errors
    /// Where it cannot be asked.
    async fn flow(&self, host: &str) -> Result<Flow, PortError>;
    /// Stops or releases what sends a host's changes on.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has given orders.
    async fn set_flow(&self, host: &str, to: Flow, permit: &dyn Permit) -> Result<(), PortError>;
    /// How many bytes are free where a host's database keeps its data; `None` where nothing can tell.
    ///
    /// # Errors
    /// Where it cannot be asked.
    async fn free(&self, host: &str) -> Result<Option<u64>, PortError>;
    /// Ends a host's database as an administrator would: it sends all changes on first. Its host stays up.
    ///
    /// # Errors
    /// Where it does not end in time.
    async fn stop_cleanly(&self, host: &str, permit: &dyn Permit) -> Result<(), PortError>;
    /// Starts a database that is down as a follower of `primary`, rewound to where their histories part, or made anew where
    /// it cannot be. Says how.
    ///
    /// # Errors
    /// Where it cannot be done; with what the tools said.
    async fn start_following(&self, host: &str, primary: &str, permit: &dyn Permit) -> Result<String, PortError>;
    /// Ends what was intended in an earlier term, or waits for its end, at most `within`.
    ///
    /// # Errors
    /// [`PortError::MayAct`] where it still may do something.
    async fn settle(&self, means: &Means, within: Duration) -> Result<(), PortError> {
        let _ = within;
        Err(means.never_used())
    }
}
