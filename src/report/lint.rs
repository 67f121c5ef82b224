//! Findings in documents: as a compiler shows them, as JSON, and as annotations for GitHub.

use std::fmt::{self, Write as _};

use miette::{
    Diagnostic as Shows, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity as Shade,
    SourceCode,
};
use serde::Serialize;

use crate::sequence::{
    Code, Lines, Severity,
    lint::{Finding, Report, Source, Summary},
};

/// A finding in the form that the renderer takes.
#[derive(Debug)]
struct Shown<'a> {
    finding: &'a Finding,
    source: &'a NamedSource<String>,
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
        Some(self.source)
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
    each(report, sources, |finding, source, named, lines| {
        let diagnostic = &finding.diagnostic;
        // A flattened document is one line; nobody reads it to the end.
        let long = line_length(&source.text, diagnostic.span.start) > LONGEST;
        let shown = Shown { finding, source: named };
        if diagnostic.severity() != Severity::Note && !long && handler.render_report(&mut text, &shown).is_ok() {
            text.push('\n');
            return;
        }
        let (line, column) = lines.place(diagnostic.span.start);
        let head = format!("{}[{}]: {}", diagnostic.severity().name(), diagnostic.code, diagnostic.what);
        let _ = writeln!(text, "{head}\n  at {}:{line}:{column}\n  help: {}\n", source.path.display(), diagnostic.fix);
    });
    text + &closing(&report.summary) + "\n"
}

/// The longest line that is shown, in bytes.
const LONGEST: usize = 400;

fn line_length(text: &str, at: usize) -> usize {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |feed| feed + 1);
    text.get(start..).map_or(0, |rest| rest.find('\n').unwrap_or(rest.len()))
}

fn each<'a>(
    report: &'a Report,
    sources: &'a [Source],
    mut show: impl FnMut(&'a Finding, &'a Source, &NamedSource<String>, &Lines<'_>),
) {
    for of_one in report.findings.chunk_by(|a, b| a.document == b.document) {
        let Some(source) = of_one.first().and_then(|finding| sources.get(finding.document)) else { continue };
        let lines = Lines::new(&source.text);
        let named = NamedSource::new(source.path.display().to_string(), source.text.clone());
        for finding in of_one {
            show(finding, source, &named, &lines);
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
    each(report, sources, |finding, source, _, lines| {
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
    text + &closing(&report.summary) + "\n"
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
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
    each(report, sources, |finding, source, _, lines| {
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
