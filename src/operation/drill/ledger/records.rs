//! What one drill's writers and pollers saw, all on one clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Micros, gap::Window};
use crate::ports::Unit;

/// A slot that begins later than this after it was due is missed.
pub const LATE: Micros = Micros::millis(10);

/// Who writes, to what, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// The nodes' names; a node is given by its index in here everywhere else.
    pub nodes: Vec<String>,
    /// What positions count.
    pub unit: Unit,
    /// The streams of writes; a stream is given by its index in here everywhere else.
    pub streams: Vec<Stream>,
    /// The time between two polls of a node.
    pub poll_every: Micros,
}

/// A stream of writes at a fixed rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stream {
    /// The node that it is pinned to; `None` for the writer that looks for the primary.
    pub node: Option<u16>,
    /// The time between two slots.
    pub period: Micros,
}

/// A text that occurs often, such as an error's class: its index in [`Records::words`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Word(pub u16);

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The server said that it is done, and was ready for more.
    Acknowledged,
    /// Certainly not done, for the reason of this class.
    Refused(Word),
    /// Nobody can say but the table.
    Unknown(Word),
}

/// One write: an id that is used once.
///
/// `begun` and `sent` are read before, and `answered` after what they are named for, so that whatever the database did lies
/// in between, however late this process got the processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attempt {
    /// The id; never sent twice.
    pub id: u64,
    /// The stream that it belongs to.
    pub stream: u16,
    /// The node that it was meant for.
    pub node: u16,
    /// When its slot was due.
    pub due: Micros,
    /// When a worker took it up, to connect first if need be.
    pub begun: Micros,
    /// When the statement was handed over; `None` if it never was.
    pub sent: Option<Micros>,
    /// When its outcome was known.
    pub answered: Micros,
    /// The outcome.
    pub outcome: Outcome,
    /// What the server remarked on it.
    pub notice: Option<Word>,
}

impl Attempt {
    /// Whether it was acknowledged.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.outcome == Outcome::Acknowledged
    }

    /// The time within which the database dealt with it; begins with connecting if it was never sent.
    #[must_use]
    pub fn window(&self) -> Window {
        Window { from: self.sent.unwrap_or(self.begun), until: self.answered }
    }
}

/// Why a slot was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Miss {
    /// This process came later than [`LATE`], or could not write its intent down: the machine is too busy.
    Late,
    /// Every worker of the stream still waited for an answer.
    Busy,
}

/// Slots of one stream, next to each other, that were missed for the same cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Missed {
    /// The stream.
    pub stream: u16,
    /// When the first was due.
    pub from: Micros,
    /// When the last was due.
    pub until: Micros,
    /// How many.
    pub slots: u64,
    /// Why.
    pub why: Miss,
}

impl Missed {
    /// How many of them were due within a time.
    #[must_use]
    pub fn within(&self, from: Micros, until: Micros) -> u64 {
        let step = self.until.since(self.from).0 / self.slots.saturating_sub(1).max(1);
        let due = |slot: u64| self.from + Micros(step * slot);
        (0..self.slots).filter(|slot| (from..=until).contains(&due(*slot))).count() as u64
    }
}

/// One direct look at one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Poll {
    /// The node.
    pub node: u16,
    /// When it was asked.
    pub asked: Micros,
    /// When it answered, or was given up.
    pub answered: Micros,
    /// Whether it takes writes; `None` if it did not answer.
    pub writable: Option<bool>,
    /// The history that it is on.
    pub timeline: Option<Word>,
    /// How far it is.
    pub position: Option<u64>,
}

/// A turn in the course of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mark {
    /// The time without a fault is over; anything may be disturbed from here on.
    BaselineEnded,
    /// The fault is about to be injected: read before the effect.
    Fault,
    /// The fault was released.
    Released,
}

/// When the turns were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Marks {
    /// The first [`Mark::BaselineEnded`].
    pub baseline_ended: Option<Micros>,
    /// The first [`Mark::Fault`].
    pub fault: Option<Micros>,
    /// The last [`Mark::Released`].
    pub released: Option<Micros>,
}

impl Marks {
    /// Notes a turn.
    pub fn set(&mut self, mark: Mark, at: Micros) {
        match mark {
            Mark::BaselineEnded => self.baseline_ended = self.baseline_ended.or(Some(at)),
            Mark::Fault => self.fault = self.fault.or(Some(at)),
            Mark::Released => self.released = Some(at),
        }
    }
}

/// What was found when all was over and every node had been asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finals {
    /// The primary in the end; `None` if there was not exactly one.
    pub primary: Option<String>,
    /// How often each row is at each node that could be read.
    pub rows: BTreeMap<String, BTreeMap<u64, u32>>,
    /// The position at which the primary's history left the one before, where the database tells.
    pub switched_at: Option<u64>,
    /// Why a node could not be read.
    pub troubles: BTreeMap<String, String>,
}

/// All that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Records {
    /// Who wrote, and to what.
    pub head: Head,
    /// Texts that occur often.
    pub words: Vec<String>,
    /// The attempts, in the order in which their intents were written down.
    pub attempts: Vec<Attempt>,
    /// The slots that were missed.
    pub missed: Vec<Missed>,
    /// The polls.
    pub polls: Vec<Poll>,
    /// The turns.
    pub marks: Marks,
    /// When no more slots came due.
    pub ended: Micros,
    /// What went wrong with recording itself.
    pub troubles: Vec<String>,
    /// What was found at the end; empty until the tables were read back.
    pub finals: Finals,
}

impl Records {
    /// Records in which nothing has happened yet.
    #[must_use]
    pub fn new(head: Head) -> Self {
        Self {
            head,
            words: Vec::new(),
            attempts: Vec::new(),
            missed: Vec::new(),
            polls: Vec::new(),
            marks: Marks::default(),
            ended: Micros(0),
            troubles: Vec::new(),
            finals: Finals::default(),
        }
    }

    /// The end of the time in which nothing was done to the database yet, which is not later than the fault.
    #[must_use]
    pub fn undisturbed_until(&self, fault: Micros) -> Micros {
        self.marks.baseline_ended.map_or(fault, |ended| ended.min(fault))
    }

    /// The index of the stream that looks for the primary.
    #[must_use]
    pub fn routed(&self) -> Option<u16> {
        let at = self.head.streams.iter().position(|stream| stream.node.is_none())?;
        u16::try_from(at).ok()
    }

    /// A node's name.
    #[must_use]
    pub fn node(&self, index: u16) -> &str {
        self.head.nodes.get(usize::from(index)).map_or("?", String::as_str)
    }

    /// A node's index.
    #[must_use]
    pub fn index(&self, node: &str) -> Option<u16> {
        u16::try_from(self.head.nodes.iter().position(|name| name == node)?).ok()
    }

    /// The indices of all nodes.
    pub fn nodes(&self) -> impl Iterator<Item = u16> + use<> {
        0..u16::try_from(self.head.nodes.len()).unwrap_or(u16::MAX)
    }

    /// What a word stands for.
    #[must_use]
    pub fn word(&self, word: Word) -> &str {
        self.words.get(usize::from(word.0)).map_or("?", String::as_str)
    }

    /// The attempts that were acknowledged.
    pub fn acknowledged(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.is_acknowledged())
    }

    /// The rows of the primary in the end, if it could be read.
    #[must_use]
    pub fn survivors(&self) -> Option<&BTreeMap<u64, u32>> {
        self.finals.rows.get(self.finals.primary.as_ref()?)
    }
}
