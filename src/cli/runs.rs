//! `interlock runs`: what was done, what is being done, and what waits for a person.

use std::sync::Arc;

use clap::{Subcommand, builder::NonEmptyStringValueParser};

use super::{
    Global,
    context::block_on,
    operation::{close, end},
};
use crate::{
    app::{self, Rebuilder, Watchdog, cut_short, stop_signal},
    error::{Error, Exit},
    guard::{
        Context, Outcome, Rebuild as _, Resume, Role, Settled, Stored, Strength, abort, load, recover, resolve, resume,
    },
    journal::Digest,
    model::{RunId, Target},
    operation::{Build, kind_of},
    ports::Store,
    report::{self, Format, Reporter, Style},
};

/// List, show, resume, recover, resolve and verify runs
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the runs of this platform
    List,
    /// Show what happened in a run, with its evidence
    Show {
        /// The run
        #[arg(value_parser = RunId::parse)]
        run: RunId,
    },
    /// Let a held or abandoned run go on
    Resume(ResumeArgs),
    /// Put back what a run has changed whose operator is gone
    Recover {
        /// The run
        #[arg(value_parser = RunId::parse)]
        run: RunId,
    },
    /// End a run that is at work, and put things back; never gated
    Abort {
        /// The run
        #[arg(value_parser = RunId::parse)]
        run: RunId,
    },
    /// Settle a stuck or held run by hand; touches nothing, and gives its target free
    Resolve(ResolveArgs),
    /// Check that journals are what was written
    Verify(VerifyArgs),
    /// Print what a drill has measured, with its timeline
    Report {
        /// The run
        #[arg(value_parser = RunId::parse)]
        run: RunId,
    },
}

/// Let a held or abandoned run go on
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// The run
    #[arg(value_parser = RunId::parse)]
    run: RunId,
    /// Take the change for good
    #[arg(long, group = "how")]
    keep: bool,
    /// Put everything back
    #[arg(long, group = "how")]
    undo: bool,
    /// Watch again, with all the time the plan gives
    #[arg(long, group = "how")]
    watch: bool,
}

/// Settle a stuck or held run by hand
#[derive(Debug, clap::Args)]
pub struct ResolveArgs {
    /// The run
    #[arg(value_parser = RunId::parse)]
    run: RunId,
    /// How things stand now
    #[arg(long = "as", value_enum)]
    settled: As,
    /// What was done, for whoever reads the journal
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum As {
    /// The change stays
    Kept,
    /// The change was taken back
    Undone,
}

/// Check that journals are what was written
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// The run; all runs when left out
    #[arg(value_parser = RunId::parse)]
    run: Option<RunId>,
    /// The journal's head, or its beginning, as it was noted elsewhere
    #[arg(long, requires = "run", value_name = "HASH")]
    head: Option<String>,
}

impl Command {
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        block_on(async {
            match self {
                Self::List => list(global).await,
                Self::Show { run } => show(global, &run).await,
                Self::Resume(args) => {
                    let how = match (args.keep, args.undo, args.watch) {
                        (true, ..) => Resume::Keep,
                        (_, true, _) => Resume::Undo,
                        (.., true) => Resume::Watch,
                        _ => Resume::Continue,
                    };
                    let watches = matches!(how, Resume::Continue | Resume::Watch);
                    let metrics = if watches { Build::Now } else { Build::WhenNeeded };
                    let driven = prepare(global, &args.run, metrics).await?;
                    let Driven { context, stored, .. } = &driven;
                    // It may have lost its guardian together with its operator.
                    let watching = (watches && stored.plan.guard == Strength::Local).then_some(Watchdog::new(
                        global.place()?,
                        global.home()?,
                        args.run.clone(),
                    ));
                    let watching = watching.map(|dog| dog.watch(None, context.store.clone(), context.events.clone()));
                    let outcome = resume(context, stored, how).await;
                    drop(watching);
                    ended(driven, outcome, global.output).await
                }
                Self::Recover { run } => {
                    let driven = prepare(global, &run, Build::WhenNeeded).await?;
                    let outcome = recover(&driven.context, &driven.stored, Role::Recover).await;
                    ended(driven, outcome, global.output).await
                }
                Self::Abort { run } => abort_run(global, &run).await,
                Self::Report { run } => report(global, &run).await,
                Self::Resolve(args) => {
                    let store = global.store().await?;
                    let stored = load(&*store, &args.run).await?;
                    let settled = match args.settled {
                        As::Kept => Settled::Kept,
                        As::Undone => Settled::Undone,
                    };
                    // Settling works without the platform.
                    let operation = Rebuilder.build(&stored.plan, Build::WhenNeeded).await.ok();
                    let outcome = resolve(&*store, operation.as_deref(), &stored, settled, &args.reason).await?;
                    close(&*store, &args.run, &outcome, global.output).await;
                    Ok(Exit::Kept)
                }
                Self::Verify(args) => verify(global, args).await,
            }
        })
    }
}

/// A run that is driven from here.
struct Driven {
    context: Context,
    stored: Stored,
    reporter: Reporter,
}

