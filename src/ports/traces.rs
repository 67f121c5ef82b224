//! Where the spans of distributed traces come from.

use std::time::Duration;

use async_trait::async_trait;

use super::PortError;
use crate::model::trace::{Span, TraceId};

/// Which spans are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// These traces, whole; all that there are where none is named.
    pub traces: Vec<TraceId>,
    /// At most so many spans; more are an error, never a silent cut.
    pub most: usize,
}

/// What a source of traces holds of what was asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collected {
    /// The spans, in no order.
    pub spans: Vec<Span>,
    /// Spans that were sent and cannot be told any more: refused, dropped, or not to be understood.
    pub lost: u64,
    /// How long ago the last one came in; none where the source cannot know.
    pub quiet: Option<Duration>,
}

/// Holds traces: a receiver of our own, files, or a trace backend.
#[async_trait]
pub trait Traces: Send + Sync {
    /// The spans that are there now.
    ///
    /// # Errors
    /// Where the source cannot be asked, or holds more than was asked for.
    async fn collect(&self, wanted: &Wanted) -> Result<Collected, PortError>;
}
