//! Frames as they are drawn: the steps of each, with the fragments around them; and what follows from them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    super::{align::Tree, binding::Binding, parties::Parties, report::Problem},
    lower::lower,
    plan::{Frame, FrameId, Place, Plan, StepInfo, StepKind},
};
use crate::sequence::{
    Span,
    mermaid::sequence::{Operator, Who},
};

/// One fragment around a message, and the operand that the message stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seg {
    pub fragment: usize,
    pub operand: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Drawn {
    pub operator: Operator,
    pub operands: usize,
    pub span: Span,
    /// How often a loop is run.
    pub bounds: (u32, Option<u32>),
    pub repeated: bool,
    /// Operands that answer a call which is answered behind the fragment where they are not taken.
    pub early: BTreeSet<usize>,
    /// The step of the caller's frame that such an operand stands for, and all before it.
    pub until: BTreeMap<FrameId, usize>,
}

impl Drawn {
    pub fn new(operator: Operator, operands: usize, span: Span, bounds: (u32, Option<u32>), repeated: bool) -> Self {
        Self { operator, operands, span, bounds, repeated, early: BTreeSet::new(), until: BTreeMap::new() }
    }
}

/// Where a step stands.
#[derive(Debug, Clone)]
pub(super) struct Placement {
    pub path: Vec<Seg>,
    /// The step; none where only the fragments around it count.
    pub step: Option<usize>,
    pub message: usize,
}

/// A frame while it is drawn.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub owner: Who,
    /// The fragments around the call that opens it.
    pub base: Vec<Seg>,
    pub depth: usize,
    pub steps: Vec<StepInfo>,
    pub placements: Vec<Placement>,
}

impl Draft {
    pub const fn new(owner: Who, base: Vec<Seg>, depth: usize) -> Self {
        Self { owner, base, depth, steps: Vec::new(), placements: Vec::new() }
    }
}

/// A node of a frame's own tree of fragments.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Step(usize),
    Fragment { fragment: usize, operands: Vec<Vec<Self>> },
}

/// Puts loops around what a scenario says is repeated; the replies of calls in it belong to it.
pub(super) fn repeat(
    drafts: &mut [Draft],
    drawn: &mut Vec<Drawn>,
    paths: &mut [Vec<Seg>],
    replies: &HashMap<usize, Vec<usize>>,
    binding: &Binding,
    spans: &[Span],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut repeats: Vec<_> = binding.messages.iter().filter_map(|e| Some((e.message, e.repeat?))).collect();
    // Outer ones first, so that inner ones come to stand within them.
    repeats.sort_by_key(|(from, repeat)| (*from, std::cmp::Reverse(repeat.through)));
    for (from, repeat) in repeats {
        let Some((path, last)) = paths.get(from).zip(paths.get(repeat.through)) else {
            continue;
        };
        let path = path.clone();
        if repeat.through < from || *last != path || repeat.most.is_some_and(|most| most < repeat.least) {
            problems.push(Problem {
                place: spans.get(from).copied().unwrap_or_default(),
                what: "what is repeated has to begin and end in the same fragment, and at most as often as at least"
                    .to_owned(),
                fix: "let it end at a later message of the same fragment".to_owned(),
            });
            continue;
        }
        let through = (from..=repeat.through)
            .flat_map(|call| replies.get(&call).into_iter().flatten())
            .filter(|reply| paths.get(**reply) == Some(&path))
            .fold(repeat.through, |last, reply| last.max(*reply));
        let id = drawn.len();
        let span = spans.get(from).copied().unwrap_or_default().to(spans.get(through).copied().unwrap_or_default());
        drawn.push(Drawn::new(Operator::Loop, 1, span, (repeat.least, repeat.most), false));
        let seg = Seg { fragment: id, operand: 0 };
        let put = |message: usize, at: &mut Vec<Seg>| {
            if (from..=through).contains(&message) && at.starts_with(&path) {
                at.insert(path.len(), seg);
            }
        };
        for (message, at) in paths.iter_mut().enumerate() {
            put(message, at);
        }
        for placement in drafts.iter_mut().flat_map(|draft| &mut draft.placements) {
            put(placement.message, &mut placement.path);
        }
        // A frame begins within the repeated part where its call does.
        let calls: Vec<(usize, FrameId)> = drafts
            .iter()
            .flat_map(|draft| &draft.steps)
            .filter_map(|step| match step.kind {
                StepKind::Call { frame, .. } => Some((step.message, frame)),
                _ => None,
            })
            .collect();
        for (message, frame) in calls {
            if let Some(draft) = drafts.get_mut(frame) {
                put(message, &mut draft.base);
            }
        }
    }
    problems
}

