//! A check of states: which transitions were told that nobody has drawn.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{drawn::Drawn, steps::spans};
use crate::sequence::{
    conform::{StateReport, Stray},
    mermaid::state::{StateDiagram, Transition},
};

/// How many transitions are told in full.
const TOLD: usize = 50;

#[must_use]
pub fn states(drawn: &Drawn<'_, StateDiagram>, report: &StateReport) -> String {
    let mut text = format!(
        "{}: {} transitions of {} entities; the diagram has {}\n",
        drawn.name,
        report.observed,
        report.entities,
        drawn.diagram.transitions.len()
    );
    for stray in report.strays.iter().take(TOLD) {
        let _ = writeln!(text, "\n  not drawn: {}\n    at {}", went(stray), drawn.cite(stray.place));
        let _ = writeln!(text, "    {}", spans(&[stray.span]));
    }
    if report.strays.len() > TOLD {
        let _ = writeln!(text, "\n  and {} more", report.strays.len() - TOLD);
    }
    let untaken: Vec<String> = untaken(drawn, report).map(|one| arrow(drawn.diagram, one)).collect();
    if !untaken.is_empty() {
        let _ = writeln!(text, "\ndrawn and never taken: {}", untaken.join("; "));
    }
    for doubt in &report.doubts {
        let _ = writeln!(text, "in doubt: {doubt}");
    }
    text + report.verdict.word() + "\n"
}

#[must_use]
pub fn states_json(drawn: &Drawn<'_, StateDiagram>, report: &StateReport) -> Value {
    let strays = report.strays.iter().map(|stray| {
        let (line, column) = drawn.place(stray.place);
        json!({
            "entity": stray.entity,
            "from": stray.from,
            "to": stray.to,
            "file": drawn.file,
            "line": line,
            "column": column,
            "trace": stray.span.trace.to_string(),
            "span": stray.span.span.to_string(),
        })
    });
    json!({
        "scenario": drawn.name,
        "file": drawn.file,
        "verdict": report.verdict,
        "doubts": report.doubts,
        "entities": report.entities,
        "observed": report.observed,
        "strays": strays.collect::<Vec<_>>(),
        "untaken": untaken(drawn, report).map(|one| drawn.place(one.span).0).collect::<Vec<_>>(),
    })
}

fn untaken<'a>(
    drawn: &Drawn<'a, StateDiagram>,
    report: &'a StateReport,
) -> impl Iterator<Item = &'a Transition> + use<'a> {
    let all = &drawn.diagram.transitions;
    report.untaken.iter().filter_map(|index| all.get(*index))
}

fn arrow(diagram: &StateDiagram, one: &Transition) -> String {
    format!("{} --> {}", diagram.name(one.from), diagram.name(one.to))
}

fn went(stray: &Stray) -> String {
    match &stray.from {
        Some(from) => format!("`{}` went from {from} to {}", stray.entity, stray.to),
        None => format!("`{}` was first told of as {}", stray.entity, stray.to),
    }
}
