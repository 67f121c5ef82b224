//! The report of one drill for machines.

use serde_json::{Value, json};

use super::{distribution::distribution, timeline::timeline};
use crate::{
    guard::{Mode, Stored},
    journal::Record,
    operation::drill::{Evidence, Spec},
};

/// The whole report. Lengths and times within `measurement` are microseconds.
pub fn json(spec: &Spec, evidence: &Evidence, stored: &Stored, records: &[Record]) -> Value {
    let outcome = match stored.mode() {
        Mode::Finished(outcome) => Some(outcome),
        _ => None,
    };
    let timeline = evidence.cycles.last().map(|last| timeline(stored, records, last));
    json!({
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
    })
}
