//! What happened when, from the fault on: the journal's steps and what the writers saw.

use serde::Serialize;

use crate::{
    guard::{Action, Entry, Plan, Stored, Verdict},
    journal::Record,
    operation::{
        Key as _,
        drill::{
            Cycle,
            keys::{Key, Value},
            ledger::{Micros, Outage},
        },
    },
    ports::HostState,
};

/// One thing that happened, in seconds from the fault of its repetition on; negative before it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Happened {
    /// When.
    pub at: f64,
    /// What.
    pub what: String,
}

/// The last repetition, step by step. Steps are timed by the journal's wall clock, what the writers saw by their own, from
/// the fault on; the two agree to some milliseconds, which is what a record takes to become durable.
pub fn timeline(stored: &Stored, records: &[Record], last: &Cycle) -> Vec<Happened> {
    let plan = &stored.plan;
    let all: Vec<_> = stored.entries.iter().zip(records).collect();
    let begins = |entry: &Entry| captures(plan, entry, |_, to| *to == Value::Ledger(true));
    let begin = all.iter().rposition(|(entry, _)| begins(entry)).unwrap_or_default();
    let repetition = all.get(begin..).unwrap_or_default();
    let Some(fault) = fault(plan, repetition) else { return Vec::new() };
    let since = |record: &Record| record.at.duration_since(fault.at).as_secs_f64();
    let steps = repetition.iter().filter_map(|(entry, record)| Some((record, told(plan, entry)?)));
    let mut happened: Vec<_> = steps.map(|(record, what)| Happened { at: since(record), what }).collect();
    happened.extend(seen(last));
    happened.sort_by(|a, b| a.at.total_cmp(&b.at));
    happened
}

/// The record right before the fault: a host that is harmed, else the role that is handed over.
fn fault<'r>(plan: &Plan, repetition: &[(&Entry, &'r Record)]) -> Option<&'r Record> {
    let harms = |key: &Key, to: &Value| matches!(key, Key::Host(_)) && *to != Value::Host(HostState::Running);
    let hands_over = |_: &Key, to: &Value| *to == Value::elsewhere();
    let last = |pick: &dyn Fn(&Key, &Value) -> bool| {
        repetition.iter().rev().find(|(entry, _)| captures(plan, entry, pick)).map(|(_, record)| *record)
    };
    last(&harms).or_else(|| last(&hands_over))
}

/// Whether an entry captures what stands at a key before a change of this kind.
fn captures(plan: &Plan, entry: &Entry, pick: impl Fn(&Key, &Value) -> bool) -> bool {
    let Entry::Captured { step, .. } = entry else { return false };
    let Some(Action::Change { key, to, .. }) = plan.steps.get(*step).map(|step| &step.action) else { return false };
    let change = Key::parse(key).and_then(|key| Some((key.value(to).ok()?, key)));
    change.is_some_and(|(to, key)| pick(&key, &to))
}

fn told(plan: &Plan, entry: &Entry) -> Option<String> {
    let name = |step: &usize| plan.steps.get(*step).map(|step| step.name.as_str());
    Some(match entry {
        Entry::Applied { step } => format!("{}: done", name(step)?),
        Entry::Failed { step, why } => format!("{} failed: {why}", name(step)?),
        Entry::Observed { step, verdict: Verdict::Pass { .. }, line, .. } => format!("{}: {line}", name(step)?),
        Entry::Undone { step } => format!("{}: taken back", name(step)?),
        Entry::Stuck { step, why } => format!("{}: stuck, {why}", name(step)?),
        Entry::Interrupted { why } => format!("interrupted: {why}"),
        _ => return None,
    })
}

/// What writers and pollers saw.
fn seen(cycle: &Cycle) -> Vec<Happened> {
    let measured = &cycle.measurement;
    let since = |at: Micros| at.secs() - measured.fault.secs();
    let mut all = Vec::new();
    let mut add = |at: Micros, what: String| all.push(Happened { at: since(at), what });
    match measured.outage {
        Outage::Seen { from, until, .. } => {
            add(from, "* the last write before the outage was sent".to_owned());
            let by = measured.new.as_deref().unwrap_or("somebody");
            add(until, format!("* the first write after it was acknowledged; {by} is the primary in the end"));
        }
        Outage::Unended { from, .. } => add(from, "* the last write that was ever acknowledged was sent".to_owned()),
        Outage::BelowResolution { .. } => {}
    }
    if let Some(dual) = &measured.dual {
        add(dual.from, format!("* {} and {} both take writes, for {}", dual.winner, dual.loser, dual.length));
    }
    all
}
