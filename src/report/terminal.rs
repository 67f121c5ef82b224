//! Progress on a terminal: one moving line for the present step, and what has happened above it.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Narrator, Told};
use crate::guard::{Event, Events};

/// A renderer for a terminal.
pub struct Terminal {
    narrator: Mutex<Narrator>,
    bar: ProgressBar,
}

impl Terminal {
    /// A renderer on standard error.
    pub fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {wide_msg} {elapsed}") {
            bar.set_style(style);
        }
        Self { narrator: Mutex::default(), bar }
    }
}

impl Events for Terminal {
    fn event(&self, event: &Event<'_>) {
        let told = self.narrator.lock().unwrap_or_else(PoisonError::into_inner).tell(event);
        match told {
            Some(Told::Line(line)) => self.bar.println(line),
            Some(Told::Progress(line)) => {
                if let Event::Begins { .. } | Event::Returns { .. } = event {
                    self.bar.reset_elapsed();
                }
                self.bar.enable_steady_tick(Duration::from_millis(120));
                self.bar.set_message(line);
            }
            None => {}
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
