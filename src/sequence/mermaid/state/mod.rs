//! `stateDiagram` and `stateDiagram-v2`: their tokens, grammar and tree.

mod flattened;
mod lexer;
mod modes;
mod parse;
mod tree;

pub(super) use flattened::line_breaks;
pub(super) use parse::parse;
pub use tree::{Composite, Form, State, StateDiagram, Stop, Transition};
