//! The run store: whether it can be read and written, and what waits in it for a person.

use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::{
    super::{Global, switchover::target},
    asked::{Row, asked, failed},
};
use crate::{
    app::{self, Location, Snapshot},
    error::Error,
    guard::{Mode, load},
    report::{Finding, State},
};

const PART: &str = "run store";

pub fn store(global: &Global, snapshot: &Snapshot) -> Row {
    let (place, services) = (global.place(), snapshot.platform.services.keys().cloned().collect::<Vec<_>>());
    asked(PART, async move {
        let place = match place {
            Ok(place) => place,
            Err(e) => return vec![failed(PART, &e)],
        };
        match waiting(&place, &services).await {
            Err(e) => vec![failed(PART, &e)],
            Ok(waiting) => [vec![written(&place)], waiting].concat(),
        }
    })
}

/// Whether it can be written, as far as that shows without writing.
fn written(place: &Location) -> Finding {
    let Location::Folder(folder) = place else {
        return Finding::fine(PART, format!("{place}: Leases and ConfigMaps; the permissions tell who may write them"));
    };
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    match access(there, AccessFlags::W_OK | AccessFlags::X_OK) {
        Ok(()) if there == folder => Finding::fine(PART, folder.display().to_string()),
        Ok(()) => Finding::fine(PART, format!("{}, which the first run will make", folder.display())),
        Err(e) => Finding::not(
            PART,
            State::Forbidden,
            format!("{} cannot be written: {e}", there.display()),
            "let this user write there, or name another folder with --store",
        ),
    }
}

/// The runs that hold a service, and what they wait for.
async fn waiting(place: &Location, services: &[String]) -> Result<Vec<Finding>, Error> {
    let store = place.open().await?;
    let mut found = Vec::new();
    for service in services {
        let Some(lock) = store.lock(&target(service)?).await? else { continue };
        let Some(run) = &lock.run else { continue };
        let stored = load(&*store, run).await?;
        let abandoned = lock.is_abandoned(&app::clock().now());
        let (what, hint) = match stored.mode() {
            Mode::Held { why, .. } => {
                (format!("held: {why}"), format!("`interlock runs resume {run}` --keep, --undo or --watch"))
            }
            Mode::Finished(outcome) if outcome.needs_person() => {
                (outcome.to_string(), format!("`interlock runs show {run}`, then runs recover or runs resolve"))
            }
            _ if abandoned => ("its operator is gone".to_owned(), format!("`interlock runs recover {run}`")),
            _ => ("at work".to_owned(), format!("`interlock switchover status {service}` shows how far it is")),
        };
        found.push(Finding::not(format!("{service} run"), State::Waiting, format!("{run}: {what}"), hint));
    }
    Ok(found)
}
