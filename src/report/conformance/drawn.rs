//! A diagram with its place in a document, as reports cite it.

use crate::sequence::{
    Lines, Span,
    conform::{Instance, StepState},
    mermaid::sequence::{Message, Sequence, Stroke},
};

/// A diagram, and where it stands.
#[derive(Debug, Clone)]
pub struct Drawn<'a, D = Sequence> {
    /// The scenario's name, or the diagram's place.
    pub name: &'a str,
    pub file: String,
    /// The document's text.
    pub text: &'a str,
    /// The diagram's own text.
    pub source: &'a str,
    /// Where in the document it begins, in bytes.
    pub start: usize,
    pub diagram: &'a D,
}

impl<D> Drawn<'_, D> {
    /// Line and column in the document of a place in the diagram.
    pub(super) fn place(&self, span: Span) -> (u64, u64) {
        Lines::new(self.text).place(self.start + span.start)
    }

    /// The document, line and column of a place in the diagram, as editors take them.
    pub(super) fn cite(&self, span: Span) -> String {
        let (line, column) = self.place(span);
        format!("{}:{line}:{column}", self.file)
    }
}

impl Drawn<'_> {
    /// A message in one line, such as `Till->>Bank: charge`.
    pub(super) fn say(&self, message: &Message) -> String {
        let arrow = if message.arrow.stroke == Stroke::Dotted { "-->>" } else { "->>" };
        let (from, to) = (self.diagram.id(message.from), self.diagram.id(message.to));
        format!("{from}{arrow}{to}: {}", message.text.text)
    }
}

/// Instances that went alike, with how many there are of each; the order of the first of each is kept.
pub(super) fn alike(instances: &[Instance]) -> Vec<(&Instance, usize)> {
    let mut groups: Vec<(&Instance, usize)> = Vec::new();
    for instance in instances {
        match groups.iter_mut().find(|(known, _)| is_alike(known, instance)) {
            Some((_, count)) => *count += 1,
            None => groups.push((instance, 1)),
        }
    }
    groups
}

fn is_alike(a: &Instance, b: &Instance) -> bool {
    let step = |state: &StepState| match state {
        StepState::Seen(spans) => (0, spans.len()),
        StepState::Missing => (1, 0),
        StepState::Wrong(spans) => (2, spans.len()),
        StepState::Unobservable(_) => (3, 0),
        StepState::NotTaken => (4, 0),
        StepState::Advisory => (5, 0),
    };
    let same = |a: &Instance, b: &Instance| {
        a.deviations
            .iter()
            .map(|one| (one.kind, one.message, one.place))
            .eq(b.deviations.iter().map(|one| (one.kind, one.message, one.place)))
    };
    a.verdict == b.verdict && a.cost == b.cost && a.steps.iter().map(step).eq(b.steps.iter().map(step)) && same(a, b)
}
