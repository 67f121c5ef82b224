//! Objects that a label selector picks, kept as the last event of a watch left them.

use std::{collections::BTreeMap, fmt::Debug, hash::Hash, pin::pin, sync::Arc, time::Duration};

use futures::StreamExt as _;
use kube::{
    Api, Resource, ResourceExt as _,
    runtime::watcher::{self, Event, watcher},
};
use serde::de::DeserializeOwned;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use super::Cluster;
use crate::ports::PortError;

/// How long one watch lasts, in seconds; shorter than the silence after which a connection counts as dead.
const WATCH: u32 = 20;
/// Objects in a page of the first list.
const PAGE: u32 = 500;
/// How long the first list may take.
const FIRST: Duration = Duration::from_secs(10);
/// The first and the longest pause after a watch has broken.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// Objects as they stand, and whether that is known to be so.
#[derive(Debug, Clone)]
struct Seen<K> {
    objects: BTreeMap<String, Arc<K>>,
    known: Known,
}

#[derive(Debug, Clone)]
enum Known {
    Listing,
    /// The watch stands.
    Yes,
    /// The watch has broken; what was seen before may be old.
    Broken(PortError),
}

/// A watch that goes on in the background until it is dropped, and begins anew with a list whenever it breaks or
/// expires.
pub struct Watched<K> {
    seen: watch::Receiver<Seen<K>>,
    place: String,
    task: JoinHandle<()>,
}

impl<K> Watched<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Clone + Eq + Hash + Send + Sync,
{
    /// Begins to watch; `what` names the objects for people.
    pub fn start(cluster: &Cluster, api: Api<K>, labels: &str, what: &str) -> Self {
        let (send, seen) = watch::channel(Seen { objects: BTreeMap::new(), known: Known::Listing });
        let config = watcher::Config::default().labels(labels).timeout(WATCH).page_size(PAGE);
        let verb = format!("list and watch {what}");
        let explain = cluster.clone();
        let task = tokio::spawn(async move {
            let mut pause = PAUSE.0;
            loop {
                let broken = follow(api.clone(), config.clone(), &send, &mut pause).await;
                let error = broken.map_or_else(
                    || PortError::unexpected(explain.place(), "the watch ended"),
                    |error| watch_failure(&explain, &verb, &error),
                );
                send.send_modify(|seen| seen.known = Known::Broken(error));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE.1);
            }
        });
        Self { seen, place: cluster.place().to_owned(), task }
    }

    /// All objects as they stand; waits for the first list.
    ///
    /// # Errors
    /// Where the list does not come, or the watch is broken at the moment: what was seen before is then no answer.
    pub async fn read(&self) -> Result<Vec<Arc<K>>, PortError> {
        let mut seen = self.seen.clone();
        let listed = timeout(FIRST, seen.wait_for(|seen| !matches!(seen.known, Known::Listing))).await;
        match listed {
            Ok(Ok(seen)) => match &seen.known {
                Known::Broken(error) => Err(error.clone()),
                _ => Ok(seen.objects.values().cloned().collect()),
            },
            _ => Err(PortError::unreachable(&self.place, format!("no list came within {FIRST:?}"))),
        }
    }

    /// Waits until `holds` is true of all objects, for `within` at most; says whether it came to be.
    pub async fn until(&self, within: Duration, mut holds: impl FnMut(&BTreeMap<String, Arc<K>>) -> bool) -> bool {
        let mut seen = self.seen.clone();
        let come = seen.wait_for(|seen| matches!(seen.known, Known::Yes) && holds(&seen.objects));
        matches!(timeout(within, come).await, Ok(Ok(_)))
    }
}

impl<K> Drop for Watched<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Follows one watch until it breaks, and says how.
async fn follow<K>(
    api: Api<K>,
    config: watcher::Config,
    send: &watch::Sender<Seen<K>>,
    pause: &mut Duration,
) -> Option<watcher::Error>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Clone + Eq + Hash + Send + Sync,
{
    let mut events = pin!(watcher(api, config));
    let mut listed = BTreeMap::new();
    while let Some(event) = events.next().await {
        match event {
            Err(error) => return Some(error),
            Ok(Event::Init) => listed = BTreeMap::new(),
            Ok(Event::InitApply(object)) => {
                listed.insert(object.name_any(), slim(object));
            }
            Ok(Event::InitDone) => {
                let objects = std::mem::take(&mut listed);
                send.send_replace(Seen { objects, known: Known::Yes });
                *pause = PAUSE.0;
            }
            Ok(Event::Apply(object)) => send.send_modify(|seen| {
                seen.objects.insert(object.name_any(), slim(object));
            }),
            Ok(Event::Delete(object)) => send.send_modify(|seen| {
                seen.objects.remove(&object.name_any());
            }),
        }
    }
    None
}

/// Drops what is only needed by those who write; it is half of an object.
fn slim<K: Resource>(mut object: K) -> Arc<K> {
    object.meta_mut().managed_fields = None;
    Arc::new(object)
}

fn watch_failure(cluster: &Cluster, verb: &str, error: &watcher::Error) -> PortError {
    match error {
        watcher::Error::InitialListFailed(e) | watcher::Error::WatchStartFailed(e) | watcher::Error::WatchFailed(e) => {
            cluster.failure(verb, e)
        }
        watcher::Error::WatchError(status) => cluster.failure(verb, &kube::Error::Api(status.clone())),
        other => PortError::unexpected(cluster.place(), other),
    }
}
