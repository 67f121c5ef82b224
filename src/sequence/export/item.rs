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
    /// What runs beside all that stands behind it.
    Beside(Vec<Self>),
}

/// How many branches are put beside what follows them, one within the other; what is more stands in line.
const BESIDE: usize = 16;

/// Makes a `par` of what runs beside something and of what that is.
pub(super) fn settled(items: Vec<Item<'_>>) -> Vec<Item<'_>> {
    let mut behind: Vec<Item<'_>> = Vec::new();
    let mut nested = 0;
    // From the end, and in reverse.
    for item in items.into_iter().rev() {
        match item {
            Item::Message(_) => behind.push(item),
            Item::Par(branches) => behind.push(Item::Par(branches.into_iter().map(settled).collect())),
            Item::Loop(times, body) => behind.push(Item::Loop(times, settled(body))),
            Item::Beside(inner) => {
                let mut inner = settled(inner);
                if behind.is_empty() || nested >= BESIDE {
                    inner.reverse();
                    behind.extend(inner);
                } else {
                    nested += 1;
                    behind.reverse();
                    behind = vec![Item::Par(vec![inner, behind])];
                }
            }
        }
    }
    behind.reverse();
    behind
}

/// Visits every message, from top to bottom.
pub(super) fn messages<'a, 'b>(items: &'b mut [Item<'a>], visit: &mut impl FnMut(&'b mut Message<'a>)) {
    for item in items {
        match item {
            Item::Message(message) => visit(message),
            Item::Par(branches) => branches.iter_mut().for_each(|branch| messages(branch, visit)),
            Item::Loop(_, body) | Item::Beside(body) => messages(body, visit),
        }
    }
}
