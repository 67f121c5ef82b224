//! What was found, and how much was read.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::sequence::{Diagnostic, Severity, mermaid::Kind};

/// A finding in one of the documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The document, as an index.
    pub document: usize,
    /// What was found.
    pub diagnostic: Diagnostic,
}

/// How much was read, and how much was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Documents.
    pub files: usize,
    /// Diagrams by kind.
    pub diagrams: BTreeMap<Kind, usize>,
    /// Messages in sequence diagrams.
    pub messages: usize,
    /// How many of them a participant sends to itself.
    pub self_messages: usize,
    /// Findings by severity.
    pub findings: BTreeMap<Severity, usize>,
}

/// The outcome of a lint.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Everything that was found, by document and place.
    pub findings: Vec<Finding>,
    /// The numbers.
    pub summary: Summary,
}

impl Report {
    /// Leaves out what does not count, also of the numbers.
    pub fn retain(&mut self, mut counts: impl FnMut(&Finding) -> bool) {
        self.findings.retain(|finding| counts(finding));
        self.summary.findings.clear();
        for finding in &self.findings {
            *self.summary.findings.entry(finding.diagnostic.severity()).or_default() += 1;
        }
    }

    /// Takes up a finding that was made elsewhere, in one more document.
    pub fn add(&mut self, finding: Finding) {
        *self.summary.findings.entry(finding.diagnostic.severity()).or_default() += 1;
        self.findings.push(finding);
    }
}

impl Summary {
    /// Diagrams of all kinds.
    #[must_use]
    pub fn all_diagrams(&self) -> usize {
        self.diagrams.values().sum()
    }

    /// Findings of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.get(&severity).copied().unwrap_or_default()
    }
}
