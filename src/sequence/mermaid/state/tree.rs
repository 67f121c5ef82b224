//! What a state diagram says: states, and the transitions between them.

use std::collections::BTreeMap;

use crate::sequence::Span;

/// A state diagram.
#[derive(Debug, Clone, Default)]
pub struct StateDiagram {
    /// The states, in the order of their first mention.
    pub states: Vec<State>,
    /// The transitions, from top to bottom.
    pub transitions: Vec<Transition>,
    pub(super) names: BTreeMap<String, usize>,
}

/// What a state is drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// A plain state, or a composite one.
    #[default]
    State,
    /// `<<fork>>`.
    Fork,
    /// `<<join>>`.
    Join,
    /// `<<choice>>`.
    Choice,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The name that transitions use.
    pub id: String,
    /// Its description, where it has one.
    pub description: Option<String>,
    /// What it is drawn as.
    pub form: Form,
    /// Where it stands.
    pub within: Composite,
    /// Its first mention.
    pub first: Span,
}

/// A composite state, and the region in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Composite {
    /// The composite state; none for the diagram itself.
    pub state: Option<usize>,
    /// The region, counted from 0; `--` begins another.
    pub region: usize,
}

/// One end of a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// `[*]`: where things begin, as a source, or where they end, as a target.
    Edge,
    /// A state, as an index.
    State(usize),
}

/// A transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Where from.
    pub from: Stop,
    /// Where to.
    pub to: Stop,
    /// What brings it about; empty where nothing is said.
    pub label: String,
    /// Where it stands.
    pub within: Composite,
    /// The whole statement.
    pub span: Span,
}

impl StateDiagram {
    /// The name of one end of a transition.
    #[must_use]
    pub fn name(&self, stop: Stop) -> &str {
        match stop {
            Stop::Edge => "[*]",
            Stop::State(index) => self.states.get(index).map_or("", |state| &state.id),
        }
    }
}
