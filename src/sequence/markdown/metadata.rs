//! Metadata at the top of a document: front matter, and `key: value` lines that lack its `---` and are drawn as text.

use crate::sequence::{Code, Diagnostic, Span};

/// The byte behind the front matter; 0 where there is none.
///
/// Front matter begins on the very first line, with no blank line behind its mark, and is closed. Any other `---` is a
/// thematic break, or underlines a heading.
pub(super) fn front_matter(text: &str) -> usize {
    let begin = text.len() - text.trim_start_matches('\u{feff}').len();
    let mut lines = text[begin..].split_inclusive('\n');
    let mark = lines.next().map(str::trim_end).filter(|mark| matches!(*mark, "---" | "+++"));
    let Some(mark) = mark else { return 0 };
    let mut end = begin + mark.len() + text[begin + mark.len()..].find('\n').map_or(0, |feed| feed + 1);
    for (number, line) in lines.enumerate() {
        end += line.len();
        let written = line.trim_end();
        if written == mark || (mark == "---" && written == "...") {
            return end;
        }
        if number == 0 && written.is_empty() {
            return 0;
        }
    }
    0
}

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
    fn front_matter_is_at_the_very_beginning() {
        for (text, front) in [
            ("---\na: b\n---\n# A\n", "---\na: b\n---\n"),
            ("\u{feff}---\r\na: b\r\n...\r\n# A\n", "\u{feff}---\r\na: b\r\n...\r\n"),
            ("+++\na = 1\n+++\n# A\n", "+++\na = 1\n+++\n"),
            ("---\n---\nx", "---\n---\n"),
            ("---\na: b\n---", "---\na: b\n---"),
            ("---\n\n# A\n\n---\n", ""),
            ("---\na: b\n", ""),
            ("# A\n---\na: b\n---\n", ""),
            ("\n---\na: b\n---\n", ""),
            ("", ""),
        ] {
            assert_eq!(&text[..front_matter(text)], front, "{text:?}");
        }
    }

    #[test]
    fn only_what_looks_like_metadata_is_taken_for_it() {
        let keys = |text: &str| bare(text).map(|found| found.span);
        assert!(keys("title: A\nowners:\n  - b\n---\n\n# A\n").is_some());
        assert!(keys("---\ntitle: A\nstatus: draft\n---\n# A\n").is_none());
        assert!(keys("note: this is prose\nthat goes on\n").is_none());
        assert!(keys("# A\ntitle: A\nstatus: b\n").is_none());
    }
}
