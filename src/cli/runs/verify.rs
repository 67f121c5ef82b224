//! `interlock runs verify`: whether journals are what was written.

use super::super::Global;
use crate::{
    error::{Error, Exit},
    guard::{pruned, verify_snapshot},
    journal::Digest,
    model::RunId,
    ports::{Ends, Store},
    report::{self, Format},
};

/// Check that journals are what was written, and the snapshots of runs that are not over
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// The run; all runs when left out
    #[arg(value_parser = RunId::parse)]
    run: Option<RunId>,
    /// The journal's head, or its beginning, as it was noted elsewhere
    #[arg(long, requires = "run", value_name = "HASH")]
    head: Option<String>,
}

pub(super) async fn run(global: &Global, args: VerifyArgs) -> Result<Exit, Error> {
    let place = global.place()?;
    place.ensure_named(global.store_folder().is_some())?;
    let store = place.open().await?;
    let runs = match args.run {
        Some(run) => vec![run],
        None => store.runs().await?,
    };
    let mut all = Vec::new();
    for run in runs {
        all.push(match check(&*store, &run).await {
            Ok((head, _)) if args.head.as_deref().is_some_and(|noted| !head.as_str().starts_with(noted)) => {
                let why = format!("its head is {head}, which is not the one that was noted");
                Verified { run, standing: "rewritten", head: None, why: Some(why) }
            }
            Ok((head, standing)) => Verified { run, standing, head: Some(head), why: None },
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

/// Reads a journal, and the snapshot that it names; its head, and how it stands.
async fn check(store: &dyn Store, run: &RunId) -> Result<(Digest, &'static str), Error> {
    let head = store.head(run).await?;
    let ends = store.ends(std::slice::from_ref(run), |_| true).await.pop();
    match ends {
        Some(Ok(Ends { last, .. })) if pruned(&last).is_some() => Ok((head, "pruned")),
        // It never began.
        Some(Ok(Ends { first: None, .. })) => Ok((head, "whole")),
        _ => verify_snapshot(store, run).await.map(|()| (head, "whole")),
    }
}

/// What was found of one journal.
#[derive(Debug, serde::Serialize)]
struct Verified {
    run: RunId,
    standing: &'static str,
    head: Option<Digest>,
    why: Option<String>,
}
