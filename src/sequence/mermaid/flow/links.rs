//! The links of a flowchart: what is written on them, and the edges that they draw.

use super::{
    parse::{Parser, Unread},
    scan::{Link, link, name, second_half},
    tree::Edge,
};
use crate::sequence::{
    Span,
    mermaid::chars::{from, line_end, run, skip_space},
};

/// How many edges are kept: `a & b --> c & d` has as many as the product of both.
const MOST_EDGES: usize = 10_000;
/// How many edges mermaid draws, where the page does not set `maxEdges`.
pub(super) const MERMAID_EDGES: usize = 500;

impl Parser<'_> {
    /// An edge from each to each, as far as edges are kept.
    pub(super) fn edges(&mut self, from_nodes: &[usize], to_nodes: &[usize], label: &str, span: Span) {
        self.drawn = self.drawn.saturating_add(from_nodes.len().saturating_mul(to_nodes.len()));
        let room = MOST_EDGES.saturating_sub(self.tree.edges.len());
        let all = from_nodes.iter().flat_map(|from| to_nodes.iter().map(move |to| (*from, *to)));
        let kept = all.take(room).map(|(from, to)| Edge { from, to, label: label.to_owned(), span });
        self.tree.edges.extend(kept);
        if self.drawn > MERMAID_EDGES && self.crowded.is_none() {
            self.crowded = Some(span);
        }
    }

    /// Skips the name of an edge, `e1@`, where a link follows it.
    pub(super) fn edge_name(&self) -> usize {
        let start = skip_space(self.text, self.at);
        match name(self.text, start) {
            Some(end)
                if start > self.at && from(self.text, end).starts_with('@') && link(self.text, end + 1).is_some() =>
            {
                end + 1
            }
            _ => self.at,
        }
    }

    /// The text on a link; goes on behind the link.
    pub(super) fn link_text(&mut self, found: Link) -> Result<String, Unread> {
        self.at = found.end;
        if let Some(stroke) = found.half {
            return self.text_within(found.end, stroke);
        }
        if self.text.as_bytes().get(found.end) != Some(&b'|') {
            return Ok(String::new());
        }
        // A text may go on in the next line; within quotes it may hold a `|`.
        let bytes = self.text.as_bytes();
        let (start, first) = (found.end + 1, skip_space(self.text, found.end + 1));
        let after = if bytes.get(first) == Some(&b'"') { run(bytes, first + 1, |b| b != b'"') } else { first };
        let end = run(bytes, after, |b| b != b'|');
        let written = self.text[start..end].trim();
        let quoted =
            written.len() > 2 && written.ends_with('"') && after + 1 == start + self.text[start..end].trim_end().len();
        if bytes.get(end) != Some(&b'|') || written.is_empty() {
            return Err(self.unexpected(start, "a text and a `|`"));
        }
        if !quoted && written.contains(['(', ')', '[', ']', '{', '}', '"']) {
            return Err(self.unexpected(start, "a text without brackets, or one in quotes"));
        }
        self.at = skip_space(self.text, end + 1);
        Ok(written.trim_matches('"').to_owned())
    }

    fn text_within(&mut self, start: usize, stroke: u8) -> Result<String, Unread> {
        let bytes = self.text.as_bytes();
        // A text in quotes may go on in the next line.
        let mut at = if bytes.get(start) == Some(&b'"') { run(bytes, start + 1, |b| b != b'"') } else { start };
        let end = line_end(self.text, at);
        while at < end {
            let near = from(self.text, at).find(['-', '=', '.', ' ']).map_or(end, |n| at + n);
            if near > start
                && let Some(second) = second_half(self.text, near, stroke)
                && second.start <= end
            {
                self.at = second.end;
                return Ok(self.text[start..near].trim().trim_matches('"').to_owned());
            }
            at = near + 1;
        }
        Err(self.unexpected(start, "the second half of the arrow"))
    }
}
