//! What a sequence diagram says: its participants, and the tree of their interactions.

use std::collections::BTreeMap;

use super::token::Arrow;
use crate::sequence::Span;

/// The index of a participant in [`Sequence::participants`].
pub type Who = usize;

/// A sequence diagram.
#[derive(Debug, Clone, Default)]
pub struct Sequence {
    /// The participants, in the order of their first mention.
    pub participants: Vec<Participant>,
    /// The boxes around participants.
    pub boxes: Vec<Grouping>,
    /// What happens, from top to bottom.
    pub items: Vec<Item>,
    /// The title, where it has one.
    pub title: Option<Text>,
    pub(super) names: BTreeMap<String, Who>,
}

/// A text in a diagram, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// The text without the blanks around it; line breaks and entities as they were written.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// What a participant is drawn as.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Role {
    /// `participant`.
    #[default]
    Participant,
    /// `actor`: a person.
    Actor,
    /// A `type` of `@{...}`, such as `database` or `queue`.
    Typed(String),
}

/// A participant: a lifeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// The name that messages use.
    pub id: String,
    /// What is drawn; the name where nothing else is given.
    pub label: String,
    /// What it is drawn as.
    pub role: Role,
    /// Its declaration, where it has one.
    pub declared: Option<Span>,
    /// Its first mention.
    pub first: Span,
    /// The box that it stands in, as an index.
    pub grouping: Option<usize>,
}

/// A box around participants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    /// Colour and title, as written.
    pub label: Text,
    /// From `box` to its `end`.
    pub span: Span,
}

/// A step of an interaction. A `Vec<Item>` is their sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A message.
    Message(Message),
    /// Steps with an operator over them.
    Fragment(Fragment),
    /// A note.
    Note(Note),
    /// A participant begins to be active, by a statement of its own.
    Activate(Who, Span),
    /// A participant ceases to be active, by a statement of its own.
    Deactivate(Who, Span),
    /// A participant is created by the next message.
    Create(Who, Span),
    /// A participant is destroyed by the next message.
    Destroy(Who, Span),
    /// Numbers are drawn from here on, or no longer.
    Autonumber(Span),
}

/// A message from one participant to another, or to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The sender.
    pub from: Who,
    /// The receiver.
    pub to: Who,
    /// The arrow.
    pub arrow: Arrow,
    /// The text.
    pub text: Text,
    /// `+` behind the arrow: the receiver becomes active.
    pub activates: bool,
    /// `-` behind the arrow: the sender ceases to be active.
    pub deactivates: bool,
    /// The whole statement.
    pub span: Span,
}

/// The operator of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Any number of times.
    Loop,
    /// Once or not at all.
    Opt,
    /// One of the operands; none where it has but one.
    Alt,
    /// All operands, interleaved.
    Par,
    /// `par_over`: as `par`, drawn otherwise.
    ParOver,
    /// The body; the options are what happens where it fails.
    Critical,
    /// The enclosing fragment is left.
    Break,
    /// A coloured background; means nothing.
    Rect,
}

impl Operator {
    /// The keyword.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Loop => "loop",
            Self::Opt => "opt",
            Self::Alt => "alt",
            Self::Par => "par",
            Self::ParOver => "par_over",
            Self::Critical => "critical",
            Self::Break => "break",
            Self::Rect => "rect",
        }
    }

    /// The keyword that begins another operand.
    #[must_use]
    pub const fn divider(self) -> Option<&'static str> {
        match self {
            Self::Alt => Some("else"),
            Self::Par | Self::ParOver => Some("and"),
            Self::Critical => Some("option"),
            Self::Loop | Self::Opt | Self::Break | Self::Rect => None,
        }
    }
}

/// Steps with an operator over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The operator.
    pub operator: Operator,
    /// Its operands, at least one.
    pub operands: Vec<Operand>,
    /// From the keyword to its `end`.
    pub span: Span,
}

/// One operand of a fragment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Operand {
    /// The guard or label, which may be empty.
    pub label: Text,
    /// The steps.
    pub items: Vec<Item>,
    /// The keyword that begins it.
    pub keyword: Span,
}

/// Where a note stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// `left of`.
    Left,
    /// `right of`.
    Right,
    /// `over` one participant or several.
    Over,
}

/// A note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where it stands.
    pub placement: Placement,
    /// The participants that it stands at.
    pub at: Vec<Who>,
    /// The text.
    pub text: Text,
    /// The whole statement.
    pub span: Span,
}

impl Sequence {
    /// The participant of that name.
    #[must_use]
    pub fn who(&self, id: &str) -> Option<Who> {
        self.names.get(id).copied()
    }

    /// The name of a participant.
    #[must_use]
    pub fn id(&self, who: Who) -> &str {
        self.participants.get(who).map_or("", |p| &p.id)
    }

    /// All messages, from top to bottom, whatever fragment they are in.
    #[must_use]
    pub fn messages(&self) -> Vec<&Message> {
        let mut found = Vec::new();
        each(&self.items, &mut |item| {
            if let Item::Message(message) = item {
                found.push(message);
            }
        });
        found
    }
}

/// Visits every step, from top to bottom; a fragment before what is in it.
pub fn each<'a>(items: &'a [Item], visit: &mut impl FnMut(&'a Item)) {
    for item in items {
        visit(item);
        if let Item::Fragment(fragment) = item {
            for operand in &fragment.operands {
                each(&operand.items, visit);
            }
        }
    }
}
