//! What a diagram is compiled to: frames with their trees, the parts that begin with a stimulus, and what each message means.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{align::Tree, texts::Endpoint};
use crate::sequence::{Span, mermaid::sequence::Who};

/// The index of a frame in [`Plan::frames`]; a frame that is opened from another one has the larger index.
pub(in super::super) type FrameId = usize;

/// What is asked of the span of a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) enum Condition {
    /// Its name, where `*` stands for any text.
    Named(String),
    /// Its name, but for case and punctuation.
    Called(String),
    Endpoint(Endpoint),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum StepKind {
    Call {
        to: Who,
        frame: FrameId,
        lost: bool,
        status: Option<u16>,
    },
    /// The end of a call; whether it may be absent, since the call may be.
    Return {
        to: Who,
        call: usize,
        status: Option<u16>,
        optional: bool,
    },
    /// The end of the call that the frame was opened by: all that is drawn above it has begun, and ended, before.
    Answer,
    /// What the owner of the frame does by itself; whether its absence counts.
    Own {
        required: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct StepInfo {
    /// The message that draws it, as an index into `Sequence::messages`.
    pub message: usize,
    pub kind: StepKind,
    /// What is asked of its span, as an index into [`Plan::conditions`].
    pub condition: Option<usize>,
    /// Whether it counts for nothing.
    pub ignored: bool,
}

/// What a participant does from one call on.
#[derive(Debug, Clone)]
pub(in super::super) struct Frame {
    pub owner: Who,
    pub steps: Vec<StepInfo>,
    pub tree: Tree,
    /// Whom it calls.
    pub targets: BTreeSet<Who>,
    /// Who is called by those that cannot tell, and which of these it is that the frame calls.
    pub reach: BTreeMap<Who, Who>,
    /// What is asked of the spans of what it does by itself.
    pub own: BTreeSet<usize>,
    /// Whom it calls, and whether all of these calls have their returns drawn.
    pub returns: BTreeMap<Who, bool>,
    /// The classes of its steps: those of one class are the same but for the message that draws them.
    pub classes: Vec<u32>,
}

/// What begins with one stimulus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Part {
    /// A message from outside, and its replies with their statuses.
    Sent {
        message: usize,
        to: Who,
        frame: FrameId,
        condition: Option<usize>,
        replies: Vec<(usize, Option<u16>)>,
        required: bool,
    },
    /// A participant that acts unprompted.
    Own { frame: FrameId, message: usize, required: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Meaning {
    /// A step of a frame, or a stimulus.
    Bound,
    /// What a participant does by itself, and its absence means nothing.
    Optional,
    /// Nobody could see it, and its absence means nothing.
    Advisory,
}

/// What a branch of a choice stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Taken {
    Operand(usize),
    None,
    /// Another choice of the same fragment says which.
    Within,
}

/// A choice of a tree: the fragment, and what its branches stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Choosing {
    pub frame: FrameId,
    pub fragment: usize,
    pub branches: Vec<Taken>,
}

/// A fragment as far as the check speaks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Place {
    pub span: Span,
    /// Whether it stands in a loop, so that it is entered several times.
    pub repeated: bool,
}

/// A compiled diagram.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Plan {
    pub frames: Vec<Frame>,
    pub parts: Vec<Part>,
    pub meanings: Vec<Meaning>,
    pub conditions: Vec<Condition>,
    pub choices: Vec<Choosing>,
    pub fragments: Vec<Place>,
    /// The fragments around each message, with the operand that it stands in.
    pub paths: Vec<Vec<(usize, usize)>>,
    /// Operands that may be taken or not.
    pub operands: usize,
}
