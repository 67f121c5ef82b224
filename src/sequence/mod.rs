//! Sequence validation: Mermaid diagrams in documents, what is wrong with them, and whether traces bear them out.

mod code;
pub mod conform;
mod diagnostic;
pub mod export;
pub mod lint;
pub mod markdown;
pub mod mermaid;
mod text;
pub mod trace;

pub use code::{Code, Severity};
pub use diagnostic::Diagnostic;
pub use text::{Lines, Span};
