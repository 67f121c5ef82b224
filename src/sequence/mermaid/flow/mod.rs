//! `flowchart` and `graph`, as far as nodes, labelled edges and decisions go; styling is read and means nothing.

mod links;
mod node;
mod parse;
mod scan;
mod tree;

pub(super) use parse::parse;
pub use tree::{Edge, Flowchart, Node, Shape};
