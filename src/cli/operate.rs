//! What every operation does once it is planned: gates, confirmation, lock, guardian, the loop, the closing word.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{Global, confirm::confirm, guardian};
use crate::{
    app,
    error::{Error, Exit},
    guard::{
        Context, Entry, Gate, Mode, Operation, Outcome, Override, Plan, StopSignal, Stored, Strength, begin, drive,
        fold, give_up, load, refusal,
    },
    journal::Store,
    model::RunId,
    ports::Notify,
    report::{self, Format, Style},
};

/// How long a superseded operator waits to learn how the run ended under its new owner.
const FOLLOW: Duration = Duration::from_secs(300);

/// An operation that is ready to be asked for.
pub struct Prepared {
    /// What it will do.
    pub plan: Plan,
    /// What its steps mean.
    pub operation: Arc<dyn Operation>,
    /// What its gates said.
    pub gates: Vec<Gate>,
    /// Who went past which of them.
    pub overrides: Vec<Override>,
    /// Who is told of a bad end.
    pub notify: Vec<Arc<dyn Notify>>,
}

impl Prepared {
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

    /// Asks, locks, posts the guardian, and drives the run to its end.
    ///
    /// # Errors
    /// Where a gate is shut, nobody confirms, the target is locked, or no guardian can be posted.
    pub async fn run(self, global: &Global, yes: bool) -> Result<Exit, Error> {
        self.verdict()?;
        if !yes {
            report::remark(&self.text());
        }
        confirm("Go on?", yes)?;
        let place = global.place()?;
        let store = place.open().await?;
        let stop = stop_signal()?;
        let run = RunId::new(app::clock().now().wall, rand::random());
        let grant = begin(&*store, &run, &self.plan, &self.gates, &self.overrides).await?;
        let run = grant.run.clone();
        if self.plan.guard == Strength::Local
            && let Err(e) = guardian::post(&place, &global.home()?, &run)
        {
            give_up(&*store, &grant, &e.to_string()).await?;
            return Err(e);
        }
        let context = Context {
            store: store.clone(),
            operation: self.operation,
            clock: app::clock(),
            events: report::events(global.output),
            notify: self.notify,
            stop,
        };
        let outcome = match drive(&context, &grant).await {
            Err(Error::Superseded { .. }) => follow(&*store, &run).await,
            Err(e) => cut_short(&*store, &run, e).await?,
            Ok(outcome) => outcome,
        };
        drop(context);
        close(&*store, &run, &outcome, global.output).await;
        Ok(outcome.exit())
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
pub async fn cut_short(store: &dyn Store, run: &RunId, error: Error) -> Result<Outcome, Error> {
    match load(store, run).await {
        Ok(stored) if !fold(&stored.plan, &stored.entries).is_touched() => Err(error),
        Ok(Stored { plan, entries, .. }) if let Mode::Finished(outcome) = fold(&plan, &entries).mode => {
            report::remark(&format!("{error}; the target is free once its guardian has seen that the run is over"));
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

/// Says how a run ended, with the evidence, and the hash that ends its journal.
pub async fn close(store: &dyn Store, run: &RunId, outcome: &Outcome, format: Format) {
    let (Ok(stored), Ok(head)) = (load(store, run).await, store.head(run).await) else {
        match format {
            Format::Json => report::line(&serde_json::json!({ "run": run, "outcome": outcome })),
            Format::Table => report::say(&format!("{outcome}\nrun {run}, whose journal cannot be read")),
        }
        return;
    };
    match format {
        Format::Json => report::line(&serde_json::json!({ "run": run, "outcome": outcome, "head": head })),
        Format::Table => {
            // Where nothing was touched the evidence is only that of the measurement before.
            let told = matches!(outcome.exit(), Exit::Refused | Exit::Unreachable);
            if let Some(table) = report::closing(&stored.plan, &stored.entries, Style::stdout()).filter(|_| !told) {
                report::say(&table);
            }
            report::say(&outcome.to_string());
            report::say(&format!("run {run}, {} records, journal head {}", stored.entries.len(), head.short()));
            if let Some(next) = what_next(run, outcome, &stored.entries) {
                report::say(&next);
            }
        }
    }
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
