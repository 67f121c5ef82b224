//! Chooses who renders events: a terminal with progress, plain lines, or JSON lines.

use std::{
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Narrator, Told, is_plain, json, terminal::Terminal};
use crate::{
    guard::{Event, Events},
    model::RunId,
};

/// How output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Tables and lines for people.
    #[default]
    Table,
    /// JSON on standard output, one document or one line for each event.
    Json,
}

/// The renderer for this process' output.
#[must_use]
pub fn events(format: Format) -> Arc<dyn Events> {
    match format {
        Format::Json => Arc::new(JsonLines),
        Format::Table if is_plain() => Arc::new(Plain::about(String::new())),
        Format::Table => Arc::new(Terminal::new()),
    }
}

/// Renders the events of one run among others: plain lines, each with the run's name before it.
#[must_use]
pub fn log_of(run: &RunId) -> Arc<dyn Events> {
    Arc::new(Plain::about(format!("{run} ")))
}

/// Writes one line for people on standard error.
///
/// A terminal that is gone, a reader that has gone away or a log on a full disk must end neither an operator nor a
/// guardian in the middle of its work; `eprintln!` would.
pub fn remark(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes text for people on standard output; a reader that has gone away changes no exit code.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// One JSON line for each journal entry, on standard output.
struct JsonLines;

impl Events for JsonLines {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Driving { run, plan } => {
                json::line(&serde_json::json!({"driving": {"run": run, "title": plan.title}}))
            }
            Event::Recorded(entry) => json::line(entry),
            Event::Remark(text) => json::line(&serde_json::json!({ "remark": text })),
            Event::Begins { .. } | Event::Returns { .. } => {}
        }
    }
}

/// How often plain output says how a step stands.
const PACE: Duration = Duration::from_secs(5);

/// Lines on standard error; progress only every few seconds.
struct Plain {
    before: String,
    told: Mutex<(Narrator, Option<Instant>)>,
}

impl Plain {
    fn about(before: String) -> Self {
        Self { before, told: Mutex::default() }
    }
}

impl Events for Plain {
    fn event(&self, event: &Event<'_>) {
        let mut inner = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let (narrator, last) = &mut *inner;
        match narrator.tell(event) {
            Some(Told::Line(line)) => {
                *last = None;
                remark(&format!("{}{line}", self.before));
            }
            Some(Told::Progress(line)) => {
                let first = last.get_or_insert_with(Instant::now);
                if first.elapsed() >= PACE {
                    *first = Instant::now();
                    remark(&format!("{}{line}", self.before));
                }
            }
            None => {}
        }
    }
}
