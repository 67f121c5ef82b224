//! The marks of a flowchart: names, links and their texts.
//!
//! Source of the rules: `flow.jison` of mermaid 11.17.

use crate::sequence::mermaid::chars::{from, is_space, is_word, run, skip_space};

/// The end of a name that begins at a byte.
pub(super) fn name(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.get(start) == Some(&b'"') {
        return None;
    }
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        let part = match byte {
            b'-' => next.is_some_and(|b| !matches!(b, b'>' | b'-' | b'.')),
            b':' => !bytes[at..].starts_with(b":::"),
            b'!' | b'"' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'.' | b'`' | b'?' | b'\\' | b'_'
            | b'/' | b',' | 1 | 2 => true,
            b if b.is_ascii() => b.is_ascii_alphanumeric(),
            _ => from(text, at).chars().next().is_some_and(char::is_alphabetic),
        };
        if !part {
            break;
        }
        at += from(text, at).chars().next().map_or(1, char::len_utf8);
    }
    (at > start).then_some(at)
}

/// Where the run of `[^\s"]` ends that a byte stands in, and its last `@` that `[^{"]` follows: mermaid's lexer takes all up
/// to there for the name of an edge.
pub(super) fn link_id(text: &str, start: usize) -> (usize, Option<usize>) {
    let rest = from(text, start);
    let end = rest.find(|c: char| is_space(c) || c == '"').unwrap_or(rest.len());
    let bytes = rest.as_bytes();
    let is_mark = |at: &usize| bytes[*at] == b'@' && bytes.get(at + 1).is_some_and(|next| !matches!(next, b'{' | b'"'));
    (start + end, (0..end).rev().find(is_mark).map(|at| start + at))
}

/// Whether a word stands at a byte, with `\b` behind it.
pub(super) fn is(text: &str, at: usize, word: &str) -> bool {
    from(text, at).starts_with(word) && text.as_bytes().get(at + word.len()).is_none_or(|b| !is_word(*b))
}

/// A link, whole or only its first half.
pub(super) struct Link {
    /// Where it begins, blanks left out.
    pub start: usize,
    /// The byte after it, blanks behind it included.
    pub end: usize,
    /// The stroke of a first half, whose text and second half follow.
    pub half: Option<u8>,
}

/// The link at a byte, blanks before it allowed.
pub(super) fn link(text: &str, at: usize) -> Option<Link> {
    let start = skip_space(text, at);
    whole(text, start).or_else(|| half(text, start))
}

pub(super) fn second_half(text: &str, at: usize, stroke: u8) -> Option<Link> {
    let start = skip_space(text, at);
    whole(text, start).filter(|link| text.as_bytes()[start..link.end].contains(&stroke))
}

fn whole(text: &str, start: usize) -> Option<Link> {
    let bytes = text.as_bytes();
    let after_head = match bytes.get(start) {
        Some(b'x' | b'o' | b'<') => start + 1,
        _ => start,
    };
    let end = solid(bytes, after_head, b'-')
        .or_else(|| solid(bytes, after_head, b'='))
        .or_else(|| dotted(bytes, after_head))
        .or_else(|| invisible(bytes, start))?;
    Some(Link { start, end: skip_space(text, end), half: None })
}

/// `--+[-xo>]`, and the same with `=`.
fn solid(bytes: &[u8], at: usize, stroke: u8) -> Option<usize> {
    let strokes = run(bytes, at, |b| b == stroke);
    let ends = matches!(bytes.get(strokes), Some(b'x' | b'o' | b'>'));
    match strokes - at {
        0 | 1 => None,
        2 => ends.then_some(strokes + 1),
        _ => Some(if ends { strokes + 1 } else { strokes }),
    }
}

/// `-?\.+-[xo>]?`.
fn dotted(bytes: &[u8], at: usize) -> Option<usize> {
    let dots = if bytes.get(at) == Some(&b'-') { at + 1 } else { at };
    let end = run(bytes, dots, |b| b == b'.');
    if end == dots || bytes.get(end) != Some(&b'-') {
        return None;
    }
    Some(if matches!(bytes.get(end + 1), Some(b'x' | b'o' | b'>')) { end + 2 } else { end + 1 })
}

fn invisible(bytes: &[u8], at: usize) -> Option<usize> {
    let end = run(bytes, at, |b| b == b'~');
    (end - at > 2).then_some(end)
}

fn half(text: &str, start: usize) -> Option<Link> {
    let bytes = text.as_bytes();
    let at = match bytes.get(start) {
        Some(b'x' | b'o' | b'<') => start + 1,
        _ => start,
    };
    let rest = bytes.get(at..)?;
    let stroke = if rest.starts_with(b"--") {
        b'-'
    } else if rest.starts_with(b"==") {
        b'='
    } else if rest.starts_with(b"-.") {
        b'.'
    } else {
        return None;
    };
    Some(Link { start, end: skip_space(text, at + 2), half: Some(stroke) })
}

/// The end of the blanks at a byte, up to the end of the line.
pub(super) fn blanks(text: &str, at: usize) -> usize {
    let rest = from(text, at);
    at + rest.find(|c| c == '\n' || !is_space(c)).unwrap_or(rest.len())
}
