//! How many changes a check has noticed, and which it has not.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::drawn::Drawn;
use crate::sequence::selftest::{Score, Survivor};

#[must_use]
pub fn selftest(drawn: &Drawn<'_>, score: &Score) -> String {
    let mut text = format!("{}: {} changes, {} noticed\n\n", drawn.name, score.made(), score.killed());
    let _ = writeln!(text, "  {:<10} {:>5} {:>8}", "change", "made", "noticed");
    for (mutation, (made, killed)) in &score.by_mutation {
        let _ = writeln!(text, "  {:<10} {made:>5} {killed:>8}", mutation.word());
    }
    if !score.survivors.is_empty() {
        text.push_str("\nnot noticed:\n");
    }
    for survivor in &score.survivors {
        let (place, said) = cited(drawn, survivor);
        let _ = writeln!(text, "  {:<10} {place}  {said}   ({})", survivor.mutation.word(), survivor.verdict.word());
    }
    let _ = match (score.made(), score.is_weak()) {
        (0, _) => writeln!(text, "\nWEAK: the diagram leaves nothing to be changed"),
        (_, true) => writeln!(
            text,
            "\nWEAK: less than 95 % of the changes are noticed; bind `operation` where calls are told apart by nothing else"
        ),
        (_, false) => writeln!(text, "\nSTRONG"),
    };
    text
}

#[must_use]
pub fn selftest_json(drawn: &Drawn<'_>, score: &Score) -> Value {
    let ways = score
        .by_mutation
        .iter()
        .map(|(mutation, (made, killed))| json!({ "change": mutation.word(), "made": made, "noticed": killed }));
    let survivors = score.survivors.iter().map(|survivor| {
        let (place, said) = cited(drawn, survivor);
        json!({ "change": survivor.mutation.word(), "at": place, "message": said, "verdict": survivor.verdict })
    });
    json!({
        "scenario": drawn.name,
        "made": score.made(),
        "noticed": score.killed(),
        "weak": score.is_weak(),
        "changes": ways.collect::<Vec<_>>(),
        "survivors": survivors.collect::<Vec<_>>(),
    })
}

fn cited(drawn: &Drawn<'_>, survivor: &Survivor) -> (String, String) {
    drawn
        .diagram
        .messages()
        .get(survivor.message)
        .map(|message| (drawn.cite(message.span), drawn.say(message)))
        .unwrap_or_default()
}
