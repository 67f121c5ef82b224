//! Tables for people: plans, gates, runs, and the closing table with the evidence.

use comfy_table::{Cell, CellAlignment, Color, ColumnConstraint};

use super::{Narrator, Style, Told};
use crate::{
    guard::{Action, Answer, Entry, Event, Gate, Mode, Outcome, Plan, Stored, Summary},
    journal::{Lock, Record},
    model::Moment,
    operation::{FencedKey, Part, Report, Table as Figures, kind_of},
    ports::Fencing,
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

/// What may be written, and what becomes there of a write that is under way when its owner dies.
#[must_use]
pub fn keys(keys: &[FencedKey], style: Style) -> String {
    let mut table = style.table(&["key", "fence", "a write under way when its owner dies"]);
    for FencedKey { key, planned, fence, meaning } in keys {
        let key = if *planned { key.clone() } else { format!("{key} (only to go back)") };
        let colour = if *fence == Fencing::None { Color::Yellow } else { Color::Reset };
        table.add_row([Cell::new(key), coloured(&fence.to_string(), colour, style), Cell::new(meaning)]);
    }
    table.to_string()
}

/// The gates and their answers.
#[must_use]
pub fn gates(gates: &[Gate], style: Style) -> String {
    let mut table = style.table(&["gate", "answer", "found"]);
    for gate in gates {
        let (word, colour, found) = match &gate.answer {
            Answer::Open { found } => ("open", Color::Green, found.clone()),
            Answer::Later { what } => ("at run", Color::Yellow, what.clone()),
            Answer::Shut { why, .. } => ("shut", Color::Red, format!("{why}\n-> {}", gate.advice())),
            Answer::Unreachable { why, .. } => ("unreachable", Color::Red, format!("{why}\n-> {}", gate.advice())),
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
fn standing_and_colour(mode: &Mode, lock: Option<&Lock>, now: &Moment) -> (String, Color) {
    let abandoned = lock.is_some_and(|lock| lock.is_abandoned(now));
    match mode {
        Mode::Finished(outcome) => {
            let colour = match outcome {
                Outcome::Kept { .. } => Color::Green,
                Outcome::Stuck { .. } => Color::Red,
                _ => Color::Yellow,
            };
            (outcome.word().to_owned(), colour)
        }
        Mode::Held { .. } => ("held".to_owned(), Color::Yellow),
        _ if lock.is_none() => ("never began".to_owned(), Color::Yellow),
        _ if abandoned => ("abandoned".to_owned(), Color::Red),
        Mode::Unwinding => ("putting back".to_owned(), Color::Yellow),
        _ => ("running".to_owned(), Color::Cyan),
    }
}

/// How a run stands, in a word or two.
#[must_use]
pub fn standing(mode: &Mode, lock: Option<&Lock>, now: &Moment) -> String {
    standing_and_colour(mode, lock, now).0
}

/// How many runs are in one table; each further one begins with the heads of its columns.
const RUNS: usize = 500;

/// Runs in tables, one after the other.
pub fn runs(all: &[Summary], now: &Moment, style: Style) -> impl Iterator<Item = String> {
    all.chunks(RUNS).map(move |lot| runs_table(lot, now, style).to_string())
}

fn runs_table(all: &[Summary], now: &Moment, style: Style) -> comfy_table::Table {
    let mut table = style.table(&["run", "operation", "began", "state", "owner", "why"]);
    for Summary { run, title, began, mode, lock, pruned, .. } in all {
        let (state, colour) = standing_and_colour(mode, lock.as_deref(), now);
        let state = if *pruned { format!("{state}, pruned") } else { state };
        let owner = lock.as_ref().and_then(|lock| lock.owner.as_ref()).map(ToString::to_string);
        let why = match mode {
            Mode::Finished(outcome) => outcome.why(),
            Mode::Held { why, .. } => why,
            _ => "",
        };
        table.add_row([
            Cell::new(run),
            Cell::new(title),
            Cell::new(format!("{began:.0}")),
            coloured(&state, colour, style),
            Cell::new(owner.unwrap_or_default()),
            Cell::new(why),
        ]);
    }
    // What is copied and compared is whole; the words break.
    for at in [0, 2] {
        if let Some(column) = table.column_mut(at) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RunId, Target, Timestamp};

    #[test]
    fn names_and_times_of_runs_are_whole_on_narrow_terminals() {
        let began = Timestamp::from_second(1_700_000_000).unwrap();
        let why = "tenant-availability: 153 of 3,201 bad (4.78 %), tolerated 0.10 %";
        let run = Summary {
            run: RunId::new(began, 7),
            title: "switchover tenant from blue to green".to_owned(),
            target: Target::parse("tenant").unwrap(),
            began,
            last: began,
            mode: Mode::Finished(Outcome::RolledBack { why: why.to_owned() }),
            lock: None,
            pruned: false,
        };
        let now = Moment { wall: began, boot: std::time::Duration::ZERO };
        for width in [80, 100] {
            let mut table = runs_table(std::slice::from_ref(&run), &now, Style { colour: false });
            let text = table.set_width(width).to_string();
            assert!(text.contains("20231114-221320-0007") && text.contains("2023-11-14T22:13:20Z"), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= usize::from(width)), "{text}");
        }
    }
}
