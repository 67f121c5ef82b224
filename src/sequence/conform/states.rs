//! State diagrams against transitions that spans tell of.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    report::{Observed, SpanRef, Verdict},
    texts::plain,
};
use crate::{
    model::trace::{Attributes, Resource},
    sequence::{
        self,
        mermaid::state::{Composite, Form, StateDiagram, Stop},
    },
};

/// Which attributes of spans, or of what happens within spans, tell of transitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSource {
    /// Whose state it is, such as `order.id`.
    pub entity: String,
    /// The state before; none where only the new one is told.
    pub from: Option<String>,
    /// The new state.
    pub to: String,
}

/// A transition that is not drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Whose state it is.
    pub entity: String,
    /// The state before; none for the first one.
    pub from: Option<String>,
    /// The new state.
    pub to: String,
    /// The state before, where the diagram has it; else the diagram's first state.
    pub place: sequence::Span,
    /// The span that tells it.
    pub span: SpanRef,
}

/// What was found of the states of all entities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateReport {
    /// The answer.
    pub verdict: Verdict,
    /// Why it is inconclusive or vacuous.
    pub doubts: Vec<String>,
    /// Entities of which transitions were told.
    pub entities: usize,
    /// Transitions that were told.
    pub observed: usize,
    /// Transitions that are not drawn, by entity.
    pub strays: Vec<Stray>,
    /// Transitions of the diagram, as indices, that no entity took.
    pub untaken: Vec<usize>,
}

struct Told<'a> {
    from: Option<String>,
    to: String,
    at: u64,
    span: SpanRef,
    resource: &'a Resource,
}

/// Says whether every entity went from state to state as is drawn, beginning at `[*]`.
///
/// The transitions of an entity are in an order only where one process told them all; where several did, each is judged
/// by itself, which needs the state before it.
#[must_use]
pub fn check_states(diagram: &StateDiagram, source: &StateSource, observed: &Observed) -> StateReport {
    let drawn = Drawn::new(diagram);
    let mut entities: BTreeMap<String, Vec<Told<'_>>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for span in &observed.spans {
        // The same span twice over is one.
        if !seen.insert((span.trace, span.id)) {
            continue;
        }
        let within = span.events.iter().map(|event| (&event.attributes, event.at));
        for (attributes, at) in std::iter::once((&span.attributes, span.start)).chain(within) {
            let text = |name: &str| attributes_text(attributes, name);
            if let (Some(entity), Some(to)) = (text(&source.entity), text(&source.to)) {
                let from = source.from.as_deref().and_then(text);
                let span_ref = SpanRef { trace: span.trace, span: span.id };
                let told = Told { from, to, at, span: span_ref, resource: &span.resource };
                entities.entry(entity).or_default().push(told);
            }
        }
    }
    let mut report = StateReport {
        verdict: Verdict::Pass,
        doubts: Vec::new(),
        entities: entities.len(),
        observed: entities.values().map(Vec::len).sum(),
        strays: Vec::new(),
        untaken: Vec::new(),
    };
    let mut taken = BTreeSet::new();
    let (mut unordered, mut unjoined) = (0, 0);
    for (entity, mut told) in entities {
        let first = told.first().map(|t| t.resource);
        let ordered = told.iter().all(|t| Some(t.resource) == first);
        told.sort_by(|a, b| (a.at, &a.from, &a.to, a.span).cmp(&(b.at, &b.from, &b.to, b.span)));
        let tied = told.windows(2).any(|pair| pair[0].at == pair[1].at);
        let ordered = ordered && !tied;
        let (judged, gaps) = if ordered { in_order(&told) } else { (each_alone(&told), 0) };
        unjoined += usize::from(gaps > 0);
        unordered += usize::from(!ordered);
        for Judged { from, to, span } in judged {
            match drawn.way(from.as_deref(), &to) {
                Some(way) => taken.extend(way),
                None => report.strays.push(Stray {
                    entity: entity.clone(),
                    place: drawn.place(from.as_deref()),
                    from,
                    to,
                    span,
                }),
            }
        }
    }
    report.untaken = (0..diagram.transitions.len()).filter(|at| !taken.contains(at)).collect();
    if unordered > 0 {
        report.doubts.push(format!("entities whose transitions no one clock puts in order: {unordered}"));
    }
    if unjoined > 0 {
        report.doubts.push(format!("entities that changed their states without telling: {unjoined}"));
    }
    if observed.lost > 0 {
        report.doubts.push(format!("spans were lost on their way: {}", observed.lost));
    }
    if !observed.unsettled.is_empty() {
        report.doubts.push("more spans may still come".to_owned());
    }
    report.verdict = match (report.strays.is_empty(), report.observed, report.doubts.is_empty()) {
        (false, ..) => Verdict::Fail,
        (true, 0, _) => Verdict::Vacuous,
        (true, _, false) => Verdict::Inconclusive,
        (true, _, true) => Verdict::Pass,
    };
    if report.observed == 0 {
        report.doubts.push("no span tells of a transition".to_owned());
    }
    report
}

/// A transition that has to be drawn; from no state for the beginning.
struct Judged {
    from: Option<String>,
    to: String,
    span: SpanRef,
}

