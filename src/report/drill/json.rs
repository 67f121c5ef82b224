//! The report of one drill for machines.

use serde_json::{Value, json};

use super::{distribution::distribution, timeline::timeline};
use crate::{
    error::Error,
    guard::{Entry, Mode, Stored},
    journal::Record,
    ops::drill::{Evidence, Spec},
};

/// The whole report. Lengths and times within `measurement` are microseconds.
///
/// # Errors
/// Where the run is no drill.
pub fn drill_json(stored: &Stored, records: &[Record]) -> Result<Value, Error> {
    let (spec, evidence) = found(stored)?;
    let outcome = match stored.mode() {
        Mode::Finished(outcome) => Some(outcome),
        _ => None,
    };
    let timeline = evidence.cycles.last().map(|last| timeline(stored, records, last));
    Ok(json!({
        "run": stored.run,
        "drill": spec.name,
        "database": spec.database,
        "method": spec.method,
        "on": spec.on,
        "adr": spec.adr,
        "objectives": spec.objectives,
        "outcome": outcome,
        "judgement": evidence.judgement,
        "repetitions": evidence.cycles,
        "spread": distribution(&evidence.cycles),
        "timeline": timeline,
        "ledger": spec.ledger,
    }))
}

/// What a drill was to do, and what it has found so far.
///
/// # Errors
/// Where the run is no drill.
pub(super) fn found(stored: &Stored) -> Result<(Spec, Evidence), Error> {
    if stored.plan.operation != "drill" {
        let what = format!("run {} is a {}, and only drills have a report", stored.run, stored.plan.operation);
        return Err(Error::usage(what, format!("`interlock runs show {}` tells what happened", stored.run)));
    }
    Ok((Spec::of_plan(&stored.plan)?, evidence(&stored.entries)))
}

/// What the looks have found last.
pub(in crate::report) fn evidence(entries: &[Entry]) -> Evidence {
    let last = entries.iter().rev().find_map(|entry| match entry {
        Entry::Looked { evidence, .. } => serde_json::from_value(evidence.clone()).ok(),
        _ => None,
    });
    last.unwrap_or_default()
}
