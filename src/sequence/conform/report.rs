//! What a check found: a verdict, each step's standing, deviations with their places, and how much was seen at all.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    model::trace::{Span, SpanId, TraceId},
    sequence,
};

/// Spans as they were collected.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// The spans, in no order.
    pub spans: Vec<Span>,
    /// Spans that are known to be missing: refused, dropped, or not to be understood.
    pub lost: u64,
    /// Traces of which more may still come: their last spans came too shortly before the end.
    pub unsettled: BTreeSet<TraceId>,
}

/// The answer to whether what happened is what the diagram says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// It is.
    Pass,
    /// Nothing happened that the diagram speaks of.
    Vacuous,
    /// What is known does not suffice to tell.
    Inconclusive,
    /// It is not.
    Fail,
}

/// A span, by its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanRef {
    /// The trace.
    pub trace: TraceId,
    /// The span in it.
    pub span: SpanId,
}

/// How a message of the diagram stands in one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// It happened: these spans, one for each time.
    Seen(Vec<SpanRef>),
    /// It did not happen, and had to.
    Missing,
    /// It happened, but not as it should have: see the deviations.
    Wrong(Vec<SpanRef>),
    /// Nobody could have seen it; says why.
    Unobservable(String),
    /// It stands in a branch that was not taken.
    NotTaken,
    /// It is not bound to any span, and its absence means nothing.
    Advisory,
}

/// In which way something differs from the diagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// Drawn, and did not happen.
    Missing,
    /// Happened, and is not drawn there.
    Unexpected,
    /// Happened at another place in the order of its lifeline.
    Reordered,
    /// Went to somebody else, or came from somebody else.
    WrongParticipant,
    /// Ended otherwise than is drawn.
    WrongOutcome,
    /// One participant took one branch, another took another.
    MixedBranch,
    /// Somebody was called whom the diagram declares and never calls.
    Forbidden,
}

/// One difference from the diagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// In which way.
    pub kind: Difference,
    /// The message, as an index into `Sequence::messages`; none where the diagram draws nothing of the kind.
    pub message: Option<usize>,
    /// Where the diagram speaks of it: the message, or what is nearest to where it would stand.
    pub place: sequence::Span,
    /// The spans that show it.
    pub spans: Vec<SpanRef>,
    /// What is different, for people.
    pub what: String,
}

/// One time that the scenario was played: the traces from one stimulus, or from a run of stimuli.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// The traces, in the order of their starts.
    pub traces: Vec<TraceId>,
    /// The answer for this instance.
    pub verdict: Verdict,
    /// Why it is inconclusive.
    pub doubts: Vec<String>,
    /// How each message stands, by its index in `Sequence::messages`.
    pub steps: Vec<StepState>,
    /// The differences, by place.
    pub deviations: Vec<Deviation>,
    /// The cost of the optimal alignment.
    pub cost: u64,
    /// Moves that were observed: what the cost could be if nothing fits, together with `shortest`.
    pub observed: u64,
    /// Moves of the shortest path through the diagram.
    pub shortest: u64,
    /// The branches that were taken: the place of each fragment, and the operand's index; none for no operand.
    pub branches: Vec<(sequence::Span, Option<usize>)>,
}

/// How much of diagram and platform was seen, over all instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Messages of the diagram.
    pub messages: usize,
    /// Messages that are bound to spans.
    pub bound: usize,
    /// Bound messages that were seen at least once.
    pub observed: usize,
    /// Operands of `alt`, `opt` and the like, and how many of them were taken.
    pub branches: usize,
    /// Operands that were taken at least once.
    pub branches_taken: usize,
    /// Messages that nothing tells apart from another one but their order, for people.
    pub ambiguous: Vec<String>,
    /// Spans of the participants' services that belong to no message, by service and name.
    pub unbound_spans: Vec<(String, usize)>,
    /// Participants that are bound to services without a single span.
    pub uninstrumented: Vec<String>,
    /// Spans whose parent was not collected.
    pub orphans: usize,
    /// Spans that break the rules of traces: two of one id, cycles, ends before starts.
    pub broken: usize,
}

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The answer: the gravest of all instances.
    pub verdict: Verdict,
    /// Why it is inconclusive or vacuous, beside what the instances say.
    pub doubts: Vec<String>,
    /// Every time that the scenario was played.
    pub instances: Vec<Instance>,
    /// How much was seen.
    pub coverage: Coverage,
}

/// Why a diagram cannot be bound to what was observed, before anything is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the diagram speaks of it.
    pub place: sequence::Span,
    /// What is wrong, with the candidates where there are several.
    pub what: String,
    /// How to fix it.
    pub fix: String,
}

impl Instance {
    /// 1 where nothing differs, 0 where nothing fits: `1 - cost / (observed + shortest)`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of moves are far below 2^52")]
    pub fn fitness(&self) -> f64 {
        match self.observed + self.shortest {
            0 => 1.0,
            all => 1.0 - self.cost as f64 / all as f64,
        }
    }
}

impl Verdict {
    /// As people write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Vacuous => "VACUOUS",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Fail => "FAIL",
        }
    }
}

impl Difference {
    /// As people write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unexpected => "unexpected",
            Self::Reordered => "out of order",
            Self::WrongParticipant => "wrong participant",
            Self::WrongOutcome => "wrong outcome",
            Self::MixedBranch => "mixed branches",
            Self::Forbidden => "forbidden",
        }
    }
}
