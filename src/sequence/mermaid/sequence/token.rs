//! The tokens of a sequence diagram, and its arrows.

use serde::Serialize;

/// How the line of an arrow is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stroke {
    /// `->`: by convention a call.
    Solid,
    /// `-->`: by convention a reply.
    Dotted,
}

/// What an arrow ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Head {
    /// `->`: nothing.
    None,
    /// `->>`: a filled head.
    Filled,
    /// `-x`: a cross; the message is lost.
    Cross,
    /// `-)`: an open head; nobody waits for an answer.
    Open,
    /// `<<->>`: filled heads at both ends.
    Both,
    /// `-|\`, `-|/`, `-\\` and `-//`: half a head.
    Half,
    /// `/|-`, `\|-`, `//-` and `\\-`: half a head at the sender's end.
    HalfBack,
}

/// An arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Arrow {
    /// How its line is drawn.
    pub stroke: Stroke,
    /// What it ends in.
    pub head: Head,
}

/// Every arrow; of two that begin alike the longer one stands first.
pub(super) const ARROWS: &[(&str, Stroke, Head)] = &[
    ("->>", Stroke::Solid, Head::Filled),
    ("<<->>", Stroke::Solid, Head::Both),
    ("-->>", Stroke::Dotted, Head::Filled),
    ("<<-->>", Stroke::Dotted, Head::Both),
    ("->", Stroke::Solid, Head::None),
    ("-->", Stroke::Dotted, Head::None),
    ("-x", Stroke::Solid, Head::Cross),
    ("-X", Stroke::Solid, Head::Cross),
    ("--x", Stroke::Dotted, Head::Cross),
    ("--X", Stroke::Dotted, Head::Cross),
    ("-)", Stroke::Solid, Head::Open),
    ("--)", Stroke::Dotted, Head::Open),
    ("--|\\", Stroke::Dotted, Head::Half),
    ("--|/", Stroke::Dotted, Head::Half),
    ("--\\\\", Stroke::Dotted, Head::Half),
    ("--//", Stroke::Dotted, Head::Half),
    ("/|--", Stroke::Dotted, Head::HalfBack),
    ("\\|--", Stroke::Dotted, Head::HalfBack),
    ("//--", Stroke::Dotted, Head::HalfBack),
    ("\\\\--", Stroke::Dotted, Head::HalfBack),
    ("-|\\", Stroke::Solid, Head::Half),
    ("-|/", Stroke::Solid, Head::Half),
    ("-\\\\", Stroke::Solid, Head::Half),
    ("-//", Stroke::Solid, Head::Half),
    ("/|-", Stroke::Solid, Head::HalfBack),
    ("\\|-", Stroke::Solid, Head::HalfBack),
    ("//-", Stroke::Solid, Head::HalfBack),
    ("\\\\-", Stroke::Solid, Head::HalfBack),
];

/// The arrow that a text begins with, and its length in bytes.
pub(super) fn arrow(text: &[u8]) -> Option<(Arrow, usize)> {
    if !matches!(text.first(), Some(b'-' | b'<' | b'/' | b'\\')) {
        return None;
    }
    let found = ARROWS.iter().find(|(drawn, ..)| text.starts_with(drawn.as_bytes()));
    found.map(|(drawn, stroke, head)| (Arrow { stroke: *stroke, head: *head }, drawn.len()))
}

/// The kinds of tokens, by the names of mermaid's grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Newline,
    Header,
    Invalid,
    Create,
    Destroy,
    Participant,
    ActorWord,
    Box,
    End,
    Autonumber,
    Number,
    Off,
    Activate,
    Deactivate,
    Title,
    AccTitle,
    AccTitleValue,
    AccDescr,
    AccDescrValue,
    AccDescrLines,
    Loop,
    Rect,
    Opt,
    Alt,
    Else,
    Par,
    ParOver,
    And,
    Critical,
    Option,
    Break,
    /// The rest of the line after a keyword that takes a label.
    Rest,
    As,
    Note,
    LeftOf,
    RightOf,
    Over,
    Links,
    Link,
    Properties,
    Details,
    Comma,
    Plus,
    Minus,
    /// `()`: a central connection.
    Central,
    /// The name of a participant.
    Actor,
    ConfigStart,
    ConfigContent,
    ConfigEnd,
    Arrow(Arrow),
    /// A colon and what follows it.
    Text,
    End0,
    /// No rule of the lexer fits.
    Unknown,
}

impl Kind {
    /// Whether the token is a word that a statement can begin with, or that is otherwise no name.
    pub(super) const fn is_keyword(self) -> bool {
        matches!(
            self,
            Self::Header
                | Self::Create
                | Self::Destroy
                | Self::Participant
                | Self::ActorWord
                | Self::Box
                | Self::End
                | Self::Autonumber
                | Self::Off
                | Self::Activate
                | Self::Deactivate
                | Self::Title
                | Self::Loop
                | Self::Rect
                | Self::Opt
                | Self::Alt
                | Self::Else
                | Self::Par
                | Self::ParOver
                | Self::And
                | Self::Critical
                | Self::Option
                | Self::Break
                | Self::Note
                | Self::Over
                | Self::Links
                | Self::Link
                | Self::Properties
                | Self::Details
                | Self::Number
                | Self::LeftOf
                | Self::RightOf
        )
    }

    /// The token as people call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Newline => "the end of the line",
            Self::End0 => "the end of the diagram",
            Self::Actor => "a participant",
            Self::Arrow(_) => "an arrow",
            Self::Text => "a `:` and a text",
            Self::Plus => "a `+`",
            Self::Minus => "a `-`",
            Self::Central => "a `()`",
            Self::Comma => "a `,`",
            Self::Number => "a number",
            Self::As => "`as`",
            Self::ConfigStart => "a `@{`",
            Self::ConfigEnd => "a `}`",
            _ if self.is_keyword() => "a keyword",
            _ => "this",
        }
    }
}

/// A token: its kind, and its bytes without the blanks around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}
