//! Changes to traces, of which each makes them something that the diagram does not say.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::place::{Place, places};
use crate::{
    model::trace::{Attributes, Kind, Span, SpanId, TraceId, Value},
    sequence::{
        conform::{Binding, Instance, SpanRef, StepState},
        mermaid::sequence::{Sequence, Stroke},
    },
};

/// In which way traces are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutation {
    /// A call does not happen.
    Drop,
    /// A call happens twice.
    Duplicate,
    /// Two calls of one caller change places.
    Swap,
    /// A call asks for something else.
    Rename,
    /// A call goes to another service.
    Redirect,
    /// A call happens that is not drawn.
    Add,
}

impl Mutation {
    /// As people write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Swap => "swap",
            Self::Rename => "rename",
            Self::Redirect => "redirect",
            Self::Add => "add",
        }
    }
}

/// Traces with one change.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// In which way.
    pub mutation: Mutation,
    /// The message whose spans were changed, as an index into `Sequence::messages`.
    pub message: usize,
    /// The spans.
    pub spans: Vec<Span>,
}

/// Changes the spans of one instance that passed, each time in one place: every call that was seen, in every way that the
/// diagram does not allow. `spans` are those of the instance's traces.
#[must_use]
pub fn mutants(diagram: &Sequence, binding: &Binding, instance: &Instance, spans: &[Span]) -> Vec<Mutant> {
    let tree = Tree::new(spans);
    let calls = calls(diagram, binding, instance, &tree);
    let mut found = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        let mut push = |mutation, spans| found.push(Mutant { mutation, message: call.message, spans });
        if !call.place.optional {
            push(Mutation::Drop, tree.without(call.top));
        }
        if !call.place.repeated {
            push(Mutation::Duplicate, tree.again(call.top));
        }
        push(Mutation::Rename, tree.renamed(call.top));
        if let Some(other) = tree.other_service(call.top) {
            push(Mutation::Redirect, tree.redirected(call.top, &other));
        }
        // An order is drawn between calls of the same caller, and not between operands of a `par`.
        let before = calls[..at].iter().rev().find(|other| other.frame == call.frame);
        if let Some(before) = before.filter(|before| before.message != call.message)
            && before.place == call.place
            && !call.place.repeated
        {
            push(Mutation::Swap, tree.swapped(before.top, call.top));
        }
        if let Some(spans) = tree.added(call.top) {
            push(Mutation::Add, spans);
        }
    }
    found
}

/// A call that was seen: its uppermost span, and the span under which its caller made it.
struct Call {
    message: usize,
    place: Place,
    top: usize,
    frame: Option<usize>,
}

fn calls(diagram: &Sequence, binding: &Binding, instance: &Instance, tree: &Tree<'_>) -> Vec<Call> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let messages = diagram.messages();
    for (message, (place, state)) in places(diagram).into_iter().zip(&instance.steps).enumerate() {
        let StepState::Seen(spans) = state else { continue };
        let drawn = messages[message];
        let own = drawn.from == drawn.to;
        let is_bound = binding.messages.iter().any(|one| one.message == message && one.operation.is_some());
        if own && !is_bound {
            // Advisory: its absence means nothing.
            continue;
        }
        for top in spans.iter().filter_map(|one| tree.top(one)) {
            let span = &tree.spans[top];
            // A reply shows the spans of its call, which has its turn by itself; a stimulus has no caller to be wrong.
            let called = matches!(span.kind, Kind::Client | Kind::Producer) || own && span.kind == Kind::Internal;
            if called && (own || drawn.arrow.stroke == Stroke::Solid) && seen.insert(top) {
                found.push(Call { message, place, top, frame: tree.parent[top] });
            }
        }
    }
    found.sort_by_key(|call| (call.frame, tree.spans[call.top].start));
    found
}

/// Spans by their parents.
struct Tree<'a> {
    spans: &'a [Span],
    by_id: BTreeMap<(TraceId, SpanId), usize>,
    parent: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
}

impl<'a> Tree<'a> {
    fn new(spans: &'a [Span]) -> Self {
        let by_id: BTreeMap<_, _> = spans.iter().enumerate().map(|(i, span)| ((span.trace, span.id), i)).collect();
        let of = |span: &Span| span.parent.and_then(|parent| by_id.get(&(span.trace, parent)).copied());
        let parent: Vec<_> = spans.iter().map(of).collect();
        let mut children = vec![Vec::new(); spans.len()];
        for (i, parent) in parent.iter().enumerate() {
            if let Some(parent) = parent {
                children[*parent].push(i);
            }
        }
        Self { spans, by_id, parent, children }
    }

    /// The span of the caller, where the one of the called was named.
    fn top(&self, one: &SpanRef) -> Option<usize> {
        let at = *self.by_id.get(&(one.trace, one.span))?;
        let above = self.parent[at].filter(|above| {
            matches!(
                (self.spans[*above].kind, self.spans[at].kind),
                (Kind::Client, Kind::Server) | (Kind::Producer, Kind::Consumer)
            )
        });
        Some(above.unwrap_or(at))
    }

    /// A span and all below it.
    fn below(&self, top: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::from([top]);
        let mut open = vec![top];
        while let Some(at) = open.pop() {
            open.extend(self.children[at].iter().copied().filter(|child| found.insert(*child)));
        }
        found
    }

    fn without(&self, top: usize) -> Vec<Span> {
        let gone = self.below(top);
        (0..self.spans.len()).filter(|i| !gone.contains(i)).map(|i| self.spans[i].clone()).collect()
    }

