//! How many rows a fault could have taken, and how far behind the new primary was.

use serde::{Deserialize, Serialize};

use super::{Attempt, Micros, Poll, Records};

/// Without positions, what was acknowledged so long before the fault counts as at risk.
const RECENT: Micros = Micros::millis(1_000);

/// By what rows count as at risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Basis {
    /// By positions: no poll before the fault had shown that the new primary had them.
    Positions,
    /// By time: acknowledged within a second before the fault, or after it. No positions could be compared, or the old
    /// primary is the new one; then what it acknowledged after the outage does not count.
    Time,
}

/// The rows that a fault could have taken: without any, "nothing was lost" says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Risk {
    /// Rows that the old primary acknowledged, and that nobody had yet seen elsewhere at the time of the fault; also all that it
    /// acknowledged after the fault.
    pub rows: u64,
    /// What that is judged by.
    pub basis: Basis,
}

impl Risk {
    /// The share of such rows that may be lost at most, with 95 % confidence, where none of them was: the rule of three, 3/n
    /// (Hanley and Lippman-Hand 1983). It takes rows as independent, which those of one fault are not; 1 for three rows or
    /// fewer.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "2^53 rows are out of reach")]
    pub fn bound(&self) -> f64 {
        (3.0 / self.rows as f64).min(1.0)
    }
}

/// Counts the rows at risk. `old` was the primary before the fault, `new` is it in the end; `over` is when the outage was over, or
/// the time of the fault where none was seen.
pub fn risk(records: &Records, fault: Micros, over: Micros, old: u16, new: Option<u16>) -> Risk {
    let moved = new != Some(old);
    let safe = new.filter(|_| moved).and_then(|new| seen_elsewhere(records, fault, old, new));
    let (since, basis) = match safe {
        Some(since) => (since, Basis::Positions),
        None => (fault.since(RECENT), Basis::Time),
    };
    let at_risk =
        |attempt: &&Attempt| attempt.node == old && attempt.answered > since && (moved || attempt.answered < over);
    Risk { rows: records.acknowledged().filter(at_risk).count() as u64, basis }
}

/// Until when what the old primary had acknowledged was seen at the new one before the fault.
///
/// A poll of the old primary that was asked after an answer shows a position at or beyond that row.
fn seen_elsewhere(records: &Records, fault: Micros, old: u16, new: u16) -> Option<Micros> {
    let polls = |node| records.polls.iter().filter(move |poll| poll.node == node && poll.answered <= fault);
    let reached = polls(new).filter_map(|poll| poll.position).max()?;
    let primary = polls(old).filter(|poll| poll.writable == Some(true));
    primary.filter(|poll| poll.position.is_some_and(|position| position <= reached)).map(|poll| poll.asked).max()
}

/// How far the old primary was polled beyond where the new one's history begins, in the database's unit: zero where it was not
/// polled beyond it, `None` where either is not known or the primary is the old one.
pub fn overhang(records: &Records, fault: Micros, old: u16, new: Option<u16>) -> Option<u64> {
    let switched_at = records.finals.switched_at.filter(|_| new.is_some_and(|new| new != old))?;
    Some(last_position(records, fault, old)?.saturating_sub(switched_at))
}

/// The old primary's last position as it was polled, while it took writes on the history that it was on before the fault.
fn last_position(records: &Records, fault: Micros, old: u16) -> Option<u64> {
    let writable = || records.polls.iter().filter(move |poll| poll.node == old && poll.writable == Some(true));
    let timeline = |poll: &Poll| poll.timeline;
    let before = writable().filter(|poll| poll.answered <= fault).max_by_key(|poll| poll.answered)?;
    writable().filter(|poll| timeline(poll) == timeline(before)).filter_map(|poll| poll.position).max()
}
