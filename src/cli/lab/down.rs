//! `interlock lab down`: ends the platform, and asks first where a run is at work on it.

use std::path::{Path, PathBuf};

use super::{
    super::{Global, confirm::confirm},
    command::Where,
    show,
};
use crate::{
    app::{self, Location},
    error::{Error, Exit},
    guard::{Summary, summaries},
    lab, report,
};

#[derive(Debug, clap::Args)]
pub(super) struct DownArgs {
    #[command(flatten)]
    at: Where,
    /// Do not ask, also where a run is at work on the platform
    #[arg(long, short)]
    yes: bool,
}

/// Ends the platform.
///
/// # Errors
/// Where no lab is there, or a run is at work on it and nobody says that it is to end all the same.
pub(super) async fn run(DownArgs { at, yes }: DownArgs, global: &Global) -> Result<Exit, Error> {
    let at = at.resolve(global)?;
    for runs in runs_of(global, &at.folder) {
        let at_work = at_work(&runs).await?;
        if let Some(first) = at_work.first().filter(|_| !yes) {
            ask(first, &at_work).await?;
        }
    }
    let left = lab::end(&at.folder)?;
    show::down(&at.folder, &left, at.output)?;
    Ok(if left.is_empty() { Exit::Kept } else { Exit::Stuck })
}

/// The runs that hold something, each in a line.
async fn at_work(runs: &Path) -> Result<Vec<(Summary, String)>, Error> {
    let now = app::clock().now();
    let all = summaries(&*app::store(runs)).await?.into_iter().flatten();
    let told = |summary: Summary| {
        let standing = report::standing(&summary.mode, summary.lock.as_deref(), &now);
        let line = format!("run {} ({standing}): {}", summary.run, summary.title);
        (summary, line)
    };
    Ok(all.filter(|summary| summary.lock.is_some()).map(told).collect())
}

async fn ask((first, _): &(Summary, String), all: &[(Summary, String)]) -> Result<(), Error> {
    let about = all.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n");
    let told = about.clone();
    let asked = confirm(move || told, "It can neither go on nor be put back without the platform. End that?", false);
    asked.await.map_err(|_| Error::Refused {
        what: format!("{about}: it can neither go on nor be put back without the platform"),
        hint: format!(
            "`interlock runs abort {}` puts things back first; `interlock lab down --yes` ends it all the same",
            first.run
        ),
    })
}

/// Where runs on this lab may be kept: in the store of the platform file that names it, and beside its folder.
fn runs_of(global: &Global, lab: &Path) -> Vec<PathBuf> {
    let same = |one: &Path| one.canonicalize().ok().zip(lab.canonicalize().ok()).is_some_and(|(one, lab)| one == lab);
    let mut all = Vec::new();
    if let (Ok(Location::Folder(runs)), Ok(folder)) = (global.place(), global.lab_folder())
        && same(&folder)
    {
        all.push(runs);
    }
    let beside = lab.canonicalize().ok().and_then(|lab| Some(lab.parent()?.join("runs")));
    all.extend(beside.filter(|beside| {
        beside.is_dir() && !all.iter().any(|runs| runs.canonicalize().is_ok_and(|runs| runs == *beside))
    }));
    all
}