    /// A copy of a call right behind it.
    fn again(&self, top: usize) -> Vec<Span> {
        let length = self.spans[top].end.saturating_sub(self.spans[top].start) + 1;
        let mut spans = self.spans.to_vec();
        spans.extend(self.copied(top, self.spans[top].parent, length));
        spans
    }

    /// The spans of a call under ids that nothing else has, so much later.
    fn copied(&self, top: usize, under: Option<SpanId>, later: u64) -> Vec<Span> {
        let below = self.below(top);
        let ids: BTreeMap<SpanId, SpanId> =
            below.iter().map(|i| (self.spans[*i].id, self.fresh(self.spans[*i].id))).collect();
        let moved = |time: u64| time.saturating_add(later);
        let copy = |i: &usize| {
            let span = &self.spans[*i];
            let parent =
                if *i == top { under } else { span.parent.map(|parent| ids.get(&parent).copied().unwrap_or(parent)) };
            let id = ids.get(&span.id).copied().unwrap_or(span.id);
            Span { id, parent, start: moved(span.start), end: moved(span.end), ..span.clone() }
        };
        below.iter().map(copy).collect()
    }

    fn fresh(&self, id: SpanId) -> SpanId {
        let mut bytes = id.0;
        while self.by_id.keys().any(|(_, known)| known.0 == bytes) || bytes == [0; 8] {
            let next = u64::from_be_bytes(bytes).wrapping_add(0x9e37_79b9_7f4a_7c15);
            bytes = next.to_be_bytes();
        }
        SpanId(bytes)
    }

    fn changed(&self, which: &BTreeSet<usize>, change: impl Fn(&mut Span)) -> Vec<Span> {
        let mut spans = self.spans.to_vec();
        which.iter().for_each(|i| change(&mut spans[*i]));
        spans
    }

    /// The caller's span, and what the called one made of it.
    fn ends(&self, top: usize) -> BTreeSet<usize> {
        let served = |child: &usize| matches!(self.spans[*child].kind, Kind::Server | Kind::Consumer);
        std::iter::once(top).chain(self.children[top].iter().copied().filter(served)).collect()
    }

    fn renamed(&self, top: usize) -> Vec<Span> {
        self.changed(&self.ends(top), |span| {
            span.name = "PURGE /somewhere/else".to_owned();
            for (name, value) in &mut span.attributes.0 {
                match name.as_str() {
                    "http.request.method" => *value = Value::Text("PURGE".to_owned()),
                    "http.route" | "url.path" | "url.full" => *value = Value::Text("/somewhere/else".to_owned()),
                    _ => {}
                }
            }
        })
    }

    /// Another service that took part.
    fn other_service(&self, top: usize) -> Option<Arc<crate::model::trace::Resource>> {
        let taken: BTreeSet<&str> = self.ends(top).iter().map(|i| self.spans[*i].resource.service.as_str()).collect();
        let is_call = self.spans[top].kind == Kind::Client && taken.len() > 1;
        let other = self.spans.iter().find(|span| !taken.contains(span.resource.service.as_str()));
        other.filter(|_| is_call).map(|span| span.resource.clone())
    }

    fn redirected(&self, top: usize, to: &Arc<crate::model::trace::Resource>) -> Vec<Span> {
        let mut served = self.ends(top);
        served.remove(&top);
        let mut spans = self.changed(&served, |span| span.resource = to.clone());
        name_peer(&mut spans[top].attributes, &to.service);
        spans
    }

    /// Two calls in each other's time.
    fn swapped(&self, first: usize, second: usize) -> Vec<Span> {
        let (from, to) = (self.spans[first].start, self.spans[second].start);
        let gap = to.saturating_sub(from);
        let length = |i: usize| self.spans[i].end.saturating_sub(self.spans[i].start);
        // The second begins where the first did, and the first where the second ended.
        let later = gap.max(length(second) + 1);
        let mut spans = self.changed(&self.below(first), |span| {
            span.start = span.start.saturating_add(later);
            span.end = span.end.saturating_add(later);
        });
        for i in self.below(second) {
            spans[i].start = spans[i].start.saturating_sub(gap);
            spans[i].end = spans[i].end.saturating_sub(gap);
        }
        spans
    }

    /// A call that the called one makes in the end, to where its caller came from.
    fn added(&self, top: usize) -> Option<Vec<Span>> {
        let ends = self.ends(top);
        let server = *ends.iter().find(|i| **i != top && self.spans[**i].kind == Kind::Server)?;
        let mut spans = self.spans.to_vec();
        let model = &self.spans[top];
        let at = self.spans[server].end.saturating_sub(1);
        let (client, served) = (self.fresh(model.id), self.fresh(self.spans[server].id));
        let made = |id, parent, kind, resource: &Arc<_>| Span {
            id,
            parent: Some(parent),
            name: "PURGE /not/drawn".to_owned(),
            kind,
            start: at,
            end: at,
            attributes: Attributes::default(),
            events: Vec::new(),
            links: Vec::new(),
            resource: Arc::clone(resource),
            ..model.clone()
        };
        spans.push(made(client, self.spans[server].id, Kind::Client, &self.spans[server].resource));
        spans.push(made(served, client, Kind::Server, &model.resource));
        Some(spans)
    }
}

/// Says of a call where it went.
fn name_peer(attributes: &mut Attributes, service: &str) {
    for (name, value) in &mut attributes.0 {
        if matches!(name.as_str(), "peer.service" | "server.address") {
            *value = Value::Text(service.to_owned());
        }
    }
}
