//! The replicas that the gateway knows, and which of them take requests.

use std::{
    path::Path,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use http_body_util::combinators::BoxBody;
use hyper::{StatusCode, body::Bytes};
use tokio_util::sync::CancellationToken;

use crate::{
    lab::{
        http::{Ask, Client, Pool},
        known::Backend,
        state::{self},
    },
    model::Slot,
};

/// The body of a request on its way to a replica.
pub type Outgoing = BoxBody<Bytes, hyper::Error>;

/// How often each replica is asked whether it is ready, and the list is read anew.
const ROUND: Duration = Duration::from_millis(200);
/// How long a replica may take to say that it is ready.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// One replica as the gateway sees it.
pub struct Upstream {
    /// Its name, slot and address.
    pub backend: Backend,
    pub pool: Pool<Outgoing>,
    health: Client,
    ready: AtomicBool,
}

impl Upstream {
    fn new(backend: Backend) -> Self {
        let (pool, health) = (Pool::new(backend.address), Client::new(backend.address, None));
        Self { backend, pool, health, ready: AtomicBool::new(false) }
    }

    /// Takes it out until it says that it is ready again.
    pub fn out(&self) {
        self.ready.store(false, Ordering::Relaxed);
    }

    async fn check(&self) {
        let answer = self.health.ask(Ask::get("/readyz"), READY_WITHIN).await;
        let ready = answer.is_ok_and(|answer| answer.status == StatusCode::OK);
        if self.ready.swap(ready, Ordering::Relaxed) != ready {
            tracing::info!(replica = self.backend.name, ready, "readiness changed");
        }
    }
}

/// All replicas, by slot.
#[derive(Default)]
pub struct Backends {
    upstreams: RwLock<Vec<Arc<Upstream>>>,
    turn: AtomicUsize,
}

impl Backends {
    /// The next ready replica of a slot, but none of `tried`.
    pub fn next(&self, slot: Slot, tried: &[Arc<Upstream>]) -> Option<Arc<Upstream>> {
        let upstreams = self.upstreams.read().ok()?;
        let fits = |upstream: &&Arc<Upstream>| {
            upstream.backend.slot == slot
                && upstream.ready.load(Ordering::Relaxed)
                && !tried.iter().any(|t| Arc::ptr_eq(t, upstream))
        };
        let count = upstreams.iter().filter(fits).count();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        upstreams.iter().filter(fits).nth(turn.checked_rem(count)?).cloned()
    }

    /// Follows the list in `file` and asks every replica whether it is ready, round after round.
    pub async fn follow(&self, file: &Path, stop: CancellationToken) {
        loop {
            self.round(file).await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    /// Reads the list anew, and asks every replica once.
    pub async fn round(&self, file: &Path) {
        match state::read::<Vec<Backend>>(file) {
            Ok(listed) => self.take_over(listed.unwrap_or_default()),
            Err(e) => tracing::warn!("the list of replicas: {e}"),
        }
        let all: Vec<_> = self.upstreams.read().map(|upstreams| upstreams.clone()).unwrap_or_default();
        join_all(all.iter().map(|upstream| upstream.check())).await;
    }

    fn take_over(&self, listed: Vec<Backend>) {
        let Ok(mut upstreams) = self.upstreams.write() else { return };
        upstreams.retain(|upstream| listed.contains(&upstream.backend));
        for backend in listed {
            if !upstreams.iter().any(|upstream| upstream.backend == backend) {
                tracing::info!(replica = backend.name, address = %backend.address, "replica listed");
                upstreams.push(Arc::new(Upstream::new(backend)));
            }
        }
    }
}
