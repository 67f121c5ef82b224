//! The largest time in which nothing can be shown to have been written.
//!
//! An acknowledged write took effect at some instant within its [`Window`], from its sending to its answer; nobody knows which.
//! Let an outage be a time in which no write takes effect, and let s be the latest sending among the writes that took effect
//! before it. The outage did not begin before s. Whatever was sent after s took effect after the outage, which had ended
//! when any of these was answered. So the time from s to the first answer to a later sending holds the whole outage, whatever the
//! delays were and in whatever order answers came. Which write is the last one before it nobody knows either, so the largest
//! such time over all writes is taken: from the sending of the last write acknowledged before the outage to the first
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

/// Acknowledged writes in the order of their sending.
pub struct Acks {
    /// When each was sent, with the earliest answer to it or a later one.
    sent: Vec<(Micros, Micros)>,
    /// All answers, in order.
    answered: Vec<Micros>,
}

impl Acks {
    /// Sorts the windows of acknowledged writes.
    pub fn new(windows: impl IntoIterator<Item = Window>) -> Self {
        let mut sent: Vec<_> = windows.into_iter().map(|window| (window.from, window.until)).collect();
        let mut answered: Vec<_> = sent.iter().map(|(_, until)| *until).collect();
        sent.sort_unstable();
        answered.sort_unstable();
        let mut earliest = Micros(u64::MAX);
        for (_, until) in sent.iter_mut().rev() {
            earliest = earliest.min(*until);
            *until = earliest;
        }
        Self { sent, answered }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.sent.len()
    }

    /// The largest gap between the first write and the last.
    pub fn largest_between(&self) -> Option<Gap> {
        self.between().max_by_key(Gap::length)
    }

    fn between(&self) -> impl Iterator<Item = Gap> {
        self.sent.windows(2).filter_map(|pair| match pair {
            [(from, _), (_, until)] => Some(Gap { from: *from, until: *until, ended: true }),
            _ => None,
        })
    }

    /// The largest gap that reaches beyond `after`, in a record up to `end`. Where nothing was sent by then, the time from
    /// `after` to the first answer counts as well.
    pub fn largest(&self, after: Micros, end: Micros) -> Option<Gap> {
        let first = self.sent.first().filter(|(from, _)| *from > after);
        let silent = first.map(|(_, until)| Gap { from: after, until: *until, ended: true });
        let ended = silent.into_iter().chain(self.between()).filter(|gap| gap.until > after);
        ended.chain(self.tail(end)).max_by_key(Gap::length)
    }

    /// The time before the end of the record in which no write can be shown to have taken effect.
    pub fn tail(&self, end: Micros) -> Option<Gap> {
        let (last, _) = self.sent.last()?;
        Some(Gap { from: (*last).min(end), until: end, ended: false })
    }

    /// How many times longer than `limit` passed between two answers after `after`, and how long these were together.
    pub fn interruptions(&self, after: Micros, limit: Micros) -> (u64, Micros) {
        let pairs = self.answered.windows(2).filter_map(|pair| match pair {
            [a, b] if *b > after => Some(b.since(*a)),
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
        assert_eq!(acks.largest(Micros(21), Micros(110)), gap(21, 95, true));
    }

    #[test]
    fn writes_that_hang_through_an_outage_end_it_or_were_done_before_it() {
        let acks = acks(&[(0, 2), (10, 12), (20, 81), (30, 82), (90, 92), (100, 102)]);
        assert_eq!(acks.largest(Micros(15), Micros(110)), gap(10, 81, true));
        // All that hang may have been done before, and the outage may have gone on after their answers.
        let acks = self::acks(&[(0, 2), (10, 12), (20, 31), (90, 92), (100, 102)]);
        assert_eq!(acks.largest(Micros(15), Micros(110)), gap(20, 92, true));
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
        // What was still on its way at the end came back.
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
