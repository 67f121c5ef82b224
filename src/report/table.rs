//! Tables for people: plans, gates, runs, and the closing table with the evidence.

use comfy_table::{Cell, CellAlignment, Color};

use super::{Narrator, Style, Told};
use crate::{
    guard::{Action, Answer, Entry, Event, Gate, Mode, Outcome, Plan, Stored},
    journal::Record,
    model::Moment,
    operation::{Part, Report, Table as Figures, kind_of},
};

/// The plan, step by step.
#[must_use]
pub fn plan(plan: &Plan, style: Style) -> String {
    let mut table = style.table(&["#", "step", "does"]);
    for (at, step) in plan.steps.iter().enumerate() {
        let does = match &step.action {
            Action::Change { key, to, only_if_clean } => {
                let only =
                    only_if_clean.as_ref().map(|name| format!(", only if `{name}` passes cleanly")).unwrap_or_default();
                format!("write {key} = {to}{only}")
            }
            Action::Watch { what } => {
                let told = kind_of(plan).ok().and_then(|kind| kind.watch(what));
                told.unwrap_or_else(|| what.to_string())
            }
        };
        table.add_row([(at + 1).to_string(), step.name.clone(), does]);
    }
    format!(
        "{}\nguard: {}; when it cannot see, it {}\n{table}",
        plan.title,
        plan.guard,
        match plan.no_data {
            crate::guard::NoData::Hold => "holds and asks a person",
            crate::guard::NoData::Remove => "takes the change back",
        }
    )
}

/// The gates and their answers.
#[must_use]
pub fn gates(gates: &[Gate], style: Style) -> String {
    let mut table = style.table(&["gate", "answer", "found"]);
    for gate in gates {
        let (word, colour, found) = match &gate.answer {
            Answer::Open { found } => ("open", Color::Green, found.clone()),
            Answer::Later { what } => ("at run", Color::Yellow, what.clone()),
            Answer::Shut { why, hint } => ("shut", Color::Red, format!("{why}\n-> {hint}")),
            Answer::Unreachable { why, hint } => ("unreachable", Color::Red, format!("{why}\n-> {hint}")),
            Answer::NotAsked { why } => ("not asked", Color::Red, why.clone()),
        };
        table.add_row([Cell::new(&gate.name), coloured(word, colour, style), Cell::new(found)]);
    }
    table.to_string()
}

/// A cell in a colour, where colours may be used.
pub(super) fn coloured(text: &str, colour: Color, style: Style) -> Cell {
    let cell = Cell::new(text);
    if style.colour { cell.fg(colour) } else { cell }
}

/// The last evidence of a run; `None` where nothing was counted.
#[must_use]
pub fn closing(plan: &Plan, entries: &[Entry], style: Style) -> Option<String> {
    Some(drawn(&kind_of(plan).ok()?.figures(plan, entries)?, style))
}

/// The report of one run.
#[must_use]
pub fn of_run(report: &Report, style: Style) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Table(table) => drawn(table, style),
    };
    report.parts.iter().map(part).collect::<Vec<_>>().join("\n")
}

fn drawn(figures: &Figures, style: Style) -> String {
    let mut table = style.table(&figures.head.iter().map(String::as_str).collect::<Vec<_>>());
    for row in &figures.rows {
        table.add_row(row);
    }
    for at in figures.figures_from..figures.head.len() {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// How a run stands, in a few words.
fn standing_and_colour(stored: &Stored, now: &Moment) -> (String, Color) {
    let abandoned = stored.lock.as_ref().is_some_and(|lock| lock.is_abandoned(now));
    match stored.mode() {
        Mode::Finished(outcome) => {
            let colour = match outcome {
                Outcome::Kept { .. } => Color::Green,
                Outcome::Stuck { .. } => Color::Red,
                _ => Color::Yellow,
            };
            (outcome.word().to_owned(), colour)
        }
        Mode::Held { .. } => ("held".to_owned(), Color::Yellow),
        _ if stored.lock.is_none() => ("never began".to_owned(), Color::Yellow),
        _ if abandoned => ("abandoned".to_owned(), Color::Red),
        Mode::Unwinding => ("putting back".to_owned(), Color::Yellow),
        _ => ("running".to_owned(), Color::Cyan),
    }
}

/// How a run stands, in a word or two.
#[must_use]
pub fn standing(stored: &Stored, now: &Moment) -> String {
    standing_and_colour(stored, now).0
}

/// The runs of a store.
#[must_use]
pub fn runs(all: &[(Stored, Option<Record>)], now: &Moment, style: Style) -> String {
    let mut table = style.table(&["run", "operation", "began", "state", "owner", "why"]);
    for (stored, first) in all {
        let (state, colour) = standing_and_colour(stored, now);
        let owner = stored.lock.as_ref().and_then(|lock| lock.owner.as_ref()).map(ToString::to_string);
        let why = match stored.mode() {
            Mode::Finished(outcome) => outcome.why().to_owned(),
            Mode::Held { why, .. } => why,
            _ => String::new(),
        };
        let began = first.as_ref().map(|record| format!("{:.0}", record.at)).unwrap_or_default();
        table.add_row([
            Cell::new(&stored.run),
            Cell::new(&stored.plan.title),
            Cell::new(began),
            coloured(&state, colour, style),
            Cell::new(owner.unwrap_or_default()),
            Cell::new(why),
        ]);
    }
    table.to_string()
}

/// What happened in a run, record by record; looks that only waited are counted, not listed.
#[must_use]
pub fn history(stored: &Stored, records: &[Record]) -> String {
    let mut narrator = Narrator::default();
    let mut lines = Vec::new();
    let mut waited = 0_u32;
    lines.extend(text(narrator.tell(&Event::Driving { run: &stored.run, plan: &stored.plan })));
    for (record, entry) in records.iter().zip(&stored.entries) {
        match narrator.tell(&Event::Recorded(entry)) {
            Some(Told::Progress(_)) => waited += 1,
            Some(Told::Line(line)) => {
                let looks = if waited > 0 { format!(" (after {waited} looks)") } else { String::new() };
                lines.push(format!("{:.3}  {line}{looks}", record.at));
                waited = 0;
            }
            None => {}
        }
    }
    lines.join("\n")
}

fn text(told: Option<Told>) -> Option<String> {
    match told? {
        Told::Line(line) | Told::Progress(line) => Some(line),
    }
}

/// One run with its history, evidence, and the hash that ends its journal.
#[must_use]
pub fn show(stored: &Stored, records: &[Record], head: &str, style: Style) -> String {
    let evidence = closing(&stored.plan, &stored.entries, style).map(|table| format!("\n{table}")).unwrap_or_default();
    format!("{}{evidence}\njournal: {} records, head {head}", history(stored, records), records.len())
}
