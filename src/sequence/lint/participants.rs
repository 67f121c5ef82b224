//! Participants: declared and used, used and declared, and told apart by their labels.

use std::collections::HashMap;

use crate::sequence::{
    Code, Diagnostic,
    mermaid::sequence::{Participant, Sequence},
};

pub(super) fn check(sequence: &Sequence) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut called = vec![false; sequence.participants.len()];
    for message in sequence.messages() {
        for who in [message.from, message.to] {
            if let Some(called) = called.get_mut(who) {
                *called = true;
            }
        }
    }
    let declared: Vec<&Participant> = sequence.participants.iter().filter(|p| p.declared.is_some()).collect();
    let mut labels: HashMap<&str, &str> = HashMap::new();
    for (participant, called) in sequence.participants.iter().zip(called) {
        let Some(span) = participant.declared else {
            found.extend(undeclared(participant, &declared, sequence.participants.len()));
            continue;
        };
        if !called && sequence.participants.len() > 1 {
            let what =
                format!("`{}` is declared and takes part in no message: read as \"nothing calls it\"", participant.id);
            let fix = "if that is not what is meant, remove the declaration or draw its messages";
            found.push(Diagnostic::new(Code::NeverCalled, span, what, fix));
        }
        match labels.get(participant.label.as_str()) {
            Some(other) => {
                let what = format!("`{}` and `{other}` have the same label, `{}`", participant.id, participant.label);
                let fix = "give them labels that differ, or use one participant for both";
                found.push(Diagnostic::new(Code::DuplicateParticipant, span, what, fix));
            }
            None => {
                labels.insert(&participant.label, &participant.id);
            }
        }
    }
    found
}

/// A slip of the pen, or one forgotten among many; where few are declared, such as the persons, the others need not be.
fn undeclared(participant: &Participant, declared: &[&Participant], all: usize) -> Option<Diagnostic> {
    let near = declared
        .iter()
        // Whom a name was meant for is looked up among few; in a crowd it is not worth the time.
        .take(64)
        .map(|other| (strsim::damerau_levenshtein(&participant.id, &other.id), other))
        .filter(|(distance, other)| *distance <= other.id.chars().count() / 3)
        .min_by_key(|(distance, _)| *distance);
    let fix = match near {
        Some((_, other)) => format!("did you mean `{}`?", other.id),
        None if 2 * declared.len() > all => format!("declare it: `participant {}`", participant.id),
        None => return None,
    };
    let what = format!("`{}` takes part, and only others are declared", participant.id);
    Some(Diagnostic::new(Code::Undeclared, participant.first, what, fix))
}
