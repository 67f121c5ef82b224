//! Spans in an order that does not depend on how they came, with their children, and where exchanges begin.

use std::collections::{BTreeSet, HashMap};

use crate::model::trace::{Kind, Span, SpanId, TraceId};

/// Spans and what caused what.
pub(super) struct Forest<'a> {
    pub spans: Vec<&'a Span>,
    /// The children of each span by their starts; messages that are received are none.
    pub children: Vec<Vec<usize>>,
    /// Spans that no other one here is the parent of, and messages that are received.
    pub roots: Vec<usize>,
    /// The span that sent what a span received.
    pub sent: Vec<Option<usize>>,
    /// The names of all services.
    pub services: BTreeSet<&'a str>,
}

/// Puts spans in order. Of two with one id, the one that began earlier is kept.
pub(super) fn forest(spans: &[Span]) -> Forest<'_> {
    let mut sorted: Vec<&Span> = spans.iter().collect();
    sorted.sort_by_cached_key(|span| order(span));
    let mut known: HashMap<(TraceId, SpanId), usize> = HashMap::new();
    sorted.retain(|span| {
        let next = known.len();
        *known.entry((span.trace, span.id)).or_insert(next) == next
    });
    let mut children = vec![Vec::new(); sorted.len()];
    let mut roots = Vec::new();
    let mut sent = vec![None; sorted.len()];
    for (at, span) in sorted.iter().enumerate() {
        let parent = span.parent.and_then(|parent| known.get(&(span.trace, parent)).copied());
        if span.kind == Kind::Consumer {
            let linked = span.links.iter().filter_map(|link| known.get(&(link.trace, link.span)));
            sent[at] = parent.into_iter().chain(linked.copied()).find(|other| sorted[*other].kind == Kind::Producer);
        }
        match parent {
            Some(parent) if span.kind != Kind::Consumer => children[parent].push(at),
            _ => roots.push(at),
        }
    }
    let services = sorted.iter().map(|span| span.resource.service.as_str()).filter(|name| !name.is_empty()).collect();
    Forest { spans: sorted, children, roots, sent, services }
}

/// Everything that the drawing depends on, the start first.
fn order(span: &Span) -> impl Ord {
    let kind = format!("{:?} {:?}", span.kind, span.status);
    let more = format!("{:?} {:?}", span.attributes, span.links);
    let service = span.resource.service.clone();
    (span.start, span.end, span.trace, span.id, span.name.clone(), service, kind, span.parent, more)
}
