//! Character classes as JavaScript's regular expressions mean them, for mermaid's lexers are made of those.

/// Whether `\s` matches.
pub(super) const fn is_space(c: char) -> bool {
    matches!(c,
        '\t'..='\r' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}'
        | '\u{205f}' | '\u{3000}' | '\u{feff}')
}

/// Whether `\w` matches.
pub(super) const fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

pub(super) fn from(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

/// The end of the run of `\s` that begins at a byte.
pub(super) fn skip_space(text: &str, at: usize) -> usize {
    skip(text, at, is_space)
}

/// The end of the run of `\s` without line feeds that begins at a byte.
pub(super) fn skip_blanks(text: &str, at: usize) -> usize {
    skip(text, at, |c| c != '\n' && is_space(c))
}

fn skip(text: &str, at: usize, wanted: impl Fn(char) -> bool) -> usize {
    let rest = from(text, at);
    // Nearly all runs are ASCII, and nearly all are empty.
    match rest.as_bytes().first() {
        Some(b) if b.is_ascii_graphic() => at,
        _ => at + rest.find(|c| !wanted(c)).unwrap_or(rest.len()),
    }
}

/// The end of the run of bytes that are wanted; stops at no byte within a character unless asked to.
pub(super) fn run(bytes: &[u8], at: usize, wanted: impl Fn(u8) -> bool) -> usize {
    bytes.get(at..).and_then(|rest| rest.iter().position(|b| !wanted(*b))).map_or(bytes.len(), |n| at + n)
}

/// The end of the run of `\w` that begins at a byte.
pub(super) fn skip_word(bytes: &[u8], at: usize) -> usize {
    run(bytes, at, is_word)
}

/// The next line feed from a byte on, or the end.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    at + from(text, at).find('\n').unwrap_or(from(text, at).len())
}

/// A span without the `\s` on both sides.
pub(super) fn trimmed(text: &str, start: usize, end: usize) -> (usize, usize) {
    let inside = text.get(start..end).unwrap_or_default();
    let kept = inside.trim_matches(is_space);
    let start = start + (inside.len() - inside.trim_start_matches(is_space).len());
    (start, start + kept.len())
}

/// What to do where something else was expected.
pub(super) fn instead(expected: &str) -> String {
    match expected {
        "the end of the line" => "remove what stands here, or put it on a line of its own".to_owned(),
        _ => format!("write {expected} here, or remove the line"),
    }
}
