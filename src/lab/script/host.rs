//! What all handlers of one process share: the ways to other services, the database, counters.

use std::sync::Arc;

use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore},
};

use super::{
    config::Current,
    directory::Directory,
    doors::{Circuits, Database, Limits},
    faults::ServiceFaults,
    observed::Observed,
    webhook::Secrets,
};
use crate::lab::{identity::Verifier, telemetry::Tracing};

/// How many handlers run at a time; more wait.
pub const AT_A_TIME: usize = 64;

/// What all handlers of one process share.
pub struct Host {
    pub service: String,
    pub replica: String,
    pub version: String,
    pub runtime: Handle,
    pub tracing: Tracing,
    pub directory: Directory,
    pub config: Current,
    pub database: Database,
    /// The secrets by which webhooks are signed and checked.
    pub secrets: Secrets,
    /// That a webhook was put into the outbox.
    pub sent: Notify,
    /// Checks tokens, where the lab has an identity provider.
    pub verifier: Option<Verifier>,
    pub circuits: Circuits,
    pub limits: Limits,
    pub observed: Observed,
    pub faults: ServiceFaults,
    pub places: Arc<Semaphore>,
}
