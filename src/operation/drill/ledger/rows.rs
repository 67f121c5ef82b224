//! What became of the rows: attempts against what is in the tables when all is over.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use super::{Attempt, Micros, Outcome, Records};

/// How many ids are named.
const NAMED: usize = 10;

/// Rows, counted, the first few by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counted {
    /// How many.
    pub count: u64,
    /// The lowest ids among them, at most 10.
    pub ids: Vec<u64>,
}

impl FromIterator<u64> for Counted {
    fn from_iter<I: IntoIterator<Item = u64>>(ids: I) -> Self {
        let mut lowest = BTreeSet::new();
        let mut count = 0;
        for id in ids {
            count += 1;
            lowest.insert(id);
            if lowest.len() > NAMED {
                lowest.pop_last();
            }
        }
        Self { count, ids: lowest.into_iter().collect() }
    }
}

/// What became of all rows, by the primary's table in the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fate {
    /// The primary in the end.
    pub primary: String,
    /// Acknowledged, and there.
    pub durable: u64,
    /// Acknowledged, and not there.
    pub lost: Counted,
    /// From the sending of the first lost write to the answer of the last; zero where none was lost.
    pub lost_within: Micros,
    /// The lost ones by the node that acknowledged them.
    pub lost_by: BTreeMap<String, u64>,
    /// There more than once.
    pub duplicates: Counted,
    /// There, and nobody meant to write them.
    pub phantoms: Counted,
    /// Refused, and there all the same.
    pub refused_present: Counted,
    /// Unknown, and there: they were done.
    pub unknown_present: u64,
    /// Unknown, and not there.
    pub unknown_absent: u64,
    /// For each other node that could be read, how many rows it has otherwise than the primary.
    pub divergent: BTreeMap<String, u64>,
    /// The nodes that could not be read.
    pub unread: Vec<String>,
}

/// Holds the attempts against the tables; `None` where the primary's could not be read.
pub fn fate(records: &Records) -> Option<Fate> {
    let rows = records.survivors()?;
    let primary = records.finals.primary.clone()?;
    let is_there = |attempt: &&Attempt| rows.contains_key(&attempt.id);
    let of = |outcome: fn(&Outcome) -> bool| records.attempts.iter().filter(move |attempt| outcome(&attempt.outcome));
    let lost: Vec<_> = records.acknowledged().filter(|attempt| !is_there(attempt)).collect();
    let unknown_present = of(|outcome| matches!(outcome, Outcome::Unknown(_))).filter(is_there).count();
    let unknown = of(|outcome| matches!(outcome, Outcome::Unknown(_))).count();
    let intents: HashSet<u64> = records.attempts.iter().map(|attempt| attempt.id).collect();
    Some(Fate {
        durable: records.acknowledged().filter(is_there).count() as u64,
        lost: lost.iter().map(|attempt| attempt.id).collect(),
        lost_within: extent(&lost),
        lost_by: by_node(records, &lost),
        duplicates: rows.iter().filter(|(_, times)| **times > 1).map(|(id, _)| *id).collect(),
        phantoms: rows.keys().copied().filter(|id| !intents.contains(id)).collect(),
        refused_present: of(|o| matches!(o, Outcome::Refused(_))).filter(is_there).map(|attempt| attempt.id).collect(),
        unknown_present: unknown_present as u64,
        unknown_absent: (unknown - unknown_present) as u64,
        divergent: divergent(records, &primary, rows),
        unread: records.head.nodes.iter().filter(|node| !records.finals.rows.contains_key(*node)).cloned().collect(),
        primary,
    })
}

fn extent(lost: &[&Attempt]) -> Micros {
    let first = lost.iter().map(|attempt| attempt.window().from).min();
    let last = lost.iter().map(|attempt| attempt.answered).max();
    first.zip(last).map_or(Micros(0), |(first, last)| last.since(first))
}

fn by_node(records: &Records, lost: &[&Attempt]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for attempt in lost {
        *counts.entry(records.node(attempt.node).to_owned()).or_default() += 1;
    }
    counts
}

fn divergent(records: &Records, primary: &str, rows: &BTreeMap<u64, u32>) -> BTreeMap<String, u64> {
    let others = records.finals.rows.iter().filter(|(node, _)| *node != primary);
    others.map(|(node, theirs)| (node.clone(), differences(rows, theirs))).collect()
}

/// How many rows are not there equally often in both tables.
pub fn differences(one: &BTreeMap<u64, u32>, other: &BTreeMap<u64, u32>) -> u64 {
    let changed = one.iter().filter(|(id, times)| other.get(id) != Some(times)).count();
    let added = other.keys().filter(|id| !one.contains_key(id)).count();
    (changed + added) as u64
}
