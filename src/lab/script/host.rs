//! What all handlers of one process share: the ways to other services, the database, counters.

use std::sync::Arc;

use tokio::{runtime::Handle, sync::Semaphore};

use super::{
    directory::Directory,
    doors::{Circuits, Database, Limits},
    faults::ServiceFaults,
    observed::Observed,
};
#[cfg(feature = "sql")]
use crate::lab::primary::Primary;
use crate::{lab::telemetry::Tracing, model::Slot};

/// How many handlers run at a time; more wait.
pub const AT_A_TIME: usize = 64;

/// What all handlers of one process share.
pub struct Host {
    pub service: String,
    pub replica: String,
    /// Where it stands, if in slots.
    pub slot: Option<Slot>,
    pub version: String,
    pub runtime: Handle,
    pub tracing: Tracing,
    pub directory: Directory,
    pub database: Database,
    /// The lab's PostgreSQL, where the service keeps its rows there.
    #[cfg(feature = "sql")]
    pub primary: Option<Primary>,
    pub circuits: Circuits,
    pub limits: Limits,
    pub observed: Observed,
    pub faults: ServiceFaults,
    pub places: Arc<Semaphore>,
}
