//! Replies and the calls that they answer, found by the stack of open calls and not by the arrows' style.

use std::collections::HashSet;

use crate::sequence::{
    Code, Diagnostic,
    mermaid::sequence::{Fragment, Item, Message, Operator, Sequence, Stroke, Who},
};

/// How many open calls are remembered; older ones are forgotten, so that the work stays linear.
const REMEMBERED: usize = 64;

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
        let mut branches = Vec::new();
        for operand in &fragment.operands {
            let mut branch = before.clone();
            self.items(&operand.items, &mut branch);
            branches.push(branch);
        }
        calls.open.retain(|call| branches.iter().all(|branch| branch.open.contains(call)));
        for branch in branches {
            for call in branch.open.into_iter().filter(|call| !before.open.contains(call)) {
                if !calls.open.contains(&call) {
                    remember(&mut calls.open, call);
                }
            }
            for call in branch.answered {
                if !calls.answered.contains(&call) {
                    remember(&mut calls.answered, call);
                }
            }
        }
    }

    fn message(&mut self, message: &Message, calls: &mut Calls) {
        let (call, back) = ((message.from, message.to), (message.to, message.from));
        let open = calls.open.iter().rposition(|known| *known == back);
        // An asynchronous arrow is not waited for, and answers nobody.
        let dotted = message.arrow.stroke == Stroke::Dotted && !message.arrow.is_async();
        match open {
            Some(at) if dotted || self.is_answer(message, &calls.open[at..]) => {
                if !dotted {
                    self.solid(message);
                }
                close(&mut calls.open, at);
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

/// Closes a call and all that were opened within it; one that its caller made beside it stays open.
fn close(open: &mut Vec<Call>, at: usize) {
    let later = open.split_off(at);
    let mut within = Vec::new();
    for (from, to) in later {
        if within.is_empty() || within.contains(&from) {
            within.push(to);
        } else {
            open.push((from, to));
        }
    }
}

fn remember(calls: &mut Vec<Call>, call: Call) {
    if calls.len() >= REMEMBERED {
        calls.remove(0);
    }
    calls.push(call);
}
