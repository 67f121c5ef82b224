//! The largest time in which nothing can be shown to have been written.
//!
//! An acknowledged write took effect at some instant within its [`Window`], from its sending to its answer; nobody knows which.
//! Let an outage be a time in which no write takes effect. For any instant t in it, a write that was answered by t took effect
//! before the outage, so the outage begins no earlier than any of these was sent; a write that was sent after t took effect after
//! the outage, so the outage ends no later than any of these was answered. The time between the last of the one and the first
//! of the other holds the whole outage, whatever the delays were; the largest over all t holds the largest one. With
//! answers in the order of sending this is: from the sending of the last write acknowledged before the outage to the first
//! acknowledgement after it.

use serde::{Deserialize, Serialize};

use super::Micros;

/// A time within which something took place at an unknown instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// Not before.
    pub from: Micros,
    /// Not after.
    pub until: Micros,
}

/// A time without a write that can be shown to have taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gap {
    /// When the last acknowledged write before it was sent; the time of the fault where there was none.
    pub from: Micros,
    /// When the first write sent after it was answered; the end of the record where there was none.
    pub until: Micros,
    /// Whether an acknowledgement ended it, and not the record.
    pub ended: bool,
}

impl Gap {
    /// How long it is.
    #[must_use]
    pub const fn length(&self) -> Micros {
        self.until.since(self.from)
    }
}

/// Acknowledged writes, ready to be asked what surrounds an instant.
pub struct Acks {
    /// By sending, each with the earliest answer to it or a later one.
    sent: Vec<(Micros, Micros)>,
    /// By answer, each with the latest sending of it or an earlier one.
    answered: Vec<(Micros, Micros)>,
}

impl Acks {
    /// Sorts the windows of acknowledged writes.
    pub fn new(windows: impl IntoIterator<Item = Window>) -> Self {
        let mut sent: Vec<_> = windows.into_iter().map(|window| (window.from, window.until)).collect();
        let mut answered: Vec<_> = sent.iter().map(|&(from, until)| (until, from)).collect();
        sent.sort_unstable();
        answered.sort_unstable();
        let mut earliest = Micros(u64::MAX);
        for (_, until) in sent.iter_mut().rev() {
            earliest = earliest.min(*until);
            *until = earliest;
        }
        let mut latest = Micros(0);
        for (_, from) in &mut answered {
            latest = latest.max(*from);
            *from = latest;
        }
        Self { sent, answered }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.sent.len()
    }

    /// When the first of all was sent.
    pub fn first(&self) -> Option<Micros> {
        self.sent.first().map(|(from, _)| *from)
    }

    /// The latest sending among those that were answered by `t`.
    fn before(&self, t: Micros) -> Option<Micros> {
        let count = self.answered.partition_point(|(until, _)| *until <= t);
        count.checked_sub(1).and_then(|last| self.answered.get(last)).map(|(_, from)| *from)
    }

    /// The earliest answer among those that were sent after `t`.
    fn after(&self, t: Micros) -> Option<Micros> {
        let at = self.sent.partition_point(|(from, _)| *from <= t);
        self.sent.get(at).map(|(_, until)| *until)
    }

    /// The largest gap that acknowledgements of this record end and that reaches beyond `after`.
    ///
    /// Between two sendings what surrounds an instant can only get closer, so only instants right after a sending are looked at.
    pub fn largest_ended(&self, after: Micros) -> Option<Gap> {
        let last_answer = self.answered.last().map(|(until, _)| *until)?;
        let instants = std::iter::once(after).chain(self.sent.iter().map(|(from, _)| *from).filter(|t| *t > after));
        let gaps = instants.filter_map(|t| {
            // Where nothing was sent later, the writes that were on their way may have ended it, the last of them at the latest.
            let until = self.after(t).unwrap_or(last_answer);
            (until > t).then(|| Gap { from: self.before(t).unwrap_or(after), until, ended: true })
        });
        gaps.max_by_key(Gap::length)
    }

