//! The rules of the state diagrams' lexer, mode by mode.

use super::lexer::{Kind, Lexer, Mode, Token};
use crate::sequence::mermaid::chars::{from, is_space, is_word, line_end, run, skip_blanks, skip_space, skip_word};

impl Lexer<'_> {
    pub(super) fn rule(&mut self) -> Option<Token> {
        match self.modes.last() {
            None => self.initial(),
            Some(Mode::Struct) => self.composite(),
            Some(Mode::State) => self.state(),
            Some(Mode::StateString) => self.state_string(),
            Some(Mode::StateId) => {
                let end = run(self.bytes, self.at, |b| b != b'\n' && b != b'{');
                self.identifier(end, None)
            }
            Some(Mode::Note) => self.note(),
            Some(Mode::NoteId) => {
                let start = skip_space(self.text, self.at);
                let end = word(self.text, start, |c| is_space(c) || matches!(c, ':' | '-'));
                if end == start { None } else { self.identifier(end, Some(Mode::NoteText)) }
            }
            Some(Mode::NoteText) => self.note_text(),
            Some(Mode::Floating) => self.floating(),
            Some(Mode::FloatingId) => self.identifier(line_end(self.text, self.at), None),
            Some(Mode::Scale) => self.scale(),
            Some(Mode::ClassDef) => self.words(Kind::ClassDefId, is_word, Mode::ClassDefId),
            Some(Mode::ClassDefId) => self.rest(Kind::ClassDefStyle),
            Some(Mode::Class) => self.classes(),
            Some(Mode::ClassStyle) => self.rest(Kind::ClassStyle),
            Some(Mode::Style) => self.words(Kind::StyleIds, |b| is_word(b) || b == b',', Mode::StyleOptions),
            Some(Mode::StyleOptions) => self.rest(Kind::StyleOptions),
            Some(Mode::AccTitle) => self.rest(Kind::AccTitleValue),
            Some(Mode::AccDescr) => self.rest(Kind::AccDescrValue),
            Some(Mode::AccDescrLines) if self.bytes[self.at] == b'}' => {
                self.modes.pop();
                self.skip_to(self.at + 1)
            }
            Some(Mode::AccDescrLines) => self.take(Kind::AccDescrLines, run(self.bytes, self.at, |b| b != b'}')),
        }
    }

    /// The rest of the line, which may be empty; the mode ends with it.
    fn rest(&mut self, kind: Kind) -> Option<Token> {
        self.leave(kind, line_end(self.text, self.at), None)
    }

    /// A name; a `%%` in it begins a comment.
    fn identifier(&mut self, end: usize, next: Option<Mode>) -> Option<Token> {
        match self.text[self.at..end].find("%%") {
            Some(0) => self.skip_to(end),
            Some(comment) => self.leave(Kind::Id, self.at + comment, next),
            None => self.leave(Kind::Id, end, next),
        }
    }

    fn initial(&mut self) -> Option<Token> {
        let start = self.at;
        if let Some(end) = self.is("click") {
            return self.take(Kind::Click, end);
        }
        if let Some(end) = self.is("href") {
            return self.take(Kind::Href, end);
        }
        if self.bytes[start] == b'"'
            && let Some(length) = from(self.text, start + 1).find('"')
        {
            return self.take(Kind::Quoted, start + length + 2);
        }
        if let Some(end) = self.is("default") {
            return self.take(Kind::Default, end);
        }
        if let Some(token) = self.direction() {
            return Some(token);
        }
        if self.bytes[start] == b'\n' {
            return self.take(Kind::Newline, run(self.bytes, start, |b| b == b'\n'));
        }
        let spaces = skip_space(self.text, start);
        if spaces > start {
            return self.skip_to(spaces);
        }
        if self.comment() {
            return self.skip_to(line_end(self.text, start));
        }
        if let Some(end) = self.is_spaced("scale") {
            return self.enter(Kind::Scale, end, Mode::Scale);
        }
        if let Some(end) = self.accessible("acctitle", b':') {
            return self.enter(Kind::AccTitle, end, Mode::AccTitle);
        }
        if let Some(end) = self.accessible("accdescr", b':') {
            return self.enter(Kind::AccDescr, end, Mode::AccDescr);
        }
        if let Some(end) = self.accessible("accdescr", b'{') {
            self.modes.push(Mode::AccDescrLines);
            return self.skip_to(end);
        }
        if let Some(found) = self.styling() {
            return found;
        }
        if self.bytes[start] == b'{' {
            return self.enter(Kind::Open, start + 1, Mode::Struct);
        }
        if let Some(end) = self.is_spaced("note") {
            return self.enter(Kind::Note, end, Mode::Note);
        }
        if let Some(end) = self.is_spaced("statediagram").or_else(|| self.is_spaced("statediagram-v2")) {
            return self.take(Kind::Header, end);
        }
        if let Some(end) = self.is("hide empty description") {
            return self.take(Kind::HideEmpty, end);
        }
        self.name_or_arrow(false)
    }

    /// The rules that hold within a composite state and without: classes, styles, `state`.
    #[expect(clippy::option_option, reason = "a rule may match and yield no token")]
    fn styling(&mut self) -> Option<Option<Token>> {
        for (word, kind, mode) in [
            ("classdef", Kind::ClassDef, Mode::ClassDef),
            ("class", Kind::Class, Mode::Class),
            ("style", Kind::Style, Mode::Style),
        ] {
            if let Some(end) = self.is_spaced(word) {
                return Some(self.enter(kind, end, mode));
            }
        }
        let end = self.is_spaced("state")?;
        self.modes.push(Mode::State);
        Some(self.skip_to(end))
    }

    /// A line with `direction TB` and the like in it, whatever stands before.
    fn direction(&mut self) -> Option<Token> {
        let at = self.at;
        let line = self.known_line();
        let end = line.end;
        if line.direction? < at { None } else { self.take(Kind::Direction, end) }
    }

    fn name_or_arrow(&mut self, regions: bool) -> Option<Token> {
        let start = self.at;
        let rest = from(self.text, start);
        if rest.starts_with("[*]") {
            return self.take(Kind::Edge, start + 3);
        }
        let end = word(self.text, start, |c| is_space(c) || matches!(c, ':' | '-' | '{'));
        if end > start {
            return match self.text[start..end].find("%%") {
                Some(0) => self.skip_to(end),
                Some(comment) => self.take(Kind::Id, start + comment),
                None => self.take(Kind::Id, end),
            };
        }
        if let Some(end) = description(self.bytes, skip_space(self.text, start)) {
            return self.take(Kind::Description, end);
        }
        if rest.starts_with("-->") {
            return self.take(Kind::Arrow, start + 3);
        }
        if regions && rest.starts_with("--") {
            return self.take(Kind::Concurrent, start + 2);
        }
        if rest.starts_with(":::") {
            return self.take(Kind::Separator, start + 3);
        }
        if regions {
            return None;
        }
        self.take(Kind::Invalid, start + rest.chars().next().map_or(1, char::len_utf8))
    }

    fn composite(&mut self) -> Option<Token> {
        let start = self.at;
        let blanks = skip_blanks(self.text, start);
        if blanks > start {
            return self.skip_to(blanks);
        }
        if self.comment() {
            return self.skip_to(line_end(self.text, start));
        }
        if let Some(found) = self.styling() {
            return found;
        }
        if let Some(token) = self.direction() {
            return Some(token);
        }
        match self.bytes[start] {
            b'}' => return self.leave(Kind::Close, start + 1, None),
            b'\n' => return self.skip_to(start + 1),
            _ => {}
        }
        if let Some(end) = self.is_spaced("note") {
            return self.enter(Kind::Note, end, Mode::Note);
        }
        self.name_or_arrow(true)
    }

    fn state(&mut self) -> Option<Token> {
        let start = self.at;
        let blanks = skip_blanks(self.text, start);
        if blanks > start {
            return self.skip_to(blanks);
        }
        if self.comment() {
            return self.skip_to(line_end(self.text, start));
        }
        if let Some((_, end, kind)) = self.known_line().form.filter(|(at, ..)| *at >= start) {
            let name = end - if kind == Kind::Choice { 10 } else { 8 };
            let token = self.leave(kind, end, None)?;
            let (from, kept) = super::super::chars::trimmed(self.text, start, name);
            return Some(Token { start: from, end: kept, ..token });
        }
        if self.bytes[start] == b'"' {
            self.modes.push(Mode::StateString);
            return self.skip_to(start + 1);
        }
        if let Some(end) = self.is_spaced("as") {
            return self.enter(Kind::As, end, Mode::StateId);
        }
        if self.two_words(start) {
            return None;
        }
        let end = word(self.text, start, |c| is_space(c) || c == '{');
        if end > start {
            return self.take(Kind::Composite, end);
        }
        match self.bytes[start] {
            b'\n' => {
                self.modes.pop();
                self.skip_to(start + 1)
            }
            b'{' => self.leave(Kind::Open, start + 1, Some(Mode::Struct)),
            _ => None,
        }
    }

    /// Two words before a `{`; mermaid's lexer throws. The second may stand on the next line.
    fn two_words(&mut self, start: usize) -> bool {
        let first = skip_word(self.bytes, start);
        let second = skip_space(self.text, first);
        if first == start || second == first || skip_word(self.bytes, second) == second {
            return false;
        }
        if (self.line.start..=self.line.end).contains(&second) {
            return self.line.brace.is_some_and(|brace| brace > second);
        }
        self.text[second..line_end(self.text, second)].contains('{')
    }

    fn state_string(&mut self) -> Option<Token> {
        if self.bytes[self.at] == b'"' {
            self.modes.pop();
            return self.skip_to(self.at + 1);
        }
        self.take(Kind::Described, run(self.bytes, self.at, |b| b != b'"'))
    }

    fn note(&mut self) -> Option<Token> {
        if let Some(end) = self.is("left of").or_else(|| self.is("right of")) {
            return self.leave(Kind::Beside, end, Some(Mode::NoteId));
        }
        if self.bytes[self.at] != b'"' {
            return None;
        }
        self.modes.pop();
        self.modes.push(Mode::Floating);
        self.skip_to(self.at + 1)
    }

    fn note_text(&mut self) -> Option<Token> {
        let colon = skip_space(self.text, self.at);
        let end = run(self.bytes, colon + 1, |b| !matches!(b, b':' | b'\n' | b';'));
        if self.bytes.get(colon) == Some(&b':') && end > colon + 1 {
            return self.leave(Kind::NoteText, end, None);
        }
        if self.no_end_note {
            return None;
        }
        let mut at = self.at;
        loop {
            at = line_end(self.text, at);
            if at >= self.bytes.len() {
                self.no_end_note = true;
                return None;
            }
            at += 1;
            let word = skip_space(self.text, at);
            let closes = self.bytes.get(word..word + 8).is_some_and(|w| w.eq_ignore_ascii_case(b"end note"));
            if closes && self.bytes.get(word + 8).is_none_or(|b| !is_word(*b)) {
                return self.leave(Kind::NoteText, word + 8, None);
            }
        }
    }

    fn floating(&mut self) -> Option<Token> {
        let word = skip_space(self.text, self.at);
        if self.bytes.get(word..word + 2).is_some_and(|w| w.eq_ignore_ascii_case(b"as")) {
            return self.leave(Kind::As, skip_space(self.text, word + 2), Some(Mode::FloatingId));
        }
        if self.bytes[self.at] == b'"' {
            return self.skip_to(self.at + 1);
        }
        self.take(Kind::NoteText, run(self.bytes, self.at, |b| b != b'"'))
    }

    fn scale(&mut self) -> Option<Token> {
        let digits = run(self.bytes, self.at, |b| b.is_ascii_digit());
        if digits > self.at {
            return self.take(Kind::Width, digits);
        }
        let word = skip_space(self.text, self.at);
        let end = word + 5;
        let width = self.bytes.get(word..end).is_some_and(|w| w.eq_ignore_ascii_case(b"width"));
        if word == self.at || !width || self.bytes.get(end).is_some_and(|b| is_word(*b)) {
            return None;
        }
        self.modes.pop();
        self.skip_to(end)
    }

    /// Words with blanks behind them.
    fn words(&mut self, kind: Kind, wanted: impl Fn(u8) -> bool, next: Mode) -> Option<Token> {
        let end = run(self.bytes, self.at, wanted);
        let after = skip_space(self.text, end);
        if end == self.at || after == end {
            return None;
        }
        let default = kind == Kind::ClassDefId && self.text[self.at..end].eq_ignore_ascii_case("default");
        // Mermaid names this token otherwise than its grammar does, and rejects it.
        self.leave(if default { Kind::Invalid } else { kind }, after, Some(next))
    }

    /// `a, b,c`.
    fn classes(&mut self) -> Option<Token> {
        let mut end = skip_word(self.bytes, self.at);
        if end == self.at {
            return None;
        }
        while self.bytes.get(end) == Some(&b',') {
            let name = skip_space(self.text, end + 1);
            let after = skip_word(self.bytes, name);
            if after == name {
                break;
            }
            end = after;
        }
        self.leave(Kind::ClassIds, end, Some(Mode::ClassStyle))
    }
}

/// The end of the run of characters that do not end a word.
fn word(text: &str, start: usize, ends: impl Fn(char) -> bool) -> usize {
    start + from(text, start).find(ends).unwrap_or(from(text, start).len())
}

/// The end of `: text`; two colons in a row end it.
fn description(bytes: &[u8], colon: usize) -> Option<usize> {
    if bytes.get(colon) != Some(&b':') {
        return None;
    }
    let plain = |b: Option<&u8>| b.is_some_and(|b| !matches!(b, b':' | b'\n' | b';'));
    let mut at = colon + 1;
    loop {
        if plain(bytes.get(at)) {
            at += 1;
        } else if bytes.get(at) == Some(&b':') && plain(bytes.get(at + 1)) {
            at += 2;
        } else {
            return (at > colon + 1).then_some(at);
        }
    }
}
