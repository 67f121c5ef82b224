//! Which traces belong together, and which part of the diagram each of them plays.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    compile::{Part, Plan},
    fit::Engine,
    observe::{ActivationId, Observations, Told},
    parties::Parties,
    report::{Observed, SpanRef},
};
use crate::{
    model::trace::{Kind, TraceId},
    sequence::{mermaid::sequence::Who, trace::Forest},
};

/// The attribute by which traces of one run of a scenario are known for belonging together.
const RUN: &str = "interlock.run";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Played {
    /// The part of the plan.
    pub part: usize,
    /// The spans that it begins with.
    pub roots: Vec<usize>,
    pub activation: ActivationId,
}

/// Traces that belong together.
#[derive(Debug, Clone, Default)]
pub(super) struct Company {
    pub traces: BTreeSet<TraceId>,
    /// Whether they say so themselves, by a run.
    pub run: bool,
    /// Spans that work begins with.
    pub entries: Vec<usize>,
}

/// Which parts may have begun with a span, or a group of spans.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub parts: Vec<usize>,
    pub roots: Vec<usize>,
    pub activation: ActivationId,
}

/// Puts traces together by links and by runs.
pub(super) fn companies(seen: &Observations<'_>) -> Vec<Company> {
    let forest = seen.forest;
    let mut ids: Vec<TraceId> = forest.nodes.iter().map(|node| node.span.trace).collect();
    ids.dedup();
    let index: HashMap<TraceId, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let mut sets: Vec<usize> = (0..ids.len()).collect();
    let mut runs: HashMap<String, usize> = HashMap::new();
    let mut in_run = vec![false; ids.len()];
    for node in &forest.nodes {
        let Some(own) = index.get(&node.span.trace).copied() else { continue };
        for link in &node.span.links {
            if let Some(other) = index.get(&link.trace) {
                join(&mut sets, own, *other);
            }
        }
        let root = if node.parent.is_none() { node.span.attributes.get(RUN) } else { None };
        if let Some(run) = root.or_else(|| node.span.resource.attributes.get(RUN)) {
            in_run[own] = true;
            let first = *runs.entry(run.to_string()).or_insert(own);
            join(&mut sets, own, first);
        }
    }
    let mut companies: BTreeMap<usize, Company> = BTreeMap::new();
    for (at, id) in ids.iter().enumerate() {
        let company = companies.entry(find(&mut sets, at)).or_default();
        company.traces.insert(*id);
        company.run |= in_run[at];
    }
    for entry in &seen.entries {
        if let Some(at) = index.get(&forest.nodes[*entry].span.trace) {
            companies.entry(find(&mut sets, *at)).or_default().entries.push(*entry);
        }
    }
    let mut all: Vec<Company> = companies.into_values().collect();
    for company in &mut all {
        company.entries.sort_by_key(|at| (forest.nodes[*at].span.start, *at));
    }
    all
}

fn find(sets: &mut [usize], mut at: usize) -> usize {
    while sets[at] != at {
        sets[at] = sets[sets[at]];
        at = sets[at];
    }
    at
}

/// The smaller one leads, so that the outcome does not depend on the order.
fn join(sets: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(sets, a), find(sets, b));
    sets[a.max(b)] = a.min(b);
}

/// Which parts the entries of a company may play.
pub(super) fn candidates(
    company: &Company,
    plan: &Plan,
    parties: &Parties,
    seen: &mut Observations<'_>,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut callers: BTreeMap<Who, Vec<usize>> = BTreeMap::new();
    let mut through: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for entry in &company.entries {
        let Some(who) = seen.who[*entry] else { continue };
        let kind = seen.forest.nodes[*entry].span.kind;
        let own = |part: &Part| matches!(part, Part::Own { frame, .. } if plan.frames.get(*frame).is_some_and(|f| f.owner == who));
        if matches!(kind, Kind::Client | Kind::Producer) {
            if plan.parts.iter().any(own) {
                callers.entry(who).or_default().push(*entry);
            }
            continue;
        }
        let met = seen.met(*entry);
        let mut parts: Vec<usize> = Vec::new();
        for (at, part) in plan.parts.iter().enumerate() {
            let fits = match part {
                Part::Sent { to, condition, .. } => *to == who && condition.is_none_or(|c| met.contains(&c)),
                Part::Own { .. } => own(part),
            };
            if fits {
                parts.push(at);
            }
        }
        if let (false, Some(activation)) = (parts.is_empty(), seen.of_root(*entry)) {
            found.push(Candidate { parts, roots: vec![*entry], activation });
            continue;
        }
        // The first one may tell nothing; then those tell whom it called.
        let passed = plan.parts.iter().position(|part| match part {
            Part::Sent { to, frame, .. } => {
                !parties.is_seen(*to)
                    && plan.frames.get(*frame).is_some_and(|f| f.targets.contains(&who) || f.reach.contains_key(&who))
            }
            Part::Own { .. } => false,
        });
        if let Some(part) = passed {
            through.entry(part).or_default().push(*entry);
        }
    }
    for (who, roots) in callers {
        let own = |part: &Part| matches!(part, Part::Own { frame, .. } if plan.frames.get(*frame).is_some_and(|f| f.owner == who));
        let parts = (0..plan.parts.len()).filter(|at| plan.parts.get(*at).is_some_and(own)).collect();
        let activation = seen.together(&roots);
        found.push(Candidate { parts, roots, activation });
    }
    for (part, roots) in through {
        let activation = seen.through(&roots, Told::Nothing);
        found.push(Candidate { parts: vec![part], roots, activation });
    }
    found.sort_by_key(|candidate| candidate.roots.first().map(|at| (seen.forest.nodes[*at].span.start, *at)));
    found
}

