//! interlock's own requests to a service: smoke tests, warm-up, probes, and asking who serves.

use std::time::Duration;

use async_trait::async_trait;

use super::PortError;
use crate::model::Slot;

/// Which way a request of ours takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// As users' requests do, by the weights.
    Live,
    /// Straight to one slot, whatever the weights.
    Preview(Slot),
}

/// What a request of ours came back with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The slot that says it served this.
    pub slot: Option<Slot>,
    /// The release that says it served this.
    pub version: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Sends single requests to a service.
#[async_trait]
pub trait Requests: Send + Sync {
    /// Sends one GET and waits at most `within`; it is never repeated.
    ///
    /// # Errors
    /// Where no reply came in time. An HTTP error status is a reply.
    async fn get(&self, route: Route, path: &str, within: Duration) -> Result<Reply, PortError>;
}
