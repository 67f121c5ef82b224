//! Places in a text: spans of bytes, and the lines and columns that people count.

use std::{cell::Cell, ops::Range};

/// A half-open range of bytes in a source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// The span from `start` up to `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The same span in a text that this one's text begins in at byte `by`.
    #[must_use]
    pub const fn moved(self, by: usize) -> Self {
        Self { start: self.start + by, end: self.end + by }
    }

    /// The smallest span that holds both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// What stands there; nothing where the span does not fit the text.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        text.get(self.range()).unwrap_or_default()
    }

    /// The bytes as a range.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// Where the lines of a text begin; answers in logarithmic time, and places of one line that are asked for in their order
/// take no more time together than the line is long.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
    /// The byte that was asked for last, and the characters of its line before it.
    last: Cell<(usize, usize)>,
}

impl<'a> Lines<'a> {
    /// Indexes the lines of a text; a lone carriage return ends no line.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts, last: Cell::new((0, 0)) }
    }

    /// The line that a byte stands in, without its end.
    #[must_use]
    pub fn line(&self, at: usize) -> &'a str {
        let (start, end) = self.around(at, 0);
        self.text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r'])
    }

    /// Where the lines begin and end that a byte stands in or next to, so many before and behind.
    #[must_use]
    pub fn around(&self, at: usize, more: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let start = self.starts.get(line.saturating_sub(1 + more)).copied().unwrap_or_default();
        (start, self.starts.get(line + more).copied().unwrap_or(self.text.len()))
    }

    /// Line and column of a byte, both counted from 1, columns in characters.
    #[must_use]
    pub fn place(&self, at: usize) -> (u64, u64) {
        let at = at.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        let (known, counted) = self.last.get();
        let (from, counted) = if (start..=at).contains(&known) { (known, counted) } else { (start, 0) };
        let before = counted + self.text.get(from..at).map_or(at - from, |before| before.chars().count());
        self.last.set((at, before));
        (line as u64, before as u64 + 1)
    }

    /// The byte at a line and column as [`Lines::place`] counts them; the end of the text where there is no such place.
    #[must_use]
    pub fn offset(&self, line: u64, column: u64) -> usize {
        let index = |n: u64| usize::try_from(n.max(1) - 1).unwrap_or(usize::MAX);
        let Some(start) = self.starts.get(index(line)) else { return self.text.len() };
        let rest = self.text.get(*start..).unwrap_or_default();
        start + rest.char_indices().nth(index(column)).map_or(rest.len(), |(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters() {
        let text = "ab\nçd\n";
        let lines = Lines::new(text);
        let at = |needle: &str| lines.place(text.find(needle).unwrap());
        assert_eq!((at("a"), at("b"), at("d"), lines.place(99)), ((1, 1), (1, 2), (2, 2), (3, 1)));
        assert_eq!((lines.offset(1, 2), lines.offset(2, 2), lines.offset(9, 1)), (1, 5, text.len()));
    }

    #[test]
    fn places_are_the_same_in_any_order() {
        let text = "ä€b\n\nx€ä𝄞z\n".repeat(3);
        let all: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
        let lines = Lines::new(&text);
        for at in all.iter().chain(all.iter().rev()).chain([&all[3], &all[9], &all[4], &all[0]]) {
            assert_eq!(lines.place(*at), Lines::new(&text).place(*at), "{at}");
        }
        assert_eq!(("ä€b", "", lines.around(0, 1)), (lines.line(2), lines.line(7), (0, 8)));
    }

    #[test]
    fn spans_that_do_not_fit_hold_nothing() {
        assert_eq!(Span::new(1, 2).of("çd"), "");
        assert_eq!(Span::new(0, 2).of("çd"), "ç");
    }
}
