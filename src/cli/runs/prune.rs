//! `interlock runs prune`: removes the records of runs that have been over for long.

use super::super::{
    Global,
    confirm::{self, confirm},
};
use crate::{
    app,
    error::{Error, Exit},
    guard::{prunable, prune},
    journal::Digest,
    model::{HumanDuration, RunId},
    report::{self, Format, Style},
};

/// Remove the records of runs that have been over for long
///
/// Runs that are held, stuck or at work are left alone. What stays of a run is one line: how and when it ended, and the hash that
/// its journal ended with, so that a hash that was noted elsewhere can still be verified.
#[derive(Debug, clap::Args)]
pub struct PruneArgs {
    /// Only runs that ended longer ago than this, such as 90d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    older: HumanDuration,
    /// Name the runs and remove nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
}

/// What became of one run.
#[derive(serde::Serialize)]
struct Pruned {
    run: RunId,
    outcome: &'static str,
    /// The hash that its journal ended with.
    head: Option<Digest>,
    /// Why it was left as it is.
    why: Option<String>,
}

pub(super) async fn run(global: &Global, PruneArgs { older, dry_run, yes }: PruneArgs) -> Result<Exit, Error> {
    if !dry_run {
        confirm::possible(yes)?;
    }
    let place = global.place()?;
    place.ensure_named(global.store_folder().is_some())?;
    let store = place.open().await?;
    let now = app::clock().now();
    let before =
        now.wall.checked_sub(older.0).map_err(|e| Error::usage(e.to_string(), "give a shorter time, such as 90d"))?;
    let found = prunable(&*store, before).await?;
    let tables = || report::runs(&found, &now, Style::stdout());
    if dry_run || found.is_empty() {
        match global.output {
            Format::Json => report::print_each(found.iter().map(|summary| &summary.run)),
            Format::Table if found.is_empty() => {
                report::remark(&format!("no run in {place} was over before {before:.0}"))
            }
            Format::Table => tables().for_each(|table| report::say(&table)),
        }
        return Ok(Exit::Kept);
    }
    confirm(|| tables().collect::<Vec<_>>().join("\n"), "Their records cannot be brought back. Remove them?", yes)
        .await?;
    let mut all = Vec::new();
    for summary in &found {
        let (run, outcome) = (summary.run.clone(), summary.mode.word());
        all.push(match prune(&*store, &run, before).await {
            Ok(record) => Pruned { run, outcome, head: Some(record.prev), why: None },
            Err(e @ (Error::Tampered { .. } | Error::Refused { .. } | Error::Usage { .. })) => {
                Pruned { run, outcome, head: None, why: Some(e.to_string()) }
            }
            Err(e) => return Err(e),
        });
    }
    match global.output {
        Format::Json => report::print(&all),
        Format::Table => {
            for Pruned { run, outcome, head, why } in &all {
                let told = match (head, why) {
                    (Some(head), _) => format!("pruned    {outcome}, head {head}"),
                    (None, why) => format!("LEFT      {}", why.as_deref().unwrap_or_default()),
                };
                report::say(&format!("{run}  {told}"));
            }
        }
    }
    Ok(if all.iter().all(|one| one.why.is_none()) { Exit::Kept } else { Exit::RolledBack })
}
