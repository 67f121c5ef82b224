//! Makes the figures of one drill out of its records.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{
    Attempt, Dual, Fate, Gap, Micros, Miss, Outage, Outcome, Records, Resolution, Risk, Window,
    dual::dual,
    gap::Acks,
    outage::outage,
    risk::{overhang, risk},
    rows::fate,
};
use crate::ports::Unit;

/// Why records give no figures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The file of a ledger cannot be read.
    #[error("line {line} of the ledger cannot be read: {why}")]
    Unreadable {
        /// The line, counted from 1.
        line: usize,
        /// Why.
        why: String,
    },
    /// Nothing says when the fault was.
    #[error("no fault was marked in the ledger")]
    NoFault,
    /// There is no stream that looks for the primary.
    #[error("no writer looked for the primary")]
    NoRouted,
    /// The writer was not seen to work before the fault.
    #[error("{writes} writes were acknowledged before the fault, so that nothing can be compared with it")]
    NoBaseline {
        /// How many.
        writes: u64,
    },
    /// An id was used twice.
    #[error("id {id} was used twice")]
    Twice {
        /// The id.
        id: u64,
    },
    /// An attempt's times contradict each other.
    #[error("attempt {id} was answered before it was made")]
    Backwards {
        /// The id.
        id: u64,
    },
    /// An attempt's stream or node does not exist.
    #[error("attempt {id} belongs to no stream, or to no node")]
    Stray {
        /// The id.
        id: u64,
    },
}

/// The largest times after the fault in which nothing was written, each from a sending to an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gaps {
    /// Of the writer that looks for the primary.
    pub routed: Gap,
    /// Of all writers at all nodes.
    pub any: Gap,
    /// Of all writers, by the acknowledgements only whose rows are at the primary in the end; `None` where it could not be
    /// read, or no row is there.
    pub durable: Option<Gap>,
    /// Of all writers at one node; `None` for a node that acknowledged nothing.
    pub nodes: BTreeMap<String, Option<Gap>>,
}

/// How many slots of one stream were due, and missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slots {
    /// The node that it is pinned to.
    pub node: Option<String>,
    /// Slots that were due.
    pub due: u64,
    /// Missed because this machine was too busy.
    pub late: u64,
    /// Missed because every worker waited for an answer.
    pub busy: u64,
    /// Those of the missed ones that the drill does not explain: all that were late, and the busy ones of the baseline. After
    /// that, a database that keeps every worker waiting is what is measured.
    pub unexplained: u64,
}

impl Slots {
    /// The share of slots that was missed, from 0 to 1.
    #[must_use]
    pub fn missed(&self) -> f64 {
        self.part(self.late + self.busy)
    }

    /// The share of slots that was missed without the drill to explain it, from 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.part(self.unexplained)
    }

    #[expect(clippy::cast_precision_loss, reason = "2^53 slots are out of reach")]
    fn part(&self, slots: u64) -> f64 {
        slots as f64 / self.due.max(1) as f64
    }
}

/// How the attempts ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// All of them.
    pub attempts: u64,
    /// Acknowledged.
    pub acknowledged: u64,
    /// Acknowledged with a remark of the server, such as that it was not replicated.
    pub warned: u64,
    /// What the server remarked on acknowledged writes, and how often.
    pub notices: BTreeMap<String, u64>,
    /// Refused, by class.
    pub refused: BTreeMap<String, u64>,
    /// Unknown, by class.
    pub unknown: BTreeMap<String, u64>,
}

/// The figures of one drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Measurement {
    /// When the fault was, on the ledger's clock.
    pub fault: Micros,
    /// The primary before the fault.
    pub old: String,
    /// The primary in the end, if there was exactly one.
    pub new: Option<String>,
    /// What is too short to be told.
    pub resolution: Resolution,
    /// For how long the routed writer could not write.
    pub outage: Outage,
    /// How often it could not for longer than the resolution.
    pub interruptions: u64,
    /// How long these were together.
    pub interrupted: Micros,
    /// Silence of the routed writer at the end of the record.
    pub tail: Micros,
    /// The gaps, by who writes and what counts.
    pub gaps: Gaps,
    /// What became of the rows; `None` where the primary's table could not be read.
    pub fate: Option<Fate>,
    /// How far the old primary was polled beyond where the new history begins; what it wrote after the last poll is not in it.
    pub overhang: Option<u64>,
    /// What positions count.
    pub unit: Unit,
    /// How many rows the fault could have taken.
    pub risk: Risk,
    /// Whether two nodes took writes at the same time.
    pub dual: Option<Dual>,
    /// The slots of each stream, in the records' order.
    pub slots: Vec<Slots>,
    /// How the attempts ended.
    pub counts: Counts,
    /// What went wrong with recording itself.
    pub troubles: Vec<String>,
}

