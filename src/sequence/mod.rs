//! Sequence validation: Mermaid diagrams in documents, read into trees, and what is wrong with them.

mod code;
mod diagnostic;
pub mod lint;
pub mod markdown;
pub mod mermaid;
mod text;

pub use code::{Code, Severity};
pub use diagnostic::Diagnostic;
pub use text::{Lines, Span};
