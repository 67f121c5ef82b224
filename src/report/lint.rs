//! Findings in documents: as a compiler shows them, as JSON, and as annotations for GitHub.

use std::fmt::{self, Write as _};

use miette::{
    Diagnostic as Shows, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    Severity as Shade, SourceCode, SourceSpan, SpanContents,
};
use serde::Serialize;

use crate::sequence::{
    Code, Lines, Severity, Span,
    lint::{Finding, Report, Source, Summary},
};

/// A finding in the form that the renderer takes.
#[derive(Debug)]
struct Shown<'a> {
    finding: &'a Finding,
    excerpt: Excerpt<'a>,
}

/// The lines around a finding. A renderer reads the text that it is given from its beginning, for each finding anew.
#[derive(Debug)]
struct Excerpt<'a> {
    file: String,
    text: &'a str,
    /// Where it begins in the document, and in which line, from 0.
    start: usize,
    line: usize,
}

impl<'a> Excerpt<'a> {
    fn of(source: &'a Source, span: Span, lines: &Lines<'_>) -> Self {
        let (start, _) = lines.around(span.start, CONTEXT);
        let (_, end) = lines.around(span.end.max(span.start), CONTEXT);
        let text = source.text.get(start..end).unwrap_or_default();
        let before = lines.place(start).0.saturating_sub(1);
        Self {
            file: source.path.display().to_string(),
            text,
            start,
            line: usize::try_from(before).unwrap_or(usize::MAX),
        }
    }
}

impl SourceCode for Excerpt<'_> {
    fn read_span<'s>(
        &'s self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'s> + 's>, MietteError> {
        let inner =
            self.text.read_span(&(span.offset().saturating_sub(self.start), span.len()).into(), before, after)?;
        let start = inner.span().offset() + self.start;
        Ok(Box::new(MietteSpanContents::new_named(
            self.file.clone(),
            inner.data(),
            (start, inner.span().len()).into(),
            inner.line() + self.line,
            inner.column(),
            inner.line_count(),
        )))
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.finding.diagnostic.what)
    }
}

impl std::error::Error for Shown<'_> {}

impl Shows for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let severity = self.finding.diagnostic.severity().name();
        Some(Box::new(format!("{severity}[{}]", self.finding.diagnostic.code)))
    }

    fn severity(&self) -> Option<Shade> {
        Some(match self.finding.diagnostic.severity() {
            Severity::Error => Shade::Error,
            Severity::Warning => Shade::Warning,
            Severity::Note => Shade::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.finding.diagnostic.fix))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.finding.diagnostic.span;
        let label = LabeledSpan::new(None, span.start, span.end.saturating_sub(span.start));
        Some(Box::new(std::iter::once(label)))
    }
}

/// The findings for people, and a line that counts; `plain` leaves out colour and everything that is not ASCII.
///
/// Errors and warnings show their line, notes only their place: there are many, and nothing is wrong.
#[must_use]
pub fn findings(report: &Report, sources: &[Source], plain: bool) -> String {
    let theme = if plain { GraphicalTheme::none() } else { GraphicalTheme::unicode() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_links(false);
    let mut text = String::new();
    each(report, sources, |finding, source, lines| {
        let diagnostic = &finding.diagnostic;
        // A flattened document is one line; nobody reads it to the end.
        let long = lines.line(diagnostic.span.start).len() > LONGEST;
        let shown = Shown { finding, excerpt: Excerpt::of(source, diagnostic.span, lines) };
        if diagnostic.severity() != Severity::Note && !long && handler.render_report(&mut text, &shown).is_ok() {
            text.push('\n');
            return;
        }
        let (line, column) = lines.place(diagnostic.span.start);
        let head = format!("{}[{}]: {}", diagnostic.severity().name(), diagnostic.code, diagnostic.what);
        let _ = writeln!(text, "{head}\n  at {}:{line}:{column}\n  help: {}\n", source.path.display(), diagnostic.fix);
    });
    text + closing(&report.summary).as_str() + "\n"
}

/// The longest line that is shown, in bytes.
const LONGEST: usize = 400;
/// How many lines are shown before and behind that of a finding.
const CONTEXT: usize = 1;

fn each<'a>(report: &'a Report, sources: &'a [Source], mut show: impl FnMut(&'a Finding, &'a Source, &Lines<'_>)) {
    for of_one in report.findings.chunk_by(|a, b| a.document == b.document) {
        let Some(source) = of_one.first().and_then(|finding| sources.get(finding.document)) else { continue };
        let lines = Lines::new(&source.text);
        for finding in of_one {
            show(finding, source, &lines);
        }
    }
}

