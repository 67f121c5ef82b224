//! The recorder of one drill: starts the writers and pollers, marks turns, and stops with the records.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Progress, WriterSpec,
    book::{Book, Kept},
    lane::{Aim, Lane},
    pacer::{self, Track},
    poll::poll,
    route::Router,
    shared::Shared,
    urgent::be_urgent,
    worker::Worker,
};
use crate::{
    error::Error,
    operation::drill::ledger::{Head, Line, Mark, Marks, Micros, Records, Stream},
    ports::Database,
};

/// Between the last connection and the first slot.
const SETTLE: Duration = Duration::from_millis(20);
/// How long what is under way may take to end, beyond its own deadlines.
const GRACE: Duration = Duration::from_secs(1);
/// How long the ledger's file may take for its last lines.
const LAST_LINES: Duration = Duration::from_secs(10);
/// Threads of the recorder's own runtime. They are urgent, and have to leave the other core to the database where there are two.
const THREADS: usize = 1;
/// The most nodes; each has workers of its own.
const MOST_NODES: usize = 32;

/// Writes and polls until it is stopped.
///
/// It has a runtime of its own, so that nothing else that this process does, such as waiting for its journal's disk, holds up a
/// write and looks like an outage. Dropped without [`Recorder::stop`], it ends as well, and leaves its file behind.
pub struct Recorder {
    running: Running,
    marks: Mutex<Marks>,
    kept: Kept,
}

/// What runs; ends when it is dropped.
struct Running {
    shared: Arc<Shared>,
    /// `None` once it is shut down.
    runtime: Option<Runtime>,
    pacer: Option<thread::Thread>,
    polling: CancellationToken,
    tasks: TaskTracker,
}

impl Recorder {
    /// Connects, and begins to write: ids count from `first_id` on, which must lie above all that are in the table. The ledger's
    /// file is made anew.
    ///
    /// # Errors
    /// Where the spec makes no sense, or the file or a thread cannot be made. A node that does not let us in is no error.
    pub async fn start(
        database: Arc<dyn Database>,
        spec: WriterSpec,
        ledger: &Path,
        first_id: u64,
    ) -> Result<Self, Error> {
        spec.check()?;
        let head = head(&*database, &spec)?;
        let broken = |e: io::Error| Error::Store {
            place: ledger.display().to_string(),
            why: e.to_string(),
            hint: "the ledger needs room on its disk, and the right to write there".to_owned(),
        };
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(ledger).map_err(broken)?;
        let nodes = head.nodes.clone();
        let (book, kept) = Book::open(head, file).map_err(broken)?;
        let shared = Arc::new(Shared::new(database, nodes, spec, book, first_id));
        let mut running = Running::new(shared).map_err(broken)?;
        running.begin().await.map_err(broken)?;
        Ok(Self { running, marks: Mutex::new(Marks::default()), kept })
    }

    /// Now, on the ledger's clock.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.running.shared.clock.now()
    }

    /// Marks a turn, now; returns when. Mark the fault before it is injected, and its release when it is released.
    pub fn mark(&self, mark: Mark) -> Micros {
        let at = self.now();
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).set(mark, at);
        self.running.shared.book.add(Line::Marked { mark, at });
        at
    }

    /// How far the writers have come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let shared = &self.running.shared;
        shared.tally.progress(shared.clock.now(), &shared.nodes)
    }

    /// Stops writing, waits for what is under way within its own deadlines, and returns what was seen.
    pub async fn stop(self) -> Records {
        let Self { running, marks, kept } = self;
        running.wind_down();
        let spec = &running.shared.spec;
        let within = spec.statement_within + spec.connect_within + GRACE;
        // Whoever is still under way after that has no end written down, which makes its write one of unknown outcome.
        let _ = timeout(within, running.tasks.wait()).await;
        running.shared.book.close();
        drop(running);
        let mut records = kept.records(LAST_LINES).await;
        records.marks = marks.into_inner().unwrap_or_else(PoisonError::into_inner);
        records
    }
}

