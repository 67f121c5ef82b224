//! What is wrong in a document, before its place in the text is known.

/// A fault at a path of keys and indices; the reader of the document turns it into one with line and column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Problem {
    /// The document that the path leads into, where it is not the one at hand: the name of an SLI.
    pub of: Option<String>,
    /// Keys and indices from the document's root.
    pub at: Vec<String>,
    /// What is wrong.
    pub what: String,
    /// How to fix it.
    pub hint: String,
}

impl Problem {
    /// A problem at a dotted path such as `spec.objectives.0.target`.
    pub fn new(at: &str, what: impl Into<String>, hint: impl Into<String>) -> Self {
        let at = at.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Self { of: None, at, what: what.into(), hint: hint.into() }
    }

    /// The same problem, seen from further up: `path` (dotted) leads to where it is.
    #[must_use]
    pub fn under(mut self, path: &str) -> Self {
        self.at.splice(0..0, path.split('.').filter(|part| !part.is_empty()).map(str::to_owned));
        self
    }

    /// The same problem, in another document.
    #[must_use]
    pub fn inside(mut self, document: &str) -> Self {
        self.of = Some(document.to_owned());
        self
    }
}
