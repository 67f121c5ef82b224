//! Diagrams in which a person begins more than one exchange: each is a scenario of its own.

use crate::sequence::{
    Code, Diagnostic,
    mermaid::sequence::{Message, Role, Sequence, Stroke},
};

/// Words by which a participant is known for a person, where it is not drawn as one.
const PEOPLE: &[&str] = &[
    "user",
    "visitor",
    "customer",
    "admin",
    "administrator",
    "operator",
    "persona",
    "person",
    "human",
    "engineer",
    "clerk",
    "guest",
    "member",
    "shopper",
    "patient",
];

pub(super) fn check(sequence: &Sequence) -> Option<Diagnostic> {
    let messages = sequence.messages();
    let first = messages.first()?;
    let person = first.from;
    if !is_person(sequence, first) {
        return None;
    }
    let mut stimuli: Vec<&Message> = Vec::new();
    let mut answered = true;
    for message in messages {
        if message.from == person && message.to != person {
            if answered && message.arrow.stroke == Stroke::Solid {
                stimuli.push(message);
            }
            answered = false;
        } else if message.to == person {
            answered = message.arrow.stroke == Stroke::Dotted;
        }
    }
    let second = stimuli.get(1)?;
    let name = sequence.id(person);
    let what = format!(
        "`{name}` acts {} times here, each time after the answer before: these are several scenarios",
        stimuli.len()
    );
    Some(Diagnostic::new(
        Code::SeveralStimuli,
        second.span,
        what,
        "draw one diagram for each, or expect each to be replayed by itself",
    ))
}

fn is_person(sequence: &Sequence, first: &Message) -> bool {
    sequence.participants.get(first.from).is_some_and(|who| {
        let words = format!("{} {}", who.id, who.label).to_lowercase();
        who.role == Role::Actor || words.split(|c: char| !c.is_alphanumeric()).any(|word| PEOPLE.contains(&word))
    })
}
