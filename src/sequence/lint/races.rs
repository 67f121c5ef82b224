//! Static races: the picture shows one message under another, and no lifeline makes the second wait for the first.
//!
//! Of two messages that follow each other, the second is ordered behind the first only where its sender took part in the
//! first, as sender or as receiver. (Weak sequencing: order holds along each lifeline, not down the page.)

use crate::sequence::{
    Code, Diagnostic,
    mermaid::sequence::{Fragment, Item, Message, Operator, Sequence},
};

/// How many messages may come right before another one, over all branches; more are not looked at.
const BRANCHES: usize = 8;

pub(super) fn check(sequence: &Sequence) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut last = Vec::new();
    items(sequence, &sequence.items, &mut last, &mut found);
    found
}

/// `last` are the messages that come right before what is looked at next: one, or one of each branch.
fn items<'a>(sequence: &Sequence, items: &'a [Item], last: &mut Vec<&'a Message>, found: &mut Vec<Diagnostic>) {
    for item in items {
        match item {
            Item::Message(message) => {
                let unaware = last.iter().find(|before| message.from != before.from && message.from != before.to);
                if let Some(before) = unaware {
                    found.push(race(sequence, before, message));
                }
                *last = vec![message];
            }
            Item::Fragment(inner) => fragment(sequence, inner, last, found),
            _ => {}
        }
    }
}

fn fragment<'a>(sequence: &Sequence, fragment: &'a Fragment, last: &mut Vec<&'a Message>, found: &mut Vec<Diagnostic>) {
    let before = last.clone();
    let parallel = matches!(fragment.operator, Operator::Par | Operator::ParOver);
    let mut after: Vec<&'a Message> = Vec::new();
    for operand in &fragment.operands {
        let mut branch = before.clone();
        items(sequence, &operand.items, &mut branch, found);
        after.extend(branch);
    }
    // What stands before is the last message where the fragment may be skipped, and is waited for in no parallel branch.
    if !parallel && fragment.operator != Operator::Rect && fragment.operands.len() == 1 {
        after.extend(before);
    }
    after.truncate(BRANCHES);
    *last = after;
}

fn race(sequence: &Sequence, before: &Message, message: &Message) -> Diagnostic {
    let name = |who| sequence.id(who);
    let (from, to) = (name(message.from), name(message.to));
    let what = format!(
        "`{from}->>{to}` is drawn below `{}->>{}`, and nothing makes `{from}` wait for that",
        name(before.from),
        name(before.to)
    );
    let fix = format!("let a message reach `{from}` first, or draw both in a `par`");
    Diagnostic::new(Code::Race, message.span, what, fix)
}
