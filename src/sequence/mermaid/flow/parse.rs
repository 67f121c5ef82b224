//! Reads a flowchart into its tree, statement by statement; one fault does not end the reading.

use super::{
    links::MERMAID_EDGES,
    node::{Fault, shape},
    scan::{blanks, is, link, link_id, name},
    tree::{Flowchart, Node, Shape},
};
use crate::sequence::{
    Code, Diagnostic, Span,
    mermaid::{
        Mode,
        chars::{from, instead, is_space, line_end, run, skip_space},
    },
};

/// A diagram as it was read, what is wrong with it, and how many steps that took.
pub(in crate::sequence::mermaid) struct Read {
    pub tree: Flowchart,
    pub found: Vec<Diagnostic>,
    pub steps: usize,
}

/// A statement that could not be read; what is wrong with it has been said.
pub(super) struct Unread;

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    mode: Mode,
    pub(super) tree: Flowchart,
    found: Vec<Diagnostic>,
    /// The keywords of the subgraphs that are open.
    open: Vec<Span>,
    flattened: bool,
    header: Span,
    pub(super) steps: usize,
    /// The end of the run of characters that was looked at for the name of an edge, and the mark of one in it.
    link_id: (usize, Option<usize>),
    /// How many edges are drawn, kept or not.
    pub(super) drawn: usize,
    /// The arrow that was one too many.
    pub(super) crowded: Option<Span>,
}

/// Reads the cleaned text of a flowchart whose first word begins at a byte.
pub(in crate::sequence::mermaid) fn parse(text: &str, header: usize, mode: Mode) -> Read {
    let mut parser = Parser {
        text,
        at: header,
        mode,
        tree: Flowchart::default(),
        found: Vec::new(),
        open: Vec::new(),
        flattened: false,
        header: Span::new(header, header),
        steps: 0,
        link_id: (0, None),
        drawn: 0,
        crowded: None,
    };
    parser.document();
    Read { tree: parser.tree, found: parser.found, steps: parser.steps }
}

