//! What driving a run needs beside its plan.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Events, Operation};
use crate::ports::{Clock, Notify, Store};

/// Turns to a reason when the run has to end, such as `SIGINT`.
pub type StopSignal = watch::Receiver<Option<String>>;

/// Everything that driving a run needs beside its plan.
#[derive(Clone)]
pub struct Context {
    /// Where the run is kept.
    pub store: Arc<dyn Store>,
    /// What the steps mean.
    pub operation: Arc<dyn Operation>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who renders what happens.
    pub events: Arc<dyn Events>,
    /// Who is told of a bad end.
    pub notify: Vec<Arc<dyn Notify>>,
    /// When to put things back and end.
    pub stop: StopSignal,
}
