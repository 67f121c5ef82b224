//! What mermaid takes away before its parsers see a diagram, taken away without moving anything.
//!
//! Front matter, directives and comments become blanks, and the marks of entities become control characters, so that
//! every byte stays where it is in the source. The rules are those of mermaid's `preprocess.ts`, `comments.ts` and
//! `utils.ts` (11.x).

use super::chars::{from, is_space, is_word, line_end, skip_space, skip_word};
use crate::sequence::Span;

/// A diagram as the parsers see it; every byte stands where it stands in the source.
#[derive(Debug)]
pub(super) struct Clean {
    /// The text, with a line feed added at the end.
    pub text: String,
    /// The YAML between the `---` lines, where there is any.
    pub front_matter: Option<Span>,
}

/// Takes away what no parser sees.
pub(super) fn clean(source: &str) -> Clean {
    let mut bytes = Vec::with_capacity(source.len() + 1);
    bytes.extend_from_slice(source.as_bytes());
    let marked = |mark: u8| source.as_bytes().contains(&mark);
    if marked(b'\r') {
        line_feeds(&mut bytes);
    }
    if marked(b'<') {
        attributes(&mut bytes);
    }
    let front = front_matter(source);
    if let Some((whole, _)) = front {
        blank(&mut bytes, whole);
    }
    if marked(b'%') {
        directives(source, front.map_or(0, |(whole, _)| whole.end), &mut bytes);
        comments(&mut bytes);
    }
    if marked(b'#') {
        entities(&mut bytes);
    }
    bytes.push(b'\n');
    // Only whole characters were replaced, each byte by an ASCII one.
    let text = String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
    Clean { text, front_matter: front.map(|(_, yaml)| yaml) }
}

fn blank(bytes: &mut [u8], span: Span) {
    bytes[span.range()].fill(b' ');
}

/// Every `\r` becomes a line feed. A blank would not do: before a line feed, mermaid's lexers skip both.
fn line_feeds(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte == b'\r') {
        *byte = b'\n';
    }
}

/// The quotes around the values of HTML attributes become single ones: `/<(\w+)([^>]*)>/` and `/="([^"]*)"/`.
fn attributes(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(open) = find(bytes, at, b"<") {
        let word = skip_word(bytes, open + 1);
        at = open + 1;
        if word == open + 1 {
            continue;
        }
        let Some(close) = find(bytes, word, b">") else { return };
        at = close + 1;
        let mut value = word;
        while let Some(begin) = find(&bytes[..close], value, b"=\"") {
            let Some(end) = find(&bytes[..close], begin + 2, b"\"") else { break };
            (bytes[begin + 1], bytes[end]) = (b'\'', b'\'');
            value = end + 1;
        }
    }
}

/// The block between `---` lines at the very start, and the YAML in it.
///
/// Mermaid looks for it twice, the second time without the blank lines before it.
fn front_matter(source: &str) -> Option<(Span, Span)> {
    let fence = skip_space(source, 0);
    let indent = source.get(..fence).filter(|before| !before.contains('\n')).unwrap_or_default();
    let after = fence + from(source, fence).strip_prefix("---").map(|_| 3)?;
    let body = line_break(source, after)?;
    let mut line = body;
    loop {
        // A closing line stands below the opening one, at the same depth.
        if let Some(rest) = from(source, line).strip_prefix(indent).and_then(|rest| rest.strip_prefix("---")) {
            let close = source.len() - rest.len();
            if line > body && line_break(source, close).is_some() {
                return Some((Span::new(0, skip_space(source, close)), Span::new(body, line)));
            }
        }
        line = line_end(source, line) + 1;
        if line >= source.len() {
            return None;
        }
    }
}

/// The byte after the first line feed, where only `\s` stands before it.
fn line_break(source: &str, at: usize) -> Option<usize> {
    let end = skip_space(source, at);
    source.get(at..end)?.find('\n').map(|feed| at + feed + 1)
}

/// Blanks `%%{word: ...}%%` and `%%{word}%%` from a byte on, as mermaid's `directiveRegex` finds them.
fn directives(source: &str, from: usize, bytes: &mut [u8]) {
    let mut at = from;
    while let Some(found) = find(source.as_bytes(), at, b"%%{") {
        match directive(source, found) {
            Some(end) => {
                blank(bytes, Span::new(found, end));
                at = end;
            }
            None => at = found + 1,
        }
    }
}