impl Running {
    fn new(shared: Arc<Shared>) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("writer")
            .on_thread_start(be_urgent)
            .enable_all()
            .build()?;
        let (polling, tasks) = (CancellationToken::new(), TaskTracker::new());
        Ok(Self { shared, runtime: Some(runtime), pacer: None, polling, tasks })
    }

    async fn begin(&mut self) -> io::Result<()> {
        let streams = lanes(&self.shared);
        let mut of_lanes = Vec::new();
        for (lane, _) in &streams {
            of_lanes.push(self.connect_workers(lane).await);
        }
        for (node, _) in (0_u16..).zip(&self.shared.nodes) {
            self.spawn(poll(self.shared.clone(), node, self.polling.clone(), self.tasks.clone()));
        }
        let first = Instant::now() + SETTLE;
        let share = 1.0 / f64::from(u16::try_from(streams.len()).unwrap_or(u16::MAX));
        let tracks = streams.into_iter().zip(of_lanes).map(|((lane, rate), workers)| {
            // Streams are shifted against each other, so that their slots do not fall together.
            let first = first + Duration::from_secs_f64(f64::from(lane.stream) * share / rate);
            Track { lane, workers, first, rate }
        });
        let pacer = pacer::start(tracks.collect(), self.shared.clone())?;
        self.pacer = Some(pacer.thread().clone());
        Ok(())
    }

    /// Starts a stream's workers, which connect before they take slots; waits until all have tried.
    async fn connect_workers(&self, lane: &Arc<Lane>) -> Vec<mpsc::Sender<Micros>> {
        let mut workers = Vec::new();
        let (trying, mut tried) = mpsc::channel::<()>(1);
        for number in 0..self.shared.spec.workers {
            let (worker, slots) = mpsc::channel(1);
            let (mut work, trying) = (Worker::new(self.shared.clone(), lane.clone(), number), trying.clone());
            self.spawn(async move {
                work.prepare().await;
                drop(trying);
                work.work(slots).await;
            });
            workers.push(worker);
        }
        drop(trying);
        // Nothing is ever sent: this ends when every worker has let go. Each tries a node once, and each try has a deadline.
        let _ = tried.recv().await;
        workers
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            self.tasks.spawn_on(task, runtime.handle());
        }
    }

    fn wind_down(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(pacer) = &self.pacer {
            pacer.unpark();
        }
        self.polling.cancel();
        self.tasks.close();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.wind_down();
        if let Some(runtime) = self.runtime.take() {
            // Whoever drops it may be a task itself, and must not wait.
            runtime.shutdown_background();
        }
    }
}

/// The streams: the one that looks for the primary first, then one for each node.
fn head(database: &dyn Database, spec: &WriterSpec) -> Result<Head, Error> {
    let nodes = database.nodes();
    if !(1..=MOST_NODES).contains(&nodes.len()) {
        let what = format!("a drill cannot write to {} nodes", nodes.len());
        return Err(Error::usage(what, format!("name from 1 to {MOST_NODES}")));
    }
    let routed = Stream { node: None, period: WriterSpec::period(spec.rate) };
    let pinned = spec.per_node.map(WriterSpec::period).map(|period| {
        let streams = (0_u16..).zip(&nodes).map(move |(node, _)| Stream { node: Some(node), period });
        streams.collect::<Vec<_>>()
    });
    let streams = [routed].into_iter().chain(pinned.into_iter().flatten()).collect();
    Ok(Head { nodes, unit: database.unit(), streams, poll_every: spec.poll_every.into() })
}

/// The streams of [`head`] with their rates.
fn lanes(shared: &Shared) -> Vec<(Arc<Lane>, f64)> {
    let (nodes, spec) = (shared.nodes.len(), &shared.spec);
    let routed = (Aim::Primary(Router::new(nodes)), spec.rate);
    let pinned = spec.per_node.map(|rate| (0_u16..).zip(&shared.nodes).map(move |(node, _)| (Aim::Node(node), rate)));
    let aims = [routed].into_iter().chain(pinned.into_iter().flatten());
    (0_u16..).zip(aims).map(|(stream, (aim, rate))| (Arc::new(Lane::new(stream, aim, nodes)), rate)).collect()
}
