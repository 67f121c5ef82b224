//! Walks the frames of one instance along their alignments.

use std::collections::BTreeMap;

use super::{
    pairs::{Left, Over},
    tally::{Certainty, Made, Tally},
};
use crate::sequence::{
    Span,
    conform::{
        align::{Move, Tree},
        compile::{FrameId, StepInfo, StepKind, Taken},
        fit::{Aim, Body, Does, Engine, Happened},
        observe::{ActivationId, Told},
        report::{Difference, SpanRef},
    },
    mermaid::sequence::{Message, Sequence, Who},
};

/// Walks one instance.
pub(in super::super) struct Walker<'a> {
    pub engine: &'a Engine<'a>,
    pub diagram: &'a Sequence,
    pub messages: &'a [&'a Message],
    pub certainty: &'a Certainty,
    pub tally: Tally,
}

impl Walker<'_> {
    /// Holds an activation against a frame that was opened by a message.
    pub fn frame(&mut self, id: FrameId, activation: ActivationId, opened_by: usize) {
        let engine = self.engine;
        let Some(frame) = engine.plan.frames.get(id) else { return };
        let Some(done) = engine.seen.activations.get(activation) else { return };
        let Some(variant) = engine.seen.variants.get(done.variant) else { return };
        let fitted = engine.fitted(id, done.variant);
        if fitted.exhausted {
            self.tally.doubts.insert("the budget of the alignment is used up".to_owned());
        }
        self.tally.entered.push((id, activation));
        self.tally.used.extend(done.root);
        let (mut over, mut left) = (Vec::new(), Vec::new());
        let (mut nearest, mut run) = (opened_by, 0);
        for step in &fitted.moves {
            match step {
                Move::Sync { event, step } => {
                    let (Some(event), Some(step)) = (fitted.happened.get(*event), frame.steps.get(*step)) else {
                        continue;
                    };
                    self.synced(activation, event, step);
                    nearest = step.message;
                    run += 1;
                }
                Move::Extra { event } => {
                    if let Some(event) = fitted.happened.get(*event) {
                        over.push(Over { event: *event, run, nearest });
                    }
                }
                Move::Missing { step } => {
                    let Some(step) = frame.steps.get(*step) else { continue };
                    if engine.missing(step, variant.told) > 0 {
                        left.push(Left { step: step.clone(), run });
                    } else if variant.told != Told::Full {
                        self.unobserved(frame.owner, step);
                    }
                }
            }
        }
        self.differences(frame.owner, activation, over, left);
        self.answered(frame, activation, &fitted);
        self.choices(id, activation, &fitted.moves, &fitted.choices, variant.told);
    }

    fn choices(
        &mut self,
        id: FrameId,
        activation: ActivationId,
        moves: &[Move],
        choices: &[crate::sequence::conform::align::Choice],
        told: Told,
    ) {
        let engine = self.engine;
        let Some(frame) = engine.plan.frames.get(id) else { return };
        let mut shown: BTreeMap<usize, bool> = BTreeMap::new();
        for step in moves {
            match step {
                Move::Sync { step, .. } => drop(shown.insert(*step, true)),
                Move::Missing { step } if frame.steps.get(*step).is_some_and(|s| engine.missing(s, told) > 0) => {
                    shown.insert(*step, true);
                }
                _ => {}
            }
        }
        let cost = |step: usize| frame.steps.get(step).map_or(0, |s| engine.missing(s, told));
        for made in choices {
            let Some(choosing) = engine.plan.choices.get(made.choice) else { continue };
            let Some(taken) = choosing.branches.get(made.branch).copied() else { continue };
            if taken == Taken::Within {
                continue;
            }
            let branches = branches_of(&frame.tree, made.choice).unwrap_or_default();
            let within =
                branches.get(made.branch).is_some_and(|branch| any_step(branch, &|step| shown.contains_key(&step)));
            let others = branches.iter().enumerate().filter(|(at, _)| *at != made.branch);
            let shown = within || others.into_iter().all(|(_, branch)| least(branch, &cost) > 0);
            self.tally.made.push(Made { fragment: choosing.fragment, taken, frame: id, activation, shown });
        }
    }

    pub(super) fn synced(&mut self, activation: ActivationId, event: &Happened, step: &StepInfo) {
        let engine = self.engine;
        let Some(done) = engine.seen.activations.get(activation) else { return };
        let Some(sight) = engine.seen.variants.get(done.variant).and_then(|v| v.sights.get(event.sight)) else {
            return;
        };
        let Some(saw) = done.saw.get(event.sight) else { return };
        let Some(fit) = engine.fit(event, sight, step) else { return };
        let span = self.span(saw.node);
        self.tally.used.insert(saw.node);
        if step.ignored {
            return;
        }
        if fit.otherwise {
            let (status, failed) = sight.ended(event.head);
            let what = self.ended(step, status, failed);
            self.differs(Difference::WrongOutcome, step.message, vec![span], what);
        } else {
            self.tally.seen(step.message, span);
        }
        if let StepKind::Call { to, .. } = &step.kind
            && let Some(why) = self.hearsay(*to, event.aim)
        {
            self.tally.doubts.insert(why);
        }
        match fit.body {
            Body::Done { frame, .. } => {
                let inner = match event.head {
                    Some(head) => saw.heads.get(head).map(|(_, activation)| *activation),
                    None => saw.through,
                };
                match inner {
                    Some(inner) => self.frame(frame, inner, step.message),
                    None => self.untold(frame, step),
                }
            }
            Body::Unheard { frame } => {
                if let StepKind::Call { to, .. } = step.kind {
                    let why = format!("`{}` told nothing of a call to it, though it tells of others", self.name(to));
                    self.tally.doubts.insert(why.clone());
                    self.silent(frame, &why);
                }
            }
            Body::Refused { frame } => {
                let StepKind::Call { to, .. } = step.kind else { return };
                let what = format!("the call failed before `{}` took it", self.name(to));
                self.differs(Difference::WrongOutcome, step.message, vec![span], what);
                self.absent(frame);
            }
            Body::Nothing => {}
        }
    }

    /// Why a call that only its caller tells of is not certain to have come to whom it is drawn to.
    fn hearsay(&self, to: Who, aim: Aim) -> Option<String> {
        let parties = &self.engine.parties;
        let name = self.name(to);
        match aim {
            _ if parties.is_seen(to) => None,
            Aim::Anyone => Some(format!(
                "`{name}` has no instrumentation: a call was made where it is drawn, and nothing says whom it went to"
            )),
            // Who is bound to a service is expected to tell of itself.
            _ if parties.is_dark(to) => Some(format!("`{name}` tells nothing at all: only its callers tell of it")),
            _ => None,
        }
    }

    /// A call went where nobody tells, and reached nobody who does.
    fn untold(&mut self, frame: FrameId, call: &StepInfo) {
        let StepKind::Call { to, .. } = call.kind else { return };
        let engine = self.engine;
        let told = if engine.told(to) == Told::Delivered { Told::Delivered } else { Told::Nothing };
        let fitted = engine.fitted(frame, engine.nothing(told));
        let Some(inner) = engine.plan.frames.get(frame) else { return };
        for step in &fitted.moves {
            let Move::Missing { step } = step else { continue };
            let Some(step) = inner.steps.get(*step) else { continue };
            if engine.missing(step, told) > 0 {
                self.missed(inner.owner, step);
            } else {
                self.unobserved(inner.owner, step);
            }
        }
    }

    /// A step that nobody could have seen.
    fn unobserved(&mut self, owner: Who, step: &StepInfo) {
        if step.ignored || matches!(step.kind, StepKind::Answer | StepKind::Own { required: false }) {
            return;
        }
        let why = format!("`{}` has no instrumentation: what only it could tell is not known", self.name(owner));
        self.tally.unobservable(step.message, &why);
        if let StepKind::Call { frame, .. } = step.kind {
            self.silent(frame, &why);
        }
    }

    /// Nothing is known of a whole frame.
    fn silent(&mut self, frame: FrameId, why: &str) {
        let engine = self.engine;
        let Some(inner) = engine.plan.frames.get(frame) else { return };
        let fitted = engine.fitted(frame, engine.nothing(Told::Nothing));
        for step in &fitted.moves {
            let Move::Missing { step } = step else { continue };
            let Some(step) = inner.steps.get(*step).filter(|s| !s.ignored) else { continue };
            match step.kind {
                StepKind::Call { frame, .. } => {
                    self.tally.unobservable(step.message, why);
                    self.silent(frame, why);
                }
                StepKind::Return { .. } | StepKind::Own { required: true } => {
                    self.tally.unobservable(step.message, why)
                }
                StepKind::Answer | StepKind::Own { required: false } => {}
            }
        }
    }

    /// Nothing of a frame happened, since its call did not.
    pub(super) fn absent(&mut self, frame: FrameId) {
        let engine = self.engine;
        let Some(inner) = engine.plan.frames.get(frame) else { return };
        let told = engine.told(inner.owner);
        let fitted = engine.fitted(frame, engine.nothing(told));
        for step in &fitted.moves {
            let Move::Missing { step } = step else { continue };
            let Some(step) = inner.steps.get(*step).filter(|s| !s.ignored) else { continue };
            if matches!(step.kind, StepKind::Answer | StepKind::Own { required: false }) {
                continue;
            }
            self.tally.missing(step.message);
            if let StepKind::Call { frame, .. } = step.kind {
                self.absent(frame);
            }
        }
    }

    /// A step that had to happen and did not, where that is certain; else a doubt.
    ///
    /// Gives why it is not certain.
    pub(super) fn missed(&mut self, owner: Who, step: &StepInfo) -> Option<String> {
        let to = match step.kind {
            StepKind::Call { to, .. } | StepKind::Return { to, .. } => to,
            StepKind::Answer | StepKind::Own { .. } => owner,
        };
        if let Some(why) = self.unsure(owner, to) {
            self.tally.unobservable(step.message, &why);
            if let StepKind::Call { frame, .. } = step.kind {
                self.silent(frame, &why);
            }
            return Some(why);
        }
        self.tally.missing(step.message);
        let (from, to) = (self.name(owner), self.name(to));
        let text = self.text(step.message);
        let what = match step.kind {
            StepKind::Call { .. } => format!("`{from}` did not call `{to}`{text}"),
            StepKind::Return { .. } => format!("`{to}` did not answer `{from}`{text}"),
            StepKind::Answer | StepKind::Own { .. } => format!("`{from}` did not do this{text}"),
        };
        let place = self.place(step.message);
        self.tally.deviates(Difference::Missing, Some(step.message), place, Vec::new(), what);
        if let StepKind::Call { frame, .. } = step.kind {
            self.absent(frame);
        }
        None
    }

    /// Why it is not certain that something between two did not happen.
    fn unsure(&self, from: Who, to: Who) -> Option<String> {
        let astray = [to, from].into_iter().find(|who| self.certainty.astray.contains(who));
        self.certainty
            .never
            .clone()
            .or_else(|| astray.map(|who| format!("spans of `{}` have lost their places in the trace", self.name(who))))
    }

    fn ended(&self, step: &StepInfo, status: Option<u16>, failed: bool) -> String {
        let ended = match status {
            Some(status) => format!("ended with status {status}"),
            None if failed => "ended with an error".to_owned(),
            None => "ended without an error".to_owned(),
        };
        match step.kind {
            StepKind::Return { status: Some(expected), .. } | StepKind::Call { status: Some(expected), .. } => {
                format!("the call {ended}; {expected} is drawn")
            }
            _ => format!("the call {ended}; it is drawn as lost"),
        }
    }

    /// Something differs from a message.
    pub fn differs(&mut self, kind: Difference, message: usize, spans: Vec<SpanRef>, what: String) {
        for span in &spans {
            self.tally.wrong(message, *span);
        }
        let place = self.place(message);
        self.tally.deviates(kind, Some(message), place, spans, what);
    }

    pub(super) fn place(&self, message: usize) -> Span {
        self.messages.get(message).map_or(Span::default(), |m| m.span)
    }

    pub(super) fn text(&self, message: usize) -> String {
        self.messages.get(message).map_or_else(String::new, |m| format!(": {}", m.text.text))
    }

    pub(super) fn name(&self, who: Who) -> &str {
        self.diagram.id(who)
    }

    pub(super) fn span(&self, node: usize) -> SpanRef {
        let span = self.engine.seen.forest.nodes.get(node).map(|n| n.span);
        span.map_or(SpanRef { trace: Default::default(), span: Default::default() }, |s| SpanRef {
            trace: s.trace,
            span: s.id,
        })
    }

    pub(super) fn is_call(event: &Happened) -> bool {
        event.does == Does::Call
    }
}

