//! Reads a state diagram into its tree, statement by statement; one fault does not end the reading.

use super::{
    lexer::{Kind, Lexer, Token},
    tree::{Composite, Form, State, StateDiagram, Stop, Transition},
};
use crate::sequence::{
    Code, Diagnostic, Span,
    mermaid::{Mode, chars},
};

/// How deeply composite states may be nested.
const DEEPEST: usize = 128;

/// A diagram as it was read, what is wrong with it, and how many tokens that took.
pub(in crate::sequence::mermaid) struct Read {
    pub tree: StateDiagram,
    pub found: Vec<Diagnostic>,
    pub steps: usize,
}

/// A statement that could not be read; what is wrong with it has been said.
struct Unread;

struct Parser<'a> {
    lexer: Lexer<'a>,
    tree: StateDiagram,
    found: Vec<Diagnostic>,
    /// Composite states that are open, with the brace of each.
    open: Vec<(Composite, Span)>,
    within: Composite,
    /// Braces beyond the bound.
    too_deep: usize,
    peeked: Option<Token>,
    end: usize,
    steps: usize,
}

/// Reads the cleaned text of a state diagram whose first word begins at a byte.
pub(in crate::sequence::mermaid) fn parse(text: &str, header: usize, _: Mode) -> Read {
    let mut parser = Parser {
        lexer: Lexer::new(text, header),
        tree: StateDiagram::default(),
        found: Vec::new(),
        open: Vec::new(),
        within: Composite::default(),
        too_deep: 0,
        peeked: None,
        end: header,
        steps: 0,
    };
    parser.document();
    Read { tree: parser.tree, found: parser.found, steps: parser.steps }
}

