//! What is to be verified: a scenario, or a diagram that is bound by names alone.

use std::path::Path;

use super::shelf;
use crate::{
    document::{self, DiagramAt, Scenario},
    error::{Error, Fault, Place},
    report::Drawn,
    sequence::{
        Diagnostic, Lines, Severity, Span,
        conform::{Binding, Problem},
        lint::Source,
        markdown::{self, Block},
        mermaid::{Diagram, Mode, parse, sequence::Sequence},
    },
};

/// A diagram, and what its messages and participants are.
pub(super) struct Target {
    /// The name of the scenario, or of the diagram's place.
    pub name: String,
    /// The diagram.
    pub diagram: Sequence,
    /// Who is who.
    pub binding: Binding,
    document: Source,
    block: Block,
}

impl Target {
    /// Reads what was named: a scenario (`*.yaml`), or a document, behind `#` the anchor above its diagram.
    pub fn read(named: &str) -> Result<Self, Error> {
        let path = Path::new(named);
        if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            return Self::scenario(path);
        }
        let (file, anchor) = named.split_once('#').map_or((named, None), |(file, anchor)| (file, Some(anchor)));
        let (document, block) = find(Path::new(file), anchor)?;
        Self::with(named.to_owned(), document, block, |_| Ok(Binding::default()))
    }

    fn scenario(path: &Path) -> Result<Self, Error> {
        let source = shelf::source(path.to_owned())?;
        let file = path.display().to_string();
        let document = document::only(&file, &source.text)?;
        let scenario: Scenario = document.parse()?;
        let DiagramAt { file: named, anchor } = &scenario.diagram;
        let (text, block) = find(&path.with_file_name("").join(named), anchor.as_deref())?;
        Self::with(scenario.metadata.name.clone(), text, block, |diagram| Ok(scenario.bind(&document, diagram)?))
    }

    fn with(
        name: String,
        document: Source,
        block: Block,
        bind: impl FnOnce(&Sequence) -> Result<Binding, Error>,
    ) -> Result<Self, Error> {
        let parsed = parse(&block.source, Mode::Lenient);
        let bad = parsed.found.iter().find(|found| found.severity() == Severity::Error);
        if let Some(Diagnostic { span, what, fix, .. }) = bad {
            let fix = format!("{fix}; `interlock sequence lint` shows all that is wrong");
            return Err(fault(&document, span.moved(block.start), what, &fix));
        }
        let Diagram::Sequence(diagram) = parsed.diagram else {
            let what = format!("this is a {} diagram, and traces are held against sequence diagrams", parsed.kind());
            let span = Span::new(block.start, block.start + 1);
            return Err(fault(&document, span, &what, "name another anchor"));
        };
        let binding = bind(&diagram)?;
        Ok(Self { name, diagram, binding, document, block })
    }

    /// The diagram and its place, for reports.
    pub fn drawn(&self) -> Drawn<'_> {
        Drawn {
            name: &self.name,
            file: self.document.path.display().to_string(),
            text: &self.document.text,
            source: &self.block.source,
            start: self.block.start,
            diagram: &self.diagram,
        }
    }

    /// Why the diagram cannot be bound, as an error of input: the first of several, which are counted.
    pub fn unbound(&self, problems: &[Problem]) -> Error {
        let Some(first) = problems.first() else {
            return Error::usage("the diagram cannot be bound", "bind its participants in a scenario");
        };
        let more = match problems.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let what = format!("{}{more}", first.what);
        fault(&self.document, first.place.moved(self.block.start), &what, &first.fix)
    }
}

fn fault(document: &Source, span: Span, what: &str, mend: &str) -> Error {
    let (line, column) = Lines::new(&document.text).place(span.start);
    let place = Place { file: document.path.display().to_string(), line, column };
    Fault { place, what: what.to_owned(), mend: mend.to_owned(), text: document.text.clone() }.into()
}

/// The one diagram that is meant.
fn find(path: &Path, anchor: Option<&str>) -> Result<(Source, Block), Error> {
    let document = shelf::source(path.to_owned())?;
    if path.extension().is_some_and(|ending| ending == "mmd" || ending == "mermaid") {
        let block = Block { source: document.text.clone(), start: 0, inline: false };
        return Ok((document, block));
    }
    let read = markdown::read(&document.text);
    let is_sequence = |block: &&Block| matches!(parse(&block.source, Mode::Lenient).diagram, Diagram::Sequence(_));
    let Some(anchor) = anchor else {
        let mut all = read.blocks.iter().filter(is_sequence);
        return match (all.next().cloned(), all.count()) {
            (Some(block), 0) => Ok((document, block)),
            (None, _) => Err(none(&document.path, "it holds no sequence diagram")),
            (Some(_), more) => {
                let what = format!("`{}` holds {} sequence diagrams", document.path.display(), more + 1);
                Err(Error::usage(what, "name the anchor above the one that is meant, as in `flows.md#checkout`"))
            }
        };
    };
    let Some(at) = read.anchors.iter().find(|known| known.name == anchor) else {
        let near = document::nearest(anchor, read.anchors.iter().map(|known| known.name.as_str()));
        let mend =
            near.map_or_else(|| "anchors are ids and headings".to_owned(), |near| format!("did you mean `{near}`?"));
        return Err(Error::usage(format!("`{}` has no anchor `{anchor}`", document.path.display()), mend));
    };
    match read.blocks.iter().find(|block| block.start >= at.span.start).cloned() {
        Some(block) => Ok((document, block)),
        None => Err(none(&document.path, &format!("no diagram follows the anchor `{anchor}`"))),
    }
}

fn none(path: &Path, what: &str) -> Error {
    Error::usage(
        format!("`{}`: {what}", path.display()),
        "name a document with a Mermaid fence, and an anchor above it",
    )
}
