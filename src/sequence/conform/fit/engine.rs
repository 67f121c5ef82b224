//! Aligns variants with frames, and remembers what it found.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use super::{
    events::{Happened, answer_label, event_label, events, is_loose, label, own_label},
    ties::orders,
};
use crate::sequence::conform::{
    align::{Aligner, Budget, Choice, Event, Exhausted, Move, Steps, Tree},
    compile::{FrameId, Plan, StepInfo, StepKind},
    fit::{Body, Does},
    observe::{Observations, Sight, Told, VariantId},
    parties::Parties,
};

/// How a variant fits a frame best.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Fitted {
    pub cost: u64,
    /// The events, in the order in which they fit best.
    pub happened: Vec<Happened>,
    pub moves: Vec<Move>,
    pub choices: Vec<Choice>,
    /// Whether the budget did not suffice here or further in.
    pub exhausted: bool,
    /// What all events cost if none of them fits.
    pub observed: u64,
    /// What all steps of the shortest path cost.
    pub shortest: u64,
}

/// A frame for the aligner: who tells, whether events may go to anyone, whether order means anything.
type Key = (FrameId, Told, bool, bool);

pub(in super::super) struct Engine<'a> {
    pub plan: &'a Plan,
    pub parties: &'a Parties,
    pub seen: &'a Observations<'a>,
    budget: Budget,
    nothing: [VariantId; 3],
    aligners: RefCell<HashMap<Key, Rc<Aligner>>>,
    fitted: RefCell<HashMap<(FrameId, VariantId), Rc<Fitted>>>,
    shortest: RefCell<HashMap<(FrameId, Told), u64>>,
}

impl<'a> Engine<'a> {
    /// `nothing` are the variants of which nothing was seen: told, delivered, and not told.
    pub fn new(
        plan: &'a Plan,
        parties: &'a Parties,
        seen: &'a Observations<'a>,
        nothing: [VariantId; 3],
        budget: Budget,
    ) -> Self {
        let (aligners, fitted, shortest) = Default::default();
        Self { plan, parties, seen, budget, nothing, aligners, fitted, shortest }
    }

    /// The variant of one who did nothing, as far as is known.
    pub const fn nothing(&self, told: Told) -> VariantId {
        match told {
            Told::Full => self.nothing[0],
            Told::Delivered => self.nothing[1],
            Told::Nothing => self.nothing[2],
        }
    }

    /// How much is known of what a participant did that was called.
    pub fn told(&self, who: usize) -> Told {
        match (self.parties.is_seen(who), self.parties.bus.get(who)) {
            (true, _) => Told::Full,
            (false, Some(true)) => Told::Delivered,
            (false, _) => Told::Nothing,
        }
    }

    /// What it costs that a step did not happen; 0 where nobody could have seen it.
    pub fn missing(&self, step: &StepInfo, told: Told) -> u64 {
        match (&step.kind, told) {
            _ if step.ignored => 0,
            (StepKind::Answer | StepKind::Return { optional: true, .. }, _) => 0,
            (_, Told::Nothing) => 0,
            (StepKind::Call { to, .. }, Told::Delivered)
                if !self.parties.is_seen(*to) || self.seen.unlinked.contains(to) =>
            {
                0
            }
            (StepKind::Call { to, frame, lost, .. }, _) => {
                1 + if *lost { 0 } else { self.shortest(*frame, self.told(*to)) }
            }
            (StepKind::Return { .. } | StepKind::Own { .. }, Told::Delivered) => 0,
            (StepKind::Return { .. }, Told::Full) => 1,
            (StepKind::Own { required }, Told::Full) => u64::from(*required),
        }
    }

    /// The cost of the shortest path through a frame.
    pub fn shortest(&self, frame: FrameId, told: Told) -> u64 {
        if let Some(known) = self.shortest.borrow().get(&(frame, told)) {
            return *known;
        }
        let cost = self.aligner((frame, told, false, false)).map_or(0, |aligner| aligner.shortest());
        self.shortest.borrow_mut().insert((frame, told), cost);
        cost
    }

    fn aligner(&self, key: Key) -> Option<Rc<Aligner>> {
        if let Some(known) = self.aligners.borrow().get(&key) {
            return Some(Rc::clone(known));
        }
        let tree = &self.plan.frames.get(key.0)?.tree;
        let made = Rc::new(self.compiled(key, tree)?);
        self.aligners.borrow_mut().insert(key, Rc::clone(&made));
        Some(made)
    }

    fn compiled(&self, (frame, told, loose, relaxed): Key, tree: &Tree) -> Option<Aligner> {
        let frame = self.plan.frames.get(frame)?;
        let mut steps = Steps::default();
        for step in &frame.steps {
            steps.labels.push(match &step.kind {
                StepKind::Call { to, .. } => label(*to, false, loose),
                StepKind::Return { to, .. } => label(*to, true, loose),
                StepKind::Answer => answer_label(),
                StepKind::Own { .. } => own_label(step.condition.unwrap_or_default()),
            });
            steps.missing.push(u32::try_from(self.missing(step, told)).unwrap_or(u32::MAX / 4).min(u32::MAX / 4));
        }
        let (any, classes) = (unordered(tree), &frame.classes);
        Some(Aligner::with_classes(if relaxed { &any } else { tree }, &steps, classes))
    }

