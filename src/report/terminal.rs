//! Progress on a terminal: one moving line for the present step, and what has happened above it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::queue::{Piece, Sink};

/// A terminal on standard error. Only the thread that writes touches it: a terminal that is stopped holds up whoever does.
pub(super) struct Terminal {
    bar: ProgressBar,
}

impl Terminal {
    pub fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {wide_msg} {elapsed}") {
            bar.set_style(style);
        }
        Self { bar }
    }
}

impl Sink for Terminal {
    fn write(&mut self, piece: Piece) {
        match piece {
            Piece::Record(line) | Piece::Line(line) => self.bar.println(line),
            Piece::Progress { line, begins } => {
                if begins {
                    self.bar.reset_elapsed();
                }
                self.bar.enable_steady_tick(Duration::from_millis(120));
                self.bar.set_message(line);
            }
        }
    }

    fn dropped(&mut self, lines: u64) {
        self.bar.println(format!("! {lines} lines were dropped here, since nobody read them"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