/// Makes the plan's frames of the drafts.
pub(super) fn finish(plan: &mut Plan, drafts: Vec<Draft>, drawn: &[Drawn], parties: &Parties) {
    plan.fragments = drawn.iter().map(|d| Place { span: d.span, repeated: d.repeated }).collect();
    for (id, draft) in drafts.into_iter().enumerate() {
        let items = nest(&draft, drawn);
        let tree = lower(&items, id, drawn, &mut plan.choices);
        let mut targets = BTreeSet::new();
        let mut calls: BTreeMap<Who, BTreeSet<usize>> = BTreeMap::new();
        let mut answered = BTreeSet::new();
        let mut own = BTreeSet::new();
        for step in &draft.steps {
            match step.kind {
                StepKind::Call { to, .. } => {
                    targets.insert(to);
                    calls.entry(to).or_default().insert(step.message);
                }
                StepKind::Return { call, .. } => {
                    answered.insert(call);
                }
                StepKind::Answer => {}
                StepKind::Own { .. } => own.extend(step.condition),
            }
        }
        let returns = calls
            .into_iter()
            .filter(|(_, calls)| calls.iter().any(|call| answered.contains(call)))
            .map(|(to, calls)| (to, calls.is_subset(&answered)))
            .collect();
        plan.frames.push(Frame {
            owner: draft.owner,
            steps: draft.steps,
            tree,
            targets,
            reach: BTreeMap::new(),
            own,
            returns,
            classes: Vec::new(),
        });
    }
    reach(plan, parties);
    classes(plan);
}

/// Which steps are the same but for the message that draws them: from the innermost frames outward.
fn classes(plan: &mut Plan) {
    let mut known: HashMap<String, u32> = HashMap::new();
    let mut class = |key: String| {
        let next = known.len() as u32;
        *known.entry(key).or_insert(next)
    };
    let mut frames = vec![0; plan.frames.len()];
    for id in (0..plan.frames.len()).rev() {
        let Some(frame) = plan.frames.get_mut(id) else { continue };
        frame.classes = frame
            .steps
            .iter()
            .map(|step| {
                let what = match step.kind {
                    StepKind::Call { to, frame, lost, status } => {
                        format!("call {to} {:?} {lost} {status:?}", frames.get(frame).filter(|_| frame > id))
                    }
                    StepKind::Return { to, status, optional, .. } => format!("return {to} {status:?} {optional}"),
                    StepKind::Answer => "answer".to_owned(),
                    StepKind::Own { required } => format!("own {required}"),
                };
                class(format!("{what} {:?} {}", step.condition, step.ignored))
            })
            .collect();
        let shape = shape(&frame.tree, &frame.classes);
        frames[id] = class(format!("frame {} {shape}", frame.owner));
    }
}

/// A tree by the classes of its steps; choices are their own.
fn shape(tree: &Tree, classes: &[u32]) -> String {
    let all = |trees: &[Tree]| trees.iter().map(|tree| shape(tree, classes)).collect::<Vec<_>>().join(" ");
    match tree {
        Tree::Silent => "-".to_owned(),
        Tree::Step(step) => classes.get(*step).map_or_else(String::new, u32::to_string),
        Tree::Seq(trees) => format!("({})", all(trees)),
        Tree::Par(trees) => format!("[{}]", all(trees)),
        Tree::Alt { choice, branches } => format!("{choice}?{{{}}}", all(branches)),
        Tree::Loop { body, least, most } => format!("{}*{least}..{most:?}", shape(body, classes)),
    }
}

/// Whom those call that cannot tell it: from the innermost frames outward.
fn reach(plan: &mut Plan, parties: &Parties) {
    for id in (0..plan.frames.len()).rev() {
        let mut reach = BTreeMap::new();
        for step in &plan.frames[id].steps {
            let StepKind::Call { to, frame, .. } = step.kind else { continue };
            if parties.is_seen(to) {
                continue;
            }
            let Some(inner) = plan.frames.get(frame) else { continue };
            for target in inner.targets.iter().chain(inner.reach.keys()) {
                reach.entry(*target).or_insert(to);
            }
        }
        plan.frames[id].reach = reach;
    }
}

/// The steps of a frame within their fragments. Linear: fragments come one after the other.
fn nest(draft: &Draft, drawn: &[Drawn]) -> Vec<Item> {
    let mut items = Vec::new();
    for placement in &draft.placements {
        let shared = draft.base.iter().zip(&placement.path).take_while(|(a, b)| a == b).count();
        put(&mut items, placement.path.get(shared..).unwrap_or_default(), placement.step, drawn);
    }
    items
}

fn put(list: &mut Vec<Item>, path: &[Seg], step: Option<usize>, drawn: &[Drawn]) {
    let Some((seg, path)) = path.split_first() else {
        list.extend(step.map(Item::Step));
        return;
    };
    if !matches!(list.last(), Some(Item::Fragment { fragment, .. }) if *fragment == seg.fragment) {
        let operands = drawn.get(seg.fragment).map_or(1, |d| d.operands.max(1));
        list.push(Item::Fragment { fragment: seg.fragment, operands: vec![Vec::new(); operands] });
    }
    if let Some(Item::Fragment { operands, .. }) = list.last_mut()
        && let Some(inner) = operands.get_mut(seg.operand)
    {
        put(inner, path, step, drawn);
    }
}
