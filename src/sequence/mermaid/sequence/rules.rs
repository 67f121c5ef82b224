//! What mermaid demands beyond its grammar: who is active, who exists, who stands in which box.
//!
//! Source: `sequenceDb.ts` of mermaid 11.17.

use std::collections::HashMap;

use super::{
    parse::Parser,
    tree::{Item, Who},
};
use crate::sequence::{Code, Span};

/// What has been said so far about the lives of the participants.
#[derive(Debug, Default)]
pub(super) struct Rules {
    active: HashMap<Who, usize>,
    created: Option<Who>,
    destroyed: Option<Who>,
}

impl Rules {
    pub(super) fn activate(&mut self, who: Who) {
        *self.active.entry(who).or_default() += 1;
    }

    pub(super) const fn destroyed(&mut self, who: Who) {
        self.destroyed = Some(who);
    }
}

impl Parser<'_> {
    pub(super) fn deactivate(&mut self, who: Who, span: Span) {
        match self.rules.active.get_mut(&who) {
            Some(count) if *count > 0 => *count -= 1,
            _ => {
                let what = format!("`{}` is deactivated and was not active", self.tree.id(who));
                self.say(Code::Inactive, span, what, "activate it before, with `+` or `activate`, or remove the `-`");
            }
        }
    }

    /// The message behind `create` has to reach what is created, the one behind `destroy` has to touch what is destroyed.
    pub(super) fn lifetimes(&mut self, from: Who, to: Who, span: Span) {
        if let Some(who) = self.rules.created {
            if to != who {
                let what = format!("`{}` is created, and the next message does not go to it", self.tree.id(who));
                self.say(Code::Lifetime, span, what, "let the next message go to what is created");
            }
            self.rules.created = None;
        } else if let Some(who) = self.rules.destroyed {
            if to != who && from != who {
                let what =
                    format!("`{}` is destroyed, and the next message is neither from it nor to it", self.tree.id(who));
                self.say(Code::Lifetime, span, what, "let the next message come from what is destroyed, or go to it");
            }
            self.rules.destroyed = None;
        }
    }

    pub(super) fn create(&mut self, who: Who, known: bool, span: Span) {
        if known {
            let what = format!("`{}` is created though it exists already", self.tree.id(who));
            self.say(
                Code::TwicePlaced,
                span,
                what,
                "give what is created a name of its own, and the same label with `as`",
            );
        }
        self.rules.created = Some(who);
        self.stack.add(&mut self.tree, Item::Create(who, span));
    }

    pub(super) fn place_in_box(&mut self, who: Who, span: Span) {
        let Some(here) = self.stack.in_box() else { return };
        let Some(participant) = self.tree.participants.get_mut(who) else { return };
        if participant.grouping.is_some_and(|other| other != here) {
            let what = format!("`{}` stands in another box already", participant.id);
            self.say(Code::TwicePlaced, span, what, "declare it in one box only");
        } else {
            participant.grouping = Some(here);
        }
    }

    pub(super) fn declared_twice(&mut self, who: Who, label: Option<&str>, span: Span) {
        let Some(participant) = self.tree.participants.get(who) else { return };
        if participant.declared.is_none() {
            return;
        }
        let changes = label.is_some_and(|label| label != participant.label);
        let what = if changes {
            format!("`{}` is declared again, with another label", participant.id)
        } else {
            format!("`{}` is declared again", participant.id)
        };
        self.say(Code::DuplicateParticipant, span, what, "keep one of the declarations, or give one another name");
    }
}
