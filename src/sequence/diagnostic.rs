//! One finding: its code, its place, what is wrong and how to fix it.

use super::{Code, Severity, Span};

/// A finding in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What it is about.
    pub code: Code,
    /// Where it is.
    pub span: Span,
    /// What is wrong.
    pub what: String,
    /// How to fix it.
    pub fix: String,
}

impl Diagnostic {
    /// A finding at a place.
    pub fn new(code: Code, span: Span, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { code, span, what: what.into(), fix: fix.into() }
    }

    /// How grave it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// The same finding in a text that this one's text begins in at byte `by`.
    #[must_use]
    pub fn moved(mut self, by: usize) -> Self {
        self.span = self.span.moved(by);
        self
    }
}
