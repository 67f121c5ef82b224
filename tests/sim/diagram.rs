//! A schedule as a sequence diagram, for people.

use std::fmt::Write as _;

use serde_json::Value;

use crate::world::Told;

/// A journal's entry in a few words.
pub fn entry(entry: &Value) -> String {
    let Some((kind, content)) = entry.as_object().and_then(|object| object.iter().next()) else {
        return entry.to_string();
    };
    let field = |name: &str| content.get(name).map(ToString::to_string);
    let told = match kind.as_str() {
        "planned" | "gated" => None,
        "owned" => field("role"),
        "looked" => field("verdict"),
        "finished" => field("outcome"),
        _ => Some(content.to_string()),
    };
    format!("{kind} {}", told.unwrap_or_default())
}

/// Text that mermaid takes for nothing else.
fn plain(text: &str) -> String {
    let text: String = text.chars().map(|c| if "#;:%{}".contains(c) { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The story as Mermaid has it. What nobody needs is left out: reads, and processes that do nothing but look.
pub fn mermaid(told: &[Told]) -> String {
    let is_read = |told: &&Told| told.text.starts_with("get ") || (told.from == "platform" && told.to.is_some());
    let told: Vec<_> = told.iter().filter(|told| !is_read(told)).collect();
    let mut people: Vec<&str> = Vec::new();
    for told in &told {
        for name in std::iter::once(told.from.as_str()).chain(told.to.as_deref()) {
            if !people.contains(&name) {
                people.push(name);
            }
        }
    }
    let mut text = String::from("sequenceDiagram\n");
    for name in people {
        let _ = writeln!(text, "    participant {name}");
    }
    for told in told {
        let (at, said) = (told.at as f64 / 1000.0, plain(&told.text));
        let _ = match &told.to {
            Some(to) => {
                writeln!(text, "    {}{}{to}: {at:.3} s {said}", told.from, if told.lost { "-x" } else { "->>" })
            }
            None => writeln!(text, "    Note over {}: {at:.3} s {said}", told.from),
        };
    }
    text
}
