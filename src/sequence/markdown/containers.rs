//! What Markdown's own rules do not see: diagrams in the containers of other tools, in HTML, and within admonitions.
//!
//! Azure DevOps writes `::: mermaid`, pages write `<pre class="mermaid">`, MkDocs indents what belongs to `!!! note`, and
//! MyST writes directives as fences around Markdown.

use std::{str::FromStr as _, sync::LazyLock};

use regex::Regex;

use super::document::Block;
use crate::sequence::{Code, Diagnostic, Span};

#[expect(clippy::expect_used, reason = "the pattern is written here, and a test reads it")]
static HTML: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)^<(pre|div)\b[^>]*\bclass\s*=\s*["'][^"'>]*\bmermaid\b[^"'>]*["'][^>]*>"#)
        .expect("a regular expression")
});

/// Directives of MyST whose content is no Markdown.
const CODE: &[&str] =
    &["code", "code-block", "code-cell", "sourcecode", "mermaid", "math", "raw", "eval-rst", "figure-md"];
/// What allows codes for the whole document.
const ALLOW: &str = "interlock-allow";

#[derive(Debug, Default)]
pub(super) struct Containers {
    /// Diagrams.
    pub blocks: Vec<Block>,
    /// What a Markdown parser must not read, in the order of the text.
    pub hidden: Vec<Span>,
    /// The codes that the document allows.
    pub allowed: Vec<Code>,
    pub found: Vec<Diagnostic>,
    /// Whether a plugin puts text there, such as mkdocstrings for `::: package.module`, which nothing closes.
    pub generated: bool,
}

struct Fence {
    mark: u8,
    length: usize,
    start: usize,
    /// The first byte of its content, where that is a diagram that nobody else finds.
    diagram: Option<usize>,
    /// Whether a Markdown parser would not take it for a fence.
    within: bool,
}

/// What the lines of a document are in.
enum State {
    Text,
    Fence(Fence),
    /// `::: mermaid`, from its line and from its content on.
    Colons(usize, usize),
    /// An element of HTML, with what closes it.
    Html(usize, usize, &'static str),
}

/// Looks for containers, line by line.
pub(super) fn find(text: &str, begin: usize) -> Containers {
    let mut found = Containers::default();
    let mut state = State::Text;
    // How far the lines of an admonition are indented, and the fences of directives whose content is Markdown.
    let mut admonition: Option<usize> = None;
    let mut directives: Vec<(u8, usize)> = Vec::new();
    // What `:::` opens, and how often one alone closes.
    let (mut opened, mut closed) = (0_usize, 0_usize);
    let mut at = begin;
    for raw in text.get(begin..).unwrap_or_default().split_inclusive('\n') {
        let (start, end) = (at, at + raw.len());
        at = end;
        let line = raw.trim();
        let indent = raw.len() - raw.trim_start_matches([' ', '\t']).len();
        match &state {
            State::Fence(fence) => {
                if mark(line)
                    .is_some_and(|(mark, length, info)| mark == fence.mark && length >= fence.length && info.is_empty())
                {
                    if let Some(content) = fence.diagram {
                        found.block(text, content, start);
                    }
                    if fence.within {
                        found.hidden.push(Span::new(fence.start, end));
                    }
                    state = State::Text;
                }
                continue;
            }
            State::Colons(opened, content) => {
                if line.len() >= 3 && line.bytes().all(|b| b == b':') {
                    found.block(text, *content, start);
                    found.hidden.push(Span::new(*opened, end));
                    state = State::Text;
                }
                continue;
            }
            State::Html(opened, content, closer) => {
                if let Some(close) = raw.to_ascii_lowercase().find(closer) {
                    found.html(text, *content, start + close);
                    found.hidden.push(Span::new(*opened, end));
                    state = State::Text;
                }
                continue;
            }
            State::Text => {}
        }
        if line.is_empty() {
            continue;
        }
        if admonition.is_some_and(|least| indent < least) {
            admonition = None;
        }
        if ["!!! ", "??? ", "???+ ", "=== \""].iter().any(|word| line.starts_with(word)) {
            admonition = Some(indent + 4);
            continue;
        }
        if let Some((mark, length, info)) = mark(line) {
            if info.is_empty() && directives.last().is_some_and(|(open, least)| *open == mark && length >= *least) {
                directives.pop();
            } else if is_directive(info) {
                directives.push((mark, length));
            } else {
                let within = admonition.is_some() || !directives.is_empty();
                let diagram = (within && is_mermaid(info)).then_some(end);
                state = State::Fence(Fence { mark, length, start, diagram, within });
            }
            continue;
        }
        if let Some(kind) = line.strip_prefix(":::").map(|rest| rest.trim_start_matches(':').trim()) {
            if matches!(kind, "mermaid" | "{.mermaid}" | "{mermaid}") {
                state = State::Colons(start, end);
            } else if kind.is_empty() {
                closed += 1;
            } else {
                opened += 1;
            }
            continue;
        }
        if indent < 4
            && let Some(tag) = HTML.captures(line)
        {
            let content = start + indent + tag.get(0).map_or(0, |whole| whole.end());
            let closer = if tag.get(1).is_some_and(|name| name.as_str().eq_ignore_ascii_case("pre")) {
                "</pre>"
            } else {
                "</div>"
            };
            match text[content..end].to_ascii_lowercase().find(closer) {
                Some(close) => {
                    found.html(text, content, content + close);
                    found.hidden.push(Span::new(start, end));
                }
                None => state = State::Html(start, content, closer),
            }
            continue;
        }
        if line.starts_with("<!--") || line.starts_with("{/*") {
            found.allow(line, start + indent);
        }
    }
    found.generated = opened > closed;
    found
}

impl Containers {
    fn block(&mut self, text: &str, start: usize, end: usize) {
        let source = Span::new(start, end.max(start)).of(text).trim_end_matches('\n').to_owned();
        self.blocks.push(Block { source, start, inline: false });
    }

