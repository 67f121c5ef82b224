//! What all handlers of one process share: the ways to other services, the database, counters.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore},
};
use tokio_util::task::TaskTracker;

use super::{
    backings::Backings,
    config::Current,
    dependencies::Dependencies,
    directory::Directory,
    doors::{Circuits, Database, Limits},
    faults::ServiceFaults,
    listing::Listing,
    observed::Observed,
    relay::Outbox,
    webhook::Secrets,
};
#[cfg(feature = "sql")]
use crate::lab::primary::Primary;
use crate::{
    lab::{backing::Backing, identity::Verifier, telemetry::Tracing},
    model::Slot,
};

/// How many handlers run at a time; more wait.
pub const AT_A_TIME: usize = 64;

/// What all handlers of one process share.
pub struct Host {
    pub service: String,
    pub replica: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it stands, if in slots.
    pub slot: Option<Slot>,
    pub version: String,
    pub runtime: Handle,
    pub tracing: Tracing,
    pub directory: Directory,
    pub config: Current,
    pub database: Database,
    /// The lab's PostgreSQL, where the service keeps its rows there.
    #[cfg(feature = "sql")]
    pub primary: Option<Primary>,
    /// The secrets by which webhooks are signed and checked.
    pub secrets: Secrets,
    /// That a webhook was put into the outbox.
    pub sent: Notify,
    /// Checks tokens, where the lab has an identity provider.
    pub verifier: Option<Verifier>,
    /// How it stood with what the service needs.
    pub dependencies: Dependencies,
    pub circuits: Circuits,
    pub limits: Limits,
    pub observed: Observed,
    pub faults: ServiceFaults,
    pub places: Arc<Semaphore>,
    pub backings: Backings,
    pub outbox: Outbox,
    /// That something in the cache is good no longer.
    pub dropped: Notify,
    /// What it goes by in the registry, and what it has found there.
    pub listing: Listing,
    /// Those that know what the service takes from them.
    pub registered: Mutex<BTreeSet<Backing>>,
    /// The messages that are being handled.
    pub handling: TaskTracker,
}

impl Host {
    /// Whether the service keeps its rows in the lab's PostgreSQL.
    #[must_use]
    pub const fn keeps_in_postgres(&self) -> bool {
        #[cfg(feature = "sql")]
        return self.primary.is_some();
        #[cfg(not(feature = "sql"))]
        return false;
    }

    /// Those that know what the service takes from them.
    pub fn registered(&self) -> MutexGuard<'_, BTreeSet<Backing>> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