impl Parser<'_> {
    fn document(&mut self) {
        self.head();
        loop {
            self.at = self.skip_trivia();
            if self.at >= self.text.len() {
                break;
            }
            self.steps += 1;
            let before = self.at;
            if self.statement().is_err() || self.at == before {
                self.at = line_end(self.text, self.at.max(before)).max(before + 1);
            }
        }
        for keyword in std::mem::take(&mut self.open).into_iter().take(8) {
            self.say(Code::Unclosed, keyword, "`subgraph` is not closed", "add its `end` on a line of its own");
        }
        if let Some(span) = self.crowded {
            let what = format!("the diagram has {} edges, and mermaid draws at most {MERMAID_EDGES}", self.drawn);
            self.say(Code::ManyEdges, span, what, "cut it in several diagrams, or let the page set `maxEdges`");
        }
        if self.tree.nodes.is_empty() && self.found.is_empty() {
            self.say(Code::Empty, self.header, "the diagram shows no node", "draw the nodes, or remove the diagram");
        }
    }

    fn say(&mut self, code: Code, span: Span, what: impl Into<String>, fix: impl Into<String>) {
        self.found.push(Diagnostic::new(code, span, what, fix));
    }

    pub(super) fn unexpected(&mut self, at: usize, expected: &str) -> Unread {
        let end = line_end(self.text, at);
        let written: String = self.text[at..end].chars().take(24).collect();
        let found =
            if written.trim().is_empty() { "the end of the line".to_owned() } else { format!("`{}`", written.trim()) };
        let what = format!("expected {expected}, found {found}");
        self.say(Code::Syntax, Span::new(at, end), what, instead(expected));
        self.at = at;
        Unread
    }

    /// `graph TD` and the end of the line.
    fn head(&mut self) {
        let word = if is(self.text, self.at, "graph") { 5 } else { 9 };
        self.header = Span::new(self.at, self.at + word);
        self.at += word;
        if !is(self.text, self.header.start, "graph") && !is(self.text, self.header.start, "flowchart") {
            self.at = self.header.start;
            self.unexpected(self.at, "`flowchart`");
            self.at = line_end(self.text, self.at);
            return;
        }
        let start = skip_space(self.text, self.at);
        if self.text[self.at..start].contains('\n') {
            self.at = start;
            return;
        }
        let ways = ["LR", "RL", "TB", "BT", "TD", "BR", "v"].into_iter().find(|way| is(self.text, start, way));
        let way = ways.or_else(|| ["<", ">", "^"].into_iter().find(|way| from(self.text, start).starts_with(way)));
        let Some(way) = way else {
            self.unexpected(start, "a direction such as `TD` or `LR`");
            self.at = line_end(self.text, start);
            return;
        };
        let end = blanks(self.text, start + way.len());
        match self.text.as_bytes().get(end) {
            None | Some(b'\n' | b';') => self.at = end + 1,
            Some(_) if self.mode == Mode::Lenient => {
                self.at = end;
                self.lost_line_break();
            }
            Some(_) => {
                self.unexpected(end, "the end of the line");
                self.at = line_end(self.text, end);
            }
        }
    }

    /// Says once that line breaks are missing; the statements are told apart by themselves.
    fn lost_line_break(&mut self) {
        if !std::mem::replace(&mut self.flattened, true) {
            let what = "the diagram stands on one line; its statements were told apart by the arrows between nodes";
            self.say(Code::Flattened, self.header, what, "write each statement on a line of its own");
        }
    }

    /// Skips blanks, separators and comments.
    fn skip_trivia(&self) -> usize {
        let mut at = self.at;
        loop {
            let start = at;
            at = skip_space(self.text, at);
            let rest = from(self.text, at);
            if rest.starts_with(';') {
                at += 1;
            } else if rest.starts_with("%%") && !rest.starts_with("%%{") {
                at = line_end(self.text, at);
            }
            if at == start {
                return at;
            }
        }
    }

    fn statement(&mut self) -> Result<(), Unread> {
        let at = self.at;
        for word in ["style", "linkStyle", "classDef", "class"] {
            if is(self.text, at, word) {
                return self.styling(at + word.len());
            }
        }
        let rest = from(self.text, at);
        if rest.starts_with("click") && rest[5..].starts_with(is_space) {
            return self.styling(at + 5);
        }
        if rest.starts_with("accTitle") || rest.starts_with("accDescr") {
            return self.accessible(at + 8);
        }
        if is(self.text, at, "subgraph") {
            self.subgraph(at);
            return Ok(());
        }
        if is(self.text, at, "end") {
            self.at = at + 3;
            if self.open.pop().is_none() {
                let span = Span::new(at, at + 3);
                self.say(Code::Stray, span, "`end` closes nothing", "remove it; as a name, write `End`");
            }
            return Ok(());
        }
        if is(self.text, at, "direction") {
            self.at = line_end(self.text, at);
            return Ok(());
        }
        self.chain()
    }

    /// A statement that styles: as many words as it has, up to the end of the line or, flattened, of its options.
    fn styling(&mut self, after: usize) -> Result<(), Unread> {
        let end = run(self.text.as_bytes(), after, |b| b != b'\n' && b != b';');
        if self.text[after..end].split_whitespace().count() < 2 {
            return Err(self.unexpected(blanks(self.text, after), "what is styled, and how"));
        }
        self.at = if self.flattened { options_end(self.text, after, end) } else { end };
        Ok(())
    }

    fn accessible(&mut self, after: usize) -> Result<(), Unread> {
        let mark = skip_space(self.text, after);
        match self.text.as_bytes().get(mark) {
            Some(b':') => self.at = line_end(self.text, mark),
            Some(b'{') => self.at = run(self.text.as_bytes(), mark, |b| b != b'}') + 1,
            _ => return self.chain(),
        }
        Ok(())
    }

    fn subgraph(&mut self, at: usize) {
        // Within quotes, a `;` ends nothing.
        let bytes = self.text.as_bytes();
        let mut end = at;
        loop {
            end = run(bytes, end, |b| !matches!(b, b'\n' | b';' | b'"'));
            let quoted = bytes.get(end) == Some(&b'"');
            let closed = run(bytes, end + 1, |b| b != b'"' && b != b'\n');
            match quoted && bytes.get(closed) == Some(&b'"') {
                true => end = closed + 1,
                false if quoted => end += 1,
                false => break,
            }
        }
        let title = self.text[at + 8..end].trim();
        let name = title.split(['[', '"']).next().unwrap_or_default();
        if let Some(mark) = name.find('=') {
            let mark = at + 8 + self.text[at + 8..end].find(name).unwrap_or_default() + mark;
            let what = "a `=` stands in the name of a subgraph";
            self.say(Code::Syntax, Span::new(mark, mark + 1), what, "put the name in quotes");
        }
        let label = title.split_once('[').map_or(title, |(_, rest)| rest.trim_end_matches(']'));
        self.tree.subgraphs.push(label.trim_matches('"').to_owned());
        self.open.push(Span::new(at, at + 8));
        self.at = end;
    }

    /// `A & B --> C -->|label| D`.
    fn chain(&mut self) -> Result<(), Unread> {
        let mut from_nodes = self.nodes()?;
        loop {
            let after = self.edge_name();
            let Some(found) = link(self.text, after) else { break };
            let span_start = found.start;
            let label = self.link_text(found)?;
            let span = Span::new(span_start, self.at);
            let to_nodes = self.nodes()?;
            self.edges(&from_nodes, &to_nodes, &label, span);
            from_nodes = to_nodes;
            self.steps += 1;
        }
        let end = blanks(self.text, self.at);
        match self.text.as_bytes().get(end) {
            None | Some(b'\n' | b';') => {
                self.at = end;
                Ok(())
            }
            Some(_) if end > self.at && self.mode == Mode::Lenient => {
                self.at = end;
                self.lost_line_break();
                Ok(())
            }
            Some(_) => Err(self.unexpected(end, "an arrow, or the end of the line")),
        }
    }

    /// One node or several with `&` between them.
    fn nodes(&mut self) -> Result<Vec<usize>, Unread> {
        let mut nodes = vec![self.node()?];
        loop {
            let and = skip_space(self.text, self.at);
            let spaced = and > self.at && from(self.text, and).starts_with('&');
            let next = skip_space(self.text, and + 1);
            if !spaced || next == and + 1 {
                return Ok(nodes);
            }
            self.at = next;
            nodes.push(self.node()?);
        }
    }

    fn node(&mut self) -> Result<usize, Unread> {
        let start = self.at;
        // Looked for once in each run, so that a long one takes no longer.
        if start >= self.link_id.0 {
            self.link_id = link_id(self.text, start);
        }
        if self.link_id.1.is_some_and(|mark| mark > start) {
            let expected =
                "a node; mermaid takes all up to the `@` for the name of an edge, unless the text is in quotes";
            return Err(self.unexpected(start, expected));
        }
        let reserved = ["end", "subgraph", "graph", "flowchart"].into_iter().any(|word| is(self.text, start, word));
        let Some(end) = name(self.text, start).filter(|_| !reserved) else {
            return Err(self.unexpected(start, "a node"));
        };
        self.at = end;
        let id = &self.text[start..end];
        let index = self.tree.names.get(id).copied().unwrap_or_else(|| {
            let index = self.tree.nodes.len();
            self.tree.names.insert(id.to_owned(), index);
            let first = Span::new(start, end);
            self.tree.nodes.push(Node { id: id.to_owned(), label: id.to_owned(), shape: Shape::Box, first });
            index
        });
        match shape(self.text, end) {
            None => {}
            Some(Ok(shaped)) => {
                self.at = shaped.end;
                if let Some(node) = self.tree.nodes.get_mut(index) {
                    (node.label, node.shape) = (shaped.label.to_owned(), shaped.shape);
                }
            }
            Some(Err(fault)) => return Err(self.shape_fault(fault)),
        }
        self.attributes()?;
        Ok(index)
    }

    fn shape_fault(&mut self, fault: Fault) -> Unread {
        match fault {
            Fault::Open(closer, at) => self.unexpected(at, &format!("a text and `{closer}`")),
            Fault::Character(at) => {
                self.unexpected(at, "the end of the text; one with brackets or quotes in it stands in quotes")
            }
            Fault::Empty(at) => self.unexpected(at, "a text in the brackets"),
        }
    }

    /// `:::class` and `@{...}` behind a node.
    fn attributes(&mut self) -> Result<(), Unread> {
        if from(self.text, self.at).starts_with(":::") {
            let Some(end) = name(self.text, self.at + 3) else {
                return Err(self.unexpected(self.at + 3, "the name of a class"));
            };
            self.at = end;
        }
        if from(self.text, self.at).starts_with("@{") {
            // Braces within quotes are text.
            let bytes = self.text.as_bytes();
            let mut end = run(bytes, self.at, |b| b != b'}' && b != b'"');
            while bytes.get(end) == Some(&b'"') {
                end = run(bytes, (run(bytes, end + 1, |b| b != b'"') + 1).min(bytes.len()), |b| b != b'}' && b != b'"');
            }
            if end >= self.text.len() {
                return Err(self.unexpected(self.at, "`@{...}`"));
            }
            self.at = end + 1;
        }
        Ok(())
    }
}

/// The end of the second word: options of a style hold no blanks where the line breaks are lost.
fn options_end(text: &str, after: usize, end: usize) -> usize {
    let mut at = after;
    for _ in 0..2 {
        at = blanks(text, at);
        at = run(text.as_bytes(), at, |b| !b.is_ascii_whitespace());
    }
    at.min(end)
}