/// Cuts a company at its stimuli: each part once in each instance.
pub(super) fn rounds(company: &Company, candidates: &[Candidate], engine: &Engine<'_>) -> Vec<Vec<Played>> {
    let plan = engine.plan;
    let mut times: BTreeMap<usize, usize> = BTreeMap::new();
    let mut rounds: Vec<Vec<Played>> = Vec::new();
    for candidate in candidates {
        let Some(variant) = engine.seen.activations.get(candidate.activation).map(|a| a.variant) else { continue };
        let best = candidate.parts.iter().copied().filter_map(|part| {
            let frame = match plan.parts.get(part)? {
                Part::Sent { frame, .. } => *frame,
                Part::Own { frame, .. } => *frame,
            };
            let fitted = engine.fitted(frame, variant);
            let own = matches!(plan.parts.get(part), Some(Part::Own { .. }));
            // One that acts unprompted does much that no diagram speaks of.
            let drawn = fitted.moves.iter().any(|step| matches!(step, super::align::Move::Sync { .. }));
            (!own || drawn || company.run).then(|| (fitted.cost, times.get(&part).copied().unwrap_or_default(), part))
        });
        let Some((_, round, part)) = best.min() else { continue };
        *times.entry(part).or_default() += 1;
        if rounds.len() <= round {
            rounds.resize_with(round + 1, Vec::new);
        }
        if let Some(played) = rounds.get_mut(round) {
            played.push(Played { part, roots: candidate.roots.clone(), activation: candidate.activation });
        }
    }
    rounds
}

/// The participants of whom spans of a company have lost their places, but for the roots that are accounted for.
pub(super) fn astray(company: &Company, accepted: &BTreeSet<usize>, seen: &Observations<'_>) -> BTreeSet<Who> {
    let forest: &Forest<'_> = seen.forest;
    let mut found = BTreeSet::new();
    for at in company.traces.iter().flat_map(|trace| forest.of_trace(*trace)) {
        let node = &forest.nodes[at];
        let broken = node.fault.is_some();
        if broken {
            found.extend(seen.who[at]);
            found.extend(node.parent.and_then(|parent| seen.who[parent]));
            found.extend(node.children.iter().filter_map(|child| seen.who[*child]));
        }
        let lost = (node.orphan || (node.loose_link && node.span.kind == Kind::Consumer && node.parent.is_none()))
            && !accepted.contains(&at);
        if lost {
            let mut stack = vec![at];
            while let Some(at) = stack.pop() {
                if accepted.contains(&at) {
                    continue;
                }
                found.extend(seen.who[at]);
                stack.extend(&forest.nodes[at].children);
            }
        }
    }
    found
}

/// The traces of what was played, by their starts, and with them those that the messages of their spans led to.
pub(super) fn traces(played: &[Played], used: impl Iterator<Item = usize>, forest: &Forest<'_>) -> Vec<TraceId> {
    let mut found: BTreeMap<TraceId, u64> = BTreeMap::new();
    for at in played.iter().flat_map(|played| played.roots.iter().copied()).chain(used) {
        let span = forest.nodes[at].span;
        let start = found.entry(span.trace).or_insert(span.start);
        *start = (*start).min(span.start);
    }
    let mut traces: Vec<(u64, TraceId)> = found.into_iter().map(|(trace, start)| (start, trace)).collect();
    traces.sort_unstable();
    traces.into_iter().map(|(_, trace)| trace).collect()
}

pub(super) fn reference(forest: &Forest<'_>, at: usize) -> SpanRef {
    let span = forest.nodes[at].span;
    SpanRef { trace: span.trace, span: span.id }
}

/// Why nothing that is missing from these traces is certain to be.
pub(super) fn never(observed: &Observed, traces: &BTreeSet<TraceId>) -> Option<String> {
    if observed.lost > 0 {
        Some(format!("spans were lost on their way: {}", observed.lost))
    } else if traces.iter().any(|trace| observed.unsettled.contains(trace)) {
        Some("more spans may still come".to_owned())
    } else {
        None
    }
}
