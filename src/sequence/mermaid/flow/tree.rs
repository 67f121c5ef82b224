//! What a flowchart says: nodes, and the edges between them.

use std::collections::BTreeMap;

use crate::sequence::Span;

/// A flowchart.
#[derive(Debug, Clone, Default)]
pub struct Flowchart {
    /// The nodes, in the order of their first mention.
    pub nodes: Vec<Node>,
    /// The edges, in the order of the text.
    pub edges: Vec<Edge>,
    /// The titles of the subgraphs.
    pub subgraphs: Vec<String>,
    pub(super) names: BTreeMap<String, usize>,
}

/// How a node is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// `A[text]`, or a name alone.
    #[default]
    Box,
    /// `A{text}`: a decision.
    Decision,
    /// `A[(text)]`: a store.
    Store,
    /// Any other shape.
    Other,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The name that edges use.
    pub id: String,
    /// What is drawn; the name where nothing else is given.
    pub label: String,
    /// How it is drawn.
    pub shape: Shape,
    /// Its first mention.
    pub first: Span,
}

/// An edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Where from, as an index.
    pub from: usize,
    /// Where to, as an index.
    pub to: usize,
    /// What is written on it; empty where nothing is.
    pub label: String,
    /// The arrow.
    pub span: Span,
}
