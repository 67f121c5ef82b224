//! How much of a diagram and of a platform a check saw.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    compile::{Meaning, Part, Plan, StepKind},
    observe::Observations,
    parties::{Parties, Standing},
    report::{Coverage, Instance, StepState},
};
use crate::sequence::mermaid::sequence::{Message, Sequence, Who};

/// What the instances saw, taken together.
pub(super) struct Sum<'a> {
    pub diagram: &'a Sequence,
    pub plan: &'a Plan,
    pub parties: &'a Parties,
    pub seen: &'a Observations<'a>,
    pub instances: &'a [Instance],
    /// Spans that belong to messages.
    pub used: HashSet<usize>,
    /// Roots whose parents are outside of the platform.
    pub accepted: BTreeSet<usize>,
    /// Operands that were taken.
    pub taken: BTreeSet<(usize, usize)>,
}

pub(super) fn coverage(sum: &Sum<'_>) -> Coverage {
    let messages = sum.diagram.messages();
    let happened = |at: usize| {
        let state = |i: &Instance| matches!(i.steps.get(at), Some(StepState::Seen(_) | StepState::Wrong(_)));
        sum.instances.iter().any(state)
    };
    let bound = bound(sum.plan, sum.parties, messages.len());
    let bound: Vec<usize> = (0..messages.len()).filter(|at| bound.contains(at) || happened(*at)).collect();
    let traces: BTreeSet<_> = sum.instances.iter().flat_map(|instance| &instance.traces).collect();
    let mut unbound: BTreeMap<String, usize> = BTreeMap::new();
    for (at, node) in sum.seen.forest.nodes.iter().enumerate() {
        if sum.seen.who[at].is_some() && !sum.used.contains(&at) && traces.contains(&node.span.trace) {
            *unbound.entry(format!("{}: {}", node.span.resource.service, node.span.name)).or_default() += 1;
        }
    }
    let orphans = sum.seen.forest.nodes.iter().enumerate();
    Coverage {
        messages: messages.len(),
        observed: bound.iter().filter(|at| happened(**at)).count(),
        bound: bound.len(),
        branches: sum.plan.operands,
        branches_taken: sum.taken.len(),
        ambiguous: ambiguous(sum.plan, sum.diagram, &messages),
        unbound_spans: unbound.into_iter().collect(),
        uninstrumented: dark(sum.diagram, sum.parties, &messages),
        orphans: orphans.filter(|(at, node)| node.orphan && !sum.accepted.contains(at)).count(),
        broken: sum.seen.forest.broken() + sum.seen.cut,
    }
}

/// Messages that spans could show.
fn bound(plan: &Plan, parties: &Parties, messages: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for frame in &plan.frames {
        for step in frame.steps.iter().filter(|step| !step.ignored) {
            let shown = match step.kind {
                StepKind::Call { to, .. } | StepKind::Return { to, .. } => {
                    parties.is_seen(frame.owner) || parties.is_seen(to)
                }
                StepKind::Answer => false,
                StepKind::Own { required } => required && parties.is_seen(frame.owner),
            };
            found.extend(shown.then_some(step.message));
        }
    }
    for part in &plan.parts {
        if let Part::Sent { message, to, replies, .. } = part
            && parties.is_seen(*to)
        {
            found.insert(*message);
            found.extend(replies.iter().map(|(reply, _)| *reply));
        }
    }
    found.retain(|at| *at < messages && plan.meanings.get(*at) == Some(&Meaning::Bound));
    found
}

/// Calls between the same two in one frame that only their order tells apart.
fn ambiguous(plan: &Plan, diagram: &Sequence, messages: &[&Message]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for frame in &plan.frames {
        let mut alike: BTreeMap<(Who, Option<usize>), BTreeSet<usize>> = BTreeMap::new();
        for step in &frame.steps {
            if let StepKind::Call { to, .. } = step.kind {
                alike.entry((to, step.condition)).or_default().insert(step.message);
            }
        }
        for ((to, _), alike) in alike.into_iter().filter(|(_, alike)| alike.len() > 1) {
            let texts: Vec<String> = alike
                .iter()
                .filter_map(|at| messages.get(*at))
                .map(|message| format!("`{}`", message.text.text))
                .collect();
            found.insert((
                alike.first().copied(),
                format!("`{}` calls `{}`: {}", diagram.id(frame.owner), diagram.id(to), texts.join(", ")),
            ));
        }
    }
    found.into_iter().map(|(_, text)| text).collect()
}

/// Participants that tell nothing themselves.
fn dark(diagram: &Sequence, parties: &Parties, messages: &[&Message]) -> Vec<String> {
    let takes_part = |who: Who| messages.iter().any(|m| m.from == who || m.to == who);
    let is_dark = |who: Who| matches!(parties.standing.get(who), Some(Standing::Dark(_) | Standing::Unseen));
    (0..diagram.participants.len())
        .filter(|who| is_dark(*who) && takes_part(*who))
        .map(|who| diagram.id(who).to_owned())
        .collect()
}
