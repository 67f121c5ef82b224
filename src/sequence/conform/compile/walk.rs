//! Walks a diagram from top to bottom and says which frame each message belongs to, by the stack of open calls.

use std::collections::{BTreeMap, HashMap};

use super::{
    super::{
        binding::{Binding, Expectation},
        parties::Parties,
        report::Problem,
        texts,
    },
    frames::{self, Draft, Drawn, Placement, Seg},
    plan::{Condition, FrameId, Meaning, Plan, StepInfo},
    state::{Open, State},
};
use crate::sequence::{
    Span,
    mermaid::sequence::{Fragment, Head, Item, Message, Operator, Sequence, Stroke, Who},
};

/// How deep calls may nest.
const DEEPEST: usize = 128;

/// The calls that only some operands of a fragment answer, until a later reply shows that these return early.
type Partly = HashMap<(usize, FrameId), Vec<(usize, Vec<usize>)>>;

pub(super) struct Walk<'a> {
    pub messages: Vec<&'a Message>,
    pub parties: &'a Parties,
    pub expected: HashMap<usize, &'a Expectation>,
    pub next: usize,
    pub path: Vec<Seg>,
    pub drafts: Vec<Draft>,
    pub drawn: Vec<Drawn>,
    pub tops: BTreeMap<Who, FrameId>,
    pub partly: Partly,
    condition_ids: HashMap<Condition, usize>,
    pub paths: Vec<Vec<Seg>>,
    pub replies: HashMap<usize, Vec<usize>>,
    pub plan: Plan,
    problems: Vec<Problem>,
}

/// Compiles a diagram whose participants are bound.
pub(in super::super) fn compile(
    diagram: &Sequence,
    binding: &Binding,
    parties: &Parties,
) -> Result<Plan, Vec<Problem>> {
    let messages = diagram.messages();
    let mut walk = Walk {
        messages,
        parties,
        expected: HashMap::new(),
        next: 0,
        path: Vec::new(),
        drafts: Vec::new(),
        drawn: Vec::new(),
        tops: BTreeMap::new(),
        partly: Partly::new(),
        condition_ids: HashMap::new(),
        paths: Vec::new(),
        replies: HashMap::new(),
        plan: Plan::default(),
        problems: Vec::new(),
    };
    for expectation in &binding.messages {
        if expectation.message >= walk.messages.len() {
            walk.problems.push(Problem {
                place: Span::default(),
                what: format!(
                    "message {} is expected, and the diagram has {}",
                    expectation.message,
                    walk.messages.len()
                ),
                fix: "count messages from 0".to_owned(),
            });
        } else if walk.expected.insert(expectation.message, expectation).is_some() {
            walk.problems.push(Problem {
                place: walk.messages[expectation.message].span,
                what: "two things are said of this message".to_owned(),
                fix: "say both in one expectation".to_owned(),
            });
        }
    }
    walk.items(&diagram.items, &mut State::default());
    walk.unanswered();
    walk.only_own();
    let spans: Vec<Span> = walk.messages.iter().map(|m| m.span).collect();
    walk.problems.extend(frames::repeat(
        &mut walk.drafts,
        &mut walk.drawn,
        &mut walk.paths,
        &walk.replies,
        binding,
        &spans,
    ));
    let mut plan = walk.plan;
    if walk.problems.is_empty() {
        let pairs = |path: &Vec<Seg>| path.iter().map(|seg| (seg.fragment, seg.operand)).collect();
        plan.paths = walk.paths.iter().map(pairs).collect();
        frames::finish(&mut plan, walk.drafts, &walk.drawn, parties);
        Ok(plan)
    } else {
        Err(walk.problems)
    }
}

impl<'a> Walk<'a> {
    fn items(&mut self, items: &'a [Item], state: &mut State) {
        for item in items {
            match item {
                Item::Message(message) => self.message(message, state),
                Item::Fragment(fragment) => self.fragment(fragment, state),
                _ => {}
            }
        }
    }

    fn operand(&mut self, fragment: usize, operand: usize, items: &'a [Item], state: &mut State) {
        self.path.push(Seg { fragment, operand });
        self.items(items, state);
        self.path.pop();
    }

    fn fragment(&mut self, fragment: &'a Fragment, state: &mut State) {
        let operands = &fragment.operands;
        if fragment.operator == Operator::Rect {
            for operand in operands {
                self.items(&operand.items, state);
            }
            return;
        }
        let id = self.drawn.len();
        let bounds = operands.first().map_or((0, None), |operand| texts::bounds(&operand.label.text));
        let repeated = self.path.iter().any(|seg| self.drawn[seg.fragment].operator == Operator::Loop);
        self.drawn.push(Drawn::new(fragment.operator, operands.len(), fragment.span, bounds, repeated));
        match fragment.operator {
            Operator::Loop => {
                for (at, operand) in operands.iter().enumerate() {
                    self.operand(id, at, &operand.items, state);
                }
            }
            Operator::Par | Operator::ParOver => {
                let branches = self.branches(id, 0, fragment, state);
                state.join_parallel(&branches);
            }
            Operator::Critical => {
                if let Some(body) = operands.first() {
                    self.operand(id, 0, &body.items, state);
                }
                let mut branches = self.branches(id, 1, fragment, state);
                branches.push(state.clone());
                state.join(&branches);
                self.plan.operands += operands.len().saturating_sub(1);
            }
            Operator::Break => {
                self.mark(state);
                let mut branches = self.branches(id, 0, fragment, state);
                branches.push(state.clone());
                state.join(&branches);
                self.plan.operands += 1;
            }
            Operator::Alt | Operator::Opt | Operator::Rect => {
                let mut branches = self.branches(id, 0, fragment, state);
                if operands.len() == 1 {
                    branches.push(state.clone());
                }
                self.plan.operands += operands.len();
                for (open, by) in state.join(&branches) {
                    let by = by.into_iter().filter(|at| *at < operands.len()).collect();
                    self.partly.entry((open.message, open.frame)).or_default().push((id, by));
                }
            }
        }
    }

