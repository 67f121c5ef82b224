//! interlock's own requests to a service: smoke tests, warm-up, probes, and asking who serves.

use std::{fmt, time::Duration};

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

/// The field of an answer that says who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// A header.
    Header(String),
    /// A value of its body, which is JSON; where it stands there is a JSON pointer (RFC 6901).
    Body(String),
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "the header `{name}`"),
            Self::Body(pointer) => write!(f, "`{pointer}` of the body"),
        }
    }
}

/// What a request of ours came back with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// What it says of who served it: the name of a slot, or any other text.
    pub by: Option<String>,
    /// How long it took.
    pub took: Duration,
}

impl Reply {
    /// The slot that says by its name that it served this.
    #[must_use]
    pub fn slot(&self) -> Option<Slot> {
        self.by.as_deref()?.parse().ok()
    }
}

/// Sends single requests to a service.
#[async_trait]
pub trait Requests: Send + Sync {
    /// Sends one GET and waits at most `within`; it is never repeated.
    ///
    /// # Errors
    /// Where no reply came in time. An HTTP error status is a reply.
    async fn get(&self, route: Route, path: &str, within: Duration) -> Result<Reply, PortError>;
    /// Where answers say who gave them.
    fn field(&self) -> Field;
}
