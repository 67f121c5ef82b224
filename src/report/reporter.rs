//! Renders events: a terminal with progress, plain lines, or JSON lines; written by a thread of their own.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::json;

use super::{
    Format, Narrator, Told, is_plain,
    queue::{Piece, Queue, Sink},
    remark, say,
    terminal::Terminal,
};
use crate::{
    guard::{Event, Events},
    model::RunId,
};

/// The reporter of this process' output.
pub struct Reporter {
    queue: Arc<Queue>,
    events: Arc<dyn Events>,
}

impl Reporter {
    /// Reports one run.
    #[must_use]
    pub fn new(format: Format) -> Self {
        let (sink, kind): (Box<dyn Sink>, _) = match format {
            Format::Json => (Box::new(JsonSink), Kind::Json),
            Format::Table if is_plain() => (Box::new(PlainSink), Kind::Plain),
            Format::Table => (Box::new(Terminal::new()), Kind::Terminal),
        };
        let queue = Arc::new(Queue::new(sink));
        let events: Arc<dyn Events> = match kind {
            Kind::Json => Arc::new(JsonLines(queue.clone())),
            Kind::Plain => Arc::new(Lines::new(queue.clone(), String::new(), Some(PACE))),
            Kind::Terminal => Arc::new(Lines::new(queue.clone(), String::new(), None)),
        };
        Self { queue, events }
    }

    /// Reports many runs: plain lines on standard error.
    #[must_use]
    pub fn log() -> Self {
        let queue = Arc::new(Queue::new(Box::new(PlainSink)));
        let events = Arc::new(Lines::new(queue.clone(), String::new(), Some(PACE)));
        Self { queue, events }
    }

    /// Who takes the run's events, or those that concern no single run.
    #[must_use]
    pub fn events(&self) -> Arc<dyn Events> {
        self.events.clone()
    }

    /// Who takes the events of one run among others: each line has the run's name before it.
    #[must_use]
    pub fn of(&self, run: &RunId) -> Arc<dyn Events> {
        Arc::new(Lines::new(self.queue.clone(), format!("{run} "), Some(PACE)))
    }

    /// Writes one line for people, in its turn.
    pub fn remark(&self, text: &str) {
        self.queue.push(Piece::Line(text.to_owned()));
    }

    /// Waits until all is written, for as long as its reader takes.
    pub fn finish(&self) {
        self.queue.finish();
    }
}

enum Kind {
    Json,
    Plain,
    Terminal,
}

fn told_of_dropped(lines: u64) -> String {
    format!("{lines} lines were dropped here, since nobody read them; `interlock runs show` has the whole run")
}

/// Lines of JSON on standard output.
struct JsonSink;

impl Sink for JsonSink {
    fn write(&mut self, piece: Piece) {
        match piece {
            Piece::Record(line) | Piece::Line(line) | Piece::Progress { line, .. } => say(&line),
        }
    }

    fn dropped(&mut self, lines: u64) {
        say(&json!({ "remark": told_of_dropped(lines) }).to_string());
    }
}

/// One JSON line for each journal entry.
struct JsonLines(Arc<Queue>);

impl JsonLines {
    fn push(&self, value: &impl Serialize, piece: fn(String) -> Piece) {
        let Ok(line) = serde_json::to_string(value) else { return };
        self.0.push(piece(line));
    }
}

impl Events for JsonLines {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Driving { run, plan } => {
                self.push(&json!({"driving": {"run": run, "title": plan.title}}), Piece::Record);
            }
            Event::Recorded(entry) => self.push(entry, Piece::Record),
            Event::Remark(text) => self.push(&json!({ "remark": text }), Piece::Line),
            Event::Begins { .. } | Event::Returns { .. } | Event::Looked(_) => {}
        }
    }
}

/// How often plain output says how a step stands.
const PACE: Duration = Duration::from_secs(5);

/// Lines on standard error.
struct PlainSink;

impl Sink for PlainSink {
    fn write(&mut self, piece: Piece) {
        match piece {
            Piece::Record(line) | Piece::Line(line) | Piece::Progress { line, .. } => remark(&line),
        }
    }

    fn dropped(&mut self, lines: u64) {
        remark(&format!("! {}", told_of_dropped(lines)));
    }
}

/// Lines for people; with a pace, progress only so often.
struct Lines {
    queue: Arc<Queue>,
    before: String,
    pace: Option<Duration>,
    told: Mutex<(Narrator, Option<Instant>)>,
}

impl Lines {
    fn new(queue: Arc<Queue>, before: String, pace: Option<Duration>) -> Self {
        Self { queue, before, pace, told: Mutex::default() }
    }
}

impl Events for Lines {
    fn event(&self, event: &Event<'_>) {
        let mut inner = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let (narrator, last) = &mut *inner;
        match narrator.tell(event) {
            Some(Told::Line(line)) => {
                *last = None;
                self.queue.push(Piece::Line(format!("{}{line}", self.before)));
            }
            Some(Told::Progress(line)) => {
                let first = last.get_or_insert_with(Instant::now);
                let due = self.pace.is_none_or(|pace| first.elapsed() >= pace);
                if due {
                    *first = Instant::now();
                    let begins = matches!(event, Event::Begins { .. } | Event::Returns { .. });
                    self.queue.push(Piece::Progress { line: format!("{}{line}", self.before), begins });
                }
            }
            None => {}
        }
    }
}