/// What was read and found, in one line.
fn closing(summary: &Summary) -> String {
    let kinds: Vec<String> = summary.diagrams.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    format!(
        "{}, {}{kinds}, {} ({} to oneself): {}, {}, {}",
        counted(summary.files, "file"),
        counted(summary.all_diagrams(), "diagram"),
        counted(summary.messages, "message"),
        summary.self_messages,
        counted(summary.count(Severity::Error), "error"),
        counted(summary.count(Severity::Warning), "warning"),
        counted(summary.count(Severity::Note), "note"),
    )
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The findings as GitHub's workflow commands, and the line that counts.
///
/// Source of the format: "Workflow commands for GitHub Actions", setting an error message.
#[must_use]
pub fn annotations(report: &Report, sources: &[Source]) -> String {
    let mut text = String::new();
    each(report, sources, |finding, source, lines| {
        let diagnostic = &finding.diagnostic;
        let command = match diagnostic.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let (line, column) = lines.place(diagnostic.span.start);
        let file = property(&source.path.display().to_string());
        let title = property(&format!("{} {}", diagnostic.code, diagnostic.code.title()));
        let said = message(&format!("{} - {}", diagnostic.what, diagnostic.fix));
        let _ = writeln!(text, "::{command} file={file},line={line},col={column},title={title}::{said}");
    });
    text + closing(&report.summary).as_str() + "\n"
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

/// The findings as SARIF 2.1.0, which code scanning of GitHub, GitLab and Azure DevOps reads.
///
/// # Errors
/// None that can be brought about: every part of it is plain data.
pub fn sarif(report: &Report, sources: &[Source]) -> Result<String, serde_json::Error> {
    let level = |severity: Severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut results = Vec::new();
    each(report, sources, |finding, source, lines| {
        let diagnostic = &finding.diagnostic;
        let (line, column) = lines.place(diagnostic.span.start);
        results.push(serde_json::json!({
            "ruleId": diagnostic.code,
            "level": level(diagnostic.severity()),
            "message": { "text": format!("{} - {}", diagnostic.what, diagnostic.fix) },
            "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": uri(&source.path) },
                "region": { "startLine": line, "startColumn": column },
            } }],
        }));
    });
    let rules: Vec<_> = Code::ALL
        .iter()
        .map(|code| {
            serde_json::json!({
                "id": code,
                "shortDescription": { "text": code.title() },
                "defaultConfiguration": { "level": level(code.severity()) },
            })
        })
        .collect();
    let driver = serde_json::json!({ "name": "interlock", "version": env!("CARGO_PKG_VERSION"), "rules": rules });
    let log = serde_json::json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": driver }, "columnKind": "unicodeCodePoints", "results": results }],
    });
    serde_json::to_string_pretty(&log).map(|text| text + "\n")
}

fn uri(path: &std::path::Path) -> String {
    let mut uri = String::new();
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            other => _ = write!(uri, "%{other:02X}"),
        }
    }
    uri
}

/// A finding as programs read it.
#[derive(Debug, Serialize)]
struct Row<'a> {
    code: Code,
    severity: Severity,
    title: &'a str,
    file: String,
    line: u64,
    column: u64,
    message: &'a str,
    help: &'a str,
}

/// The findings and the numbers as JSON.
///
/// # Errors
/// None that can be brought about: every part of it is plain data.
pub fn findings_json(report: &Report, sources: &[Source]) -> Result<String, serde_json::Error> {
    let mut rows = Vec::new();
    each(report, sources, |finding, source, lines| {
        let diagnostic = &finding.diagnostic;
        let (line, column) = lines.place(diagnostic.span.start);
        rows.push(Row {
            code: diagnostic.code,
            severity: diagnostic.severity(),
            title: diagnostic.code.title(),
            file: source.path.display().to_string(),
            line,
            column,
            message: &diagnostic.what,
            help: &diagnostic.fix,
        });
    });
    serde_json::to_string_pretty(&serde_json::json!({ "findings": rows, "summary": report.summary }))
        .map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::Diagnostic;

    /// What a renderer reads for a finding does not grow with the document.
    #[test]
    fn a_finding_is_shown_from_the_lines_around_it() {
        let text = "[a](gone.md)\n".repeat(20_000);
        let source = Source { path: "a.md".into(), text };
        let lines = Lines::new(&source.text);
        for line in [0, 1, 10_000, 19_999] {
            let excerpt = Excerpt::of(&source, Span::new(13 * line, 13 * line + 12), &lines);
            assert!(excerpt.text.len() <= 3 * 13, "{}", excerpt.text.len());
            assert_eq!(excerpt.line, line.saturating_sub(1));
        }
        let finding = |line: usize| Finding {
            document: 0,
            diagnostic: Diagnostic::new(Code::DeadLink, Span::new(13 * line, 13 * line + 12), "gone", "fix it"),
        };
        let report = Report { findings: vec![finding(19_999)], summary: Summary::default() };
        let said = findings(&report, &[source], true);
        assert!(said.contains("a.md:20000:1") && said.contains("20000 | [a](gone.md)"), "{said}");
    }
}
