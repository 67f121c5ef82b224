//! The shapes of nodes, and the texts in them.

use super::tree::Shape;
use crate::sequence::mermaid::chars::{from, run};

/// How shapes open and close; of two that open alike the longer one stands first.
const SHAPES: &[(&str, &[&str], Shape)] = &[
    ("(((", &[")))"], Shape::Other),
    ("((", &["))"], Shape::Other),
    ("([", &["])"], Shape::Other),
    ("(-", &["-)"], Shape::Other),
    ("(", &[")"], Shape::Other),
    ("[[", &["]]"], Shape::Other),
    ("[(", &[")]"], Shape::Store),
    ("[/", &["/]", "\\]"], Shape::Other),
    ("[\\", &["/]", "\\]"], Shape::Other),
    ("[", &["]"], Shape::Box),
    ("{{", &["}}"], Shape::Other),
    ("{", &["}"], Shape::Decision),
    (">", &["]"], Shape::Other),
];

pub(super) struct Shaped<'a> {
    pub shape: Shape,
    pub label: &'a str,
    pub end: usize,
}

/// What is wrong with a shape.
pub(super) enum Fault {
    /// The closing bracket is missing; this one would fit.
    Open(&'static str, usize),
    /// A character stands in the text that needs quotes.
    Character(usize),
    Empty(usize),
}

/// The shape at a byte; nothing where none begins there.
pub(super) fn shape(text: &str, at: usize) -> Option<Result<Shaped<'_>, Fault>> {
    let rest = from(text, at);
    let (open, closers, shape) = SHAPES.iter().find(|(open, ..)| rest.starts_with(open))?;
    Some(inside(text, at + open.len(), closers).map(|(label, end)| Shaped { shape: *shape, label, end }))
}

/// The end of a shape whose text is in quotes, where that text ends. Plain text may follow, and empty quotes.
fn behind_quotes(text: &str, start: usize, close: &impl Fn(usize) -> Option<usize>) -> Result<usize, Fault> {
    let bytes = text.as_bytes();
    let mut at = start;
    loop {
        if let Some(after) = close(at) {
            return Ok(after);
        }
        match bytes.get(at) {
            Some(b'"') if bytes.get(at + 1) == Some(&b'"') => at += 2,
            None | Some(b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'|' | b'"') => return Err(Fault::Character(at)),
            Some(_) => at += 1,
        }
    }
}

fn inside<'a>(text: &'a str, start: usize, closers: &[&'static str]) -> Result<(&'a str, usize), Fault> {
    let close = |at: usize| closers.iter().find(|closer| from(text, at).starts_with(**closer)).map(|c| at + c.len());
    let bytes = text.as_bytes();
    let wanted = closers.first().copied().unwrap_or("]");
    if bytes.get(start) == Some(&b'"') {
        let end = run(bytes, start + 1, |b| b != b'"');
        if end >= bytes.len() {
            return Err(Fault::Open("\"", start));
        }
        return behind_quotes(text, end + 1, &close).map(|after| (&text[start + 1..end], after));
    }
    let mut at = start;
    loop {
        at = run(bytes, at, |b| {
            !matches!(b, b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'|' | b'"' | b'/' | b'\\' | b'-')
        });
        match bytes.get(at) {
            None => return Err(Fault::Open(wanted, start)),
            Some(_) if close(at).is_some_and(|_| at == start) => return Err(Fault::Empty(start)),
            Some(_) if close(at).is_some() => break,
            Some(b'/' | b'\\' | b'-') => at += 1,
            Some(_) => return Err(Fault::Character(at)),
        }
    }
    close(at).map(|after| (text[start..at].trim(), after)).ok_or(Fault::Character(at))
}