fn directive(source: &str, start: usize) -> Option<usize> {
    let bytes = source.as_bytes();
    let word = skip_space(source, start + 3);
    let mut at = skip_word(bytes, word);
    if at == word {
        return None;
    }
    let colon = skip_space(source, at);
    if bytes.get(colon) == Some(&b':') {
        at = colon + 1;
    }
    at = skip_space(source, at);
    let argument = skip_word(bytes, at);
    at = if argument > at { argument } else { find(bytes, at, b"}%%").unwrap_or(bytes.len()) };
    at = skip_space(source, at);
    Some(if bytes.get(at..).is_some_and(|rest| rest.starts_with(b"}%%")) { at + 3 } else { at })
}

fn find(bytes: &[u8], at: usize, needle: &[u8]) -> Option<usize> {
    bytes.get(at..)?.windows(needle.len()).position(|window| window == needle).map(|found| at + found)
}

/// Blanks the lines that hold only a comment. A bare `%%` is left to the lexers.
fn comments(bytes: &mut [u8]) {
    let mut start = 0;
    while start < bytes.len() {
        let end = bytes[start..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |feed| start + feed);
        let line = String::from_utf8_lossy(&bytes[start..end]);
        let comment = line.trim_start_matches(is_space).strip_prefix("%%");
        if comment.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('{')) {
            blank(bytes, Span::new(start, end));
        }
        start = end + 1;
    }
}

/// `#35;` and `#quot;` lose their marks to control characters, which no rule of a lexer knows.
fn entities(bytes: &mut [u8]) {
    style_ends(bytes);
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'#' {
            let end = super::chars::run(bytes, at + 1, is_word);
            if end > at + 1 && bytes.get(end) == Some(&b';') {
                bytes[at] = 1;
                bytes[end] = 2;
            }
            at = end;
        } else {
            at += 1;
        }
    }
}

/// The last `;` of a line with `style ... :#colour ...;` is taken away.
fn style_ends(bytes: &mut [u8]) {
    let mut start = 0;
    while start < bytes.len() {
        let end = bytes[start..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |feed| start + feed);
        if let Some(last) = style_end(&bytes[start..end]) {
            bytes[start + last] = b' ';
        }
        start = end + 1;
    }
}

fn style_end(line: &[u8]) -> Option<usize> {
    let last = line.iter().rposition(|b| *b == b';')?;
    let word = [find(line, 0, b"style").map(|at| at + 5), find(line, 0, b"classDef").map(|at| at + 8)];
    let begin = word.into_iter().flatten().min()?;
    let mut colon = false;
    for byte in line.get(begin..last)? {
        match byte {
            b':' => colon = true,
            b'#' if colon => return Some(last),
            b if b.is_ascii_whitespace() => colon = false,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(source: &str) -> String {
        let clean = clean(source);
        assert_eq!(clean.text.len(), source.len() + 1);
        clean.text.trim().replace([1 as char, 2 as char], "!")
    }

    #[test]
    fn nothing_moves_and_nothing_stays_that_no_parser_sees() {
        assert_eq!(cleaned("%%{init: {\"a\": 1}}%%\nx"), "x");
        assert_eq!(cleaned("%%{wrap}%% x"), "x");
        assert_eq!(cleaned("%%{init: dark rest}%%"), "rest}%%");
        assert_eq!(cleaned("  %% a comment ü\nx %% y"), "x %% y");
        assert_eq!(cleaned("---\ntitle: a\n---\nx"), "x");
        assert_eq!(cleaned("a\r\nb\rc"), "a\n\nb\nc");
        assert_eq!(cleaned("a #35; #b; #c"), "a !35! !b! #c");
        assert_eq!(cleaned("style A fill:#fff,stroke:#000; b"), "style A fill:#fff,stroke:#000  b");
    }

    #[test]
    fn front_matter_needs_both_of_its_lines() {
        let yaml = |source: &str| clean(source).front_matter.map(|span| span.of(source).to_owned());
        assert_eq!(yaml("---\ntitle: a\n---\nx"), Some("title: a\n".to_owned()));
        assert_eq!(yaml("  ---\n  a: 1\n  ---\nx"), Some("  a: 1\n".to_owned()));
        assert_eq!(yaml("---\ntitle: a\n--- x"), None);
        assert_eq!(yaml("x\n---\n---\n"), None);
    }
}
