//! The diagram itself with what was found drawn into it, for a browser.

use super::drawn::Drawn;
use crate::sequence::{
    conform::{Deviation, Report, StepState},
    mermaid::{Mode, parse, sequence::Message},
};

/// Behind what differs.
const BAD: &str = "rect rgb(255, 214, 214)";
/// Behind what could not be seen.
const UNKNOWN: &str = "rect rgb(235, 235, 235)";

/// The diagram's own text with coloured backgrounds and notes at the messages that differ or could not be seen, over all
/// instances; none where mermaid does not draw the diagram as it stands.
#[must_use]
pub fn annotated(drawn: &Drawn<'_>, report: &Report) -> Option<String> {
    if !parse(drawn.source, Mode::Strict).accepted() {
        return None;
    }
    let mut text = String::new();
    let mut at = 0;
    for (index, message) in drawn.diagram.messages().into_iter().enumerate() {
        let Some((colour, note)) = remark(report, index) else { continue };
        let indent = indent(drawn.source, message.span.start);
        text.push_str(drawn.source.get(at..message.span.start)?);
        let end = message.span.start + drawn.source.get(message.span.range())?.trim_end().len();
        let statement = drawn.source.get(message.span.start..end)?;
        let whom = over(drawn, message);
        text.push_str(&format!("{colour}\n{indent}  {statement}\n{indent}  Note over {whom}: {note}\n{indent}end"));
        at = end;
    }
    text.push_str(drawn.source.get(at..)?);
    let extra: Vec<&Deviation> =
        report.instances.iter().flat_map(|one| &one.deviations).filter(|one| one.message.is_none()).collect();
    let mut text = text.trim_end().to_owned();
    if let (Some(first), Some(last)) = (drawn.diagram.participants.first(), drawn.diagram.participants.last()) {
        let mut told: Vec<String> =
            extra.iter().take(5).map(|one| escaped(&format!("{}: {}", one.kind.word(), one.what))).collect();
        told.push(format!("verdict: {}", report.verdict.word()));
        let whom = if first.id == last.id { first.id.clone() } else { format!("{},{}", first.id, last.id) };
        text.push_str(&format!("\nNote over {whom}: {}\n", told.join("<br>")));
    }
    Some(text)
}

/// What is to be drawn at a message.
fn remark(report: &Report, index: usize) -> Option<(&'static str, String)> {
    let told: Vec<String> = report
        .instances
        .iter()
        .flat_map(|instance| &instance.deviations)
        .filter(|one| one.message == Some(index))
        .map(|one| escaped(&format!("{}: {}", one.kind.word(), one.what)))
        .collect();
    if let Some(first) = told.first() {
        let more = if told.len() > 1 { format!(" (and {} more)", told.len() - 1) } else { String::new() };
        return Some((BAD, format!("{first}{more}")));
    }
    let why = report.instances.iter().find_map(|instance| match instance.steps.get(index)? {
        StepState::Unobservable(why) => Some(why),
        _ => None,
    })?;
    Some((UNKNOWN, format!("not seen: {}", escaped(why))))
}

fn over(drawn: &Drawn<'_>, message: &Message) -> String {
    let (from, to) = (drawn.diagram.id(message.from), drawn.diagram.id(message.to));
    if from == to { from.to_owned() } else { format!("{from},{to}") }
}

fn indent(source: &str, at: usize) -> &str {
    let before = source.get(..at).unwrap_or_default();
    let line = before.rfind('\n').map_or(before, |feed| &before[feed + 1..]);
    if line.trim().is_empty() { line } else { "" }
}

/// A text that ends no statement and begins no comment.
fn escaped(text: &str) -> String {
    text.replace('#', "#35;").replace(';', "#59;").replace("#35#59;", "#35;").replace(['\n', '\r'], " ")
}
