//! Diagrams in which a person begins more than one exchange: each is a scenario of its own.

use crate::sequence::{
    Code, Diagnostic,
    mermaid::sequence::{Message, Role, Sequence, Stroke},
};

/// Words by which a participant is known for a person, where it is not drawn as one.
pub(in crate::sequence) const PEOPLE: &[&str] = &[
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
    // Whether others have acted since the person did, and whether they asked the person for something.
    let (mut acted, mut asked) = (true, false);
    for message in messages {
        let solid = message.arrow.stroke == Stroke::Solid;
        if message.from == person && message.to != person {
            if acted && !asked && solid {
                stimuli.push(message);
            }
            (acted, asked) = (false, false);
        } else {
            acted = true;
            if message.to == person {
                asked = solid;
            }
        }
    }
    let second = stimuli.get(1)?;
    let name = sequence.id(person);
    let what = format!("`{name}` acts {} times here: these are several scenarios", stimuli.len());
    let fix = "draw one diagram for each, or expect each to be replayed by itself";
    Some(Diagnostic::new(Code::SeveralStimuli, second.span, what, fix))
}

fn is_person(sequence: &Sequence, first: &Message) -> bool {
    sequence.participants.get(first.from).is_some_and(|who| {
        let words = format!("{} {}", who.id, who.label).to_lowercase();
        who.role == Role::Actor || words.split(|c: char| !c.is_alphanumeric()).any(|word| PEOPLE.contains(&word))
    })
}
