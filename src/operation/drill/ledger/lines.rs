//! The ledger line by line: what a recorder writes down as it happens, and the fold that makes records of it.
//!
//! A file of a ledger has one line of JSON for each, in the order in which it happened. An intent stands there before its write is
//! sent; one without an end, since its process died, may have been sent, and only the table can say.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Attempt, Flaw, Head, Mark, Micros, Miss, Missed, Outcome, Poll, Records, Word};
use crate::ports::{Sample, Written};

/// The class of an attempt whose end was never written down.
pub const UNANSWERED: &str = "unanswered";
/// How many different texts are kept; what comes later reads [`OTHER`].
const MOST_WORDS: usize = 1_000;
/// How long a text may be, in characters.
const LONGEST_WORD: usize = 300;
/// The text for what came after [`MOST_WORDS`].
const OTHER: &str = "other";

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Line {
    /// The recorder began; the first line.
    Begun(Head),
    /// A write is about to be made.
    Intent {
        /// Its id.
        id: u64,
        /// Its stream.
        stream: u16,
        /// The node that it is meant for.
        node: u16,
        /// When its slot was due.
        due: Micros,
        /// When a worker took it up.
        begun: Micros,
    },
    /// A write has ended.
    End {
        /// Its id.
        id: u64,
        /// When the statement was handed over, if it was.
        sent: Option<Micros>,
        /// When its outcome was known.
        answered: Micros,
        /// The outcome.
        written: Written,
        /// What the server remarked on it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notices: Vec<String>,
    },
    /// A slot was missed.
    Missed {
        /// The stream.
        stream: u16,
        /// When it was due.
        due: Micros,
        /// Why.
        why: Miss,
    },
    /// A node was polled.
    Polled {
        /// The node.
        node: u16,
        /// When it was asked.
        asked: Micros,
        /// When it answered, or was given up.
        answered: Micros,
        /// What it said, if it answered.
        seen: Option<Sample>,
    },
    /// A turn in the course of the drill.
    Marked {
        /// Which.
        mark: Mark,
        /// When.
        at: Micros,
    },
    /// Something went wrong with recording itself.
    Trouble {
        /// What.
        what: String,
    },
    /// No more slots come due.
    Ended {
        /// When.
        at: Micros,
    },
}

/// Makes records of lines.
pub struct Ledger {
    records: Records,
    words: HashMap<String, Word>,
    /// Where the attempts without an end stand.
    open: HashMap<u64, usize>,
    /// Where each stream's latest missed slots stand.
    missing: HashMap<u16, usize>,
}

impl Ledger {
    /// A ledger in which nothing has happened yet.
    #[must_use]
    pub fn new(head: Head) -> Self {
        let (open, missing, words) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { records: Records::new(head), words, open, missing }
    }

    /// What happened so far.
    #[must_use]
    pub const fn records(&self) -> &Records {
        &self.records
    }

    /// What happened.
    #[must_use]
    pub fn into_records(self) -> Records {
        self.records
    }

    /// Adds what happened next. An end without an intent is left out: nothing writes one.
    pub fn add(&mut self, line: Line) {
        match line {
            Line::Begun(_) => {}
            Line::Intent { id, stream, node, due, begun } => self.intend(id, stream, node, due, begun),
            Line::End { id, sent, answered, written, notices } => self.end(id, sent, answered, written, &notices),
            Line::Missed { stream, due, why } => self.miss(stream, due, why),
            Line::Polled { node, asked, answered, seen } => self.poll(node, asked, answered, seen),
            Line::Marked { mark, at } => self.records.marks.set(mark, at),
            Line::Trouble { what } => self.records.troubles.push(what),
            Line::Ended { at } => self.records.ended = self.records.ended.max(at),
        }
    }

    fn intend(&mut self, id: u64, stream: u16, node: u16, due: Micros, begun: Micros) {
        let outcome = Outcome::Unknown(self.word(UNANSWERED));
        self.open.insert(id, self.records.attempts.len());
        let sent = Some(begun);
        let attempt = Attempt { id, stream, node, due, begun, sent, answered: begun, outcome, notice: None };
        self.records.attempts.push(attempt);
        self.records.ended = self.records.ended.max(begun);
    }

