//! The modal lexer of sequence diagrams: the same modes and the same order of rules as mermaid's, by hand.
//!
//! Source of the rules: `sequenceDiagram.jison` of mermaid 11.17. The first rule that matches wins, not the longest.

use super::{
    token::{Kind, Token, arrow},
    words::keyword,
};
use crate::sequence::mermaid::chars::{from, is_space, line_end, run, skip_blanks, skip_space, trimmed};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// After `participant` and the like: a name up to the end of the line.
    Id,
    /// After that name: `as`, or nothing.
    Alias,
    /// After a keyword with a label: the rest of the line.
    Line,
    /// Between `@{` and `}`.
    Config,
    AccTitle,
    AccDescr,
    AccDescrLines,
}

/// Reads a cleaned text token by token.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    pub text: &'a str,
    bytes: &'a [u8],
    pub at: usize,
    /// Empty in the initial mode.
    modes: Vec<Mode>,
    ended: bool,
    /// A place, and the end of the line that it is in.
    line: (usize, usize),
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str, at: usize) -> Self {
        Self { text, bytes: text.as_bytes(), at, modes: Vec::new(), ended: false, line: (0, 0) }
    }

    /// Goes on at a byte, in the initial mode.
    pub(super) fn resume(&mut self, at: usize) {
        self.at = at;
        self.modes.clear();
        self.ended = false;
    }

    /// The end of the line that a byte is in; looked for once for a line, which may be all of the text.
    pub(super) fn line_end(&mut self, at: usize) -> usize {
        if !(self.line.0..self.line.1).contains(&at) {
            self.line = (at, line_end(self.text, at));
        }
        self.line.1
    }

    /// The next token; after the last one [`Kind::End0`] for ever.
    pub(super) fn next(&mut self) -> Token {
        loop {
            if self.at >= self.bytes.len() {
                return self.last();
            }
            let before = (self.at, self.modes.len());
            let found = match self.modes.last() {
                None => self.initial(),
                Some(Mode::Id) => self.id(),
                Some(Mode::Alias) => self.alias(),
                Some(Mode::Line) => self.line(),
                Some(Mode::Config) => self.config(),
                Some(Mode::AccTitle) => Some(self.value(Kind::AccTitleValue)),
                Some(Mode::AccDescr) => Some(self.value(Kind::AccDescrValue)),
                Some(Mode::AccDescrLines) => self.value_lines(),
            };
            if let Some(token) = found {
                return token;
            }
            if before == (self.at, self.modes.len()) {
                // No rule fits; mermaid's lexer throws here.
                let start = self.at;
                self.at += from(self.text, start).chars().next().map_or(1, char::len_utf8);
                return self.token(Kind::Unknown, start);
            }
        }
    }

    /// What the rules that match nothing find at the end of the text.
    fn last(&mut self) -> Token {
        let at = self.bytes.len();
        let first = !std::mem::replace(&mut self.ended, true);
        let kind = match self.modes.last() {
            None if first => Kind::Newline,
            Some(Mode::Alias) if first => Kind::Newline,
            Some(Mode::Line) if first => Kind::Rest,
            Some(Mode::AccTitle) if first => Kind::AccTitleValue,
            Some(Mode::AccDescr) if first => Kind::AccDescrValue,
            Some(Mode::AccDescrLines) if first => Kind::AccDescrLines,
            _ => Kind::End0,
        };
        self.modes.clear();
        Token { kind, start: at, end: at }
    }

    const fn token(&self, kind: Kind, start: usize) -> Token {
        Token { kind, start, end: self.at }
    }

    fn take(&mut self, kind: Kind, end: usize) -> Option<Token> {
        let start = std::mem::replace(&mut self.at, end);
        Some(Token { kind, start, end })
    }

    /// A token whose text mermaid trims.
    fn take_trimmed(&mut self, kind: Kind, end: usize) -> Option<Token> {
        let (start, kept) = trimmed(self.text, self.at, end);
        self.at = end;
        Some(Token { kind, start, end: kept })
    }

    /// Skips blanks and a comment of `#`; answers whether there were any.
    fn skip_line_trivia(&mut self) -> bool {
        let end = skip_blanks(self.text, self.at);
        let moved = end > self.at;
        self.at = end;
        if moved {
            return true;
        }
        if self.bytes[self.at] == b'#' {
            self.at = line_end(self.text, self.at);
            return true;
        }
        false
    }

    fn initial(&mut self) -> Option<Token> {
        let start = self.at;
        let first = self.bytes[start];
        match first {
            b'\n' => return self.take(Kind::Newline, run(self.bytes, start, |b| b == b'\n')),
            b'#' => return self.skip_to(line_end(self.text, start)),
            b'%' if self.bytes.get(start + 1) != Some(&b'{') => return self.skip_to(line_end(self.text, start)),
            _ => {}
        }
        let spaces = skip_space(self.text, start);
        if spaces > start {
            return self.skip_to(spaces);
        }
        if self.hidden_comment(start) {
            return self.skip_to(line_end(self.text, start));
        }
        if let Some(end) = number(self.bytes, start) {
            return self.take(Kind::Number, end);
        }
        if first.is_ascii_alphabetic()
            && let Some((kind, end)) = keyword(self.text, start)
        {
            return self.keyword(kind, end);
        }
        match first {
            b',' => return self.take(Kind::Comma, start + 1),
            b';' => return self.take(Kind::Newline, start + 1),
            _ => {}
        }
        if let Some(end) = name(self.bytes, start) {
            return self.take_trimmed(Kind::Actor, end);
        }
        if let Some((arrow, length)) = arrow(&self.bytes[start..]) {
            return self.take(Kind::Arrow(arrow), start + length);
        }
        match first {
            b':' => self.take(Kind::Text, start + 1 + find_end(self.text, start + 1)),
            b'+' => self.take(Kind::Plus, start + 1),
            b'-' => self.take(Kind::Minus, start + 1),
            b'(' if self.bytes.get(start + 1) == Some(&b')') => self.take(Kind::Central, start + 2),
            _ => self.take(Kind::Invalid, start + from(self.text, start).chars().next().map_or(1, char::len_utf8)),
        }
    }

    fn skip_to(&mut self, end: usize) -> Option<Token> {
        self.at = end;
        None
    }

    /// Any one character but `}` before `%%`: the rest of the line is a comment, with that character.
    fn hidden_comment(&self, start: usize) -> bool {
        let c = from(self.text, start).chars().next().unwrap_or('}');
        c != '}' && c.len_utf16() == 1 && from(self.text, start + c.len_utf8()).starts_with("%%")
    }

    fn keyword(&mut self, kind: Kind, end: usize) -> Option<Token> {
        match kind {
            Kind::Participant | Kind::ActorWord | Kind::Destroy | Kind::Activate | Kind::Deactivate => {
                self.modes.push(Mode::Id);
            }
            Kind::Box
            | Kind::Loop
            | Kind::Rect
            | Kind::Opt
            | Kind::Alt
            | Kind::Else
            | Kind::Par
            | Kind::ParOver
            | Kind::And
            | Kind::Critical
            | Kind::Option
            | Kind::Break => self.modes.push(Mode::Line),
            Kind::AccTitle => self.modes.push(Mode::AccTitle),
            Kind::AccDescr => self.modes.push(Mode::AccDescr),
            Kind::AccDescrLines => {
                self.modes.push(Mode::AccDescrLines);
                return self.skip_to(end);
            }
            _ => {}
        }
        self.take(kind, end)
    }

    fn id(&mut self) -> Option<Token> {
        if self.skip_line_trivia() {
            return None;
        }
        let start = self.at;
        if self.bytes[start..].starts_with(b"@{") {
            self.modes.push(Mode::Config);
            return self.take(Kind::ConfigStart, start + 2);
        }
        if let Some(end) = self.configured(start) {
            return self.take(Kind::Actor, end);
        }
        if let Some(end) = self.aliased(start) {
            self.modes.push(Mode::Alias);
            return self.take(Kind::Actor, end);
        }
        let end = run(self.bytes, start, |b| !matches!(b, b'<' | b'>' | b':' | b'\n' | b',' | b';' | b'@'));
        if let Some(end) = self.name_end(start, end) {
            self.modes.pop();
            return self.take_trimmed(Kind::Actor, end);
        }
        let line = line_end(self.text, start);
        if line == start {
            return None;
        }
        self.modes.pop();
        self.take(Kind::Invalid, line)
    }

    /// A name right before `@{`.
    fn configured(&self, start: usize) -> Option<usize> {
        let end = start
            + from(self.text, start)
                .find(|c| is_space(c) || matches!(c, '<' | '=' | '>' | '-' | ':' | ',' | ';' | '@'))?;
        (end > start && self.bytes[end..].starts_with(b"@{")).then_some(end)
    }

    /// A name without blanks before `as`.
    fn aliased(&self, start: usize) -> Option<usize> {
        let end =
            start + from(self.text, start).find(|c| is_space(c) || matches!(c, '<' | '>' | ':' | ',' | ';' | '@'))?;
        (end > start && follows_as(self.text, end)).then_some(end)
    }

    /// Where a name ends that may hold blanks: at the end of the line, at `;`, or at the last `#` of the run.
    fn name_end(&self, start: usize, end: usize) -> Option<usize> {
        if end > start && matches!(self.bytes.get(end), None | Some(b'\n' | b';')) {
            return Some(end);
        }
        let hash = self.bytes[start..end].iter().rposition(|b| *b == b'#').map(|n| start + n)?;
        (hash > start).then_some(hash)
    }

    fn alias(&mut self) -> Option<Token> {
        if self.skip_line_trivia() {
            return None;
        }
        self.modes.clear();
        let start = self.at;
        let word = super::super::chars::skip_word(self.bytes, start);
        if self.bytes[start..word].eq_ignore_ascii_case(b"as") {
            self.modes.push(Mode::Line);
            return self.take(Kind::As, word);
        }
        self.take(Kind::Newline, start)
    }

    fn line(&mut self) -> Option<Token> {
        if self.skip_line_trivia() {
            return None;
        }
        self.modes.pop();
        self.take(Kind::Rest, self.at + find_end(self.text, self.at))
    }

    fn config(&mut self) -> Option<Token> {
        let start = self.at;
        if self.bytes[start] != b'}' {
            return self.take_trimmed(Kind::ConfigContent, run(self.bytes, start, |b| b != b'}'));
        }
        self.modes.pop();
        if follows_as(self.text, start + 1) {
            self.modes.push(Mode::Alias);
        } else {
            self.modes.pop();
        }
        self.take(Kind::ConfigEnd, start + 1)
    }

    fn value(&mut self, kind: Kind) -> Token {
        self.modes.pop();
        let start = self.at;
        self.at = line_end(self.text, start);
        self.token(kind, start)
    }

    fn value_lines(&mut self) -> Option<Token> {
        let start = self.at;
        if self.bytes[start] == b'}' {
            self.modes.pop();
            return self.skip_to(start + 1);
        }
        self.take_trimmed(Kind::AccDescrLines, run(self.bytes, start, |b| b != b'}'))
    }
}