/// Each transition begins where the one before it ended, and the first one at `[*]`. Gives how often one did not.
fn in_order(told: &[Told<'_>]) -> (Vec<Judged>, usize) {
    let mut before: Option<String> = None;
    let (mut judged, mut gaps) = (Vec::new(), 0);
    for told in told {
        let from = told.from.clone().filter(|from| !is_edge(from));
        match (&before, &from) {
            // An entity that tells first of what it left was made in that state.
            (None, Some(first)) => judged.push(Judged { from: None, to: first.clone(), span: told.span }),
            (Some(last), Some(from)) if plain(last) != plain(from) => gaps += 1,
            _ => {}
        }
        judged.push(Judged { from: from.or(before), to: told.to.clone(), span: told.span });
        before = Some(told.to.clone());
    }
    (judged, gaps)
}

/// Without an order, only those can be judged that tell where they began.
fn each_alone(told: &[Told<'_>]) -> Vec<Judged> {
    let known = told.iter().filter_map(|told| Some((told, told.from.as_ref()?)));
    known
        .map(|(told, from)| Judged {
            from: (!is_edge(from)).then(|| from.clone()),
            to: told.to.clone(),
            span: told.span,
        })
        .collect()
}

fn is_edge(state: &str) -> bool {
    state.is_empty() || state == "[*]"
}

fn attributes_text(attributes: &Attributes, name: &str) -> Option<String> {
    attributes.get(name).map(ToString::to_string)
}

/// A state diagram by its states.
struct Drawn<'a> {
    diagram: &'a StateDiagram,
    names: HashMap<String, usize>,
    /// The transitions that begin at each state.
    out: HashMap<usize, Vec<usize>>,
    /// The transitions that begin at the `[*]` of each composite state, and of the diagram.
    first: HashMap<Option<usize>, Vec<usize>>,
}

impl<'a> Drawn<'a> {
    fn new(diagram: &'a StateDiagram) -> Self {
        let mut names = HashMap::new();
        for (at, state) in diagram.states.iter().enumerate() {
            names.insert(plain(&state.id), at);
        }
        for (at, state) in diagram.states.iter().enumerate() {
            if let Some(description) = &state.description {
                names.entry(plain(description)).or_insert(at);
            }
        }
        let mut out: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut first: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
        for (at, transition) in diagram.transitions.iter().enumerate() {
            match transition.from {
                Stop::State(from) => out.entry(from).or_default().push(at),
                Stop::Edge => first.entry(transition.within.state).or_default().push(at),
            }
        }
        Self { diagram, names, out, first }
    }

    /// The drawn transitions by which one state follows another; several where forks, choices or composites lie between.
    fn way(&self, from: Option<&str>, to: &str) -> Option<Vec<usize>> {
        let target = if is_edge(to) { None } else { Some(*self.names.get(&plain(to))?) };
        let mut start = Vec::new();
        match from {
            None => start.extend(of(&self.first, None)),
            Some(from) => {
                // What leaves a composite state leaves every state in it.
                let mut at = Some(*self.names.get(&plain(from))?);
                for _ in 0..=self.diagram.states.len() {
                    let Some(state) = at else { break };
                    start.extend(of(&self.out, state));
                    at = self.diagram.states.get(state).and_then(|s| s.within.state);
                }
            }
        }
        let mut before: HashMap<usize, Option<usize>> = start.iter().map(|at| (*at, None)).collect();
        let mut next: std::collections::VecDeque<usize> = start.into();
        while let Some(at) = next.pop_front() {
            let transition = self.diagram.transitions.get(at)?;
            let on: &[usize] = match transition.to {
                Stop::State(state) if Some(state) == target => return Some(back(&before, at)),
                Stop::State(state) if self.is_passing(state) => of(&self.out, state),
                Stop::State(state) => of(&self.first, Some(state)),
                Stop::Edge => match transition.within {
                    Composite { state: Some(state), .. } => of(&self.out, state),
                    Composite { state: None, .. } if target.is_none() => return Some(back(&before, at)),
                    Composite { state: None, .. } => &[],
                },
            };
            for other in on {
                before.entry(*other).or_insert_with(|| {
                    next.push_back(*other);
                    Some(at)
                });
            }
        }
        None
    }

    /// Whether a state is one that nothing stays in.
    fn is_passing(&self, state: usize) -> bool {
        self.diagram.states.get(state).is_some_and(|s| s.form != Form::State)
    }

    fn place(&self, from: Option<&str>) -> sequence::Span {
        let known = from.and_then(|from| self.names.get(&plain(from)).copied()).unwrap_or_default();
        self.diagram.states.get(known).map(|state| state.first).unwrap_or_default()
    }
}

fn of<K: std::hash::Hash + Eq>(map: &HashMap<K, Vec<usize>>, key: K) -> &[usize] {
    map.get(&key).map_or(&[], Vec::as_slice)
}

/// The transitions up to one, the first one first.
fn back(before: &HashMap<usize, Option<usize>>, at: usize) -> Vec<usize> {
    let mut way = vec![at];
    let mut at = at;
    while let Some(Some(other)) = before.get(&at) {
        way.push(*other);
        at = *other;
    }
    way.reverse();
    way
}