    fn end(&mut self, id: u64, sent: Option<Micros>, answered: Micros, written: Written, notices: &[String]) {
        let outcome = match written {
            Written::Acknowledged => Outcome::Acknowledged,
            Written::Refused { class } => Outcome::Refused(self.word(&class)),
            Written::Unknown { class } => Outcome::Unknown(self.word(&class)),
        };
        let notice = (!notices.is_empty()).then(|| self.word(&notices.join("; ")));
        let at = self.open.remove(&id);
        if let Some(attempt) = at.and_then(|at| self.records.attempts.get_mut(at)) {
            (attempt.sent, attempt.answered, attempt.outcome, attempt.notice) = (sent, answered, outcome, notice);
        }
    }

    fn miss(&mut self, stream: u16, due: Micros, why: Miss) {
        let period = self.records.head.streams.get(usize::from(stream)).map_or(Micros(0), |stream| stream.period);
        let latest = self.missing.get(&stream).and_then(|at| self.records.missed.get_mut(*at));
        match latest {
            // Half a period more, since times are rounded to microseconds.
            Some(run) if run.why == why && due.since(run.until).0 * 2 <= period.0 * 3 => {
                (run.until, run.slots) = (due, run.slots + 1);
            }
            _ => {
                self.missing.insert(stream, self.records.missed.len());
                self.records.missed.push(Missed { stream, from: due, until: due, slots: 1, why });
            }
        }
    }

    fn poll(&mut self, node: u16, asked: Micros, answered: Micros, seen: Option<Sample>) {
        let writable = seen.as_ref().map(|sample| sample.writable);
        let position = seen.as_ref().and_then(|sample| sample.position);
        let timeline = seen.and_then(|sample| sample.timeline).map(|timeline| self.word(&timeline));
        self.records.polls.push(Poll { node, asked, answered, writable, timeline, position });
    }

    fn word(&mut self, text: &str) -> Word {
        if let Some(word) = self.words.get(text) {
            return *word;
        }
        let full = self.records.words.len() >= MOST_WORDS;
        let kept: String = if full { OTHER.to_owned() } else { text.chars().take(LONGEST_WORD).collect() };
        if let Some(word) = self.words.get(&kept) {
            return *word;
        }
        let word = Word(u16::try_from(self.records.words.len()).unwrap_or(u16::MAX));
        self.records.words.push(kept.clone());
        self.words.insert(kept, word);
        word
    }
}

