//! Whether two nodes took writes at the same time.
//!
//! A node took writes at some instant within each acknowledgement and each poll that says so. Samples of one node that follow
//! each other closely, with no sign of the contrary in between, make a run: from the end of its first sample to the
//! beginning of its last it surely took writes. A sample that was blocked for long, as at a stopped host, counts at its completion:
//! before that the node did nothing.

use serde::{Deserialize, Serialize};

use super::{Attempt, Micros, Outcome, Records, Window};

/// A sample that took longer was blocked, and samples further apart do not belong to one run; three polls, if that is longer.
const BLOCKED: Micros = Micros::millis(100);

/// Two nodes took writes at the same time; of all such times the longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dual {
    /// The node whose rows count in the end, or the first of the two where it is neither.
    pub winner: String,
    /// The other one.
    pub loser: String,
    /// When both were seen to take writes first.
    pub from: Micros,
    /// For how long they did, at least; zero if it was seen in one sample.
    pub length: Micros,
    /// Rows that the loser acknowledged in that time and after it.
    pub acknowledged: u64,
    /// Those of them that are not in the primary's table; `None` where that could not be read.
    pub lost: Option<u64>,
}

#[derive(Clone, Copy)]
struct Sample {
    at: Window,
    writable: bool,
}

/// Samples that say the same without a doubt in between.
#[derive(Clone, Copy)]
struct Run {
    first: Window,
    /// Since when at the latest.
    from: Micros,
    /// Until when at least.
    until: Micros,
    /// When the last sample was complete.
    last: Micros,
}

/// Finds the longest time in which two nodes took writes.
pub fn dual(records: &Records, new: Option<u16>) -> Option<Dual> {
    let runs: Vec<_> = records.nodes().map(|node| (node, runs(records, node))).collect();
    let pairs = runs.iter().enumerate().flat_map(|(i, one)| runs.iter().skip(i + 1).map(move |other| (one, other)));
    let overlaps = pairs.filter_map(|((a, ours), (b, theirs))| Some((*a, *b, longest(ours, theirs)?)));
    let (a, b, time) = overlaps.max_by_key(|(_, _, time)| time.until.since(time.from))?;
    let (winner, loser) = if new == Some(b) { (b, a) } else { (a, b) };
    let theirs =
        || records.acknowledged().filter(move |attempt| attempt.node == loser && attempt.answered >= time.from);
    let rows = records.survivors();
    Some(Dual {
        winner: records.node(winner).to_owned(),
        loser: records.node(loser).to_owned(),
        from: time.from,
        length: time.until.since(time.from),
        acknowledged: theirs().count() as u64,
        lost: rows.map(|rows| theirs().filter(|attempt| !rows.contains_key(&attempt.id)).count() as u64),
    })
}

/// Both are in order of time, so that whichever run ends first meets nothing later.
fn longest(ours: &[Run], theirs: &[Run]) -> Option<Window> {
    let (mut a, mut b) = (ours.iter().peekable(), theirs.iter().peekable());
    let mut longest: Option<Window> = None;
    while let (Some(one), Some(other)) = (a.peek(), b.peek()) {
        let length = |time: &Window| time.until.since(time.from);
        longest = longest.into_iter().chain(overlap(one, other)).max_by_key(length);
        if one.last <= other.last {
            a.next();
        } else {
            b.next();
        }
    }
    longest
}

fn overlap(one: &Run, other: &Run) -> Option<Window> {
    let (from, until) = (one.from.max(other.from), one.until.min(other.until));
    if from <= until {
        return Some(Window { from, until });
    }
    // A single sample has no certain time of its own; it counts where all of it lies within the other's.
    let inside =
        |sample: Window, run: &Run| (run.from <= sample.from && sample.until <= run.until).then_some(sample.until);
    let at = inside(one.first, other).or_else(|| inside(other.first, one))?;
    Some(Window { from: at, until: at })
}

fn runs(records: &Records, node: u16) -> Vec<Run> {
    let apart = BLOCKED.max(records.head.poll_every * 3);
    let mut runs: Vec<Run> = Vec::new();
    let mut open = false;
    for sample in samples(records, node) {
        let at = if sample.at.until.since(sample.at.from) > apart {
            Window { from: sample.at.until, ..sample.at }
        } else {
            sample.at
        };
        match runs.last_mut().filter(|run| open && at.until.since(run.last) <= apart) {
            _ if !sample.writable => {}
            Some(run) => (run.until, run.last) = (run.until.max(at.from), at.until),
            None => runs.push(Run { first: at, from: at.until, until: at.from, last: at.until }),
        }
        open = sample.writable;
    }
    runs
}

/// What polls and writes say of one node, in the order of their ends.
fn samples(records: &Records, node: u16) -> Vec<Sample> {
    let polls = records.polls.iter().filter(|poll| poll.node == node).filter_map(|poll| {
        Some(Sample { at: Window { from: poll.asked, until: poll.answered }, writable: poll.writable? })
    });
    let writes = records.attempts.iter().filter(|attempt| attempt.node == node).filter_map(said);
    let mut samples: Vec<_> = polls.chain(writes).collect();
    samples.sort_unstable_by_key(|sample| (sample.at.until, sample.at.from));
    samples
}

/// What an attempt says of its node: nothing where the node itself did not answer.
fn said(attempt: &Attempt) -> Option<Sample> {
    let writable = match attempt.outcome {
        Outcome::Acknowledged => true,
        Outcome::Refused(_) if attempt.sent.is_some() => false,
        Outcome::Refused(_) | Outcome::Unknown(_) => return None,
    };
    Some(Sample { at: attempt.window(), writable })
}
