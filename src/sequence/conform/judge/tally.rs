//! What was found in one instance, message by message.

use std::collections::{BTreeSet, HashSet};

use crate::sequence::{
    Span,
    conform::{
        compile::{FrameId, Meaning, Plan, Taken},
        observe::ActivationId,
        report::{Deviation, Difference, SpanRef, StepState},
    },
    mermaid::sequence::Who,
};

/// How far it may be believed that something did not happen.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Certainty {
    /// Why nothing that is missing is certain to be.
    pub never: Option<String>,
    /// Participants of whom something is known to have gone astray.
    pub astray: BTreeSet<Who>,
}

/// A choice that was made in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Made {
    pub fragment: usize,
    pub taken: Taken,
    pub frame: FrameId,
    pub activation: ActivationId,
    /// Whether what was observed shows it.
    pub shown: bool,
}

/// What was found in one instance.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Tally {
    seen: Vec<Vec<SpanRef>>,
    wrong: Vec<Vec<SpanRef>>,
    missing: Vec<bool>,
    unobservable: Vec<Option<String>>,
    pub deviations: Vec<Deviation>,
    pub doubts: BTreeSet<String>,
    pub made: Vec<Made>,
    pub cost: u64,
    pub observed: u64,
    pub shortest: u64,
    /// Spans that belong to messages.
    pub used: HashSet<usize>,
    /// How often each frame was entered.
    pub entered: Vec<(FrameId, ActivationId)>,
}

impl Tally {
    pub fn new(messages: usize) -> Self {
        Self {
            seen: vec![Vec::new(); messages],
            wrong: vec![Vec::new(); messages],
            missing: vec![false; messages],
            unobservable: vec![None; messages],
            ..Self::default()
        }
    }

    pub fn seen(&mut self, message: usize, span: SpanRef) {
        if let Some(seen) = self.seen.get_mut(message) {
            seen.push(span);
        }
    }

    pub fn wrong(&mut self, message: usize, span: SpanRef) {
        if let Some(wrong) = self.wrong.get_mut(message) {
            wrong.push(span);
        }
    }

    pub fn missing(&mut self, message: usize) {
        if let Some(missing) = self.missing.get_mut(message) {
            *missing = true;
        }
    }

    pub fn unobservable(&mut self, message: usize, why: &str) {
        self.doubts.insert(why.to_owned());
        if let Some(unobservable) = self.unobservable.get_mut(message) {
            unobservable.get_or_insert_with(|| why.to_owned());
        }
    }

    pub fn deviates(
        &mut self,
        kind: Difference,
        message: Option<usize>,
        place: Span,
        spans: Vec<SpanRef>,
        what: String,
    ) {
        self.deviations.push(Deviation { kind, message, place, spans, what });
    }

    /// How each message stands.
    pub fn steps(&self, plan: &Plan) -> Vec<StepState> {
        (0..self.seen.len())
            .map(|at| {
                if !self.wrong[at].is_empty() {
                    StepState::Wrong(self.wrong[at].clone())
                } else if self.missing[at] {
                    StepState::Missing
                } else if !self.seen[at].is_empty() {
                    StepState::Seen(self.seen[at].clone())
                } else if let Some(why) = &self.unobservable[at] {
                    StepState::Unobservable(why.clone())
                } else if plan.meanings.get(at) != Some(&Meaning::Bound) {
                    StepState::Advisory
                } else {
                    StepState::NotTaken
                }
            })
            .collect()
    }
}
