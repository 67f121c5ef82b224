//! What decoding fills: spans as far as there is room for them, and how many were rejected.

use std::{fmt, sync::Arc};

use super::{room::Room, weight};
use crate::model::trace::{Attributes, Resource, Span, Value};

/// How deep values may be nested; what is deeper is no attribute that anybody could use.
pub(super) const DEEPEST: usize = 16;
/// The longest encoded span, or resource, that is decoded; a bound on what hostile bytes grow to.
pub(super) const LONGEST: usize = 1024 * 1024;

/// How many elements of an envelope may hold no span, where there are not that many spans as well: two bytes of a message
/// that is empty, of which gzip makes next to nothing, would take as long as one that is not.
const MOST_EMPTY: usize = 100_000;

/// Why a body or file could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) what: String,
    pub(super) at: usize,
}

impl Broken {
    pub(super) fn new(what: impl Into<String>, at: usize) -> Self {
        Self { what: what.into(), at }
    }
}

/// Why a single span is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Invalid {
    /// The id of the trace is no 16 bytes, or all zero.
    Trace,
    /// Its own id is no 8 bytes, or all zero.
    Id,
    /// The id of its parent is no 8 bytes.
    Parent,
    /// Values nested deeper than anybody nests them.
    Depth,
    /// Longer than anything that is decoded.
    Length,
    /// The writer was not done when the file was read.
    Cut,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trace => f.write_str("its trace id has to be 16 bytes (32 hexadecimal digits in JSON), not all zero"),
            Self::Id => f.write_str("its span id has to be 8 bytes (16 hexadecimal digits in JSON), not all zero"),
            Self::Parent => f.write_str("its parent's id has to be 8 bytes (16 hexadecimal digits in JSON), or none"),
            Self::Depth => write!(f, "its values are nested deeper than {DEEPEST} levels"),
            Self::Length => write!(f, "it is longer than {} KiB", LONGEST >> 10),
            Self::Cut => f.write_str("the file ends in the midst of it, and what stands before was read"),
        }
    }
}

/// The spans that were not taken, and why the first was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rejected {
    pub(super) count: u64,
    pub(super) first: Option<Invalid>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.first, self.count) {
            (None, _) => f.write_str("no span was rejected"),
            (Some(why), 1) => write!(f, "1 span was rejected: {why}"),
            (Some(why), count) => write!(f, "{count} spans were rejected; of the first one, {why}"),
        }
    }
}

/// The spans of one body or file; its place in the room is given back where it is not kept.
#[derive(Debug)]
pub(super) struct Batch<'r> {
    room: &'r Room,
    spans: Vec<Span>,
    taken: (usize, usize),
    /// What it would take as a whole.
    whole: (usize, usize),
    full: bool,
    /// Elements that held no span.
    empty: usize,
    pub(super) rejected: Rejected,
}

impl<'r> Batch<'r> {
    pub(super) fn new(room: &'r Room) -> Self {
        let rejected = Rejected::default();
        Self { room, spans: Vec::new(), taken: (0, 0), whole: (0, 0), full: false, empty: 0, rejected }
    }

    /// Takes a span, or only counts it once there is no room any more.
    pub(super) fn push(&mut self, span: Span) {
        if self.claim(1, weight::span(&span)) {
            self.spans.push(span);
        }
    }

    pub(super) fn reject(&mut self, why: Invalid) {
        self.rejected.count += 1;
        self.rejected.first.get_or_insert(why);
    }

    /// Counts an element of an envelope, at that byte, that held no span.
    pub(super) fn empty(&mut self, at: usize) -> Result<(), Broken> {
        self.empty += 1;
        if self.empty > MOST_EMPTY && self.empty > self.whole.0 {
            return Err(Broken::new(format!("more than {MOST_EMPTY} elements hold no span"), at));
        }
        Ok(())
    }

    /// One copy of a resource for all its spans.
    pub(super) fn share(&mut self, attributes: Attributes) -> Arc<Resource> {
        let service = attributes.text("service.name").unwrap_or_default().to_owned();
        let (resource, bytes) = self.room.share(Resource { service, attributes });
        self.claim(0, bytes);
        resource
    }

    fn claim(&mut self, spans: usize, bytes: usize) -> bool {
        self.whole.0 += spans;
        self.whole.1 += bytes;
        if self.full || !self.room.take(spans, bytes) {
            self.full = true;
            // Nothing of it is going to be kept, and others wait for the place.
            self.spans = Vec::new();
            let (spans, bytes) = std::mem::take(&mut self.taken);
            self.room.give(spans, bytes);
            return false;
        }
        self.taken.0 += spans;
        self.taken.1 += bytes;
        true
    }

    /// Whether there was no room for all of it.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    /// Whether it would find no room even where nothing else is held.
    pub(super) const fn is_too_large(&self) -> bool {
        !self.room.could_hold(self.whole.0, self.whole.1)
    }

    /// The valid spans of it, held or not.
    pub(super) const fn len(&self) -> usize {
        self.whole.0
    }

    /// Keeps the spans and their place in the room: the spans, and their bytes.
    pub(super) fn keep(mut self) -> (Vec<Span>, usize) {
        let (_, bytes) = std::mem::take(&mut self.taken);
        (std::mem::take(&mut self.spans), bytes)
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.room.give(self.taken.0, self.taken.1);
    }
}

/// Whether named values are nested no deeper than is taken.
pub(super) fn shallow(values: &[(String, Value)], depth: usize) -> bool {
    values.iter().all(|(_, value)| shallow_one(value, depth))
}

fn shallow_one(value: &Value, depth: usize) -> bool {
    match value {
        Value::List(values) => depth < DEEPEST && values.iter().all(|value| shallow_one(value, depth + 1)),
        Value::Map(values) => depth < DEEPEST && shallow(values, depth + 1),
        _ => true,
    }
}

/// Whether all attributes of a span are.
pub(super) fn is_shallow(span: &Span) -> bool {
    shallow(&span.attributes.0, 0)
        && span.events.iter().all(|event| shallow(&event.attributes.0, 0))
        && span.links.iter().all(|link| shallow(&link.attributes.0, 0))
}
