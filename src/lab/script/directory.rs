//! The replicas of all scripted services, by name, as the supervisor lists them.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::lab::{grpc::Channel, state, telemetry::Peer};

/// How often the list is read anew.
const ROUND: Duration = Duration::from_millis(200);

/// One replica of a scripted service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    pub service: String,
    /// The replica's name.
    pub name: String,
    pub address: SocketAddr,
}

/// A replica, and the connections to it.
pub struct Known {
    pub instance: Instance,
    pub peer: Peer,
    pub channel: Channel,
}

/// All replicas.
#[derive(Default)]
pub struct Directory {
    known: RwLock<Vec<Arc<Known>>>,
    turn: AtomicUsize,
}

impl Directory {
    /// The next replica of a service, one after another.
    #[must_use]
    pub fn next(&self, service: &str) -> Option<Arc<Known>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let fits = |one: &&Arc<Known>| one.instance.service == service;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        known.iter().filter(fits).nth(turn.checked_rem(known.iter().filter(fits).count())?).cloned()
    }

    /// One replica of a service.
    #[must_use]
    pub fn replica(&self, service: &str, name: &str) -> Option<Arc<Known>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|one| one.instance.service == service && one.instance.name == name).cloned()
    }

    /// All replicas of a service.
    #[must_use]
    pub fn all(&self, service: &str) -> Vec<Arc<Known>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter(|one| one.instance.service == service).cloned().collect()
    }

    /// Follows the list in `file`.
    pub async fn follow(&self, file: &Path, stop: CancellationToken) {
        loop {
            self.round(file);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    /// Reads the list anew.
    pub fn round(&self, file: &Path) {
        match state::read::<Vec<Instance>>(file) {
            Ok(listed) => self.take_over(listed.unwrap_or_default()),
            Err(e) => tracing::warn!("the list of services: {e}"),
        }
    }

    fn take_over(&self, listed: Vec<Instance>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|one| listed.contains(&one.instance));
        for instance in listed {
            if !known.iter().any(|one| one.instance == instance) {
                let peer = Peer::new(instance.service.clone().into(), instance.address);
                let channel = Channel::new(instance.address);
                known.push(Arc::new(Known { instance, peer, channel }));
            }
        }
    }
}
