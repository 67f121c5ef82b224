//! Spans for drawings, and the reader that drawings have to content.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use interlock::{
    model::trace::{Attributes, Kind, Link, Resource, Span, SpanId, Status, TraceId, Value},
    sequence::{
        Code,
        export::export,
        lint::{Entry, Library, Source, lint},
        mermaid::{Diagram, Mode, parse, sequence::Sequence},
    },
};

/// Spans under construction; times are in milliseconds.
#[derive(Default)]
pub struct Trace {
    pub spans: Vec<Span>,
}

impl Trace {
    pub fn add(
        &mut self,
        service: &str,
        kind: Kind,
        name: &str,
        parent: Option<usize>,
        (start, end): (u64, u64),
    ) -> usize {
        let number = self.spans.len() as u64 + 1;
        let trace = parent.map_or(TraceId(u128::from(number).to_be_bytes()), |parent| self.spans[parent].trace);
        self.spans.push(Span {
            trace,
            id: SpanId(number.to_be_bytes()),
            parent: parent.map(|parent| self.spans[parent].id),
            name: name.to_owned(),
            kind,
            start: start * 1_000_000,
            end: end * 1_000_000,
            status: Status::Unset,
            attributes: Attributes::default(),
            events: Vec::new(),
            links: Vec::new(),
            resource: Arc::new(Resource { service: service.to_owned(), attributes: Attributes::default() }),
        });
        self.spans.len() - 1
    }

    pub fn with(&mut self, at: usize, name: &str, value: Value) -> usize {
        self.spans[at].attributes.0.push((name.to_owned(), value));
        at
    }

    pub fn status(&mut self, at: usize, status: i64) -> usize {
        self.with(at, "http.response.status_code", Value::Int(status))
    }

    pub fn peer(&mut self, at: usize, attribute: &str, name: &str) -> usize {
        self.with(at, attribute, Value::Text(name.to_owned()))
    }

    /// A call between services: the span that makes it, and the span that serves it.
    pub fn call(&mut self, from: (&str, usize), to: &str, name: &str, (start, end): (u64, u64)) -> usize {
        let made = self.add(from.0, Kind::Client, name, Some(from.1), (start, end));
        self.add(to, Kind::Server, name, Some(made), (start, end))
    }

    pub fn link(&mut self, from: usize, to: usize) {
        let (trace, span) = (self.spans[to].trace, self.spans[to].id);
        self.spans[from].links.push(Link { trace, span, attributes: Attributes::default() });
    }
}

struct Nothing;

impl Library for Nothing {
    fn entry(&self, _: &Path) -> Entry {
        Entry::Missing
    }

    fn any(&self, _: &Path, _: &str) -> bool {
        false
    }

    fn text(&self, _: &Path) -> Option<String> {
        None
    }

    fn folders(&self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// The diagram, which both modes and every rule have to be content with.
pub fn read_back(text: &str) -> Sequence {
    for mode in [Mode::Strict, Mode::Lenient] {
        let parsed = parse(text, mode);
        assert!(parsed.found.is_empty(), "{mode:?}: {:?}\n{text}", parsed.found);
        let source = Source { path: PathBuf::from("traces.mmd"), text: text.to_owned() };
        let report = lint(&[source], &Nothing, mode);
        assert!(report.findings.is_empty(), "{:?}\n{text}", report.findings);
    }
    let Diagram::Sequence(sequence) = parse(text, Mode::Strict).diagram else { panic!("{text}") };
    sequence
}

/// The diagram, of which nothing worse is said than what no lifeline enforces.
pub fn lint_clean(text: &str) -> Sequence {
    let source = Source { path: PathBuf::from("traces.mmd"), text: text.to_owned() };
    let report = lint(&[source], &Nothing, Mode::Strict);
    let worse: Vec<_> = report.findings.iter().filter(|finding| finding.diagnostic.code != Code::Race).collect();
    assert!(worse.is_empty(), "{worse:?}\n{text}");
    sequence(text)
}

pub fn sequence(text: &str) -> Sequence {
    let Diagram::Sequence(sequence) = parse(text, Mode::Strict).diagram else { panic!("{text}") };
    sequence
}

pub fn drawn(trace: &Trace) -> String {
    let text = export(&trace.spans).unwrap();
    read_back(&text);
    text
}
