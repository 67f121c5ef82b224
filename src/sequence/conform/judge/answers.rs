//! Whether a participant answered where it is drawn to: what is drawn above its reply is over when its span ends.

use std::collections::HashSet;

use super::walk::Walker;
use crate::{
    model::trace::Kind,
    sequence::conform::{
        align::{Move, Tree},
        compile::{Frame, StepKind},
        fit::{Does, Fitted, Happened},
        observe::ActivationId,
        report::Difference,
    },
};

impl Walker<'_> {
    /// Says of each reply above which something is drawn that came later, by the clock of the process that saw both.
    ///
    /// A span may go on when its reply is on the way: what is drawn below a reply may have begun before its span ended.
    pub(super) fn answered(&mut self, frame: &Frame, activation: ActivationId, fitted: &Fitted) {
        let engine = self.engine;
        let root = engine.seen.activations.get(activation).and_then(|done| done.root);
        let Some(root) = root.filter(|root| engine.seen.forest.nodes[*root].span.kind != Kind::Consumer) else {
            return;
        };
        let late: Vec<(usize, &Happened)> = fitted
            .moves
            .iter()
            .filter_map(|step| match step {
                Move::Sync { event, step } => Some((*step, fitted.happened.get(*event)?)),
                _ => None,
            })
            .filter(|(_, event)| self.is_after(activation, event, root))
            .collect();
        if late.is_empty() {
            return;
        }
        let taken: HashSet<usize> = fitted
            .moves
            .iter()
            .filter_map(|step| if let Move::Sync { step, .. } = step { Some(*step) } else { None })
            .collect();
        let mut told = HashSet::new();
        for step in &fitted.moves {
            let Move::Missing { step: answer } = step else { continue };
            let Some(info) = frame.steps.get(*answer).filter(|info| info.kind == StepKind::Answer) else { continue };
            if !told.insert(*answer) {
                continue;
            }
            let mut above = Vec::new();
            if !steps_above(&frame.tree, *answer, &mut above) {
                continue;
            }
            let above: HashSet<usize> = above.into_iter().collect();
            // It may as well be meant by another step, which is not drawn above.
            let elsewhere = |event: &Happened| {
                let Some(sight) = self.sight(activation, event) else { return false };
                frame.steps.iter().enumerate().any(|(at, other)| {
                    !above.contains(&at) && !taken.contains(&at) && engine.fit(event, sight, other).is_some()
                })
            };
            let Some((step, event)) = late.iter().find(|(step, event)| above.contains(step) && !elsewhere(event))
            else {
                continue;
            };
            let above = frame.steps.get(*step).map_or_else(String::new, |above| self.text(above.message));
            let (owner, text) = (self.name(frame.owner), self.text(info.message));
            let came = if event.does == Does::Return { "ended" } else { "began" };
            let what = format!("`{owner}` answered out of order{text}; what is drawn above it {came} later{above}");
            let mut spans = vec![self.span(root)];
            spans.extend(self.spans(activation, event).first());
            self.tally.cost += 1;
            self.differs(Difference::Reordered, info.message, spans, what);
        }
    }

    /// Whether an event came after a span had ended, by one clock.
    fn is_after(&self, activation: ActivationId, event: &Happened, root: usize) -> bool {
        let seen = self.engine.seen;
        let saw = seen.activations.get(activation).and_then(|done| done.saw.get(event.sight));
        let Some(saw) = saw else { return false };
        let (span, root) = (seen.forest.nodes[saw.node].span, seen.forest.nodes[root].span);
        // Where one span reached several, others' clocks tell when each of these ended.
        let own = event.does != Does::Return || saw.heads.len() < 2;
        let time = if event.does == Does::Return { span.end } else { span.start };
        own && time > root.end && root.end >= root.start && span.resource == root.resource
    }
}

/// The steps that every run of a tree takes before a certain one, as far as it takes them; whether that one is in it.
fn steps_above(tree: &Tree, wanted: usize, above: &mut Vec<usize>) -> bool {
    match tree {
        Tree::Silent => false,
        Tree::Step(step) if *step == wanted => true,
        Tree::Step(step) => {
            above.push(*step);
            false
        }
        Tree::Seq(all) => all.iter().any(|tree| steps_above(tree, wanted, above)),
        Tree::Par(all) | Tree::Alt { branches: all, .. } => {
            let before = above.len();
            for tree in all {
                let begin = above.len();
                if steps_above(tree, wanted, above) {
                    above.drain(before..begin);
                    return true;
                }
            }
            false
        }
        Tree::Loop { body, .. } => {
            // In another round, each of its steps comes before and behind.
            let before = above.len();
            let there = steps_above(body, wanted, above);
            if there {
                above.truncate(before);
            }
            there
        }
    }
}
