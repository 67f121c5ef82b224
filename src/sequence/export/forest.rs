//! The spans of a drawing: read as a check reads them, so that what is drawn is what is compared.

use std::collections::BTreeMap;

use crate::{
    model::trace::{Kind, Span},
    sequence::{
        conform::observe::Calls,
        trace::{self, Fault},
    },
};

/// Spans, whose work each is, and when what a participant did beneath each of them began and ended.
pub(super) struct Forest<'a> {
    pub spans: trace::Forest<'a>,
    pub calls: Calls,
    /// Spans that exchanges begin with, in the order of their begins.
    pub roots: Vec<usize>,
    /// The names of all services, by their index.
    pub services: BTreeMap<&'a str, usize>,
    /// From the first begin to the last end of what is drawn for a span.
    pub extents: Vec<(u64, u64)>,
}

/// Puts spans in order, whatever order they came in.
pub(super) fn forest(all: &[Span]) -> Forest<'_> {
    let mut services: BTreeMap<&str, usize> = all.iter().map(|span| (span.resource.service.as_str(), 0)).collect();
    for (at, index) in services.values_mut().enumerate() {
        *index = at;
    }
    let spans = trace::Forest::new(all);
    let calls = Calls::new(&spans, |service| services.get(service).copied());
    let mut roots: Vec<usize> = (0..spans.nodes.len())
        .filter(|at| {
            let node = &spans.nodes[*at];
            node.parent.is_none() && node.fault != Some(Fault::Cycle) && !calls.handed[*at]
        })
        .collect();
    roots.sort_by_key(|at| (spans.nodes[*at].span.start, *at));
    let mut forest = Forest { spans, calls, roots, services, extents: Vec::new() };
    forest.extents = forest.extents();
    forest
}

impl<'a> Forest<'a> {
    pub fn span(&self, at: usize) -> &'a Span {
        self.spans.nodes[at].span
    }

    /// Whether a span is of one who calls, and not only a bracket around several calls.
    pub fn is_call(&self, at: usize) -> bool {
        matches!(self.span(at).kind, Kind::Client | Kind::Producer) && !self.calls.is_bracket(at)
    }

    /// The spans beneath one that are drawn where it is: all but those that are drawn with the one that sent them.
    pub fn children(&self, at: usize) -> Vec<usize> {
        let drawn = |child: &usize| !self.calls.handed[*child] || self.spans.nodes[*child].links.is_empty();
        let mut children: Vec<usize> = self.spans.nodes[at].children.iter().copied().filter(drawn).collect();
        children.sort_by_key(|child| (self.extents.get(*child).map_or(0, |extent| extent.0), *child));
        children
    }

    fn extents(&self) -> Vec<(u64, u64)> {
        let mut extents: Vec<(u64, u64)> =
            self.spans.nodes.iter().map(|node| (node.span.start, node.span.end.max(node.span.start))).collect();
        for at in self.spans.order.iter().rev().copied() {
            let node = &self.spans.nodes[at];
            // What others did, and what a call led to, lies within the call.
            if self.calls.root[at] || self.is_call(at) {
                continue;
            }
            let whole = node.children.iter().map(|child| extents[*child]).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            if let Some(whole) = whole {
                extents[at] = (extents[at].0.min(whole.0), extents[at].1.max(whole.1));
            }
        }
        extents
    }
}
