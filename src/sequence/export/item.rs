//! What is drawn: messages, and what stands around them.

/// Who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Who<'a> {
    /// Somebody outside, by a number for each branch that one begins.
    Client(usize),
    /// A service that made spans.
    Service(&'a str),
    /// Something that only others' spans name.
    Peer(&'a str),
}

/// An arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Arrow {
    Call,
    Reply,
    /// A call that never arrived, or was never answered.
    Lost,
    Async,
}

impl Arrow {
    pub const fn drawn(self) -> &'static str {
        match self {
            Self::Call => "->>",
            Self::Reply => "-->>",
            Self::Lost => "-x",
            Self::Async => "-)",
        }
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Message<'a> {
    pub from: Who<'a>,
    pub arrow: Arrow,
    pub to: Who<'a>,
    /// The text as it was found, not yet escaped.
    pub text: String,
}

/// A step of a drawing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Item<'a> {
    Message(Message<'a>),
    Par(Vec<Vec<Self>>),
    /// So many times the same.
    Loop(usize, Vec<Self>),
}

/// Visits every message, from top to bottom.
pub(super) fn messages<'a, 'b>(items: &'b mut [Item<'a>], visit: &mut impl FnMut(&'b mut Message<'a>)) {
    for item in items {
        match item {
            Item::Message(message) => visit(message),
            Item::Par(branches) => branches.iter_mut().for_each(|branch| messages(branch, visit)),
            Item::Loop(_, body) => messages(body, visit),
        }
    }
}
