//! The modal lexer of state diagrams: what is common to its modes.
//!
//! Source of the rules: `stateDiagram.jison` of mermaid 11.17. The first rule that matches wins, not the longest.

use crate::sequence::mermaid::chars::{from, is_word, line_end, skip_space, trimmed};

/// The kinds of tokens, by the names of mermaid's grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Newline,
    Header,
    Click,
    Href,
    Quoted,
    Default,
    Direction,
    Scale,
    Width,
    AccTitle,
    AccTitleValue,
    AccDescr,
    AccDescrValue,
    AccDescrLines,
    ClassDef,
    ClassDefId,
    ClassDefStyle,
    Class,
    ClassIds,
    ClassStyle,
    Style,
    StyleIds,
    StyleOptions,
    /// A state's name behind `state`.
    Composite,
    /// A description in quotes behind `state`.
    Described,
    As,
    Fork,
    Join,
    Choice,
    Open,
    Close,
    Note,
    Beside,
    NoteText,
    HideEmpty,
    Edge,
    Id,
    Description,
    Arrow,
    Concurrent,
    Separator,
    Invalid,
    /// No rule of the lexer fits.
    Unknown,
    End,
}

/// A token: its kind, and its bytes without the blanks around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Struct,
    State,
    StateString,
    StateId,
    Note,
    NoteId,
    NoteText,
    Floating,
    FloatingId,
    Scale,
    ClassDef,
    ClassDefId,
    Class,
    ClassStyle,
    Style,
    StyleOptions,
    AccTitle,
    AccDescr,
    AccDescrLines,
}

/// What was found out about the line at hand, so that no rule looks at it twice.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Where it was first looked at.
    pub start: usize,
    pub end: usize,
    /// The last `direction XX`.
    pub direction: Option<usize>,
    /// The last `<<fork>>` and the like: where it begins, where it ends, and what it is.
    pub form: Option<(usize, usize, Kind)>,
    /// The last `{`.
    pub brace: Option<usize>,
}