fn branches_of(tree: &Tree, choice: usize) -> Option<&[Tree]> {
    match tree {
        Tree::Silent | Tree::Step(_) => None,
        Tree::Alt { choice: id, branches } if *id == choice => Some(branches),
        Tree::Seq(all) | Tree::Par(all) | Tree::Alt { branches: all, .. } => {
            all.iter().find_map(|tree| branches_of(tree, choice))
        }
        Tree::Loop { body, .. } => branches_of(body, choice),
    }
}

fn any_step(tree: &Tree, is: &impl Fn(usize) -> bool) -> bool {
    match tree {
        Tree::Silent => false,
        Tree::Step(step) => is(*step),
        Tree::Seq(all) | Tree::Par(all) | Tree::Alt { branches: all, .. } => all.iter().any(|tree| any_step(tree, is)),
        Tree::Loop { body, .. } => any_step(body, is),
    }
}

/// What it costs that nothing of a tree happened.
fn least(tree: &Tree, cost: &impl Fn(usize) -> u64) -> u64 {
    match tree {
        Tree::Silent => 0,
        Tree::Step(step) => cost(*step),
        Tree::Seq(all) | Tree::Par(all) => all.iter().map(|tree| least(tree, cost)).sum(),
        Tree::Alt { branches, .. } => branches.iter().map(|tree| least(tree, cost)).min().unwrap_or(0),
        Tree::Loop { body, least: rounds, .. } => u64::from(*rounds) * least(body, cost),
    }
}
