//! `sequenceDiagram`: its tokens, its grammar, its tree, and the repairs of lenient reading.

mod flattened;
mod lexer;
mod open;
mod parse;
mod repair;
mod rules;
mod statements;
mod token;
mod tree;
mod words;

pub(super) use flattened::line_breaks;
pub(super) use parse::parse;
pub use token::{Arrow, Head, Stroke};
pub use tree::{
    Fragment, Grouping, Item, Message, Note, Operand, Operator, Participant, Placement, Role, Sequence, Text, Who, each,
};
