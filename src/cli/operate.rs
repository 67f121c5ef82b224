//! What every operation does once it is planned: gates, confirmation, lock, guardian, the loop, the closing word.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{Global, confirm::confirm, watchdog::Watchdog};
use crate::{
    app,
    error::{Error, Exit},
    guard::{
        Context, Entry, Event, Events, Gate, Mode, Operation, Outcome, Override, Plan, Preconditions, StopSignal,
        Stored, Strength, ask_again, begin, drive, fold, give_up, hold, load, refusal,
    },
    journal::Grant,
    model::RunId,
    ports::{Notify, Store},
    report::{self, Format, Reporter, Style},
};

/// How long a superseded operator waits to learn how the run ended under its new owner.
const FOLLOW: Duration = Duration::from_secs(300);

/// An operation that is ready to be asked for.
pub struct Prepared {
    /// What it will do.
    pub plan: Plan,
    /// What its steps mean.
    operation: Arc<dyn Operation>,
    /// Its gates.
    preconditions: Box<dyn Preconditions>,
    /// What they said.
    gates: Vec<Gate>,
    /// Who went past which of them.
    overrides: Vec<Override>,
    /// Who is told of a bad end.
    notify: Vec<Arc<dyn Notify>>,
}

impl Prepared {
    /// Asks the gates of an operation that is planned.
    ///
    /// # Errors
    /// Where what the gates have to know cannot be found out.
    pub async fn ask(
        plan: Plan,
        operation: Arc<dyn Operation>,
        preconditions: Box<dyn Preconditions>,
        overrides: Vec<Override>,
        notify: Vec<Arc<dyn Notify>>,
    ) -> Result<Self, Error> {
        let gates = preconditions.ask(None).await?;
        Ok(Self { plan, operation, preconditions, gates, overrides, notify })
    }

    /// Prints the plan and the gates, and what finding out has cost the cluster, if there is one.
    pub fn show(&self, format: Format) {
        let asked = app::requests();
        match format {
            Format::Json => {
                report::print(&serde_json::json!({ "plan": self.plan, "gates": self.gates, "requests": asked }));
            }
            Format::Table => report::say(&self.text()),
        }
        if asked > 0 && format == Format::Table {
            report::remark(&format!("{asked} requests to the API server"));
        }
    }

    fn text(&self) -> String {
        let style = Style::stdout();
        format!("{}\n{}", report::plan(&self.plan, style), report::gates(&self.gates, style))
    }

    /// Says whether the gates let it pass.
    ///
    /// # Errors
    /// Names what stands in the way.
    pub fn verdict(&self) -> Result<(), Error> {
        refusal(&self.gates, &self.overrides)
    }

    /// Asks a person, locks, asks the gates again, posts the guardian, and drives the run to its end.
    ///
    /// # Errors
    /// Where a gate is shut, nobody confirms, the target is locked, or no guardian can be posted.
    pub async fn run(self, global: &Global, yes: bool) -> Result<Exit, Error> {
        self.verdict()?;
        confirm(|| self.text(), "Go on?", yes).await?;
        let place = global.place()?;
        let store = place.open().await?;
        let run = RunId::new(app::clock().now().wall, rand::random());
        let home = global.home()?;
        let grant = begin(&*store, &run, &self.plan, &self.gates, &self.overrides).await?;
        // Not always the name that was drawn first.
        let run = grant.run.clone();
        let watchdog = Watchdog::new(place, home, run.clone());
        let reporter = Reporter::new(global.output);
        let ended = self.guarded(&store, &grant, watchdog, reporter.events()).await;
        end(reporter, &*store, &run, ended, global.output).await
    }

    /// From the lock to the end of the run.
    async fn guarded(
        self,
        store: &Arc<dyn Store>,
        grant: &Grant,
        watchdog: Watchdog,
        events: Arc<dyn Events>,
    ) -> Result<Outcome, Error> {
        let stop = stop_signal()?;
        let clock = app::clock();
        let answers = (&self.gates[..], &self.overrides[..]);
        ask_again((&**store, &*clock), grant, &*self.preconditions, answers, &*events).await?;
        let guardian = match self.plan.guard {
            Strength::Local => Some(hold((&**store, &*clock), grant, watchdog.post()).await?),
            Strength::InCluster | Strength::None => None,
        };
        let guardian = match guardian.transpose() {
            Ok(guardian) => guardian,
            Err(e) => {
                give_up(&**store, grant, Outcome::Refused { why: e.to_string() }).await?;
                return Err(e);
            }
        };
        // Until the run is over.
        let _watching = guardian.map(|guardian| watchdog.watch(Some(guardian), store.clone(), events.clone()));
        let context = Context {
            store: store.clone(),
            operation: self.operation,
            clock,
            events: events.clone(),
            notify: self.notify,
            stop,
        };
        match drive(&context, grant).await {
            Err(Error::Superseded { .. }) => Ok(follow(&**store, &grant.run).await),
            Err(e) => cut_short(&**store, &grant.run, e, &*events).await,
            Ok(outcome) => Ok(outcome),
        }
    }
}

/// Says how a run ended, once all that was said of it before is written.
///
/// # Errors
/// The error itself, where the run came to no outcome.
pub async fn end(
    reporter: Reporter,
    store: &dyn Store,
    run: &RunId,
    ended: Result<Outcome, Error>,
    format: Format,
) -> Result<Exit, Error> {
    let last = match &ended {
        Ok(outcome) => Some(closing(store, run, outcome, format).await),
        Err(_) => None,
    };
    // The progress line goes before the closing table comes.
    outlast(move || {
        reporter.finish();
        if let Some(last) = last {
            report::say(&last);
        }
    })
    .await;
    ended.map(|outcome| outcome.exit())
}