/// Builds what a run is driven with, from what its journal says.
async fn prepare(global: &Global, run: &RunId, metrics: Build) -> Result<Driven, Error> {
    let store = global.store().await?;
    let stored = load(&*store, run).await?;
    let reporter = Reporter::new(global.output);
    let context = Context {
        operation: Rebuilder.build(&stored.plan, metrics).await?,
        store,
        clock: app::clock(),
        events: reporter.events(),
        notify: Rebuilder.notify(&stored.plan),
        stop: stop_signal()?,
    };
    Ok(Driven { context, stored, reporter })
}

/// Says how a run ended that was driven from here.
async fn ended(driven: Driven, outcome: Result<Outcome, Error>, format: Format) -> Result<Exit, Error> {
    let Driven { context, stored, reporter } = driven;
    let Context { store, events, .. } = context;
    let outcome = match outcome {
        Err(e @ (Error::Store { .. } | Error::Port { .. })) => cut_short(&*store, &stored.run, e, &*events).await,
        other => other,
    };
    end(reporter, &*store, &stored.run, outcome, format).await
}

/// Ends the run that holds a target, and puts things back.
///
/// # Errors
/// Where no run holds it.
pub async fn abort_target(global: &Global, target: &Target) -> Result<Exit, Error> {
    let store = global.store().await?;
    let holder = store.lock(target).await?.and_then(|lock| lock.run);
    let Some(run) = holder else {
        return Err(Error::usage(format!("no run is at work on {target}"), "`interlock runs list` shows the runs"));
    };
    abort_run(global, &run).await
}

async fn abort_run(global: &Global, run: &RunId) -> Result<Exit, Error> {
    let driven = prepare(global, run, Build::WhenNeeded).await?;
    let outcome = abort(&driven.context, &driven.stored).await;
    ended(driven, outcome, global.output).await
}

async fn report(global: &Global, run: &RunId) -> Result<Exit, Error> {
    let store = global.store().await?;
    let stored = load(&*store, run).await?;
    let records = store.load(run).await?;
    let told = kind_of(&stored.plan)?.report(&stored, &records)?;
    match global.output {
        Format::Json => report::print(&told.json),
        Format::Table => report::say(&report::of_run(&told, Style::stdout())),
    }
    Ok(Exit::Kept)
}

async fn list(global: &Global) -> Result<Exit, Error> {
    let store = global.store().await?;
    let mut all = Vec::new();
    for run in store.runs().await? {
        // A run that was cut before its plan was durable has touched nothing; one that was tampered with is told by verify.
        match load(&*store, &run).await {
            Ok(stored) => all.push((stored, store.load(&run).await?.into_iter().next())),
            Err(e) => report::remark(&format!("{run}: {e}")),
        }
    }
    match global.output {
        Format::Json => {
            let told = |(stored, first): &(Stored, Option<crate::journal::Record>)| {
                serde_json::json!({
                    "run": stored.run,
                    "title": stored.plan.title,
                    "began": first.as_ref().map(|record| record.at),
                    "state": report::standing(stored, &app::clock().now()),
                })
            };
            report::print(&all.iter().map(told).collect::<Vec<_>>());
        }
        Format::Table if all.is_empty() => report::remark(&format!("no runs in {}", global.place()?)),
        Format::Table => report::say(&report::runs(&all, &app::clock().now(), Style::stdout())),
    }
    Ok(Exit::Kept)
}

async fn show(global: &Global, run: &RunId) -> Result<Exit, Error> {
    let store = global.store().await?;
    let stored = load(&*store, run).await?;
    let records = store.load(run).await?;
    match global.output {
        Format::Json => report::print(&records),
        Format::Table => {
            let head = store.head(run).await?;
            report::say(&report::show(&stored, &records, head.as_str(), Style::stdout()));
        }
    }
    Ok(Exit::Kept)
}

async fn verify(global: &Global, args: VerifyArgs) -> Result<Exit, Error> {
    let store: Arc<dyn Store> = global.store().await?;
    let runs = match args.run {
        Some(run) => vec![run],
        None => store.runs().await?,
    };
    let mut all = Vec::new();
    for run in runs {
        all.push(match store.head(&run).await {
            Ok(head) if args.head.as_deref().is_some_and(|noted| !head.as_str().starts_with(noted)) => {
                let why = format!("its head is {head}, which is not the one that was noted");
                Verified { run, standing: "rewritten", head: None, why: Some(why) }
            }
            Ok(head) => Verified { run, standing: "whole", head: Some(head), why: None },
            Err(e @ Error::Tampered { .. }) => {
                Verified { run, standing: "tampered", head: None, why: Some(e.to_string()) }
            }
            Err(e) => return Err(e),
        });
    }
    match global.output {
        Format::Json => report::print(&all),
        Format::Table if all.is_empty() => report::remark(&format!("no runs in {}", global.place()?)),
        Format::Table => {
            for Verified { run, standing, head, why } in &all {
                let told = why.clone().or_else(|| Some(format!("head {}", head.as_ref()?))).unwrap_or_default();
                let standing = if why.is_some() { standing.to_uppercase() } else { (*standing).to_owned() };
                report::say(&format!("{run}  {standing:<9}  {told}"));
            }
        }
    }
    Ok(if all.iter().all(|one| one.why.is_none()) { Exit::Kept } else { Exit::RolledBack })
}

/// What was found of one journal.
#[derive(Debug, serde::Serialize)]
struct Verified {
    run: RunId,
    standing: &'static str,
    head: Option<Digest>,
    why: Option<String>,
}
