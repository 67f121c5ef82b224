//! Replies and the calls that they answer, found by the stack of open calls and not by the arrows' style.

use std::collections::HashSet;

use crate::sequence::{
    Code, Diagnostic,
    mermaid::sequence::{Fragment, Item, Message, Operator, Sequence, Stroke, Who},
};

/// How many open calls are remembered; older ones are forgotten, so that the work stays linear.
const REMEMBERED: usize = 64;

/// A call, from one to the other.
type Call = (Who, Who);

#[derive(Debug, Clone, Default)]
struct Calls {
    /// Calls without a reply, the latest last.
    open: Vec<Call>,
    /// Calls that were answered, the latest last.
    answered: Vec<Call>,
}

struct Checker<'a> {
    sequence: &'a Sequence,
    found: Vec<Diagnostic>,
    /// Everyone who ever called whom, wherever it is drawn.
    all: HashSet<Call>,
}

pub(super) fn check(sequence: &Sequence) -> Vec<Diagnostic> {
    let mut checker = Checker { sequence, found: Vec::new(), all: HashSet::new() };
    checker.items(&sequence.items, &mut Calls::default());
    checker.found
}

impl Checker<'_> {
    fn items(&mut self, items: &[Item], calls: &mut Calls) {
        for item in items {
            match item {
                Item::Message(message) if message.from != message.to => self.message(message, calls),
                Item::Fragment(fragment) => self.fragment(fragment, calls),
                _ => {}
            }
        }
    }

    /// Each branch begins with the calls that were open before; behind them, a call is open that no branch has answered.
    fn fragment(&mut self, fragment: &Fragment, calls: &mut Calls) {
        let branches = matches!(fragment.operator, Operator::Alt | Operator::Critical) && fragment.operands.len() > 1;
        if !branches {
            for operand in &fragment.operands {
                self.items(&operand.items, calls);
            }
            return;
        }
        let before = calls.clone();
        for (i, operand) in fragment.operands.iter().enumerate() {
            let mut branch = before.clone();
            self.items(&operand.items, &mut branch);
            if i == 0 || branch.open.len() < calls.open.len() {
                *calls = branch;
            }
        }
    }

    fn message(&mut self, message: &Message, calls: &mut Calls) {
        let (call, back) = ((message.from, message.to), (message.to, message.from));
        let open = calls.open.iter().rposition(|known| *known == back);
        let dotted = message.arrow.stroke == Stroke::Dotted;
        match open {
            Some(at) if dotted || self.is_answer(message, &calls.open[at..]) => {
                if !dotted {
                    self.solid(message);
                }
                calls.open.truncate(at);
                remember(&mut calls.answered, back);
            }
            _ if dotted && calls.answered.contains(&back) => self.second(message),
            _ if dotted => self.uncalled(message),
            _ => {
                self.all.insert(call);
                calls.answered.retain(|known| *known != call);
                remember(&mut calls.open, call);
            }
        }
    }

    /// Whether a solid arrow back along an open call answers it: it does where all that was called since is a matter of
    /// its sender, and of whom that called.
    fn is_answer(&self, message: &Message, since: &[Call]) -> bool {
        let mut within = vec![message.from];
        let nested = since.iter().skip(1).all(|(from, to)| {
            within.push(*to);
            within.contains(from) && *to != message.to
        });
        !message.arrow.is_async() && nested
    }

    fn names(&self, message: &Message) -> (&str, &str) {
        (self.sequence.id(message.from), self.sequence.id(message.to))
    }

    fn solid(&mut self, message: &Message) {
        let (from, to) = self.names(message);
        let what = format!("a solid arrow goes back along the open call `{to}->>{from}`: taken for its reply");
        self.found.push(Diagnostic::new(
            Code::SolidReply,
            message.span,
            what,
            format!("draw a reply as `{from}-->>{to}`"),
        ));
    }

    fn second(&mut self, message: &Message) {
        let (from, to) = self.names(message);
        let what = format!("`{from}` answers `{to}` once more, and no second call is drawn");
        let fix = format!("draw the call before it: `{to}->>{from}`");
        self.found.push(Diagnostic::new(Code::SecondReply, message.span, what, fix));
    }

    fn uncalled(&mut self, message: &Message) {
        let (from, to) = self.names(message);
        let what = if self.all.contains(&(message.to, message.from)) {
            format!("`{from}` answers `{to}`, whose call is not open here")
        } else {
            format!("`{from}` answers `{to}`, which has not called it")
        };
        let fix = format!("draw the call before it, or a solid arrow if this is one: `{from}->>{to}`");
        self.found.push(Diagnostic::new(Code::ReplyWithoutCall, message.span, what, fix));
    }
}

fn remember(calls: &mut Vec<Call>, call: Call) {
    if calls.len() >= REMEMBERED {
        calls.remove(0);
    }
    calls.push(call);
}
