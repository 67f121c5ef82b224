//! The forest of spans: parents, children and links, whatever order the spans came in and however broken they are.

use std::{cmp::Ordering, collections::HashMap};

use crate::model::trace::{Span, SpanId, TraceId};

/// In which way a span breaks the rules of traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// It ends before it starts.
    EndsBeforeStart,
    /// It was its own ancestor; the tie to its parent was cut.
    Cycle,
    /// Another span has the same id; this one was kept.
    Duplicate,
}

/// A span among the others.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    /// The span.
    pub span: &'a Span,
    /// Its parent, where that was collected.
    pub parent: Option<usize>,
    /// Its children, by their starts. Only those of one process are in an order that means anything.
    pub children: Vec<usize>,
    /// The spans that this one links to, where they were collected.
    pub links: Vec<usize>,
    /// The spans that link to this one.
    pub linked: Vec<usize>,
    /// Whether it names a parent that was not collected.
    pub orphan: bool,
    /// Whether it links to a span that was not collected.
    pub loose_link: bool,
    /// What is wrong with it.
    pub fault: Option<Fault>,
}

/// All spans, in the order of their ids, so that the order in which they came means nothing.
#[derive(Debug, Clone, Default)]
pub struct Forest<'a> {
    /// The spans.
    pub nodes: Vec<Node<'a>>,
    /// Every span, parents before their children.
    pub order: Vec<usize>,
    /// Spans that were left out, since another one has the same id.
    pub duplicates: usize,
    /// Ties to a parent that were cut.
    pub cycles: usize,
    /// Spans whose parent was not collected.
    pub orphans: usize,
    /// Spans that end before they start.
    pub impossible: usize,
    index: HashMap<(TraceId, SpanId), usize>,
}

impl<'a> Forest<'a> {
    /// Makes the forest of all spans. Near-linear, and never fails: what is broken is counted.
    #[must_use]
    pub fn new(spans: &'a [Span]) -> Self {
        let mut sorted: Vec<&Span> = spans.iter().collect();
        sorted.sort_by(|a, b| (a.trace, a.id).cmp(&(b.trace, b.id)).then_with(|| rank(a, b)));
        let mut forest = Self::default();
        for span in sorted {
            if let Some(last) = forest.nodes.last_mut().filter(|n| (n.span.trace, n.span.id) == (span.trace, span.id)) {
                // The same span twice over, as a sender that tries again sends it, is nothing to doubt.
                if last.span != span {
                    last.fault = Some(Fault::Duplicate);
                }
                forest.duplicates += 1;
                continue;
            }
            forest.index.insert((span.trace, span.id), forest.nodes.len());
            forest.nodes.push(Node {
                span,
                parent: None,
                children: Vec::new(),
                links: Vec::new(),
                linked: Vec::new(),
                orphan: false,
                loose_link: false,
                fault: (span.end < span.start).then_some(Fault::EndsBeforeStart),
            });
        }
        forest.impossible = forest.nodes.iter().filter(|n| n.span.end < n.span.start).count();
        forest.tie_parents();
        forest.cut_cycles();
        forest.tie_children();
        forest.tie_links();
        forest
    }

    /// The span with these ids.
    #[must_use]
    pub fn find(&self, trace: TraceId, span: SpanId) -> Option<usize> {
        self.index.get(&(trace, span)).copied()
    }

    /// The spans of a trace.
    #[must_use]
    pub fn of_trace(&self, trace: TraceId) -> std::ops::Range<usize> {
        let start = self.nodes.partition_point(|node| node.span.trace < trace);
        let end = self.nodes.partition_point(|node| node.span.trace <= trace);
        start..end
    }

    /// How many spans break the rules of traces.
    #[must_use]
    pub const fn broken(&self) -> usize {
        self.duplicates + self.cycles + self.impossible
    }

    fn tie_parents(&mut self) {
        for at in 0..self.nodes.len() {
            let span = self.nodes[at].span;
            let Some(parent) = span.parent else { continue };
            match self.find(span.trace, parent) {
                Some(parent) => self.nodes[at].parent = Some(parent),
                None => {
                    self.nodes[at].orphan = true;
                    self.orphans += 1;
                }
            }
        }
    }

    /// Follows parents upward once from each span; where that comes back to a span of the same walk, it is cut there.
    fn cut_cycles(&mut self) {
        let mut walked = vec![0usize; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mark = start + 1;
            let mut at = start;
            while walked[at] == 0 {
                walked[at] = mark;
                let Some(parent) = self.nodes[at].parent else { break };
                if walked[parent] == mark {
                    self.nodes[at].parent = None;
                    self.nodes[at].fault = Some(Fault::Cycle);
                    self.cycles += 1;
                    break;
                }
                at = parent;
            }
        }
    }

    fn tie_children(&mut self) {
        let mut by_start: Vec<usize> = (0..self.nodes.len()).collect();
        by_start.sort_by_key(|at| (self.nodes[*at].span.start, *at));
        for at in by_start {
            match self.nodes[at].parent {
                Some(parent) => self.nodes[parent].children.push(at),
                None => self.order.push(at),
            }
        }
        let mut next = 0;
        while let Some(at) = self.order.get(next).copied() {
            self.order.extend_from_slice(&self.nodes[at].children);
            next += 1;
        }
    }

    fn tie_links(&mut self) {
        for at in 0..self.nodes.len() {
            let span = self.nodes[at].span;
            let mut found = Vec::new();
            for link in &span.links {
                match self.find(link.trace, link.span) {
                    Some(other) if other != at => found.push(other),
                    Some(_) => {}
                    None => self.nodes[at].loose_link = true,
                }
            }
            found.sort_unstable();
            found.dedup();
            for other in &found {
                self.nodes[*other].linked.push(at);
            }
            self.nodes[at].links = found;
        }
    }
}

/// Which of two spans with one id is kept: told by what they say and not by which came first.
fn rank(a: &Span, b: &Span) -> Ordering {
    let key = |s: &Span| (s.start, s.end, s.parent, s.kind);
    key(a)
        .cmp(&key(b))
        .then_with(|| a.name.cmp(&b.name))
        .then_with(|| if a == b { Ordering::Equal } else { format!("{a:?}").cmp(&format!("{b:?}")) })
}
