//! JSON on standard output.

use std::io::{BufWriter, Write as _};

use serde::{Serialize, Serializer as _};

/// Writes one JSON document, indented.
pub fn print(value: &impl Serialize) {
    let Ok(text) = serde_json::to_string_pretty(value) else { return };
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes a JSON list, indented, each item as it comes.
pub fn print_each(items: impl Iterator<Item = impl Serialize>) {
    let mut out = BufWriter::new(std::io::stdout().lock());
    if serde_json::Serializer::pretty(&mut out).collect_seq(items).is_ok() {
        let _ = writeln!(out).and_then(|()| out.flush());
    }
}
