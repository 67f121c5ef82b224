//! Variants: what a participant did while it was called, without ids and times, so that equal ones are judged once.

use crate::sequence::mermaid::sequence::Who;

pub(in super::super) type VariantId = usize;

/// How much is known of what a participant did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) enum Told {
    /// It told by itself.
    Full,
    /// Those tell to whom it handed something on.
    Delivered,
    /// Those tell that it called, if they can be found at all.
    Nothing,
}

/// What shows a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::sequence) enum Source {
    /// The caller's span.
    Call,
    /// The span of one that sends and does not wait.
    Send,
    /// Only the called one's span.
    Arrival,
    /// A span within the participant.
    Own,
}

/// One whom a call reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) struct Head {
    pub who: Who,
    /// What it did.
    pub variant: VariantId,
    /// The conditions that the call to it meets.
    pub met: Vec<usize>,
    pub status: Option<u16>,
    pub failed: bool,
}

/// Something that a participant did.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) struct Sight {
    pub source: Source,
    /// Whom it names.
    pub peer: Option<Who>,
    /// Whether it names a service that is no participant.
    pub elsewhere: bool,
    /// Whether it goes to a database or a broker.
    pub store: bool,
    /// Whether a service that is no participant took it.
    pub strange: bool,
    pub met: Vec<usize>,
    pub status: Option<u16>,
    pub failed: bool,
    /// Those whom it reached.
    pub heads: Vec<Head>,
    /// The same, taken for what somebody did who cannot tell it.
    pub through: Option<VariantId>,
}

impl Sight {
    /// How the call to one of those ended whom it reached: with which status of HTTP, and whether with an error.
    ///
    /// The caller knows best. Where it called several by one span, as with a redirect or another try, its span tells of
    /// the whole, and each of those of its own.
    pub fn ended(&self, head: Option<usize>) -> (Option<u16>, bool) {
        match head.and_then(|at| self.heads.get(at)) {
            Some(head) if self.heads.len() > 1 => (head.status, head.failed),
            Some(head) => (self.status.or(head.status), self.failed || head.failed),
            None => (self.status, self.failed),
        }
    }
}

/// What a point in time is of a sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in super::super) enum Mark {
    End,
    Begin,
}

/// A point in time, by the clock of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) struct Point {
    pub sight: usize,
    /// The one of those whom it reached that it is of, where one span reached several.
    pub head: Option<usize>,
    pub mark: Mark,
    /// Whether it is at the same time as the one before it.
    pub tied: bool,
}

/// What a participant did while it was called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) struct Variant {
    pub told: Told,
    /// Whether its points are in an order that means anything.
    pub ordered: bool,
    pub sights: Vec<Sight>,
    pub points: Vec<Point>,
}