    /// How a variant fits a frame best.
    pub fn fitted(&self, frame: FrameId, variant: VariantId) -> Rc<Fitted> {
        if let Some(known) = self.fitted.borrow().get(&(frame, variant)) {
            return Rc::clone(known);
        }
        let made = Rc::new(self.best(frame, variant, None).unwrap_or_default());
        self.fitted.borrow_mut().insert((frame, variant), Rc::clone(&made));
        made
    }

    /// The same with choices that are settled already: by the choice, its branch.
    pub fn settled(&self, frame: FrameId, variant: VariantId, settled: &BTreeMap<usize, usize>) -> Option<u64> {
        self.best(frame, variant, Some(settled)).filter(|fitted| !fitted.exhausted).map(|fitted| fitted.cost)
    }

    fn best(&self, id: FrameId, variant: VariantId, settled: Option<&BTreeMap<usize, usize>>) -> Option<Fitted> {
        let frame = self.plan.frames.get(id)?;
        let done = self.seen.variants.get(variant)?;
        let happened = events(frame, done, &self.seen.below, self.parties);
        let loose = is_loose(&happened);
        let key = (id, done.told, loose, !done.ordered);
        let aligner = match settled {
            None => self.aligner(key)?,
            Some(settled) => Rc::new(self.compiled(key, &fixed(&frame.tree, settled))?),
        };
        let mut fitted = Fitted { shortest: aligner.shortest(), ..Fitted::default() };
        let orders = if done.ordered { orders(&happened) } else { vec![(0..happened.len()).collect()] };
        let events: Vec<Event> =
            happened.iter().map(|event| Event { label: event_label(event, loose), extra: event.extra }).collect();
        let fit = |event: usize, step: usize| {
            let event = happened.get(event)?;
            self.fit_cost(event, done.sights.get(event.sight)?, frame.steps.get(step)?)
        };
        match aligner.align_any(&events, &orders, &fit, self.budget) {
            Ok((at, found)) => {
                let order = orders.get(at).into_iter().flatten();
                fitted.happened = order.filter_map(|at| happened.get(*at).copied()).collect();
                (fitted.cost, fitted.moves, fitted.choices) = (found.cost, found.moves, found.choices);
            }
            Err(Exhausted) => fitted.exhausted = true,
        }
        self.sum_up(&mut fitted, &done.sights, &frame.steps);
        Some(fitted)
    }

    /// Counts what was observed, and hands on what could not be told further in.
    fn sum_up(&self, fitted: &mut Fitted, sights: &[Sight], steps: &[StepInfo]) {
        let mut observed: u64 = fitted.happened.iter().map(|event| u64::from(event.extra)).sum();
        for step in &fitted.moves {
            let Move::Sync { event, step } = step else { continue };
            let (Some(event), Some(step)) = (fitted.happened.get(*event), steps.get(*step)) else { continue };
            let Some(fit) = sights.get(event.sight).and_then(|sight| self.fit(event, sight, step)) else { continue };
            if step.ignored {
                observed = observed.saturating_sub(u64::from(event.extra));
                continue;
            }
            let mut own = u64::from(event.does != Does::Return);
            if let Body::Done { frame, variant } = fit.body {
                let inner = self.fitted(frame, variant);
                own += inner.observed;
                fitted.exhausted |= inner.exhausted;
            }
            observed = observed.saturating_sub(u64::from(event.extra)) + own.max(u64::from(event.extra));
        }
        fitted.observed = observed;
    }
}

/// The same steps in any order.
fn unordered(tree: &Tree) -> Tree {
    let all = |trees: &[Tree]| trees.iter().map(unordered).collect::<Vec<Tree>>();
    match tree {
        Tree::Silent | Tree::Step(_) => tree.clone(),
        Tree::Seq(trees) | Tree::Par(trees) => Tree::Par(all(trees)),
        Tree::Alt { choice, branches } => Tree::Alt { choice: *choice, branches: all(branches) },
        Tree::Loop { body, least, most } => Tree::Loop { body: Box::new(unordered(body)), least: *least, most: *most },
    }
}

/// The same tree where some choices have been made.
fn fixed(tree: &Tree, settled: &BTreeMap<usize, usize>) -> Tree {
    let all = |trees: &[Tree]| trees.iter().map(|tree| fixed(tree, settled)).collect::<Vec<Tree>>();
    match tree {
        Tree::Silent | Tree::Step(_) => tree.clone(),
        Tree::Seq(trees) => Tree::Seq(all(trees)),
        Tree::Par(trees) => Tree::Par(all(trees)),
        Tree::Alt { choice, branches } => match settled.get(choice).and_then(|at| branches.get(*at)) {
            Some(branch) => fixed(branch, settled),
            None => Tree::Alt { choice: *choice, branches: all(branches) },
        },
        Tree::Loop { body, least, most } => {
            Tree::Loop { body: Box::new(fixed(body, settled)), least: *least, most: *most }
        }
    }
}