impl Parser<'_> {
    fn document(&mut self) {
        let header = self.next();
        if header.kind != Kind::Header {
            self.unexpected(header, "`stateDiagram-v2`");
        }
        loop {
            let first = self.next();
            match first.kind {
                Kind::End => break,
                Kind::Newline => {}
                _ => {
                    if self.statement(first).is_err() {
                        self.peeked = None;
                        self.lexer.resume(chars::line_end(self.lexer.text, self.end.max(first.start)));
                    }
                }
            }
        }
        for (_, brace) in std::mem::take(&mut self.open).into_iter().take(8) {
            let fix = "add its `}` on a line of its own";
            self.found.push(Diagnostic::new(Code::Unclosed, brace, "the composite state is not closed", fix));
        }
        if self.tree.states.is_empty() && self.found.is_empty() {
            let (what, fix) = ("the diagram shows no state", "draw the states, or remove the diagram");
            self.found.push(Diagnostic::new(Code::Empty, Span::new(header.start, header.end), what, fix));
        }
    }

    fn next(&mut self) -> Token {
        let token = self.peeked.take().unwrap_or_else(|| {
            self.steps += 1;
            self.lexer.next()
        });
        if token.kind != Kind::Newline {
            self.end = token.end.max(token.start);
        }
        token
    }

    fn peek(&mut self) -> Token {
        if let Some(token) = self.peeked {
            return token;
        }
        self.steps += 1;
        *self.peeked.insert(self.lexer.next())
    }

    fn text(&self, token: Token) -> &str {
        Span::new(token.start, token.end).of(self.lexer.text)
    }

    fn unexpected(&mut self, token: Token, expected: &str) -> Unread {
        let written = self.text(token).lines().next().unwrap_or_default().trim();
        let found = if written.is_empty() { "the end of the line".to_owned() } else { format!("`{written}`") };
        let span = Span::new(token.start, token.end.min(chars::line_end(self.lexer.text, token.start)));
        let what = format!("expected {expected}, found {found}");
        let fix = chars::instead(expected);
        self.found.push(Diagnostic::new(Code::Syntax, span, what, fix));
        Unread
    }

    fn expect(&mut self, kind: Kind, name: &str) -> Result<Token, Unread> {
        let token = self.next();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(token, name)) }
    }

    fn statement(&mut self, first: Token) -> Result<(), Unread> {
        match first.kind {
            Kind::Id | Kind::Edge => return self.transition(first),
            Kind::Composite => {
                let state = self.state(first);
                if self.peek().kind == Kind::Open {
                    self.next();
                    self.enter(state);
                }
            }
            Kind::Described => return self.described(first),
            Kind::Fork => self.form(first, Form::Fork),
            Kind::Join => self.form(first, Form::Join),
            Kind::Choice => self.form(first, Form::Choice),
            Kind::Concurrent => self.within.region += 1,
            Kind::Close if !self.open.is_empty() => self.leave(),
            Kind::Note => return self.note(),
            Kind::Click => return self.click(),
            Kind::ClassDef => {
                self.expect(Kind::ClassDefId, "the name of a class")?;
                self.expect(Kind::ClassDefStyle, "styles")?;
            }
            Kind::Class => {
                self.expect(Kind::ClassIds, "names of states")?;
                self.expect(Kind::ClassStyle, "the name of a class")?;
            }
            Kind::Style => {
                self.expect(Kind::StyleIds, "names of states")?;
                self.expect(Kind::StyleOptions, "styles")?;
            }
            Kind::Scale => {
                self.expect(Kind::Width, "a number of pixels")?;
            }
            Kind::AccTitle => {
                self.expect(Kind::AccTitleValue, "a title")?;
            }
            Kind::AccDescr => {
                self.expect(Kind::AccDescrValue, "a description")?;
            }
            Kind::AccDescrLines | Kind::Direction | Kind::HideEmpty => {}
            _ => return Err(self.unexpected(first, "a state or a statement")),
        }
        Ok(())
    }

    /// A state's name with `:::class` behind it.
    fn stop(&mut self, token: Token) -> Result<Stop, Unread> {
        if self.peek().kind == Kind::Separator {
            self.next();
            self.expect(Kind::Id, "the name of a class")?;
        }
        Ok(if token.kind == Kind::Edge { Stop::Edge } else { Stop::State(self.state(token)) })
    }

    fn transition(&mut self, first: Token) -> Result<(), Unread> {
        let from = self.stop(first)?;
        if self.peek().kind != Kind::Arrow {
            if self.peek().kind == Kind::Description {
                let description = self.next();
                self.describe(from, description);
            }
            return Ok(());
        }
        self.next();
        let second = self.next();
        if !matches!(second.kind, Kind::Id | Kind::Edge) {
            return Err(self.unexpected(second, "a state"));
        }
        let to = self.stop(second)?;
        let mut label = String::new();
        if self.peek().kind == Kind::Description {
            let description = self.next();
            label = self.label(description);
        }
        let span = Span::new(first.start, self.end);
        self.tree.transitions.push(Transition { from, to, label, within: self.within, span });
        Ok(())
    }

    fn label(&self, description: Token) -> String {
        self.text(description).trim_start_matches(':').trim().replace('\u{1}', "#").replace('\u{2}', ";")
    }

    fn describe(&mut self, stop: Stop, description: Token) {
        let label = self.label(description);
        if let Stop::State(index) = stop
            && let Some(state) = self.tree.states.get_mut(index)
        {
            state.description = Some(label);
        }
    }

    /// `state "description" as Name`, perhaps with a body.
    fn described(&mut self, first: Token) -> Result<(), Unread> {
        self.expect(Kind::As, "`as`")?;
        let id = self.expect(Kind::Id, "the name of the state")?;
        let description = self.text(first).to_owned();
        let state = self.state(id);
        if let Some(state) = self.tree.states.get_mut(state) {
            state.description = Some(description);
        }
        if self.peek().kind == Kind::Open {
            self.next();
            self.enter(state);
        }
        Ok(())
    }

    fn form(&mut self, token: Token, form: Form) {
        let index = self.state(token);
        if let Some(state) = self.tree.states.get_mut(index) {
            state.form = form;
        }
    }

    fn note(&mut self) -> Result<(), Unread> {
        let next = self.next();
        match next.kind {
            Kind::Beside => {
                let id = self.expect(Kind::Id, "the name of a state")?;
                self.state(id);
                self.expect(Kind::NoteText, "`: text`, or lines up to `end note`")?;
            }
            Kind::NoteText => {
                self.expect(Kind::As, "`as`")?;
                self.expect(Kind::Id, "the name of the note")?;
            }
            _ => return Err(self.unexpected(next, "`left of`, `right of` or a text in quotes")),
        }
        Ok(())
    }

    fn click(&mut self) -> Result<(), Unread> {
        let first = self.next();
        if !matches!(first.kind, Kind::Id | Kind::Edge) {
            return Err(self.unexpected(first, "a state"));
        }
        self.stop(first)?;
        let next = self.next();
        if !matches!(next.kind, Kind::Href | Kind::Quoted) {
            return Err(self.unexpected(next, "`href` or an address in quotes"));
        }
        self.expect(Kind::Quoted, "a text in quotes")?;
        self.expect(Kind::Newline, "the end of the line")?;
        Ok(())
    }

    fn enter(&mut self, state: usize) {
        let brace = Span::new(self.end.saturating_sub(1), self.end);
        if self.open.len() >= DEEPEST {
            if self.too_deep == 0 {
                let what = format!("states are nested more than {DEEPEST} deep");
                self.found.push(Diagnostic::new(Code::TooDeep, brace, what, "split the diagram"));
            }
            self.too_deep += 1;
            return;
        }
        self.open.push((self.within, brace));
        self.within = Composite { state: Some(state), region: 0 };
    }

    fn leave(&mut self) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
        } else if let Some((outer, _)) = self.open.pop() {
            self.within = outer;
        }
    }

    fn state(&mut self, token: Token) -> usize {
        let id = Span::new(token.start, token.end).of(self.lexer.text).trim();
        if let Some(index) = self.tree.names.get(id) {
            return *index;
        }
        let index = self.tree.states.len();
        self.tree.names.insert(id.to_owned(), index);
        self.tree.states.push(State {
            id: id.to_owned(),
            description: None,
            form: Form::State,
            within: self.within,
            first: Span::new(token.start, token.end),
        });
        index
    }
}
