//! Runs every rule over documents.

use std::path::{Path, PathBuf};

use super::{
    fragments, identifiers,
    library::Library,
    participants, races,
    references::References,
    replies,
    report::{Finding, Report, Summary},
    stimuli,
};
use crate::sequence::{
    Diagnostic,
    markdown::{self, Block, Document},
    mermaid::{self, Diagram, Mode, Parsed},
};

/// A document that is linted.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path, relative to what `Library` knows.
    pub path: PathBuf,
    /// Its text: Markdown, or one diagram where the path ends in `.mmd` or `.mermaid`.
    pub text: String,
}

/// Lints documents together: identifiers are unique over all of them.
#[must_use]
pub fn lint(sources: &[Source], library: &dyn Library, mode: Mode) -> Report {
    let mut summary = Summary { files: sources.len(), ..Summary::default() };
    let mut findings = Vec::new();
    let documents: Vec<Document> = sources.iter().map(read).collect();
    let mut references = References::new(library, &documents);
    for (index, (source, document)) in sources.iter().zip(&documents).enumerate() {
        let mut found = document.found.clone();
        for block in &document.blocks {
            let parsed = mermaid::parse(&block.source, mode);
            count(&parsed, &mut summary);
            found.extend(diagram(&parsed).into_iter().map(|finding| finding.moved(block.start)));
        }
        found.extend(references.check(&source.path, document));
        findings.extend(found.into_iter().map(|diagnostic| Finding { document: index, diagnostic }));
    }
    findings.extend(identifiers::check(sources, &documents));
    findings.retain(|finding| {
        !documents.get(finding.document).is_some_and(|document| document.allowed.contains(&finding.diagnostic.code))
    });
    findings.sort_by_key(|f| (f.document, f.diagnostic.span.start, f.diagnostic.code));
    for finding in &findings {
        *summary.findings.entry(finding.diagnostic.severity()).or_default() += 1;
    }
    Report { findings, summary }
}

fn read(source: &Source) -> Document {
    if is_diagram(&source.path) {
        let block = Block { source: source.text.clone(), start: 0, inline: false };
        let (allowed, found) = markdown::allowed(&source.text);
        return Document { blocks: vec![block], allowed, found, ..Document::default() };
    }
    markdown::read(&source.text)
}

fn is_diagram(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "mmd" || ending == "mermaid")
}

fn count(parsed: &Parsed, summary: &mut Summary) {
    *summary.diagrams.entry(parsed.kind()).or_default() += 1;
    if let Diagram::Sequence(sequence) = &parsed.diagram {
        let messages = sequence.messages();
        summary.messages += messages.len();
        summary.self_messages += messages.iter().filter(|m| m.from == m.to).count();
    }
}

/// Everything that is found in one diagram.
fn diagram(parsed: &Parsed) -> Vec<Diagnostic> {
    let mut found = parsed.found.clone();
    if let Diagram::Sequence(sequence) = &parsed.diagram {
        found.extend(participants::check(sequence));
        found.extend(fragments::check(sequence));
        found.extend(replies::check(sequence));
        found.extend(stimuli::check(sequence));
        found.extend(races::check(sequence));
    }
    found
}
