//! One process of the lab over all its restarts.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::StatusCode;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    lab::{
        backing::Backing,
        http::{Ask, Client},
        status::{PartStatus, Release, Standing},
    },
    model::Slot,
    process::{Launch, Running},
};

/// The wait before the first restart, and the longest one.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// A process that has been up for so long starts again with the shortest wait.
const SOUND_AFTER: Duration = Duration::from_secs(10);
/// How long a replica that is off the list may still get requests.
const UNLISTED_FOR: Duration = Duration::from_millis(500);
/// How long a process may take to end.
const GRACE: Duration = Duration::from_secs(6);
/// A replica has to be ready for so long before another one is replaced: by then the gateway has found it as well.
const STEADY_AFTER: Duration = Duration::from_millis(1500);
/// How often each process is asked whether it is ready, and how long it may take to say so.
const ASK: (Duration, Duration) = (Duration::from_millis(150), Duration::from_secs(1));

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Gateway,
    Prometheus,
    /// A service of a full lab.
    Service,
    /// What stands behind a door of scripts.
    Backing(Backing),
    /// The agent of one of the database's hosts.
    Host,
    Replica {
        slot: Slot,
        /// Its number in the slot.
        index: u32,
        release: Release,
    },
    /// A replica of a scripted service.
    Scripted {
        service: String,
        /// Its number in the service.
        index: u32,
        release: Release,
    },
}

enum Run {
    New,
    Up { running: Running, since: Instant, _asking: DropGuard },
    Waiting { until: Instant },
    Unlisted { running: Running, since: Instant },
    Ending { running: Running, since: Instant, killed: bool },
    Gone,
}

