//! The repairs of lenient reading: what was meant where mermaid reads something else. None is silent.

use super::{
    lexer::name,
    parse::{Parser, Unread},
    token::{Kind, Token, arrow},
    tree::Text,
    words::keyword,
};
use crate::sequence::{
    Code, Span,
    mermaid::chars::{from, is_space, skip_blanks, trimmed},
};

impl Parser<'_> {
    /// Whether a line that begins with a keyword is a message from a participant whose name begins so.
    pub(super) fn is_name_after_all(&self, first: Token) -> bool {
        if !first.kind.is_keyword() {
            return false;
        }
        let bytes = self.lexer.text.as_bytes();
        let Some(end) = name(bytes, first.start) else { return false };
        if arrow(&bytes[end..]).is_none() {
            return false;
        }
        let (start, end) = trimmed(self.lexer.text, first.start, end);
        let written = self.text(start, end);
        let word = keyword(self.lexer.text, first.start).map_or(first.end, |(_, end)| end);
        let glued = first.kind != Kind::Title && matches!(bytes.get(word), Some(b'-' | b'<')) || end == word;
        let closes_nothing = first.kind == Kind::End && self.stack.is_empty();
        let no_note =
            first.kind == Kind::Note && keyword(self.lexer.text, skip_blanks(self.lexer.text, word)).is_none();
        glued || closes_nothing || no_note || self.tree.names.contains_key(written)
    }

    pub(super) fn message_from_keyword(&mut self, first: Token) -> Result<(), Unread> {
        match self.name_instead_of(first) {
            Some(name) => self.message(name),
            None => Err(self.unexpected(first, "a statement")),
        }
    }

    /// Takes a keyword, and what follows it, for the name of a participant.
    pub(super) fn name_instead_of(&mut self, token: Token) -> Option<Token> {
        if !self.lenient() || !token.kind.is_keyword() {
            return None;
        }
        let end = name(self.lexer.text.as_bytes(), token.start)?;
        let (start, kept) = trimmed(self.lexer.text, token.start, end);
        self.resume(end);
        self.end = kept;
        let what = format!("`{}` begins with a word that mermaid takes for a keyword", self.text(start, kept));
        let fix = "declare it under another name: `participant Name as Label`";
        self.say(Code::KeywordName, Span::new(start, kept), what, fix);
        Some(Token { kind: Kind::Actor, start, end: kept })
    }

    /// A text up to the end of its line, where mermaid would end it at `#` or `;`; without a comment behind it.
    pub(super) fn text_of(&mut self, start: usize, end: usize) -> Text {
        if !self.lenient() {
            return self.unwrapped(start, end);
        }
        let whole = self.whole_text(start, end);
        if whole > end {
            self.resume(whole);
            self.end = trimmed(self.lexer.text, start, whole).1;
        }
        let kept = self.without_comment(start, whole);
        self.unwrapped(start, kept)
    }

    /// A text without `wrap:` or `nowrap:` before it.
    fn unwrapped(&self, start: usize, end: usize) -> Text {
        let mut text = self.written(start, end);
        for mark in [":wrap:", "wrap:", ":nowrap:", "nowrap:"] {
            if let Some(rest) = text.text.strip_prefix(mark) {
                let rest = rest.trim_start_matches(is_space).to_owned();
                text.span.start = text.span.end - rest.len().min(text.span.end);
                text.text = rest;
                break;
            }
        }
        text
    }

    fn whole_text(&mut self, start: usize, end: usize) -> usize {
        let text = self.lexer.text;
        let bytes = text.as_bytes();
        let line = self.lexer.line_end(end);
        let mut at = end;
        let mut told = [false; 2];
        while at < line {
            let after = from(text, at + 1);
            if bytes[at] == b'#' {
                let alone = at > start && text[..at].ends_with(is_space);
                if (alone || at == start) && after.starts_with(is_space) {
                    // ` # ` is how people write comments, and mermaid takes it for one.
                    break;
                }
                if !std::mem::replace(&mut told[0], true) {
                    let span = Span::new(at, line);
                    self.say(
                        Code::HashCuts,
                        span,
                        "mermaid ends the text at `#`",
                        "write `#35;` for the character `#`",
                    );
                }
            } else {
                if begins_statement(&text[at + 1..line]) {
                    break;
                }
                if !std::mem::replace(&mut told[1], true) {
                    let what = "`;` ends the statement, and what follows is none";
                    self.say(Code::SemicolonSplits, Span::new(at, line), what, "write `#59;` for the character `;`");
                }
            }
            at += 1 + bytes[at + 1..line].iter().position(|b| matches!(b, b'#' | b';')).unwrap_or(line - at - 1);
        }
        at
    }

    fn without_comment(&mut self, start: usize, end: usize) -> usize {
        let text = self.text(start, end);
        let Some(at) = text.find("%%").filter(|at| text[..*at].ends_with(is_space)) else { return end };
        let span = Span::new(start + at, end);
        let what = "a comment behind a statement is drawn as part of its text";
        self.say(Code::TrailingComment, span, what, "put the comment on a line of its own");
        start + at
    }

    /// The name of a declared participant, and the label that stands in brackets behind it.
    pub(super) fn name_and_label(&mut self, written: Token) -> (Token, Option<String>) {
        if !self.lenient() {
            return (written, None);
        }
        let end = self.without_comment(written.start, written.end);
        let (start, end) = trimmed(self.lexer.text, written.start, end);
        let whole = self.text(start, end);
        let plain = Token { kind: Kind::Actor, start, end };
        let Some((name, label)) = bracketed(whole) else { return (plain, None) };
        let (name_end, label) = (start + name.len(), label.to_owned());
        let what = format!("mermaid takes `{whole}` for the name, and `{name}` for another participant");
        let fix = format!("write `participant {name} as {label}`");
        self.say(Code::BracketLabel, Span::new(start, end), what, fix);
        (Token { kind: Kind::Actor, start, end: name_end }, Some(label))
    }
}

/// `Name[Label]`, as in flowcharts.
fn bracketed(whole: &str) -> Option<(&str, &str)> {
    let inside = whole.strip_suffix(']')?;
    let (name, label) = inside.split_once('[')?;
    let label = label.trim().trim_matches('"');
    (!name.trim().is_empty() && !label.is_empty()).then(|| (name.trim_end(), label))
}

/// Whether what follows a `;` can be read as a statement, or is nothing.
fn begins_statement(rest: &str) -> bool {
    let at = skip_blanks(rest, 0);
    let rest = from(rest, at);
    if rest.is_empty() || rest.starts_with(['#', ';']) || rest.starts_with("%%") || keyword(rest, 0).is_some() {
        return true;
    }
    name(rest.as_bytes(), 0).is_some_and(|end| {
        let after = from(rest, end);
        arrow(after.as_bytes()).is_some() || after.starts_with("()")
    })
}