/// Makes records of a ledger's file, such as one that a drill left behind whose process died. A last line that is torn off
/// is left out.
///
/// # Errors
/// [`Flaw::Unreadable`] where another line cannot be read, or the first one does not say who writes.
pub fn read(text: &str) -> Result<Records, Flaw> {
    let mut lines = text.split_inclusive('\n').enumerate();
    let unreadable = |at: usize, why: String| Flaw::Unreadable { line: at + 1, why };
    let parse = |at, line: &str| serde_json::from_str::<Line>(line).map_err(|e| unreadable(at, e.to_string()));
    let head = match lines.next().map(|(at, line)| parse(at, line)) {
        Some(Ok(Line::Begun(head))) => head,
        Some(Err(flaw)) => return Err(flaw),
        _ => return Err(unreadable(0, "it does not say who writes, and to what".to_owned())),
    };
    let mut ledger = Ledger::new(head);
    for (at, line) in lines {
        if !line.ends_with('\n') {
            break;
        }
        ledger.add(parse(at, line)?);
    }
    Ok(ledger.into_records())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{operation::drill::ledger::Stream, ports::Unit};

    fn head() -> Head {
        let streams = vec![Stream { node: None, period: Micros(1_000) }, Stream { node: Some(0), period: Micros(333) }];
        Head { nodes: vec!["a".into()], unit: Unit::Bytes, streams, poll_every: Micros::millis(20) }
    }

    fn story() -> Vec<Line> {
        let intent =
            |id| Line::Intent { id, stream: 0, node: 0, due: Micros(id * 1_000), begun: Micros(id * 1_000 + 7) };
        let end = |id, written, notices| {
            let sent = Some(Micros(id * 1_000 + 9));
            Line::End { id, sent, answered: Micros(id * 1_000 + 400), written, notices }
        };
        let seen = Some(Sample { writable: true, timeline: Some("1".into()), position: Some(77) });
        vec![
            Line::Begun(head()),
            intent(1),
            intent(2),
            end(2, Written::Refused { class: "25006".into() }, vec![]),
            end(1, Written::Acknowledged, vec!["not replicated".into()]),
            Line::Polled { node: 0, asked: Micros(2_500), answered: Micros(2_600), seen },
            Line::Polled { node: 0, asked: Micros(22_500), answered: Micros(22_600), seen: None },
            Line::Marked { mark: Mark::Fault, at: Micros(2_700) },
            intent(3),
            Line::Trouble { what: "the disk is full".into() },
            Line::Ended { at: Micros(4_000) },
        ]
    }

    fn text(lines: &[Line]) -> String {
        lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect()
    }

    #[test]
    fn a_file_reads_back_to_the_same_records() {
        let mut ledger = Ledger::new(head());
        story().into_iter().for_each(|line| ledger.add(line));
        let records = ledger.into_records();
        assert_eq!(read(&text(&story())).unwrap(), records);
        let [first, second, third] = &records.attempts[..] else { panic!("{records:?}") };
        assert!(first.is_acknowledged() && first.notice.is_some_and(|word| records.word(word) == "not replicated"));
        assert!(matches!(second.outcome, Outcome::Refused(word) if records.word(word) == "25006"));
        // Its end was never written down: it may have been sent.
        assert!(matches!(third.outcome, Outcome::Unknown(word) if records.word(word) == UNANSWERED));
        assert_eq!(third.sent, Some(Micros(3_007)));
        assert_eq!((records.marks.fault, records.ended), (Some(Micros(2_700)), Micros(4_000)));
        assert_eq!((records.polls[0].position, records.polls[1].writable), (Some(77), None));
    }

    #[test]
    fn a_torn_end_is_left_out_and_a_torn_middle_is_a_flaw() {
        let whole = text(&story());
        let torn = &whole[..whole.len() - 5];
        assert_eq!(read(torn).unwrap().ended, Micros(3_007));
        let broken = whole.replacen("{\"trouble\"", "{trouble", 1);
        assert!(matches!(read(&broken), Err(Flaw::Unreadable { line: 10, .. })));
        assert!(matches!(read(""), Err(Flaw::Unreadable { line: 1, .. })));
        assert!(matches!(read(&text(&story()[1..])), Err(Flaw::Unreadable { line: 1, .. })));
    }

    #[test]
    fn missed_slots_next_to_each_other_are_one_run() {
        let mut ledger = Ledger::new(head());
        for due in [0_u64, 333, 667, 1_000, 2_000, 2_333] {
            ledger.add(Line::Missed { stream: 1, due: Micros(due), why: Miss::Busy });
        }
        ledger.add(Line::Missed { stream: 1, due: Micros(2_667), why: Miss::Late });
        let runs: Vec<_> = ledger.records().missed.iter().map(|run| (run.from.0, run.until.0, run.slots)).collect();
        assert_eq!(runs, [(0, 1_000, 4), (2_000, 2_333, 2), (2_667, 2_667, 1)]);
        assert_eq!(ledger.records().missed[0].within(Micros(300), Micros(700)), 2);
    }

    #[test]
    fn texts_are_kept_to_a_bound() {
        let mut ledger = Ledger::new(head());
        for n in 0..3 * MOST_WORDS as u64 {
            ledger.add(Line::Intent { id: n, stream: 0, node: 0, due: Micros(n), begun: Micros(n) });
            let written = Written::Unknown { class: format!("{n}{}", "x".repeat(2 * LONGEST_WORD)) };
            ledger.add(Line::End { id: n, sent: None, answered: Micros(n), written, notices: vec![] });
        }
        let records = ledger.into_records();
        assert!(records.words.len() <= MOST_WORDS + 1 && records.words.iter().all(|w| w.len() <= LONGEST_WORD));
        let last = records.attempts.last().map(|attempt| attempt.outcome);
        assert!(matches!(last, Some(Outcome::Unknown(word)) if records.word(word) == OTHER));
    }
}