/// One process, its restarts counted.
pub struct Part {
    pub name: String,
    pub kind: Kind,
    pub address: SocketAddr,
    /// How often it has ended by itself.
    pub exits: u64,
    /// Where it is asked whether it is ready.
    ask: (SocketAddr, &'static str),
    launch: Launch,
    run: Run,
    back_off: Duration,
    ready: Arc<AtomicBool>,
    ready_since: Option<Instant>,
}

impl Part {
    /// A process that is to be started at the next round.
    pub fn new(name: String, kind: Kind, address: SocketAddr, ask: (SocketAddr, &'static str), launch: Launch) -> Self {
        Self {
            name,
            kind,
            address,
            exits: 0,
            ask,
            launch,
            run: Run::New,
            back_off: BACK_OFF.0,
            ready: Arc::default(),
            ready_since: None,
        }
    }

    /// Takes note of an end, and starts, ends or kills what is due.
    pub fn reconcile(&mut self, now: Instant) {
        self.ready_since = self.is_ready().then(|| self.ready_since.unwrap_or(now));
        let run = std::mem::replace(&mut self.run, Run::Gone);
        self.run = match run {
            Run::Up { mut running, since, _asking } => match running.ended() {
                Ok(None) => Run::Up { running, since, _asking },
                ended => {
                    self.exits += 1;
                    if now.saturating_duration_since(since) >= SOUND_AFTER {
                        self.back_off = BACK_OFF.0;
                    }
                    tracing::warn!(part = self.name, exits = self.exits, wait = ?self.back_off, ?ended, "ended by itself");
                    let until = now + self.back_off;
                    self.back_off = (self.back_off * 2).min(BACK_OFF.1);
                    self.ready.store(false, Ordering::Relaxed);
                    Run::Waiting { until }
                }
            },
            Run::New => self.start(now),
            Run::Waiting { until } if now >= until => self.start(now),
            Run::Unlisted { mut running, since } if now.saturating_duration_since(since) >= UNLISTED_FOR => {
                note(&self.name, running.ask_to_end());
                Run::Ending { running, since: now, killed: false }
            }
            Run::Ending { mut running, since, killed } => match running.ended() {
                Ok(Some(_)) => Run::Gone,
                _ if !killed && now.saturating_duration_since(since) >= GRACE => {
                    note(&self.name, running.kill());
                    Run::Ending { running, since, killed: true }
                }
                _ => Run::Ending { running, since, killed },
            },
            other => other,
        };
    }

    fn start(&mut self, now: Instant) -> Run {
        match self.launch.start() {
            Ok(running) => {
                tracing::info!(part = self.name, identity = %running.identity(), "started");
                // A flag of its own, so that a late answer of the process before does not count.
                self.ready = Arc::default();
                let stop = CancellationToken::new();
                let _asking = stop.clone().drop_guard();
                tokio::spawn(ask_for_readiness(self.ask, self.ready.clone(), stop));
                Run::Up { running, since: now, _asking }
            }
            Err(e) => {
                tracing::error!(part = self.name, "cannot be started: {e}");
                self.back_off = (self.back_off * 2).min(BACK_OFF.1);
                Run::Waiting { until: now + self.back_off }
            }
        }
    }

    /// Takes it off the list, and ends it a little later, when no request can still be on its way to it.
    pub fn retire(&mut self) {
        self.leave(|running| Run::Unlisted { running, since: Instant::now() });
    }

    /// Asks it to end now.
    pub fn end(&mut self) {
        let name = self.name.clone();
        self.leave(|mut running| {
            note(&name, running.ask_to_end());
            Run::Ending { running, since: Instant::now(), killed: false }
        });
    }

    fn leave(&mut self, to: impl FnOnce(Running) -> Run) {
        self.ready = Arc::default();
        self.run = match std::mem::replace(&mut self.run, Run::Gone) {
            Run::Up { running, .. } | Run::Unlisted { running, .. } => to(running),
            Run::Ending { running, since, killed } => Run::Ending { running, since, killed },
            Run::New | Run::Waiting { .. } | Run::Gone => Run::Gone,
        };
    }

    /// Whether it has ended as it was told to.
    pub const fn is_gone(&self) -> bool {
        matches!(self.run, Run::Gone)
    }

    /// Whether requests may be sent to it.
    pub const fn is_listed(&self) -> bool {
        matches!(self.run, Run::New | Run::Up { .. } | Run::Waiting { .. })
    }

    /// Whether it is on its way: ending, or not ready yet, or only just.
    pub fn is_changing(&self) -> bool {
        match &self.run {
            Run::New | Run::Unlisted { .. } | Run::Ending { .. } | Run::Gone => true,
            Run::Up { since, .. } => match self.ready_since {
                Some(ready) => ready.elapsed() < STEADY_AFTER,
                None => since.elapsed() < SOUND_AFTER,
            },
            Run::Waiting { .. } => false,
        }
    }

    /// Whether it says that it can take requests.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    pub fn status(&self) -> PartStatus {
        let (standing, running) = match &self.run {
            Run::Up { running, .. } => (Standing::Up, Some(running)),
            Run::New | Run::Waiting { .. } => (Standing::Waiting, None),
            Run::Unlisted { running, .. } | Run::Ending { running, .. } => (Standing::Ending, Some(running)),
            Run::Gone => (Standing::Ending, None),
        };
        let (slot, service, version) = match &self.kind {
            Kind::Replica { slot, release, .. } => (Some(*slot), None, Some(release.version.clone())),
            Kind::Scripted { service, release, .. } => (None, Some(service.clone()), Some(release.version.clone())),
            Kind::Gateway | Kind::Prometheus | Kind::Service | Kind::Backing(_) | Kind::Host => (None, None, None),
        };
        PartStatus {
            name: self.name.clone(),
            identity: running.map(|running| running.identity().clone()),
            address: self.address,
            standing,
            ready: self.is_ready(),
            exits: self.exits,
            slot,
            service,
            version,
        }
    }
}

fn note(name: &str, result: std::io::Result<()>) {
    if let Err(e) = result {
        tracing::error!(part = name, "cannot be signalled: {e}");
    }
}

async fn ask_for_readiness((address, path): (SocketAddr, &str), ready: Arc<AtomicBool>, stop: CancellationToken) {
    let client = Client::new(address, None);
    loop {
        let answer = client.ask(Ask::get(path), ASK.1).await;
        ready.store(answer.is_ok_and(|answer| answer.status == StatusCode::OK), Ordering::Relaxed);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ASK.0) => {}
        }
    }
}
