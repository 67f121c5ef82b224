//! JSON on standard output.

use std::io::Write as _;

use serde::Serialize;

/// Writes one JSON line. A reader that has gone away is no reason to stop: the journal is the record.
pub fn line(value: &impl Serialize) {
    let Ok(text) = serde_json::to_string(value) else { return };
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes one JSON document, indented.
pub fn print(value: &impl Serialize) {
    let Ok(text) = serde_json::to_string_pretty(value) else { return };
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
