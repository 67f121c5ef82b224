//! Where traffic goes now, and which run is at work.

use serde::Serialize;

use super::{Style, table::standing};
use crate::{
    guard::{Entry, Stored},
    model::{Moment, Slot},
    ports::{InFlight, Replica},
};

/// How one slot stands now.
#[derive(Debug, Serialize)]
pub struct SlotNow {
    /// The slot.
    pub slot: Slot,
    /// Its share of new requests.
    pub percent: u8,
    /// Its replicas.
    pub replicas: Vec<Replica>,
    /// What it has accepted and not yet answered.
    pub in_flight: InFlight,
}

/// The status as a table, with the run that is at work and its last look.
#[must_use]
pub fn status(slots: &[SlotNow], run: Option<&Stored>, now: &Moment, style: Style) -> String {
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
    let Some(stored) = run else { return format!("{table}\nno run is at work") };
    let line = last_line(stored).map(|line| format!("\n  {line}")).unwrap_or_default();
    format!("{table}\nrun {} ({}): {}{line}", stored.run, standing(stored, now), stored.plan.title)
}

/// The status for machines.
#[must_use]
pub fn status_json(slots: &[SlotNow], run: Option<&Stored>, now: &Moment) -> serde_json::Value {
    let run = run.map(|stored| {
        serde_json::json!({
            "run": stored.run,
            "title": stored.plan.title,
            "state": standing(stored, now),
            "last": last_line(stored),
        })
    });
    serde_json::json!({ "slots": slots, "run": run })
}

fn last_line(stored: &Stored) -> Option<&str> {
    stored.entries.iter().rev().find_map(|entry| match entry {
        Entry::Observed { line, .. } => Some(line.as_str()),
        _ => None,
    })
}
