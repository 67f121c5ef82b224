//! Mermaid diagrams: hand-written lexers and parsers with spans into the source.
//!
//! Linear in the length of the source, bounded in depth, and without panics whatever the source is.

mod chars;
mod clean;
pub mod flow;
mod kind;
mod read;
pub mod sequence;
pub mod state;
mod yaml;

pub use kind::Kind;
pub use read::{Diagram, Mode, Parsed, parse};
