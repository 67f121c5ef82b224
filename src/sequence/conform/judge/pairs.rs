//! What is over and what is left in one frame, taken together: out of order, or with somebody else.

use super::walk::Walker;
use crate::sequence::{
    conform::{
        compile::{StepInfo, StepKind},
        fit::{Aim, Body, Does, Happened},
        observe::{ActivationId, Sight},
        report::{Difference, SpanRef},
    },
    mermaid::sequence::Who,
};

/// An event that is no step.
#[derive(Debug, Clone)]
pub(super) struct Over {
    pub event: Happened,
    /// Which gap between steps that happened it stands in.
    pub run: usize,
    /// The message before it.
    pub nearest: usize,
}

/// A step that did not happen.
#[derive(Debug, Clone)]
pub(super) struct Left {
    pub step: StepInfo,
    /// Which gap between steps that happened it stands in.
    pub run: usize,
}

impl Walker<'_> {
    /// Says what differs in one frame.
    pub(super) fn differences(
        &mut self,
        owner: Who,
        activation: ActivationId,
        mut over: Vec<Over>,
        mut left: Vec<Left>,
    ) {
        if over.is_empty() && left.is_empty() {
            return;
        }
        self.reordered(owner, activation, &mut over, &mut left);
        self.elsewhere(owner, activation, &mut over, &mut left);
        while !left.is_empty() {
            let Left { step, .. } = left.remove(0);
            let unsure = self.missed(owner, &step);
            if let StepKind::Call { .. } = step.kind {
                for answer in answers(&mut left, step.message) {
                    match &unsure {
                        Some(why) => self.tally.unobservable(answer.step.message, why),
                        None => self.tally.missing(answer.step.message),
                    }
                }
            }
        }
        for Over { event, nearest, .. } in &over {
            let lone = !over.iter().any(|o| Self::is_call(&o.event) && same(&o.event, event));
            if event.extra > 0 && (event.does != Does::Return || lone) {
                self.unexpected(owner, activation, event, *nearest);
            }
        }
    }

    /// The same event and step at two places of the order.
    fn reordered(&mut self, owner: Who, activation: ActivationId, over: &mut Vec<Over>, left: &mut Vec<Left>) {
        let calls_first = |is_call: bool| move |o: &&Over| Self::is_call(&o.event) == is_call;
        let mut order: Vec<Over> = over.iter().filter(calls_first(true)).cloned().collect();
        order.extend(over.iter().filter(calls_first(false)).cloned());
        for Over { event, run, .. } in order {
            if !over.iter().any(|o| o.event == event) {
                continue;
            }
            let fits = |l: &Left| {
                self.sight(activation, &event).is_some_and(|sight| self.engine.fit(&event, sight, &l.step).is_some())
            };
            let Some(at) = left.iter().position(fits) else { continue };
            let Left { step, run: gap } = left.remove(at);
            over.retain(|o| o.event != event);
            // It stands where it is drawn, and is left only since it costs as much that it did not end well.
            let ended = self.sight(activation, &event).and_then(|sight| self.engine.fit(&event, sight, &step));
            if gap == run && ended.is_some_and(|fit| fit.otherwise || matches!(fit.body, Body::Refused { .. })) {
                self.synced(activation, &event, &step);
                continue;
            }
            let spans = self.spans(activation, &event);
            let text = self.text(step.message);
            let what = match (step.kind.clone(), owner) {
                (StepKind::Call { to, .. }, _) => {
                    over.retain(|o| o.event.does != Does::Return || !same(&o.event, &event));
                    for answer in answers(left, step.message) {
                        if let Some(span) = spans.first() {
                            self.tally.seen(answer.step.message, *span);
                        }
                    }
                    format!("`{}` called `{}` out of order{text}", self.name(owner), self.name(to))
                }
                (StepKind::Return { to, .. }, _) => {
                    format!("the call to `{}` ended out of order{text}", self.name(to))
                }
                (StepKind::Answer | StepKind::Own { .. }, _) => {
                    format!("`{}` did this out of order{text}", self.name(owner))
                }
            };
            self.differs(Difference::Reordered, step.message, spans, what);
            self.follow(activation, &event, &step);
        }
    }

    /// What followed from a call that came out of order is held against its frame all the same.
    fn follow(&mut self, activation: ActivationId, event: &Happened, step: &StepInfo) {
        let fit = self.sight(activation, event).and_then(|sight| self.engine.fit(event, sight, step));
        let Some(saw) = self.engine.seen.activations.get(activation).and_then(|a| a.saw.get(event.sight)) else {
            return;
        };
        self.tally.used.insert(saw.node);
        if let Some(Body::Done { frame, .. }) = fit.map(|fit| fit.body) {
            let inner = event.head.map_or(saw.through, |head| saw.heads.get(head).map(|(_, inner)| *inner));
            if let Some(inner) = inner {
                self.frame(frame, inner, step.message);
            }
        }
    }

    /// A call to somebody else, in the place or with the operation of one that is left.
    fn elsewhere(&mut self, owner: Who, activation: ActivationId, over: &mut Vec<Over>, left: &mut Vec<Left>) {
        let mut at = 0;
        while at < left.len() {
            let Left { step, run } = left[at].clone();
            let StepKind::Call { to, frame, .. } = step.kind else {
                at += 1;
                continue;
            };
            let instead = over.iter().position(|o| {
                Self::is_call(&o.event)
                    && (o.event.aim != Aim::Anyone
                        || self.sight(activation, &o.event).is_some_and(|sight| sight.strange))
                    && match step.condition {
                        Some(condition) => self.meets(activation, &o.event, condition),
                        None => o.run == run,
                    }
            });
            let Some(found) = instead else {
                at += 1;
                continue;
            };
            let event = over.remove(found).event;
            left.remove(at);
            over.retain(|o| o.event.does != Does::Return || !same(&o.event, &event));
            for answer in answers(left, step.message) {
                self.tally.missing(answer.step.message);
            }
            let spans = self.spans(activation, &event);
            let instead = match event.aim {
                Aim::At(who) => self.name(who).to_owned(),
                Aim::Anyone | Aim::Stranger => self.stranger(activation, &event),
            };
            let text = self.text(step.message);
            let what = format!("`{}` called `{instead}`, where `{}` is drawn{text}", self.name(owner), self.name(to));
            self.differs(Difference::WrongParticipant, step.message, spans, what);
            self.absent(frame);
        }
    }

    fn unexpected(&mut self, owner: Who, activation: ActivationId, event: &Happened, nearest: usize) {
        let spans = self.spans(activation, event);
        let operation = self.operation(activation, event);
        let from = self.name(owner);
        let (kind, place, what) = match event.aim {
            Aim::At(who) if !self.messages.iter().any(|m| m.from == who || m.to == who) => {
                // Said once for the whole instance, by whom it touches.
                let _ = who;
                return;
            }
            Aim::At(who) if event.does == Does::Return => (
                Difference::Unexpected,
                self.place(nearest),
                format!("`{}` answered `{from}`, which is not drawn here{operation}", self.name(who)),
            ),
            Aim::At(who) => (
                Difference::Unexpected,
                self.place(nearest),
                format!("`{from}` called `{}`, which is not drawn here{operation}", self.name(who)),
            ),
            Aim::Anyone | Aim::Stranger => (
                Difference::Unexpected,
                self.place(nearest),
                format!("`{from}` did this, which is not drawn here{operation}"),
            ),
        };
        self.tally.deviates(kind, None, place, spans, what);
    }

    pub(super) fn sight(&self, activation: ActivationId, event: &Happened) -> Option<&Sight> {
        let done = self.engine.seen.activations.get(activation)?;
        self.engine.seen.variants.get(done.variant)?.sights.get(event.sight)
    }

    fn meets(&self, activation: ActivationId, event: &Happened, condition: usize) -> bool {
        self.sight(activation, event).is_some_and(|sight| {
            let head = event.head.and_then(|at| sight.heads.get(at));
            head.map_or(&sight.met, |head| &head.met).contains(&condition)
        })
    }

    /// The caller's span and that of the called one.
    pub(super) fn spans(&self, activation: ActivationId, event: &Happened) -> Vec<SpanRef> {
        let Some(saw) = self.engine.seen.activations.get(activation).and_then(|a| a.saw.get(event.sight)) else {
            return Vec::new();
        };
        let head = event.head.and_then(|at| saw.heads.get(at)).map(|(node, _)| *node).filter(|node| *node != saw.node);
        [Some(saw.node), head].into_iter().flatten().map(|node| self.span(node)).collect()
    }

    fn node(&self, activation: ActivationId, event: &Happened) -> Option<usize> {
        Some(self.engine.seen.activations.get(activation)?.saw.get(event.sight)?.node)
    }

    fn operation(&self, activation: ActivationId, event: &Happened) -> String {
        let node = self.node(activation, event).and_then(|node| self.engine.seen.forest.nodes.get(node));
        node.map_or_else(String::new, |node| format!(": {}", node.span.name))
    }

    /// The name of a service that is no participant.
    fn stranger(&self, activation: ActivationId, event: &Happened) -> String {
        let forest = self.engine.seen.forest;
        let Some(node) = self.node(activation, event).and_then(|node| forest.nodes.get(node)) else {
            return String::new();
        };
        let served =
            node.children.iter().filter_map(|at| forest.nodes.get(*at)).map(|n| n.span.resource.service.clone());
        let named = ["peer.service", "service.peer.name", "server.address"];
        let named = named.iter().filter_map(|name| node.span.attributes.text(name)).map(str::to_owned);
        served.chain(named).find(|name| !name.is_empty()).unwrap_or_else(|| "somebody else".to_owned())
    }
}

/// The replies to a call among what is left.
fn answers(left: &mut Vec<Left>, message: usize) -> Vec<Left> {
    left.extract_if(.., |l| matches!(l.step.kind, StepKind::Return { call, .. } if call == message)).collect()
}

fn same(a: &Happened, b: &Happened) -> bool {
    (a.sight, a.head) == (b.sight, b.head)
}
