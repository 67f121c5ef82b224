//! Finds the calls in a forest: where each participant's work begins, and whom it called from there.

use super::variant::Source;
use crate::{
    model::trace::Kind,
    sequence::{mermaid::sequence::Who, trace::Forest},
};

/// A call as its spans show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sequence) struct Raw {
    pub source: Source,
    /// The caller's span; for an arrival, the called one's.
    pub node: usize,
    /// Where the work of those begins whom it reached.
    pub heads: Vec<usize>,
    /// Whether a service that is no participant took it.
    pub strange: bool,
}

impl Raw {
    /// A call that only the called one shows.
    pub fn arrival(head: usize) -> Self {
        Self { source: Source::Arrival, node: head, heads: vec![head], strange: false }
    }
}

/// The structure of all spans by participants.
#[derive(Debug, Clone, Default)]
pub(in crate::sequence) struct Calls {
    /// The participant that each span is of.
    pub who: Vec<Option<Who>>,
    /// Whether a participant's work begins with the span.
    pub root: Vec<bool>,
    /// Work that nobody who is bound has called for.
    pub entries: Vec<usize>,
    /// Whether the work was handed over by a message.
    pub handed: Vec<bool>,
    /// CLIENT and PRODUCER spans of the same participant beneath each span, up to where others' work begins.
    calls: Vec<usize>,
    /// Whether the participant serves itself beneath the span.
    served: Vec<bool>,
}

impl Calls {
    /// `of_service` tells the participant that a service is.
    pub fn new(forest: &Forest<'_>, of_service: impl Fn(&str) -> Option<Who>) -> Self {
        let all = forest.nodes.len();
        let mut calls = Self {
            who: forest.nodes.iter().map(|node| of_service(&node.span.resource.service)).collect(),
            root: vec![false; all],
            handed: vec![false; all],
            calls: vec![0; all],
            served: vec![false; all],
            entries: Vec::new(),
        };
        // The nearest span above that is of a participant.
        let mut above: Vec<Option<usize>> = vec![None; all];
        for at in forest.order.iter().copied() {
            let node = &forest.nodes[at];
            if let Some(parent) = node.parent {
                above[at] = if calls.who[parent].is_some() { Some(parent) } else { above[parent] };
            }
            let Some(who) = calls.who[at] else { continue };
            let sends = |other: usize| matches!(forest.nodes[other].span.kind, Kind::Producer | Kind::Client);
            let sender = |other: usize| sends(other) && calls.who[other].is_some();
            let linked = node.span.kind == Kind::Consumer && node.links.iter().any(|other| sender(*other));
            let handed = linked || (node.span.kind == Kind::Consumer && node.parent.is_some_and(sender));
            let foreign = above[at].is_none_or(|other| calls.who[other] != Some(who));
            calls.handed[at] = handed;
            calls.root[at] = foreign || handed;
            if above[at].is_none() && !handed {
                calls.entries.push(at);
            }
        }
        for at in forest.order.iter().rev().copied() {
            let Some(parent) = forest.nodes[at].parent.filter(|_| !calls.root[at]) else { continue };
            let kind = forest.nodes[at].span.kind;
            let own = calls.who[at].is_some();
            calls.calls[parent] += calls.calls[at] + usize::from(own && matches!(kind, Kind::Client | Kind::Producer));
            calls.served[parent] |= calls.served[at] || (own && kind == Kind::Server);
        }
        calls.entries.sort_unstable();
        calls
    }

    /// What a participant did from one of its spans on.
    pub fn from(&self, forest: &Forest<'_>, root: usize) -> Vec<Raw> {
        let mut found = Vec::new();
        let client = matches!(forest.nodes[root].span.kind, Kind::Client | Kind::Producer);
        if client && !self.is_bracket(root) {
            found.push(self.sent(forest, root));
            return found;
        }
        // Work that nobody called for is something that the participant does by itself.
        let unasked = matches!(forest.nodes[root].span.kind, Kind::Internal | Kind::Unspecified);
        if unasked && self.entries.binary_search(&root).is_ok() {
            found.push(Raw { source: Source::Own, node: root, heads: Vec::new(), strange: false });
        }
        let mut stack: Vec<usize> = forest.nodes[root].children.iter().rev().copied().collect();
        while let Some(at) = stack.pop() {
            let node = &forest.nodes[at];
            let client = matches!(node.span.kind, Kind::Client | Kind::Producer);
            if self.root[at] {
                // What was handed over is found at the one that sent it.
                if !self.handed[at] || node.links.is_empty() {
                    found.push(Raw::arrival(at));
                }
            } else if self.who[at].is_some() && client && !self.is_bracket(at) {
                found.push(self.sent(forest, at));
            } else {
                if self.who[at].is_some() && !client {
                    found.push(Raw { source: Source::Own, node: at, heads: Vec::new(), strange: false });
                }
                stack.extend(node.children.iter().rev());
            }
        }
        found
    }

    /// One that has several calls beneath it is a bracket around them, and so is one that ends in the same service.
    pub fn is_bracket(&self, at: usize) -> bool {
        self.calls[at] > 1 || self.served[at]
    }

    /// The caller's span of a library that made the call, where that stands beneath one that tells less.
    pub fn inner(&self, forest: &Forest<'_>, client: usize) -> Option<usize> {
        let mut stack: Vec<usize> = forest.nodes[client].children.iter().rev().copied().collect();
        while let Some(at) = stack.pop() {
            let node = &forest.nodes[at];
            if self.root[at] {
                continue;
            }
            if self.who[at].is_some() && matches!(node.span.kind, Kind::Client | Kind::Producer) {
                return Some(at);
            }
            stack.extend(node.children.iter().rev());
        }
        None
    }

    fn sent(&self, forest: &Forest<'_>, at: usize) -> Raw {
        let source = if forest.nodes[at].span.kind == Kind::Producer { Source::Send } else { Source::Call };
        let (heads, strange) = self.beneath(forest, at);
        Raw { source, node: at, heads, strange }
    }

    /// Where others' work begins beneath a caller's span, or is linked to it; and whether strangers served it.
    pub fn beneath(&self, forest: &Forest<'_>, client: usize) -> (Vec<usize>, bool) {
        let (mut found, mut strange) = (Vec::new(), false);
        let mut stack = vec![client];
        while let Some(at) = stack.pop() {
            let node = &forest.nodes[at];
            if at != client && self.root[at] {
                found.push(at);
                continue;
            }
            strange |= self.who[at].is_none() && matches!(node.span.kind, Kind::Server | Kind::Consumer);
            found.extend(node.linked.iter().copied().filter(|other| self.handed[*other]));
            stack.extend(node.children.iter().rev());
        }
        let mut seen = std::collections::HashSet::new();
        found.retain(|at| seen.insert(*at));
        (found, strange)
    }
}
