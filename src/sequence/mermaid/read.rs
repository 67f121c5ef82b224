//! Reads one diagram: takes away what no parser sees, tells its kind, and hands it to that kind's parser.

use super::{
    clean::clean,
    flow::{self, Flowchart},
    kind::{Kind, detect, meant, taken_for_c4},
    sequence::{self, Sequence},
    state::{self, StateDiagram},
    yaml,
};
use crate::sequence::{Code, Diagnostic, Severity, Span};

/// How a diagram is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// As it was meant: faults are repaired, and each repair is said.
    #[default]
    Lenient,
    /// As mermaid 11 reads it: what mermaid rejects is rejected, and nothing else.
    Strict,
}

/// A diagram by its kind.
#[derive(Debug, Clone)]
pub enum Diagram {
    /// `sequenceDiagram`.
    Sequence(Sequence),
    /// `stateDiagram-v2`.
    State(StateDiagram),
    /// `flowchart` and `graph`.
    Flowchart(Flowchart),
    /// A kind that is not read.
    Other,
}

/// A diagram that was read.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// What it says.
    pub diagram: Diagram,
    /// What is wrong with it, in the order of the text. Spans count from the beginning of the source.
    pub found: Vec<Diagnostic>,
    /// How many tokens were read: the work that was done.
    pub steps: usize,
}

impl Parsed {
    /// The kind of the diagram.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.diagram {
            Diagram::Sequence(_) => Kind::Sequence,
            Diagram::State(_) => Kind::State,
            Diagram::Flowchart(_) => Kind::Flowchart,
            Diagram::Other => Kind::Other,
        }
    }

    /// Whether there are no errors. In strict mode: whether mermaid draws it.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.found.iter().all(|finding| finding.severity() != Severity::Error)
    }
}

/// Reads a diagram, such as the inside of a code fence. Linear in the length of the source, and never fails: what cannot
/// be read is said, and the rest is read.
///
/// ```
/// use interlock::sequence::mermaid::{Diagram, Mode, parse};
///
/// let parsed = parse("sequenceDiagram\n  Till->>Bank: charge\n  Bank-->>Till: done", Mode::Strict);
/// let Diagram::Sequence(sequence) = parsed.diagram else { panic!() };
/// assert_eq!(sequence.messages().len(), 2);
/// ```
#[must_use]
pub fn parse(source: &str, mode: Mode) -> Parsed {
    let clean = clean(source);
    let mut found = Vec::new();
    if let Some(span) = clean.front_matter
        && let Err(why) = yaml::map(span.of(source))
    {
        let fix = "fix the YAML between the `---` lines, or remove it";
        found.push(Diagnostic::new(Code::Yaml, span, format!("the front matter is no YAML: {why}"), fix));
    }
    let (kind, header) = detect(&clean.text);
    if let Some((at, word)) = taken_for_c4(&clean.text).filter(|_| kind.is_some_and(|kind| kind != Kind::Other)) {
        let what = format!("mermaid takes every diagram with `{word}` in it for a C4 diagram");
        found.push(Diagnostic::new(Code::TakenForC4, Span::new(at, at + word.len()), what, "write the word otherwise"));
    }
    let kind = kind.or_else(|| unknown(&clean.text, header, mode, &mut found));
    let (diagram, said, steps) = match kind {
        Some(Kind::Sequence) => {
            let text = unflattened(&clean.text, header, mode, sequence::line_breaks, &mut found);
            let read = sequence::parse(text.as_deref().unwrap_or(&clean.text), header, mode);
            (Diagram::Sequence(read.tree), read.found, read.steps)
        }
        Some(Kind::State) => {
            let text = unflattened(&clean.text, header, mode, state::line_breaks, &mut found);
            let read = state::parse(text.as_deref().unwrap_or(&clean.text), header, mode);
            (Diagram::State(read.tree), read.found, read.steps)
        }
        Some(Kind::Flowchart) => {
            let read = flow::parse(&clean.text, header, mode);
            (Diagram::Flowchart(read.tree), read.found, read.steps)
        }
        Some(Kind::Other) | None => (Diagram::Other, Vec::new(), 1),
    };
    found.extend(said);
    found.sort_by_key(|finding| finding.span.start);
    // What stands behind the source is the line feed that cleaning adds.
    for finding in &mut found {
        finding.span = Span::new(finding.span.start.min(source.len()), finding.span.end.min(source.len()));
    }
    Parsed { diagram, found, steps }
}

/// What is said of a diagram whose first word names no kind.
fn unknown(text: &str, header: usize, mode: Mode, found: &mut Vec<Diagnostic>) -> Option<Kind> {
    let word = text[header..].split_whitespace().next().unwrap_or_default();
    let span = Span::new(header, header + word.len());
    let meant = meant(text, header);
    let (what, fix) = match (word, meant) {
        ("", _) => ("the diagram is empty".to_owned(), "begin it with `sequenceDiagram`".to_owned()),
        (_, Some((_, known))) => {
            (format!("`{word}` names no kind of diagram: case counts"), format!("write `{known}`"))
        }
        (_, None) => (
            format!("`{word}` names no kind of diagram"),
            "begin it with `sequenceDiagram`, `stateDiagram-v2` or `flowchart`".to_owned(),
        ),
    };
    found.push(Diagnostic::new(Code::UnknownKind, span, what, fix));
    meant.map(|(kind, _)| kind).filter(|_| mode == Mode::Lenient)
}

type Breaks = fn(&str, usize) -> Option<(String, usize)>;

/// In lenient mode, the text of a flattened diagram with its line breaks back.
fn unflattened(text: &str, header: usize, mode: Mode, breaks: Breaks, found: &mut Vec<Diagnostic>) -> Option<String> {
    if mode == Mode::Strict {
        return None;
    }
    let (text, statements) = breaks(text, header)?;
    let end = text[header..].find(char::is_whitespace).map_or(text.len(), |n| header + n);
    let what = format!("the diagram stands on one line; {statements} statements were told apart by their first words");
    found.push(Diagnostic::new(
        Code::Flattened,
        Span::new(header, end),
        what,
        "write each statement on a line of its own",
    ));
    Some(text)
}
