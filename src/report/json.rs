//! JSON on standard output.

use std::io::Write as _;

use serde::Serialize;

/// Writes one JSON document, indented.
pub fn print(value: &impl Serialize) {
    let Ok(text) = serde_json::to_string_pretty(value) else { return };
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
