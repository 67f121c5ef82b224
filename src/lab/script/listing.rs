//! The replica in the service registry: listed for as long as it lives, and what it has found there.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    backings::{Unsent, ask},
    host::Host,
};
use crate::lab::backing::{
    Backing,
    registry::{End, Instance, LEASE, Lease},
};

/// How often the lease is renewed; several times before it ends.
const RENEW: Duration = Duration::from_millis(LEASE.unsigned_abs() / 4);
/// How long the registry may take.
pub const WITHIN: Duration = Duration::from_millis(500);
/// The most names of a replica.
const NAMES: usize = 32;
/// The most bytes that it says of itself by one name.
const ABOUT: usize = 4096;

/// What a replica goes by, and what it has found.
pub struct Listing {
    /// By name, what it says of itself.
    own: Mutex<BTreeMap<String, Map<String, Value>>>,
    /// By name, what was found last.
    found: Mutex<BTreeMap<String, Vec<Instance>>>,
    changed: Notify,
}

impl Listing {
    /// A replica that goes by the name of its service.
    #[must_use]
    pub fn of(service: &str) -> Self {
        let own = BTreeMap::from([(service.to_owned(), Map::new())]);
        Self { own: Mutex::new(own), found: Mutex::default(), changed: Notify::new() }
    }

    /// Has the replica go by a name from now on.
    ///
    /// # Errors
    /// Where it has too many, or too much to say.
    pub fn register(&self, name: &str, about: Map<String, Value>) -> Result<(), String> {
        if Value::from(about.clone()).to_string().len() > ABOUT {
            return Err(format!("a replica says {ABOUT} bytes about itself at most"));
        }
        let mut own = locked(&self.own);
        if own.len() >= NAMES && !own.contains_key(name) {
            return Err(format!("a replica goes by {NAMES} names at most"));
        }
        own.insert(name.to_owned(), about);
        self.changed.notify_one();
        Ok(())
    }

    /// Remembers what was found by a name.
    pub fn remember(&self, name: &str, found: &[Instance]) {
        let mut all = locked(&self.found);
        match found {
            // Names that nobody has are not collected.
            [] => drop(all.remove(name)),
            _ => drop(all.insert(name.to_owned(), found.to_vec())),
        }
    }

    /// What was found by a name last.
    pub fn remembered(&self, name: &str) -> Option<Vec<Instance>> {
        locked(&self.found).get(name).cloned()
    }

    fn lease(&self, host: &Host) -> Lease {
        let instance = |(name, about): (&String, &Map<String, Value>)| {
            let mut about = about.clone();
            about.entry("version").or_insert_with(|| host.version.clone().into());
            Instance { name: name.clone(), id: host.replica.clone(), address: host.address, about }
        };
        Lease { instances: locked(&self.own).iter().map(instance).collect() }
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Renews the leases of the replica, where the lab has a registry, until `stop`.
pub async fn keep(host: &Host, stop: &CancellationToken) {
    let mut is_listed = true;
    while !stop.is_cancelled() {
        if has_registry(host) {
            let renewed = renew(host).await;
            if let (true, Err(why)) = (is_listed, &renewed) {
                tracing::warn!(service = host.service, "the registry does not list the replica: {why:?}");
            }
            is_listed = renewed.is_ok();
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = host.listing.changed.notified() => {}
            () = tokio::time::sleep(RENEW) => {}
        }
    }
}

/// Renews the leases of the replica.
///
/// # Errors
/// Where the registry has not heard it.
pub async fn renew(host: &Host) -> Result<(), Unsent> {
    told(host, "/leases", json!(host.listing.lease(host))).await
}

/// Has the registry list the replica no more.
pub async fn end(host: &Host) {
    if has_registry(host)
        && let Err(why) = told(host, "/ends", json!(End { id: host.replica.clone() })).await
    {
        tracing::info!(service = host.service, "the registry lists the replica until its lease ends: {why:?}");
    }
}

fn has_registry(host: &Host) -> bool {
    host.directory.next(Backing::Registry.name()).is_some()
}

async fn told(host: &Host, path: &str, body: Value) -> Result<(), Unsent> {
    let asked = ask::<Value>(host, Backing::Registry, (http::Method::POST, path), body, Duration::ZERO);
    let asked = tokio::time::timeout(WITHIN, asked).await;
    asked.unwrap_or_else(|_| Err(Unsent::Away("no answer in time".to_owned()))).map(drop)
}
