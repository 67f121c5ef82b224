//! Reads a sequence diagram into its tree, statement by statement; one fault does not end the reading.

use super::{
    lexer::Lexer,
    open::{DEEPEST, Stack},
    rules::Rules,
    token::{Kind, Token},
    tree::{Item, Operator, Participant, Role, Sequence, Text, Who},
};
use crate::sequence::{
    Code, Diagnostic, Span,
    mermaid::{Mode, chars},
};

/// A statement that could not be read; what is wrong with it has been said.
pub(super) struct Unread;

/// The reader of one diagram.
pub(super) struct Parser<'a> {
    pub lexer: Lexer<'a>,
    pub mode: Mode,
    pub tree: Sequence,
    pub stack: Stack,
    pub rules: Rules,
    pub found: Vec<Diagnostic>,
    /// The token that the statement at hand begins with.
    pub start: usize,
    /// The end of the last token that was read.
    pub end: usize,
    peeked: Option<Token>,
    steps: usize,
}

/// A diagram as it was read, what is wrong with it, and how many tokens that took.
pub(in crate::sequence::mermaid) struct Read {
    pub tree: Sequence,
    pub found: Vec<Diagnostic>,
    pub steps: usize,
}

/// Reads the cleaned text of a sequence diagram whose first word begins at a byte.
pub(in crate::sequence::mermaid) fn parse(text: &str, header: usize, mode: Mode) -> Read {
    let mut parser = Parser {
        lexer: Lexer::new(text, header),
        mode,
        tree: Sequence::default(),
        stack: Stack::default(),
        rules: Rules::default(),
        found: Vec::new(),
        start: header,
        end: header,
        peeked: None,
        steps: 0,
    };
    parser.document();
    Read { tree: parser.tree, found: parser.found, steps: parser.steps }
}

