//! Where traffic goes now, and which run is at work.

use serde::Serialize;

use super::{Style, table::standing};
use crate::{
    guard::{Entry, Stored},
    model::{Moment, RunId, Slot},
    ports::{InFlight, Replica},
};

#[derive(Debug, Serialize)]
pub struct SlotNow {
    pub slot: Slot,
    /// Its share of new requests.
    pub percent: u8,
    pub replicas: Vec<Replica>,
    /// What it has accepted and not yet answered.
    pub in_flight: InFlight,
}

/// The run that holds the target, or why its journal cannot be read.
pub type Holder = Result<Stored, (RunId, String)>;

/// The status as a table, with the run that is at work and its last look.
#[must_use]
pub fn status(slots: &[SlotNow], run: Option<&Holder>, now: &Moment, style: Style) -> String {
    let mut table = style.table(&["slot", "traffic", "ready", "release", "in flight"]);
    for slot in slots {
        let ready = slot.replicas.iter().filter(|replica| replica.ready).count();
        let mut releases: Vec<_> = slot.replicas.iter().map(|replica| replica.version.as_str()).collect();
        releases.sort_unstable();
        releases.dedup();
        table.add_row([
            slot.slot.to_string(),
            format!("{} %", slot.percent),
            format!("{ready} of {}", slot.replicas.len()),
            releases.join(", "),
            slot.in_flight.count.to_string(),
        ]);
    }
    let stored = match run {
        None => return format!("{table}\nno run is at work"),
        Some(Err((run, why))) => {
            return format!("{table}\nrun {run} holds it, and its journal cannot be read: {why}\n{}", free(run));
        }
        Some(Ok(stored)) => stored,
    };
    let line = last_line(stored).map(|line| format!("\n  {line}")).unwrap_or_default();
    format!(
        "{table}\nrun {} ({}): {}{line}",
        stored.run,
        standing(&stored.mode(), stored.lock.as_ref(), now),
        stored.plan.title
    )
}

#[must_use]
pub fn status_json(slots: &[SlotNow], run: Option<&Holder>, now: &Moment) -> serde_json::Value {
    let run = run.map(|run| match run {
        Ok(stored) => serde_json::json!({
            "run": stored.run,
            "title": stored.plan.title,
            "state": standing(&stored.mode(), stored.lock.as_ref(), now),
            "last": last_line(stored),
        }),
        Err((run, why)) => serde_json::json!({ "run": run, "title": null, "state": "unreadable", "last": why }),
    });
    serde_json::json!({ "slots": slots, "run": run })
}

/// What frees a target whose journal is gone.
fn free(run: &RunId) -> String {
    format!(
        "bring the journal back, or see where traffic should go, and free the target once its owner has ended:\n\
         interlock runs resolve {run} --as kept|undone --reason TEXT"
    )
}

fn last_line(stored: &Stored) -> Option<&str> {
    stored.entries.iter().rev().find_map(|entry| match entry {
        Entry::Observed { line, .. } => Some(line.as_str()),
        _ => None,
    })
}
