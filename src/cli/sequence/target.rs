//! What is to be verified: a scenario, or a diagram that is bound by names alone.

use std::path::Path;

use super::sources;
use crate::{
    document::{self, DiagramAt, Scenario},
    error::{Error, Fault, Place},
    report::Drawn,
    sequence::{
        Diagnostic, Lines, Severity, Span,
        conform::{Binding, Problem, StateSource},
        lint::Source,
        markdown::{self, Block},
        mermaid::{Diagram, Kind, Mode, parse, sequence::Sequence, state::StateDiagram},
    },
};

/// A diagram, and what traces are to be held against in it.
pub(super) struct Target {
    /// The name of the scenario, or of the diagram's place.
    pub name: String,
    pub what: What,
    document: Source,
    block: Block,
}

/// What traces are held against.
pub(super) enum What {
    Messages(Sequence, Binding),
    States(StateDiagram, StateSource),
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
        match diagram(&document, &block)? {
            Diagram::Sequence(diagram) => {
                let what = What::Messages(diagram, Binding::default());
                Ok(Self { name: named.to_owned(), what, document, block })
            }
            other => {
                Err(unfit(&document, &block, &other, "a scenario with `states` says which attributes tell of states"))
            }
        }
    }

    fn scenario(path: &Path) -> Result<Self, Error> {
        let source = sources::source(path.to_owned())?;
        let file = path.display().to_string();
        let yaml = document::only(&file, &source.text)?;
        let scenario: Scenario = yaml.parse()?;
        let DiagramAt { file: named, anchor } = &scenario.diagram;
        let (document, block) = find(&path.with_file_name("").join(named), anchor.as_deref())?;
        let what = match (diagram(&document, &block)?, scenario.states(&yaml)?) {
            (Diagram::Sequence(diagram), None) => {
                let binding = scenario.bind(&yaml, &diagram)?;
                What::Messages(diagram, binding)
            }
            (Diagram::State(diagram), Some(source)) => What::States(diagram, source),
            (other, Some(_)) => return Err(unfit(&document, &block, &other, "`states` speaks of a state diagram")),
            (other, None) => {
                return Err(unfit(
                    &document,
                    &block,
                    &other,
                    "name another anchor, or say under `states` what tells of states",
                ));
            }
        };
        Ok(Self { name: scenario.metadata.name, what, document, block })
    }

    /// The messages of a sequence diagram and what binds them.
    pub fn messages(&self) -> Result<(&Sequence, &Binding), Error> {
        match &self.what {
            What::Messages(diagram, binding) => Ok((diagram, binding)),
            What::States(..) => Err(Error::usage(
                "this is for sequence diagrams, and the scenario is of states",
                "name another scenario",
            )),
        }
    }

    /// A diagram and its place, for reports.
    pub fn drawn<'a, D>(&'a self, diagram: &'a D) -> Drawn<'a, D> {
        Drawn {
            name: &self.name,
            file: self.document.path.display().to_string(),
            text: &self.document.text,
            source: &self.block.source,
            start: self.block.start,
            diagram,
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

/// The diagram of a block; an error where it is not in order.
fn diagram(document: &Source, block: &Block) -> Result<Diagram, Error> {
    let parsed = parse(&block.source, Mode::Lenient);
    match parsed.found.iter().find(|found| found.severity() == Severity::Error) {
        None => Ok(parsed.diagram),
        Some(Diagnostic { span, what, fix, .. }) => {
            let fix = format!("{fix}; `interlock sequence lint` shows all that is wrong");
            Err(fault(document, span.moved(block.start), what, &fix))
        }
    }
}

fn unfit(document: &Source, block: &Block, diagram: &Diagram, hint: &str) -> Error {
    let kind = match diagram {
        Diagram::Sequence(_) => "a sequence diagram",
        Diagram::State(_) => "a state diagram",
        Diagram::Flowchart(_) => "a flowchart",
        Diagram::Other => "another kind of diagram",
    };
    fault(
        document,
        Span::new(block.start, block.start + 1),
        &format!("this is {kind}: traces cannot be held against it so"),
        hint,
    )
}

fn fault(document: &Source, span: Span, what: &str, hint: &str) -> Error {
    let (line, column) = Lines::new(&document.text).place(span.start);
    let place = Place { file: document.path.display().to_string(), line, column };
    Fault { place, what: what.to_owned(), hint: hint.to_owned(), text: document.text.clone() }.into()
}

/// The one diagram that is meant.
fn find(path: &Path, anchor: Option<&str>) -> Result<(Source, Block), Error> {
    let document = sources::source(path.to_owned())?;
    if path.extension().is_some_and(|ending| ending == "mmd" || ending == "mermaid") {
        let block = Block { source: document.text.clone(), start: 0, inline: false };
        return Ok((document, block));
    }
    let read = markdown::read(&document.text);
    let is_sequence = |block: &&Block| parse(&block.source, Mode::Lenient).kind() == Kind::Sequence;
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
        let hint =
            near.map_or_else(|| "anchors are ids and headings".to_owned(), |near| format!("did you mean `{near}`?"));
        return Err(Error::usage(format!("`{}` has no anchor `{anchor}`", document.path.display()), hint));
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
