//! Lines on standard output and standard error, and the format that a person has chosen for them.

use std::io::Write as _;

/// How output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Tables and lines for people.
    #[default]
    Table,
    /// JSON on standard output, one document or one line for each event.
    Json,
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
