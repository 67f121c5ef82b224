//! `interlock runs`: what was done, what is being done, and what waits for a person.

mod prune;
mod verify;

use clap::{Subcommand, builder::NonEmptyStringValueParser};

use self::{prune::PruneArgs, verify::VerifyArgs};
use super::{
    Global,
    context::block_on,
    operation::{close, end},
};
use crate::{
    app::{self, Rebuilder, Watchdog, cut_short, follow, stop_signal},
    error::{Error, Exit},
    guard::{
        Context, Event, Mode, Outcome, Rebuild as _, Resume, Role, Settled, Stored, Strength, Summary, abort, load,
        pruned, recover, resolve, resume, summaries,
    },
    journal::alive,
    model::{HumanDuration, RunId, Target, Timestamp},
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
    /// Remove the records of runs that have been over for long, and leave one line of each
    Prune(PruneArgs),
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
    /// Watch on where it is held again, until it was watched for so long
    #[arg(long = "for", value_name = "TIME", requires = "watch", allow_hyphen_values = true)]
    length: Option<HumanDuration>,
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
                    let outcome = watch_on(context, stored, how, args.length).await;
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
                    let stored = match load(&*store, &args.run).await {
                        Ok(stored) => stored,
                        Err(e @ (Error::Usage { .. } | Error::Tampered { .. } | Error::Store { .. })) => {
                            return free(global, &*store, &args, e).await;
                        }
                        Err(e) => return Err(e),
                    };
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
                Self::Verify(args) => verify::run(global, args).await,
                Self::Prune(args) => prune::run(global, args).await,
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

/// Lets a run go on, and on again each time that it is held, until it was watched for as long as a person wants. All evidence
/// counts together.
async fn watch_on(
    context: &Context,
    stored: &Stored,
    how: Resume,
    length: Option<HumanDuration>,
) -> Result<Outcome, Error> {
    let begun = context.clock.now();
    let mut outcome = resume(context, stored, how).await?;
    while let (Outcome::Held { why }, Some(length)) = (&outcome, length) {
        let watched = context.clock.now().since(&begun);
        if watched >= length.0 {
            break;
        }
        let so_far = HumanDuration(std::time::Duration::from_secs(watched.as_secs()));
        context.events.event(&Event::Remark(&format!("held after {so_far} of {length}, and watched on: {why}")));
        outcome = resume(context, &load(&*context.store, &stored.run).await?, Resume::Watch).await?;
    }
    Ok(outcome)
}

/// Says how a run ended that was driven from here.
async fn ended(driven: Driven, outcome: Result<Outcome, Error>, format: Format) -> Result<Exit, Error> {
    let Driven { context, stored, reporter } = driven;
    let Context { store, events, .. } = context;
    let outcome = match outcome {
        // Another one was faster, such as a second abort: what came of the run is what it says.
        Err(Error::Superseded { .. }) => Ok(follow(&*store, &stored.run).await),
        Err(e @ Error::Usage { .. }) => match load(&*store, &stored.run).await.map(|now| now.mode()) {
            Ok(Mode::Finished(outcome)) if !matches!(stored.mode(), Mode::Finished(_)) => Ok(outcome),
            _ => Err(e),
        },
        Err(e @ (Error::Store { .. } | Error::Port { .. })) => cut_short(&*store, &stored.run, e, &*events).await,
        other => other,
    };
    end(reporter, &*store, &stored.run, outcome, format).await
}

/// Gives the target of a run free whose journal cannot be read. What it has changed nobody can tell; a person has looked.
async fn free(global: &Global, store: &dyn Store, args: &ResolveArgs, unreadable: Error) -> Result<Exit, Error> {
    let ResolveArgs { run, reason, settled } = args;
    for target in targets(global)? {
        let Some(lock) = store.lock(&target).await?.filter(|lock| lock.run.as_ref() == Some(run)) else { continue };
        if !lock.is_abandoned(&app::clock().now()) {
            return Err(alive(&lock));
        }
        let why = serde_json::json!({ "as": format!("{settled:?}").to_lowercase(), "reason": reason });
        store.free(&lock, &store.owner()?, &why.to_string()).await?;
        let told = format!("the journal of run {run} cannot be read: {unreadable}");
        match global.output {
            Format::Json => report::print(&serde_json::json!({ "run": run, "freed": target, "unreadable": told })),
            Format::Table => report::say(&format!("{told}\n{target} is free; nothing on the platform was touched")),
        }
        return Ok(Exit::Kept);
    }
    match unreadable {
        Error::Usage { what, .. } => Err(Error::usage(
            format!("{what}; no target is held by it, so that there is nothing to settle"),
            "`interlock switchover status SERVICE` shows where traffic goes",
        )),
        other => Err(other),
    }
}

/// What runs of this platform may hold.
fn targets(global: &Global) -> Result<Vec<Target>, Error> {
    let platform = global.load()?.platform;
    let names = platform.services.keys().chain(platform.databases.keys());
    Ok(names.filter_map(|name| Target::parse(name).ok()).collect())
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

/// A run in the list, for programs.
#[derive(serde::Serialize)]
struct Listed<'a> {
    began: &'a Timestamp,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pruned: bool,
    run: &'a RunId,
    state: String,
    title: &'a str,
}

async fn list(global: &Global) -> Result<Exit, Error> {
    let place = global.place()?;
    place.ensure_named(global.store_folder().is_some())?;
    let store = place.open().await?;
    let mut all: Vec<Summary> = Vec::new();
    for summed in summaries(&*store).await? {
        match summed {
            Ok(summary) => all.push(summary),
            // A run that was cut before its plan was durable has touched nothing.
            Err((run, e)) => report::remark(&format!("{run}: {e}")),
        }
    }
    let now = app::clock().now();
    match global.output {
        Format::Json => report::print_each(all.iter().map(|summary| Listed {
            began: &summary.began,
            pruned: summary.pruned,
            run: &summary.run,
            state: report::standing(&summary.mode, summary.lock.as_deref(), &now),
            title: &summary.title,
        })),
        Format::Table if all.is_empty() => report::remark(&format!("no runs in {place}")),
        Format::Table => report::runs(&all, &now, Style::stdout()).for_each(|table| report::say(&table)),
    }
    Ok(Exit::Kept)
}

async fn show(global: &Global, run: &RunId) -> Result<Exit, Error> {
    let store = global.store().await?;
    let records = store.load(run).await?;
    if let Some((title, ended, outcome)) = pruned(&records) {
        match global.output {
            Format::Json => report::print(&records),
            Format::Table => report::say(&format!(
                "run {run}: {title}\nended {ended:.0} as {outcome}\njournal: pruned, head {}",
                store.head(run).await?
            )),
        }
        return Ok(Exit::Kept);
    }
    let stored = load(&*store, run).await?;
    match global.output {
        Format::Json => report::print(&records),
        Format::Table => {
            let head = store.head(run).await?;
            report::say(&report::show(&stored, &records, head.as_str(), Style::stdout()));
        }
    }
    Ok(Exit::Kept)
}
