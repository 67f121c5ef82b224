//! The statements of a sequence diagram that name participants: messages, notes, declarations.

use super::{
    parse::{Parser, Unread},
    token::{Head, Kind, Token},
    tree::{Item, Message, Note, Placement, Role, Text, Who},
};
use crate::sequence::{Code, Span, mermaid::yaml};

/// What stands between arrow and receiver.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    None,
    Activates,
    Deactivates,
}

impl Parser<'_> {
    /// `A->>B: text`, with `+`, `-` or `()` around the arrow.
    pub(super) fn message(&mut self, sender: Token) -> Result<(), Unread> {
        let mut next = self.next();
        let central = next.kind == Kind::Central;
        if central {
            next = self.next();
        }
        let Kind::Arrow(arrow) = next.kind else {
            return Err(self.unexpected(next, "an arrow"));
        };
        let mark = self.mark(central)?;
        let receiver = self.participant()?;
        let from = self.mention(sender);
        let to = self.mention(receiver);
        let text = self.message_text()?;
        let span = Span::new(self.start, self.end);
        self.lifetimes(from, to, span);
        let message = Message {
            from,
            to,
            arrow,
            text,
            activates: mark == Mark::Activates,
            deactivates: mark == Mark::Deactivates,
            span,
        };
        match mark {
            Mark::Activates => self.rules.activate(to),
            Mark::Deactivates => self.deactivate(from, span),
            Mark::None => {}
        }
        self.stack.add(&mut self.tree, Item::Message(message));
        Ok(())
    }

    fn mark(&mut self, central: bool) -> Result<Mark, Unread> {
        let mark = match self.peek().kind {
            Kind::Plus if !central => Mark::Activates,
            Kind::Minus if !central => Mark::Deactivates,
            Kind::Central => Mark::None,
            _ => return Ok(Mark::None),
        };
        self.next();
        Ok(mark)
    }

    /// The name of a participant, where one has to stand.
    pub(super) fn participant(&mut self) -> Result<Token, Unread> {
        let token = self.next();
        if token.kind == Kind::Actor {
            return Ok(token);
        }
        match self.name_instead_of(token) {
            Some(name) => Ok(name),
            None => Err(self.unexpected(token, "a participant")),
        }
    }

    /// `: text` and the end of the line.
    fn message_text(&mut self) -> Result<Text, Unread> {
        let token = self.peek();
        if token.kind == Kind::Newline && self.lenient() {
            self.next();
            let span = Span::new(self.start, self.end);
            self.say(Code::NoText, span, "a `:` and a text are missing", "add `: ` and what is said; it may be empty");
            return Ok(Text { text: String::new(), span: Span::new(self.end, self.end) });
        }
        self.expect(Kind::Text, "a `:` and a text")?;
        let text = self.text_of(token.start + 1, token.end);
        self.end_of_line()?;
        Ok(text)
    }

    /// `participant A as Label`, `actor A@{ "type": "database" }`, `destroy A`.
    pub(super) fn declaration(&mut self, keyword: Token, created: bool) -> Result<(), Unread> {
        let name = self.expect(Kind::Actor, "the name of a participant")?;
        let destroy = keyword.kind == Kind::Destroy;
        let config = if !destroy && self.peek().kind == Kind::ConfigStart { Some(self.config()?) } else { None };
        let label = if !destroy && self.peek().kind == Kind::As {
            self.next();
            Some(self.label())
        } else {
            None
        };
        self.end_of_line()?;
        let role = if keyword.kind == Kind::ActorWord { Role::Actor } else { Role::Participant };
        let span = Span::new(self.start, self.end);
        if destroy && !created {
            let who = self.mention(name);
            self.rules.destroyed(who);
            self.stack.add(&mut self.tree, Item::Destroy(who, span));
            return Ok(());
        }
        self.declare(name, role, label, config, span, created);
        Ok(())
    }

    /// What stands between `@{` and `}`.
    fn config(&mut self) -> Result<Span, Unread> {
        self.next();
        let content = self.expect(Kind::ConfigContent, "`\"type\": \"...\"`")?;
        self.expect(Kind::ConfigEnd, "a `}`")?;
        Ok(Span::new(content.start, content.end))
    }

    fn declare(
        &mut self,
        name: Token,
        role: Role,
        label: Option<Text>,
        config: Option<Span>,
        span: Span,
        created: bool,
    ) {
        let (name, bracket) = self.name_and_label(name);
        let config = config.map(|inside| self.config_of(inside));
        let known = self.tree.names.contains_key(self.text(name.start, name.end));
        let who = self.mention(name);
        if created {
            self.create(who, known, span);
        }
        self.place_in_box(who, span);
        let (kind, alias) = config.unwrap_or_default();
        let label = label.map(|l| l.text).filter(|l| !l.is_empty()).or(alias).or(bracket);
        self.declared_twice(who, label.as_deref(), span);
        let Some(participant) = self.tree.participants.get_mut(who) else { return };
        participant.role = kind.map_or(role, Role::Typed);
        participant.declared = Some(participant.declared.unwrap_or(span));
        if let Some(label) = label {
            participant.label = label;
        }
    }

    /// `type` and `alias` out of `@{...}`. Without a line feed mermaid reads it as a flow mapping, with one as a block.
    fn config_of(&mut self, inside: Span) -> (Option<String>, Option<String>) {
        let text = inside.of(self.lexer.text);
        let yaml = if text.contains('\n') { format!("{text}\n") } else { format!("{{\n{text}\n}}") };
        match yaml::map(&yaml) {
            Ok(values) => (yaml::get(&values, "type"), yaml::get(&values, "alias")),
            Err(why) => {
                self.say(
                    Code::Yaml,
                    inside,
                    format!("this is no YAML: {why}"),
                    "write `\"type\": \"database\"` and the like",
                );
                (None, None)
            }
        }
    }

    /// `Note left of A: text`, `Note over A,B: text`.
    pub(super) fn note(&mut self) -> Result<(), Unread> {
        let token = self.next();
        let placement = match token.kind {
            Kind::LeftOf => Placement::Left,
            Kind::RightOf => Placement::Right,
            Kind::Over => Placement::Over,
            _ => return Err(self.unexpected(token, "`left of`, `right of` or `over`")),
        };
        let mut names = vec![self.participant()?];
        while self.peek().kind == Kind::Comma && (names.len() == 1 || self.lenient()) && placement == Placement::Over {
            self.next();
            names.push(self.participant()?);
        }
        let at: Vec<Who> = names.iter().map(|name| self.mention(*name)).collect();
        let text = self.message_text()?;
        if let [_, _, third, .., last] | [_, _, third @ last] = names.as_slice() {
            let span = Span::new(third.start, last.end);
            let what = format!("the note stands over {} participants, and mermaid reads at most two", names.len());
            self.say(Code::WideNote, span, what, "name the first and the last: the note spans all between them");
        }
        let span = Span::new(self.start, self.end);
        self.stack.add(&mut self.tree, Item::Note(Note { placement, at, text, span }));
        Ok(())
    }

    /// `links A: {...}` and its like: read, and of no meaning here.
    pub(super) fn attachment(&mut self) -> Result<(), Unread> {
        let name = self.participant()?;
        self.mention(name);
        self.message_text()?;
        Ok(())
    }

    /// `activate A` and `deactivate A`.
    pub(super) fn activation(&mut self, keyword: Token) -> Result<(), Unread> {
        let name = self.expect(Kind::Actor, "the name of a participant")?;
        self.end_of_line()?;
        let span = Span::new(self.start, self.end);
        let who = self.mention(name);
        let item = if keyword.kind == Kind::Activate {
            self.rules.activate(who);
            Item::Activate(who, span)
        } else {
            self.deactivate(who, span);
            Item::Deactivate(who, span)
        };
        self.stack.add(&mut self.tree, item);
        Ok(())
    }
}

impl super::token::Arrow {
    /// Whether the sender waits for nobody: the message is put down and the sender goes on.
    #[must_use]
    pub const fn is_async(self) -> bool {
        matches!(self.head, Head::Open)
    }
}
