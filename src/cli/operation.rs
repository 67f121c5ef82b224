//! What the commands of all operations share: arguments, `plan`, `run`, and how the end of a run is told.

use std::sync::Arc;

use clap::builder::NonEmptyStringValueParser;

use super::{
    Global,
    confirm::{self, confirm},
};
use crate::{
    app::{Choices, Prepared, Session, requests},
    error::{Error, Exit},
    guard::{Outcome, Override, Stored, load},
    model::RunId,
    operation::kind_of,
    ports::Store,
    process::StopSignals,
    report::{self, Format, Reporter, Style},
};

/// How gates are treated
#[derive(Debug, clap::Args)]
pub struct GateArgs {
    /// On a cluster without a guardian of its own: make do with one on this machine, which does not survive the machine;
    /// recorded
    #[arg(long)]
    accept_local_guardian: bool,
    /// Go past a gate; needs --reason, and is recorded
    #[arg(long = "override", value_name = "GATE", requires = "reason")]
    overrides: Vec<String>,
    /// Why gates are overridden
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
}

impl GateArgs {
    /// The same for whoever prepares a run.
    pub fn choices(&self) -> Choices {
        let reason = self.reason.clone().unwrap_or_default();
        let past = |gate: &String| Override { gate: gate.clone(), reason: reason.clone() };
        Choices {
            accept_local_guardian: self.accept_local_guardian,
            overrides: self.overrides.iter().map(past).collect(),
            freeze: Vec::new(),
        }
    }
}

/// How a run is begun
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Print the plan and every gate's answer, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
}

/// What was typed of one operation.
pub trait Wanted {
    /// Resolves it, binds it to its platform, and asks its gates.
    ///
    /// # Errors
    /// Where it makes no sense, or the platform cannot be asked.
    async fn prepare(&self, session: Arc<Session>) -> Result<Prepared, Error>;
    /// What else was wanted of a run that is over.
    fn over(&self, stored: &Stored) {
        let _ = stored;
    }
}

/// `plan`: prints the plan and every gate's answer; changes nothing.
///
/// # Errors
/// Where a gate is shut.
pub async fn plan(global: &Global, wanted: &impl Wanted) -> Result<Exit, Error> {
    let prepared = prepared(global, wanted).await?;
    show(&prepared, global.output);
    prepared.verdict().map(|()| Exit::Kept)
}

/// `run`: asks a person, locks, and drives the run to its end.
///
/// # Errors
/// Where a gate is shut, nobody confirms, the target is locked, or no guardian can be posted.
pub async fn run(global: &Global, wanted: &impl Wanted, args: &RunArgs) -> Result<Exit, Error> {
    if args.dry_run {
        return plan(global, wanted).await;
    }
    confirm::possible(args.yes)?;
    let prepared = prepared(global, wanted).await?;
    prepared.verdict()?;
    confirm(|| text(&prepared), "Go on?", args.yes).await?;
    let begun = prepared.begin().await?;
    let (store, run) = (begun.store(), begun.run().clone());
    let reporter = Reporter::new(global.output);
    let outcome = begun.drive(reporter.events()).await;
    let exit = end(reporter, &*store, &run, outcome, global.output).await?;
    if let Ok(stored) = load(&*store, &run).await {
        wanted.over(&stored);
    }
    Ok(exit)
}

async fn prepared(global: &Global, wanted: &impl Wanted) -> Result<Prepared, Error> {
    wanted.prepare(Arc::new(global.session().await?)).await
}

/// Prints the plan and the gates, and what finding out has cost the cluster, if there is one.
fn show(prepared: &Prepared, format: Format) {
    let asked = requests();
    match format {
        Format::Json => {
            let Prepared { plan, keys, gates, .. } = prepared;
            report::print(&serde_json::json!({ "plan": plan, "keys": keys, "gates": gates, "requests": asked }));
        }
        Format::Table => report::say(&text(prepared)),
    }
    if asked > 0 && format == Format::Table {
        report::remark(&format!("{asked} requests to the API server"));
    }
}

fn text(prepared: &Prepared) -> String {
    let style = Style::stdout();
    let Prepared { plan, keys, gates, .. } = prepared;
    [report::plan(plan, style), report::keys(keys, style), report::gates(gates, style)].join("\n")
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
    // Where none can be heard, each ends the command as it ends any program.
    let mut signals = StopSignals::new().ok();
    let signalled = async {
        match &mut signals {
            Some(signals) => signals.next().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::task::spawn_blocking(write) => {}
        _ = signalled => {}
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
            let next = what_next(run, outcome, &stored);
            table.into_iter().chain([outcome.to_string(), told, next]).collect::<Vec<_>>().join("\n")
        }
        (Format::Table, _) => format!("{outcome}\nrun {run}, whose journal cannot be read"),
    }
}

/// Says how a run ended that nobody was driving.
pub async fn close(store: &dyn Store, run: &RunId, outcome: &Outcome, format: Format) {
    report::say(&closing(store, run, outcome, format).await);
}

/// Who serves now, and what comes next.
fn what_next(run: &RunId, outcome: &Outcome, stored: &Stored) -> String {
    let Stored { plan, entries, .. } = stored;
    let serves = kind_of(plan).ok().and_then(|kind| kind.serves(plan, entries));
    let next = match outcome {
        Outcome::Held { .. } => format!("decide: interlock runs resume {run} --keep, --undo or --watch"),
        Outcome::Stuck { .. } => format!(
            "look: interlock runs show {run}; then interlock runs recover {run} tries again, or\n\
             interlock runs resolve {run} --as kept|undone --reason TEXT settles it by hand"
        ),
        Outcome::Kept { .. } => "nothing is left to do".to_owned(),
        Outcome::Refused { .. } | Outcome::Unreachable { .. } => "begin anew once that is mended".to_owned(),
        _ => format!("details: interlock runs show {run}"),
    };
    serves.into_iter().chain([next]).collect::<Vec<_>>().join("; ")
}