    /// The time before the end of the record in which nothing was acknowledged. Empty if an answer came after the end.
    pub fn tail(&self, end: Micros) -> Option<Gap> {
        let (last_answer, last_sending) = *self.answered.last()?;
        let from = if last_answer > end { end } else { last_sending.min(end) };
        Some(Gap { from, until: end, ended: false })
    }

    /// The largest gap that reaches beyond `after`, in a record up to `end`.
    pub fn largest(&self, after: Micros, end: Micros) -> Option<Gap> {
        self.largest_ended(after).into_iter().chain(self.tail(end)).max_by_key(Gap::length)
    }

    /// How many times longer than `limit` passed between two answers after `after`, and how long these were together.
    pub fn interruptions(&self, after: Micros, limit: Micros) -> (u64, Micros) {
        let pairs = self.answered.windows(2).filter_map(|pair| match pair {
            [(a, _), (b, _)] if *b > after => Some(b.since(*a)),
            _ => None,
        });
        pairs.filter(|length| *length > limit).fold((0, Micros(0)), |(count, sum), length| (count + 1, sum + length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acks(windows: &[(u64, u64)]) -> Acks {
        Acks::new(windows.iter().map(|&(from, until)| Window { from: Micros(from), until: Micros(until) }))
    }

    fn gap(from: u64, until: u64, ended: bool) -> Option<Gap> {
        Some(Gap { from: Micros(from), until: Micros(until), ended })
    }

    #[test]
    fn reaches_from_the_last_sending_before_to_the_first_answer_after() {
        let acks = acks(&[(0, 2), (10, 12), (20, 22), (90, 95), (100, 102)]);
        assert_eq!(acks.largest(Micros(21), Micros(110)), gap(20, 95, true));
    }

    #[test]
    fn an_answer_that_comes_late_ends_nothing() {
        // Written before the outage from 23 to 88, and answered in the middle of it.
        let acks = acks(&[(0, 2), (10, 12), (20, 22), (21, 70), (90, 95), (100, 102)]);
        assert_eq!(acks.largest(Micros(21), Micros(110)), gap(20, 95, true));
    }

    #[test]
    fn writes_that_hang_through_an_outage_show_its_end_only_by_what_follows() {
        let acks = acks(&[(0, 2), (10, 12), (20, 81), (30, 82), (90, 92), (100, 102)]);
        assert_eq!(acks.largest(Micros(15), Micros(110)), gap(10, 92, true));
    }

    #[test]
    fn only_what_reaches_beyond_the_fault_counts() {
        let acks = acks(&[(0, 2), (100, 102), (110, 112), (130, 132), (140, 142)]);
        assert_eq!(acks.largest(Micros(111), Micros(145)), gap(110, 132, true));
    }

    #[test]
    fn silence_until_the_end_has_no_end() {
        let acks = acks(&[(0, 2), (10, 12), (20, 22)]);
        assert_eq!(acks.largest(Micros(15), Micros(500)), gap(20, 500, false));
        // What was still on its way at the end came back, so it is no silence.
        let acks = self::acks(&[(0, 2), (10, 12), (20, 600)]);
        assert_eq!(acks.largest(Micros(15), Micros(500)), gap(10, 600, true));
    }

    #[test]
    fn nothing_before_the_fault_counts_from_the_fault() {
        assert_eq!(acks(&[(50, 52), (60, 62)]).largest(Micros(20), Micros(70)), gap(20, 52, true));
        assert_eq!(acks(&[]).largest(Micros(20), Micros(70)), None);
    }

    #[test]
    fn interruptions_are_counted_and_added() {
        let acks = acks(&[(0, 2), (40, 42), (50, 52), (120, 122), (130, 132)]);
        assert_eq!(acks.interruptions(Micros(41), Micros(10)), (2, Micros(110)));
        assert_eq!(acks.interruptions(Micros(60), Micros(10)), (1, Micros(70)));
    }
}