/// How far it is to the next `#`, line feed or `;`.
fn find_end(text: &str, at: usize) -> usize {
    let bytes = &text.as_bytes()[at..];
    bytes.iter().position(|b| matches!(b, b'#' | b'\n' | b';')).unwrap_or(bytes.len())
}

/// Whether `\s+as\s` follows.
fn follows_as(text: &str, at: usize) -> bool {
    let word = skip_space(text, at);
    let rest = from(text, word);
    word > at
        && rest.as_bytes().get(..2).is_some_and(|head| head.eq_ignore_ascii_case(b"as"))
        && rest.get(2..).and_then(|rest| rest.chars().next()).is_some_and(is_space)
}

/// A number with at most two decimals, where a blank or line feed follows it.
fn number(bytes: &[u8], start: usize) -> Option<usize> {
    let whole = run(bytes, start, |b| b.is_ascii_digit());
    let mut end = whole;
    if bytes.get(whole) == Some(&b'.') {
        let decimals = run(bytes, whole + 1, |b| b.is_ascii_digit());
        end = if matches!(decimals - whole, 2 | 3) { decimals } else { whole };
    }
    (end > start && matches!(bytes.get(end), Some(b' ' | b'\n'))).then_some(end)
}

/// The end of a participant's name that begins at a byte, blanks behind it included.
///
/// A name may hold single hyphens, slashes and brackets, but none that begin an arrow.
pub(super) fn name(bytes: &[u8], start: usize) -> Option<usize> {
    let ends = |b: u8| matches!(b, b'+' | b'<' | b'-' | b'>' | b':' | b'\n' | b',' | b';');
    let mut end = run(bytes, start, |b| !ends(b) && !matches!(b, b'/' | b'\\' | b'(' | b')'));
    if end == start {
        return None;
    }
    loop {
        let rest = &bytes[end..];
        if begins_arrow(rest) {
            return Some(end);
        }
        let hyphens = run(bytes, end, |b| b == b'-');
        let next = run(bytes, hyphens, |b| !ends(b));
        if next == hyphens {
            return Some(end);
        }
        end = next;
    }
}

/// Whether a name stops here, since an arrow or `()` begins.
fn begins_arrow(rest: &[u8]) -> bool {
    const MARKS: &[&[u8]] =
        &[b"-x", b"-X", b"--", b"-)", b"-|\\", b"-\\", b"-/", b"-|/", b"/|-", b"\\|-", b"//-", b"\\\\-", b"()"];
    matches!(rest.first(), Some(b'-' | b'/' | b'\\' | b'(')) && MARKS.iter().any(|mark| rest.starts_with(mark))
}