/// Reads a cleaned text token by token.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    pub text: &'a str,
    pub bytes: &'a [u8],
    pub at: usize,
    /// Empty in the initial mode.
    pub modes: Vec<Mode>,
    pub line: Line,
    /// Where no `end note` follows any more.
    pub no_end_note: bool,
    ended: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        let bytes = text.as_bytes();
        Self { text, bytes, at, modes: Vec::new(), line: Line::default(), no_end_note: false, ended: false }
    }

    /// Goes on at a byte, outside of every statement; composite states stay open.
    pub(super) fn resume(&mut self, at: usize) {
        self.at = at;
        self.modes.retain(|mode| *mode == Mode::Struct);
    }

    /// The next token; after the last one [`Kind::End`] for ever.
    pub(super) fn next(&mut self) -> Token {
        loop {
            if self.at >= self.bytes.len() {
                return self.last();
            }
            let before = (self.at, self.modes.len(), self.modes.last().copied());
            if let Some(token) = self.rule() {
                return token;
            }
            if before == (self.at, self.modes.len(), self.modes.last().copied()) {
                let start = self.at;
                self.at += from(self.text, start).chars().next().map_or(1, char::len_utf8);
                return Token { kind: Kind::Unknown, start, end: self.at };
            }
        }
    }

    fn last(&mut self) -> Token {
        let first = !std::mem::replace(&mut self.ended, true);
        let kind = match self.modes.last() {
            _ if !first => Kind::End,
            // The rules of these modes match the empty text as well.
            None => Kind::Newline,
            Some(Mode::AccTitle) => Kind::AccTitleValue,
            Some(Mode::AccDescr) => Kind::AccDescrValue,
            Some(Mode::AccDescrLines) => Kind::AccDescrLines,
            Some(Mode::StateId | Mode::FloatingId) => Kind::Id,
            Some(Mode::StateString) => Kind::Described,
            Some(Mode::Floating) => Kind::NoteText,
            Some(Mode::ClassDefId) => Kind::ClassDefStyle,
            Some(Mode::ClassStyle) => Kind::ClassStyle,
            Some(Mode::StyleOptions) => Kind::StyleOptions,
            Some(_) => Kind::End,
        };
        Token { kind, start: self.at, end: self.at }
    }

    pub(super) fn take(&mut self, kind: Kind, end: usize) -> Option<Token> {
        let (start, kept) = trimmed(self.text, self.at, end);
        self.at = end;
        Some(Token { kind, start, end: kept })
    }

    /// Takes a token and goes on in another mode.
    pub(super) fn enter(&mut self, kind: Kind, end: usize, mode: Mode) -> Option<Token> {
        self.modes.push(mode);
        self.take(kind, end)
    }

    /// Takes a token and goes on in the next mode instead of this one; none goes back.
    pub(super) fn leave(&mut self, kind: Kind, end: usize, next: Option<Mode>) -> Option<Token> {
        self.modes.pop();
        self.modes.extend(next);
        self.take(kind, end)
    }

    pub(super) fn skip_to(&mut self, end: usize) -> Option<Token> {
        self.at = end;
        None
    }

    pub(super) fn comment(&self) -> bool {
        let rest = from(self.text, self.at);
        rest.starts_with('#') || (rest.starts_with("%%") && !rest.starts_with("%%{"))
    }

    /// A word, in any case, and where it ends; `\b` behind it.
    pub(super) fn is(&self, wanted: &str) -> Option<usize> {
        let end = self.at + wanted.len();
        let here = self.bytes.get(self.at..end)?;
        let bounded = self.bytes.get(end).is_none_or(|b| !is_word(*b));
        (here.eq_ignore_ascii_case(wanted.as_bytes()) && bounded).then_some(end)
    }

    /// A word, in any case, and the end of the blanks that have to follow it.
    pub(super) fn is_spaced(&self, wanted: &str) -> Option<usize> {
        let end = self.at + wanted.len();
        let here = self.bytes.get(self.at..end)?;
        let after = skip_space(self.text, end);
        (here.eq_ignore_ascii_case(wanted.as_bytes()) && after > end).then_some(after)
    }

    pub(super) fn accessible(&self, wanted: &str, mark: u8) -> Option<usize> {
        let end = self.at + wanted.len();
        let here = self.bytes.get(self.at..end)?;
        let at = skip_space(self.text, end);
        (here.eq_ignore_ascii_case(wanted.as_bytes()) && self.bytes.get(at) == Some(&mark))
            .then(|| skip_space(self.text, at + 1))
    }

    pub(super) fn known_line(&mut self) -> &Line {
        if !(self.line.start..self.line.end).contains(&self.at) {
            let end = line_end(self.text, self.at);
            let rest = &self.text[self.at..end];
            self.line = Line {
                start: self.at,
                end,
                direction: direction(rest).map(|at| self.at + at),
                form: form(rest).map(|(start, end, kind)| (self.at + start, self.at + end, kind)),
                brace: rest.rfind('{').map(|at| self.at + at),
            };
        }
        &self.line
    }
}

/// The last `direction TB` of a line, in any case.
fn direction(line: &str) -> Option<usize> {
    if line.len() < 12 {
        return None;
    }
    let small = line.to_ascii_lowercase();
    let found = small.rmatch_indices("direction").find(|(at, word)| {
        let after = &small[at + word.len()..];
        let rest = after.trim_start();
        rest.len() < after.len() && ["tb", "bt", "rl", "lr"].iter().any(|way| rest.starts_with(way))
    });
    found.map(|(at, _)| at)
}

fn form(line: &str) -> Option<(usize, usize, Kind)> {
    const FORMS: [(&str, Kind); 6] = [
        ("<<fork>>", Kind::Fork),
        ("<<join>>", Kind::Join),
        ("<<choice>>", Kind::Choice),
        ("[[fork]]", Kind::Fork),
        ("[[join]]", Kind::Join),
        ("[[choice]]", Kind::Choice),
    ];
    if !line.contains("<<") && !line.contains("[[") {
        return None;
    }
    let small = line.to_ascii_lowercase();
    FORMS.iter().find_map(|(mark, kind)| small.rfind(mark).map(|at| (at, at + mark.len(), *kind)))
}