/// Makes the figures. Their tables have to be of the time before a switchover back: the primary in the end is the one that the
/// fault led to.
///
/// # Errors
/// Where the records contradict themselves, or there is nothing to compare the time after the fault with.
pub fn measure(records: &Records) -> Result<Measurement, Flaw> {
    check(records)?;
    let fault = records.marks.fault.ok_or(Flaw::NoFault)?;
    let stream = records.routed().ok_or(Flaw::NoRouted)?;
    let resolution = resolution(records, stream, fault)?;
    let routed = acks(records, |attempt| attempt.stream == stream);
    let gap = routed.largest(fault, records.ended).ok_or(Flaw::NoBaseline { writes: 0 })?;
    let outage = outage(records, gap, &resolution);
    let (interruptions, interrupted) = routed.interruptions(fault, resolution.limit());
    let old = primary_before(records, stream, fault).ok_or(Flaw::NoBaseline { writes: 0 })?;
    let new = records.finals.primary.as_ref().and_then(|name| records.index(name));
    let fate = fate(records);
    Ok(Measurement {
        fault,
        old: records.node(old).to_owned(),
        new: records.finals.primary.clone(),
        resolution,
        outage,
        interruptions,
        interrupted,
        tail: routed.tail(records.ended).map_or(Micros(0), |tail| tail.length()),
        gaps: gaps(records, fault, gap),
        fate,
        overhang: overhang(records, fault, old, new),
        unit: records.head.unit,
        risk: risk(records, fault, outage.window().map_or(fault, |window| window.until), old, new),
        dual: dual(records, new),
        slots: slots(records, fault),
        counts: counts(records),
        troubles: records.troubles.clone(),
    })
}

fn check(records: &Records) -> Result<(), Flaw> {
    let mut ids = HashSet::with_capacity(records.attempts.len());
    for Attempt { id, stream, node, begun, sent, answered, .. } in &records.attempts {
        if !ids.insert(id) {
            return Err(Flaw::Twice { id: *id });
        }
        if sent.is_some_and(|sent| sent < *begun || *answered < sent) || answered < begun {
            return Err(Flaw::Backwards { id: *id });
        }
        let (streams, nodes) = (records.head.streams.len(), records.head.nodes.len());
        if usize::from(*stream) >= streams || usize::from(*node) >= nodes {
            return Err(Flaw::Stray { id: *id });
        }
    }
    Ok(())
}

fn acks(records: &Records, counts: impl Fn(&Attempt) -> bool) -> Acks {
    Acks::new(records.acknowledged().filter(|attempt| counts(attempt)).map(Attempt::window))
}

fn resolution(records: &Records, stream: u16, fault: Micros) -> Result<Resolution, Flaw> {
    let end = records.undisturbed_until(fault);
    let baseline = acks(records, |attempt| attempt.stream == stream && attempt.answered <= end);
    let writes = baseline.len() as u64;
    let period = records.head.streams.get(usize::from(stream)).map_or(Micros(0), |stream| stream.period);
    let baseline = baseline.largest_between().ok_or(Flaw::NoBaseline { writes })?.length();
    Ok(Resolution { periods: period * 2, baseline, writes })
}

/// The node that acknowledged the last routed write before the fault.
fn primary_before(records: &Records, stream: u16, fault: Micros) -> Option<u16> {
    let routed = records.acknowledged().filter(|attempt| attempt.stream == stream && attempt.answered <= fault);
    routed.max_by_key(|attempt| attempt.answered).map(|attempt| attempt.node)
}

fn gaps(records: &Records, fault: Micros, routed: Gap) -> Gaps {
    let largest = |acks: &Acks| acks.largest(fault, records.ended);
    let any = largest(&acks(records, |_| true)).unwrap_or(routed);
    let survivors = records.survivors();
    let durable =
        survivors.and_then(|rows| largest(&acks(records, |attempt: &Attempt| rows.contains_key(&attempt.id))));
    let of = |node: u16| largest(&acks(records, |attempt| attempt.node == node));
    let nodes = records.nodes().map(|node| (records.node(node).to_owned(), of(node))).collect();
    Gaps { routed, any, durable, nodes }
}

fn slots(records: &Records, fault: Micros) -> Vec<Slots> {
    let quiet = Window { from: Micros(0), until: records.undisturbed_until(fault) };
    let streams = records.head.streams.iter().zip(0_u16..);
    streams
        .map(|(stream, index)| {
            let attempts = records.attempts.iter().filter(|attempt| attempt.stream == index).count() as u64;
            let missed = |why| records.missed.iter().filter(move |run| run.stream == index && run.why == why);
            let sum = |why| missed(why).map(|run| run.slots).sum::<u64>();
            let (late, busy) = (sum(Miss::Late), sum(Miss::Busy));
            let in_baseline = missed(Miss::Busy).map(|run| run.within(quiet.from, quiet.until)).sum::<u64>();
            let node = stream.node.map(|node| records.node(node).to_owned());
            Slots { node, due: attempts + late + busy, late, busy, unexplained: late + in_baseline }
        })
        .collect()
}

fn counts(records: &Records) -> Counts {
    let mut counts = Counts { attempts: records.attempts.len() as u64, ..Counts::default() };
    let mut classes: [BTreeMap<u16, u64>; 3] = Default::default();
    let [notices, refused, unknown] = &mut classes;
    for attempt in &records.attempts {
        match (attempt.outcome, attempt.notice) {
            (Outcome::Acknowledged, notice) => {
                counts.acknowledged += 1;
                if let Some(word) = notice {
                    counts.warned += 1;
                    *notices.entry(word.0).or_default() += 1;
                }
            }
            (Outcome::Refused(class), _) => *refused.entry(class.0).or_default() += 1,
            (Outcome::Unknown(class), _) => *unknown.entry(class.0).or_default() += 1,
        }
    }
    let named = |by_word: BTreeMap<u16, u64>| {
        by_word.into_iter().map(|(word, count)| (records.word(super::Word(word)).to_owned(), count)).collect()
    };
    [counts.notices, counts.refused, counts.unknown] = classes.map(named);
    counts
}
