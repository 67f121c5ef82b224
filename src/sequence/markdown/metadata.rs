//! Metadata at the top of a document that lack their `---` lines: Markdown then draws them as text.

use crate::sequence::{Code, Diagnostic, Span};

/// The finding, where a document begins with `key: value` lines.
pub(super) fn bare(text: &str) -> Option<Diagnostic> {
    let start = text.len() - text.trim_start_matches(['\u{feff}', '\n', '\r', ' ']).len();
    let mut keys = Vec::new();
    let mut end = start;
    for line in text[start..].split_inclusive('\n') {
        let trimmed = line.trim_end();
        if trimmed.is_empty() || trimmed.starts_with("---") || trimmed.starts_with('#') {
            break;
        }
        match key(trimmed) {
            Some(key) => keys.push(key),
            None if !keys.is_empty() && (trimmed.starts_with(' ') || trimmed.starts_with("- ")) => {}
            None => return None,
        }
        end += line.len();
    }
    if keys.len() < 2 {
        return None;
    }
    let what = format!(
        "the document begins with metadata ({}) without `---` lines around them",
        keys[..keys.len().min(4)].join(", ")
    );
    Some(Diagnostic::new(
        Code::BareMetadata,
        Span::new(start, end),
        what,
        "put a line `---` before them and one behind",
    ))
}

/// The key of a `key: value` line.
fn key(line: &str) -> Option<&str> {
    let (key, rest) = line.split_once(':')?;
    let named = key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    (named && (rest.is_empty() || rest.starts_with(' '))).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_metadata_is_taken_for_it() {
        let keys = |text: &str| bare(text).map(|found| found.span);
        assert!(keys("title: A\nowners:\n  - b\n---\n\n# A\n").is_some());
        assert!(keys("---\ntitle: A\nstatus: draft\n---\n# A\n").is_none());
        assert!(keys("note: this is prose\nthat goes on\n").is_none());
        assert!(keys("# A\ntitle: A\nstatus: b\n").is_none());
    }
}