    /// A diagram whose characters are written as HTML writes them; every line keeps its place.
    fn html(&mut self, text: &str, start: usize, end: usize) {
        let mut source = String::new();
        for line in Span::new(start, end).of(text).split_inclusive('\n') {
            let mut drawn = line.trim_end().to_owned();
            for (entity, meant) in [("&gt;", ">"), ("&lt;", "<"), ("&quot;", "\""), ("&amp;", "&")] {
                drawn = drawn.replace(entity, meant);
            }
            source.push_str(&drawn);
            source.extend(std::iter::repeat_n(' ', line.trim_end().len() - drawn.len()));
            source.push_str(&line[line.trim_end().len()..]);
        }
        self.blocks.push(Block { source, start, inline: false });
    }

    /// `<!-- interlock-allow IL-SEQ-040, IL-SEQ-041 -->`
    fn allow(&mut self, line: &str, start: usize) {
        let Some(rest) = line.trim_start_matches(['<', '!', '-', '{', '/', '*', ' ']).strip_prefix(ALLOW) else {
            return;
        };
        let end = ["-->", "*/"].iter().filter_map(|mark| rest.find(mark)).min().unwrap_or(rest.len());
        let rest = rest.get(..end).unwrap_or_default();
        for name in rest.split([' ', ',', '\t']).filter(|name| !name.is_empty()) {
            match Code::from_str(name) {
                Ok(code) => self.allowed.push(code),
                Err(why) => {
                    let span = Span::new(start, start + line.len());
                    self.found.push(Diagnostic::new(Code::Skipped, span, why, "name a code, or remove the comment"));
                }
            }
        }
    }
}

/// The codes that a diagram in a file of its own allows, by a comment `%% interlock-allow CODE`.
pub(in crate::sequence) fn allowed(text: &str) -> (Vec<Code>, Vec<Diagnostic>) {
    let mut found = Containers::default();
    let mut at = 0;
    for raw in text.split_inclusive('\n') {
        if let Some(rest) = raw.trim().strip_prefix("%%") {
            found.allow(rest.trim(), at);
        }
        at += raw.len();
    }
    (found.allowed, found.found)
}

/// The mark of a fence, its length, and what stands behind it.
fn mark(line: &str) -> Option<(u8, usize, &str)> {
    let mark = line.bytes().next().filter(|b| matches!(b, b'`' | b'~'))?;
    let length = line.bytes().take_while(|b| *b == mark).count();
    let info = line.get(length..)?.trim();
    (length >= 3 && !(mark == b'`' && info.contains('`'))).then_some((mark, length, info))
}

/// Whether what stands behind the mark of a fence names Mermaid, in any of the ways in use.
pub(super) fn is_mermaid(info: &str) -> bool {
    let word = info.trim_start_matches(['{', '.', ' ']);
    let word = word.split(|c: char| c.is_whitespace() || matches!(c, '{' | '}' | ',')).next().unwrap_or_default();
    word.eq_ignore_ascii_case("mermaid")
}

/// Whether a fence is a directive with Markdown in it.
fn is_directive(info: &str) -> bool {
    let name = info.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(name, _)| name.trim());
    let is_word = |name: &str| name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains([' ', '=', '.']);
    name.is_some_and(|name| is_word(name) && !CODE.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(text: &str) -> Vec<String> {
        let found = find(text, 0);
        for block in &found.blocks {
            assert!(block.start + block.source.len() <= text.len());
        }
        found.blocks.into_iter().map(|block| block.source).collect()
    }

    #[test]
    fn diagrams_are_found_in_every_container() {
        for text in [
            "::: mermaid\nA\n:::\n",
            ":::mermaid\nA\n:::\n",
            "<pre class=\"mermaid\">\nA\n</pre>\n",
            "<div id='x' class='a mermaid'>A</div>\n",
            "!!! note\n    text\n\n    ```mermaid\n    A\n    ```\n",
            "=== \"One\"\n\n    ~~~ mermaid\n    A\n    ~~~\n",
            "````{note}\n```mermaid\nA\n```\n````\n",
        ] {
            let found = sources(text);
            assert_eq!(found.iter().map(|source| source.trim()).collect::<Vec<_>>(), ["A"], "{text:?}");
        }
        assert_eq!(sources("<pre class=\"mermaid\">A--&gt;B</pre>"), ["A-->B   "]);
    }

    #[test]
    fn what_is_only_shown_is_none() {
        for text in [
            "```\n::: mermaid\nA\n:::\n```\n",
            "```html\n<pre class=\"mermaid\">\nA\n</pre>\n```\n",
            "    <pre class=\"mermaid\">A</pre>\n",
            "```mermaid\nA\n```\n",
            "<pre class=\"mermaids\">A</pre>\n",
            "!!! note\n    text\n\n```mermaid\nA\n```\n",
        ] {
            assert!(sources(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn codes_are_allowed_by_comments() {
        let found =
            find("# A\n\n<!-- interlock-allow IL-SEQ-040, il-seq-041 -->\n`<!-- interlock-allow IL-SEQ-042 -->`\n", 0);
        assert_eq!(found.allowed, [Code::DeadLink, Code::DeadAnchor]);
        assert_eq!(find("<!-- interlock-allow IL-SEQ-999 -->", 0).found.len(), 1);
        assert_eq!(allowed("sequenceDiagram\n  %% interlock-allow IL-SEQ-015\n").0, [Code::ReplyWithoutCall]);
    }

    #[test]
    fn fences_name_mermaid_in_many_ways() {
        for info in
            ["mermaid", "Mermaid", "{mermaid}", "{.mermaid}", "{ .mermaid .wide }", "mermaid {scale=2}", "mermaid{a}"]
        {
            assert!(is_mermaid(info), "{info}");
        }
        assert!(!is_mermaid("mermaids") && !is_mermaid("js mermaid") && !is_mermaid(""));
    }
}