    fn branches(&mut self, id: usize, from: usize, fragment: &'a Fragment, state: &State) -> Vec<State> {
        let mut branches = Vec::new();
        for (at, operand) in fragment.operands.iter().enumerate().skip(from) {
            let mut branch = state.clone();
            self.operand(id, at, &operand.items, &mut branch);
            branches.push(branch);
        }
        branches
    }

    /// A `break` counts in every frame that goes on behind it, also where nothing of it is drawn within.
    fn mark(&mut self, state: &State) {
        let Some(fragment) = self.drawn.len().checked_sub(1) else { return };
        let mut frames: Vec<FrameId> = state.open.iter().map(|open| open.frame).collect();
        frames.extend(state.closed.values().chain(self.tops.values()));
        frames.sort_unstable();
        frames.dedup();
        self.path.push(Seg { fragment, operand: 0 });
        for frame in frames {
            self.place(frame, None, self.next);
        }
        self.path.pop();
    }

    fn message(&mut self, message: &'a Message, state: &mut State) {
        let index = self.next;
        self.next += 1;
        self.paths.push(self.path.clone());
        self.plan.meanings.push(Meaning::Advisory);
        if message.from == message.to {
            return self.own(index, message, state);
        }
        // An asynchronous arrow is not waited for, and answers nobody.
        let dotted = message.arrow.stroke == Stroke::Dotted && !message.arrow.is_async();
        let lost = message.arrow.head == Head::Cross;
        let back = state.waiting(message.to, message.from);
        match back {
            // What a person does is seen where it arrives, and what a person answers is seen nowhere.
            _ if self.parties.is_stimulus(message.from) => {
                if !dotted && !self.parties.is_stimulus(message.to) {
                    self.call(index, message, state);
                }
            }
            Some(at) if !lost && (dotted || self.is_answer(message, &state.open[at..])) => {
                self.reply(index, message, state, at);
            }
            _ if self.parties.is_stimulus(message.to) => {}
            _ if dotted && !lost => {
                let call = (message.to, message.from);
                if let Some(first) = state.answered.iter().rfind(|known| (known.from, known.to) == call).copied() {
                    self.again(index, message, first);
                }
            }
            _ => self.call(index, message, state),
        }
    }

    /// Whether a solid arrow back along an open call answers it; a bus hands on, and answers nobody.
    fn is_answer(&self, message: &Message, since: &[Open]) -> bool {
        if self.parties.is_stimulus(message.to) {
            return true;
        }
        let bus = |who: Who| self.parties.bus.get(who).copied().unwrap_or_default();
        let mut within = vec![message.from];
        let nested = since.iter().skip(1).filter(|open| !self.parties.is_stimulus(open.from)).all(|open| {
            within.push(open.to);
            within.contains(&open.from) && open.to != message.to
        });
        !message.arrow.is_async() && nested && !bus(message.from) && !bus(message.to)
    }

    pub fn expected(&self, message: usize) -> Option<&'a Expectation> {
        self.expected.get(&message).copied()
    }

    pub fn is_ignored(&self, message: usize) -> bool {
        self.expected(message).is_some_and(|e| e.ignored)
    }

    pub fn condition(&mut self, condition: Condition) -> usize {
        let next = self.plan.conditions.len();
        let id = *self.condition_ids.entry(condition.clone()).or_insert(next);
        if id == next {
            self.plan.conditions.push(condition);
        }
        id
    }

    pub fn call_condition(&mut self, index: usize, text: &str) -> Option<usize> {
        let named = self.expected(index).and_then(|e| e.operation.clone()).map(Condition::Named);
        named.or_else(|| texts::endpoint(text).map(Condition::Endpoint)).map(|condition| self.condition(condition))
    }

    pub fn place(&mut self, frame: FrameId, step: Option<StepInfo>, message: usize) -> Option<usize> {
        let path = self.path.clone();
        let draft = self.drafts.get_mut(frame)?;
        let at = step.map(|step| {
            draft.steps.push(step);
            draft.steps.len() - 1
        });
        draft.placements.push(Placement { path, step: at, message });
        at
    }

    pub fn open_frame(&mut self, owner: Who, depth: usize, by: Option<&Message>) -> FrameId {
        if depth == DEEPEST + 1 {
            self.problems.push(Problem {
                place: by.map_or(Span::default(), |m| m.span),
                what: format!("calls nest deeper than {DEEPEST}"),
                fix: "draw the replies, or several diagrams".to_owned(),
            });
        }
        self.drafts.push(Draft::new(owner, self.path.clone(), depth));
        self.drafts.len() - 1
    }

    /// The frame that a participant acts in; none where it acts from outside.
    pub fn acts_in(&mut self, who: Who, state: &State) -> Option<FrameId> {
        if self.parties.is_stimulus(who) {
            return None;
        }
        // What it began unprompted goes on until the end of the diagram.
        let known = state.innermost(who, false).or_else(|| self.tops.get(&who).copied());
        let known = known.or_else(|| state.closed.get(&who).copied());
        if let Some(frame) = known.or_else(|| state.innermost(who, true)) {
            return Some(frame);
        }
        if !self.parties.is_seen(who) {
            return None;
        }
        let path = std::mem::take(&mut self.path);
        let frame = self.open_frame(who, 0, None);
        self.path = path;
        self.tops.insert(who, frame);
        Some(frame)
    }
}