impl Parser<'_> {
    fn document(&mut self) {
        let header = self.next();
        if header.kind != Kind::Header {
            // `sequenceDiagrams` and the like: the detector takes it, the grammar does not.
            self.unexpected(header, "`sequenceDiagram`");
        }
        loop {
            let first = self.next();
            self.start = first.start;
            match first.kind {
                Kind::End0 => break,
                Kind::Newline => {}
                _ => {
                    if self.statement(first).is_err() {
                        self.recover();
                    }
                }
            }
        }
        self.close_all();
        if self.tree.items.is_empty() && self.found.is_empty() {
            let span = Span::new(header.start, header.end);
            self.say(Code::Empty, span, "the diagram shows no message", "draw what happens, or remove the diagram");
        }
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.peeked.take().unwrap_or_else(|| {
            self.steps += 1;
            self.lexer.next()
        });
        if token.kind != Kind::Newline && token.kind != Kind::End0 {
            self.end = token.end;
        }
        token
    }

    /// The next token, which stays the next one.
    pub(super) fn peek(&mut self) -> Token {
        if let Some(token) = self.peeked {
            return token;
        }
        self.steps += 1;
        *self.peeked.insert(self.lexer.next())
    }

    /// Goes on reading at a byte.
    pub(super) fn resume(&mut self, at: usize) {
        self.peeked = None;
        self.lexer.resume(at);
    }

    pub(super) fn lenient(&self) -> bool {
        self.mode == Mode::Lenient
    }

    pub(super) fn say(&mut self, code: Code, span: Span, what: impl Into<String>, fix: impl Into<String>) {
        self.found.push(Diagnostic::new(code, span, what, fix));
    }

    pub(super) fn text(&self, start: usize, end: usize) -> &str {
        Span::new(start, end).of(self.lexer.text)
    }

    /// Says that a token may not stand here.
    pub(super) fn unexpected(&mut self, token: Token, expected: &str) -> Unread {
        let written = self.text(token.start, token.end.min(token.start + 40)).lines().next().unwrap_or_default().trim();
        let found = match token.kind {
            Kind::Newline | Kind::End0 => token.kind.name().to_owned(),
            _ if written.is_empty() => "nothing".to_owned(),
            _ => format!("`{written}`"),
        };
        let span = Span::new(token.start, token.end.min(chars::line_end(self.lexer.text, token.start)));
        self.end = self.end.max(token.start);
        self.say(Code::Syntax, span, format!("expected {expected}, found {found}"), chars::instead(expected));
        Unread
    }

    /// Skips what is left of a line that could not be read.
    fn recover(&mut self) {
        let at = self.end.max(self.start);
        self.resume(chars::line_end(self.lexer.text, at).max(at));
    }

    pub(super) fn expect(&mut self, kind: Kind, name: &str) -> Result<Token, Unread> {
        let token = self.next();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(token, name)) }
    }

    pub(super) fn end_of_line(&mut self) -> Result<(), Unread> {
        let token = self.next();
        match token.kind {
            Kind::Newline => Ok(()),
            _ => Err(self.unexpected(token, "the end of the line")),
        }
    }

    fn statement(&mut self, first: Token) -> Result<(), Unread> {
        if self.stack.in_box().is_some() {
            return self.in_box(first);
        }
        if self.lenient() && self.is_name_after_all(first) {
            return self.message_from_keyword(first);
        }
        match first.kind {
            Kind::Invalid => self.skipped(first),
            Kind::Actor => return self.message(first),
            Kind::Participant | Kind::ActorWord | Kind::Destroy => return self.declaration(first, false),
            Kind::Create => {
                let second = self.next();
                return match second.kind {
                    Kind::Participant | Kind::ActorWord | Kind::Destroy => self.declaration(second, true),
                    _ => Err(self.unexpected(second, "`participant` or `actor`")),
                };
            }
            Kind::Box => self.open_box(first),
            Kind::Loop => self.open(first, Operator::Loop),
            Kind::Rect => self.open(first, Operator::Rect),
            Kind::Opt => self.open(first, Operator::Opt),
            Kind::Alt => self.open(first, Operator::Alt),
            Kind::Par => self.open(first, Operator::Par),
            Kind::ParOver => self.open(first, Operator::ParOver),
            Kind::Critical => self.open(first, Operator::Critical),
            Kind::Break => self.open(first, Operator::Break),
            Kind::Else | Kind::And | Kind::Option => self.divide(first),
            Kind::End => self.close(first),
            Kind::Note => return self.note(),
            Kind::Links | Kind::Link | Kind::Properties | Kind::Details => return self.attachment(),
            Kind::Activate | Kind::Deactivate => return self.activation(first),
            Kind::Autonumber => return self.autonumber(first),
            Kind::Title => self.title(first),
            Kind::AccTitle | Kind::AccDescr => {
                self.next();
            }
            Kind::AccDescrLines => {}
            _ => return Err(self.unexpected(first, "a statement")),
        }
        Ok(())
    }

    /// Mermaid reads single characters that begin nothing as lines of their own, and forgets them.
    fn skipped(&mut self, first: Token) {
        let span = Span::new(first.start, first.end);
        let what =
            format!("`{}` begins no statement, and mermaid skips it without a word", self.text(first.start, first.end));
        self.say(Code::Skipped, span, what, "remove it, or complete the statement that it was meant for");
    }

    fn title(&mut self, first: Token) {
        let whole = self.text(first.start, first.end);
        let after = whole.get(5..).unwrap_or_default();
        let skip = if after.starts_with(':') { 6 } else { 5 };
        let (start, end) = chars::trimmed(self.lexer.text, first.start + skip, first.end);
        self.tree.title = Some(self.written(start, end));
    }

    /// The text between two bytes, without the blanks around it.
    pub(super) fn written(&self, start: usize, end: usize) -> Text {
        let (start, end) = chars::trimmed(self.lexer.text, start, end);
        let text = self.text(start, end);
        let text = if text.as_bytes().iter().any(|b| *b < 3) {
            text.replace('\u{1}', "#").replace('\u{2}', ";")
        } else {
            text.to_owned()
        };
        Text { text, span: Span::new(start, end) }
    }

    fn autonumber(&mut self, first: Token) -> Result<(), Unread> {
        let next = self.next();
        match next.kind {
            Kind::Newline => {}
            Kind::Off => self.end_of_line()?,
            Kind::Number => {
                let second = self.next();
                match second.kind {
                    Kind::Newline => {}
                    Kind::Number => self.end_of_line()?,
                    _ => return Err(self.unexpected(second, "the step, or the end of the line")),
                }
            }
            _ => return Err(self.unexpected(next, "a number, `off`, or the end of the line")),
        }
        let item = Item::Autonumber(Span::new(first.start, self.end));
        self.stack.add(&mut self.tree, item);
        Ok(())
    }

    fn open(&mut self, keyword: Token, operator: Operator) {
        let label = self.label();
        let span = Span::new(keyword.start, keyword.end);
        if !self.stack.open_fragment(operator, span, label) && self.found.last().is_none_or(|d| d.code != Code::TooDeep)
        {
            let what = format!("fragments are nested more than {DEEPEST} deep");
            self.say(Code::TooDeep, span, what, "split the diagram");
        }
    }

    fn open_box(&mut self, keyword: Token) {
        let label = self.label();
        let span = Span::new(keyword.start, keyword.end);
        self.tree.boxes.push(super::tree::Grouping { label, span });
        self.stack.open_box(self.tree.boxes.len() - 1, span);
    }

    fn in_box(&mut self, first: Token) -> Result<(), Unread> {
        match first.kind {
            Kind::Participant | Kind::ActorWord | Kind::Destroy => self.declaration(first, false),
            Kind::End => {
                self.close(first);
                Ok(())
            }
            _ => Err(self.unexpected(first, "a participant, or the `end` of the box")),
        }
    }

    fn divide(&mut self, keyword: Token) {
        let word = self.text(keyword.start, keyword.end).to_ascii_lowercase();
        let label = self.label();
        let span = Span::new(keyword.start, keyword.end);
        if self.stack.operator().and_then(Operator::divider) == Some(&word) {
            self.stack.divide(span, label);
            return;
        }
        let owner = match word.as_str() {
            "else" => "alt",
            "and" => "par",
            _ => "critical",
        };
        let what = format!("`{word}` stands in no `{owner}`");
        self.say(Code::Stray, span, what, format!("open the fragment with `{owner}`, or remove the line"));
    }

    fn close(&mut self, keyword: Token) {
        if self.stack.close(&mut self.tree, keyword.end).is_none() {
            let span = Span::new(keyword.start, keyword.end);
            self.say(
                Code::Stray,
                span,
                "`end` closes nothing",
                "remove it, or open the fragment that it was meant for",
            );
        }
    }

    fn close_all(&mut self) {
        let mut told = 0;
        while let Some((keyword, word)) = self.stack.close(&mut self.tree, self.end) {
            // A diagram cut off in a thousand loops has one fault, not a thousand.
            if told < 8 {
                let what = format!("`{word}` is not closed");
                self.say(Code::Unclosed, keyword, what, "add its `end`, each on a line of its own");
            }
            told += 1;
        }
    }

    /// The label behind a keyword.
    pub(super) fn label(&mut self) -> Text {
        let rest = self.next();
        if rest.kind == Kind::Rest { self.text_of(rest.start, rest.end) } else { Text::default() }
    }

    /// The participant of that name, which takes part from here on if it did not before.
    pub(super) fn mention(&mut self, name: Token) -> Who {
        let id = Span::new(name.start, name.end).of(self.lexer.text);
        if let Some(who) = self.tree.names.get(id) {
            return *who;
        }
        let id = id.to_owned();
        self.add_participant(id, Span::new(name.start, name.end))
    }

    pub(super) fn add_participant(&mut self, id: String, first: Span) -> Who {
        let who = self.tree.participants.len();
        self.tree.names.insert(id.clone(), who);
        self.tree.participants.push(Participant {
            label: id.clone(),
            id,
            role: Role::default(),
            declared: None,
            first,
            grouping: None,
        });
        who
    }
}