/// Writes what is left to be written. The run is over and its target free, so output waits for its reader now, as that of
/// any program does; a signal ends the wait.
pub async fn outlast(write: impl FnOnce() + Send + 'static) {
    use tokio::signal::unix::{SignalKind, signal};
    let mut signals: Vec<_> = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
        .into_iter()
        .filter_map(|kind| signal(kind).ok())
        .collect();
    let signalled = futures::future::select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv())));
    tokio::select! {
        _ = tokio::task::spawn_blocking(write) => {}
        _ = signalled => {}
    }
}

/// Turns the first INT, TERM or HUP into a reason to put things back. Later ones change nothing: the way back is not
/// abandoned.
///
/// # Errors
/// Where the system takes no handlers.
pub fn stop_signal() -> Result<StopSignal, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let (send, receive) = watch::channel(None);
    for (kind, name) in
        [(SignalKind::interrupt(), "SIGINT"), (SignalKind::terminate(), "SIGTERM"), (SignalKind::hangup(), "SIGHUP")]
    {
        let mut signals = signal(kind).map_err(|e| Error::Store {
            place: "signals".to_owned(),
            why: e.to_string(),
            mend: "nothing was touched".to_owned(),
        })?;
        let send = send.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                send.send_if_modified(|reason| {
                    let first = reason.is_none();
                    reason.get_or_insert_with(|| name.to_owned());
                    first
                });
            }
        });
    }
    Ok(receive)
}

/// How a run ended that could not record what it did. No error may claim that nothing was touched where something was.
///
/// # Errors
/// The error itself, where nothing was touched.
pub async fn cut_short(store: &dyn Store, run: &RunId, error: Error, events: &dyn Events) -> Result<Outcome, Error> {
    match load(store, run).await {
        Ok(stored) if !fold(&stored.plan, &stored.entries).is_touched() => Err(error),
        Ok(Stored { plan, entries, .. }) if let Mode::Finished(outcome) = fold(&plan, &entries).mode => {
            let free = format!("{error}; the target is free once its guardian has seen that the run is over");
            events.event(&Event::Remark(&free));
            Ok(outcome)
        }
        _ => Ok(Outcome::Stuck { why: format!("{error}; its guardian puts things back once that is mended") }),
    }
}

/// Waits for the end of a run that another owner has taken over.
async fn follow(store: &dyn Store, run: &RunId) -> Outcome {
    let begun = std::time::Instant::now();
    loop {
        let why = match load(store, run).await.map(|stored| stored.mode()) {
            Ok(Mode::Finished(outcome)) => return outcome,
            Ok(Mode::Held { why, declared: true }) => return Outcome::Held { why },
            Ok(_) => format!("another owner has the run and has not ended it; see `interlock runs show {run}`"),
            // Lock and journal are gone together, such as with their namespace.
            Err(e @ Error::Usage { .. }) => return Outcome::Stuck { why: format!("its journal is gone: {e}") },
            Err(e) => e.to_string(),
        };
        if begun.elapsed() > FOLLOW {
            return Outcome::Stuck { why };
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// How a run ended, with the evidence, and the hash that ends its journal.
async fn closing(store: &dyn Store, run: &RunId, outcome: &Outcome, format: Format) -> String {
    let read = (load(store, run).await, store.head(run).await);
    match (format, read) {
        (Format::Json, (Ok(_), Ok(head))) => {
            serde_json::json!({ "run": run, "outcome": outcome, "head": head }).to_string()
        }
        (Format::Json, _) => serde_json::json!({ "run": run, "outcome": outcome }).to_string(),
        (Format::Table, (Ok(stored), Ok(head))) => {
            // Where nothing was touched the evidence is only that of the measurement before.
            let untouched = matches!(outcome.exit(), Exit::Refused | Exit::Unreachable);
            let table = report::closing(&stored.plan, &stored.entries, Style::stdout()).filter(|_| !untouched);
            let told = format!("run {run}, {} records, journal head {}", stored.entries.len(), head.short());
            let next = what_next(run, outcome, &stored.entries);
            table.into_iter().chain([outcome.to_string(), told]).chain(next).collect::<Vec<_>>().join("\n")
        }
        (Format::Table, _) => format!("{outcome}\nrun {run}, whose journal cannot be read"),
    }
}

/// Says how a run ended that nobody was driving.
pub async fn close(store: &dyn Store, run: &RunId, outcome: &Outcome, format: Format) {
    report::say(&closing(store, run, outcome, format).await);
}

fn what_next(run: &RunId, outcome: &Outcome, entries: &[Entry]) -> Option<String> {
    let looked = entries.iter().any(|entry| matches!(entry, Entry::Looked { .. }));
    match outcome {
        Outcome::Held { .. } => Some(format!("decide: interlock runs resume {run} --keep, --undo or --watch")),
        Outcome::Stuck { .. } => Some(format!(
            "look: interlock runs show {run}; then interlock runs recover {run} tries again, or\n\
             interlock runs resolve {run} --as kept|undone --reason TEXT settles it by hand"
        )),
        Outcome::RolledBack { .. } if looked => Some(format!("details: interlock runs show {run}")),
        _ => None,
    }
}
