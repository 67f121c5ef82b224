//! Walks through the events of a Markdown parser and notes what is of use.

use std::sync::LazyLock;

use pulldown_cmark::{CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

use regex::Regex;

use super::{
    containers::{self, Containers},
    document::{Anchor, Block, Document, Heading, Link, PathName},
    metadata,
    slug::Slugs,
};
use crate::sequence::{Code, Diagnostic, Span};

/// What puts other files into a document: snippets of MkDocs, Jekyll, Hugo, MyST, VitePress, and components of MDX.
const INCLUDES: &[&str] =
    &["--8<--", "{% include", "{{< ", "{{% ", "{include}", "<!--@include", "<!-- @include", "\nimport "];

#[expect(clippy::expect_used, reason = "the pattern is written here, and a test reads it")]
static ATTRIBUTES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[ \t]*\{:?[ \t]*#([\w.:-]+)[^}\n]*\}|^\(([\w.:-]+)\)=$").expect("a regular expression")
});

#[expect(clippy::expect_used, reason = "the pattern is written here, and a test reads it")]
static SHORTCODE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r":[a-z0-9_+-]+:").expect("a regular expression"));

/// A component at the beginning of a line, such as `<Table rows={3} />`: what it renders may have anchors.
#[expect(clippy::expect_used, reason = "the pattern is written here, and a test reads it")]
static COMPONENT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^<[A-Z]\w*[a-z]\w*[\s/>.]").expect("a regular expression"));

/// Reads one document.
pub(super) struct Reader<'a> {
    text: &'a str,
    document: Document,
    slugs: Slugs,
    heading: Option<(String, Span)>,
    fence: Option<Fence>,
    in_code: bool,
    /// How many images the text stands in the description of: it is no part of a heading's anchor.
    images: usize,
}

/// A Mermaid fence, and the spans of the lines in it.
struct Fence {
    whole: Span,
    lines: Vec<Span>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let (document, slugs) = (Document::default(), Slugs::default());
        Self { text, document, slugs, heading: None, fence: None, in_code: false, images: 0 }
    }

    pub(super) fn read(mut self) -> Document {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        // The parser's own option takes `---` for front matter wherever it stands.
        let begin = metadata::front_matter(self.text);
        let Containers { blocks, hidden, allowed, found, generated } = containers::find(self.text, begin);
        self.document.front_matter = begin > 0;
        self.document.includes = generated || INCLUDES.iter().any(|mark| self.text.contains(mark));
        (self.document.allowed, self.document.found) = (allowed, found);
        let mut hidden = hidden.into_iter().peekable();
        for (event, range) in Parser::new_ext(&self.text[begin..], options).into_offset_iter() {
            let span = Span::new(range.start, range.end).moved(begin);
            while hidden.next_if(|known| known.end <= span.start).is_some() {}
            if hidden.peek().is_some_and(|known| known.start <= span.start) {
                continue;
            }
            match event {
                Event::Start(tag) => self.start(&tag, span),
                Event::End(tag) => self.end(tag),
                Event::Text(text) => self.text(&text, span),
                Event::Code(code) => self.code(&code, span),
                Event::Html(html) | Event::InlineHtml(html) => self.html(&html, span),
                _ => {}
            }
        }
        self.document.blocks.extend(blocks);
        self.document.blocks.sort_by_key(|block| block.start);
        self.document
    }

    fn start(&mut self, tag: &Tag<'_>, span: Span) {
        match tag {
            Tag::Heading { .. } => self.heading = Some((String::new(), span)),
            Tag::CodeBlock(kind) => {
                self.in_code = true;
                if let CodeBlockKind::Fenced(info) = kind {
                    self.fence(info, span);
                }
            }
            Tag::Link { dest_url, link_type, .. } if !matches!(link_type, LinkType::Autolink | LinkType::Email) => {
                self.link(dest_url, span);
            }
            Tag::Image { dest_url, .. } => {
                self.images += 1;
                self.link(dest_url, span);
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                if let Some((text, span)) = self.heading.take() {
                    let name = self.slugs.of(&text);
                    self.document.anchors.push(Anchor { name, span, heading: true });
                    // Who reads `{#id}` makes the anchor of what stands before it, and who draws `:warning:` of the rest.
                    if let Some(attributes) = ATTRIBUTES.find(&text) {
                        let name = self.slugs.of(&text[..attributes.start()]);
                        self.document.anchors.push(Anchor { name, span, heading: true });
                    }
                    if SHORTCODE.is_match(&text) {
                        let name = self.slugs.of(SHORTCODE.replace_all(&text, "").trim());
                        self.document.anchors.push(Anchor { name, span, heading: true });
                    }
                    self.document.headings.push(Heading { text, span });
                }
            }
            TagEnd::Image => self.images = self.images.saturating_sub(1),
            TagEnd::CodeBlock => {
                self.in_code = false;
                if let Some(fence) = self.fence.take() {
                    self.block(&fence);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, span: Span) {
        if let Some(fence) = &mut self.fence {
            fence.lines.push(span);
            return;
        }
        if let Some((heading, _)) = self.heading.as_mut().filter(|_| self.images == 0) {
            heading.push_str(text);
        }
        if !self.in_code {
            self.document.prose.push(span);
            self.attributes(text, span);
            self.term(text, span);
            self.component(span);
        }
    }

    /// A term that is defined, `: ` beginning the next line: mdBook and others make anchors of these.
    fn term(&mut self, text: &str, span: Span) {
        let before = self.text.get(..span.start).unwrap_or_default();
        let after = self.text.get(span.end..).unwrap_or_default();
        if (before.is_empty() || before.ends_with('\n'))
            && after.starts_with('\n')
            && after.trim_start().starts_with(": ")
        {
            let name = Slugs::default().of(text);
            self.document.anchors.push(Anchor { name, span, heading: true });
        }
    }

    fn component(&mut self, span: Span) {
        let line = self.text.get(..span.start).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
        let begins = line.trim().is_empty();
        self.document.includes |= begins && COMPONENT.is_match(self.text.get(span.start..).unwrap_or_default());
    }

    /// `{#id}` of MkDocs, Hugo, Docusaurus, kramdown and Pandoc, and `(id)=` of MyST.
    fn attributes(&mut self, text: &str, span: Span) {
        for groups in ATTRIBUTES.captures_iter(text) {
            if let Some(name) = groups.get(1).or_else(|| groups.get(2)) {
                let name = name.as_str().to_owned();
                self.document.anchors.push(Anchor { name, span, heading: false });
            }
        }
    }

    fn fence(&mut self, info: &CowStr<'_>, span: Span) {
        let mut lines = span.of(self.text).lines();
        let opening = lines.next().unwrap_or_default().trim_start_matches(['>', ' ', '\t']);
        let mark: String = opening.chars().take_while(|c| matches!(c, '`' | '~')).collect();
        let closing = lines.last().unwrap_or_default().trim_start_matches(['>', ' ', '\t']);
        if !closing.starts_with(&mark) {
            let to_the_end = self.text.get(span.end..).unwrap_or_default().trim().is_empty();
            let taken = if to_the_end { "all that follows" } else { "the rest of its list item or quotation" };
            let what = format!("the code fence is not closed: {taken} is taken for code");
            let first = Span::new(span.start, span.start + opening.len().min(span.end - span.start));
            self.document.found.push(Diagnostic::new(Code::OpenFence, first, what, format!("add a line `{mark}`")));
        }
        if containers::is_mermaid(info) {
            self.fence = Some(Fence { whole: span, lines: Vec::new() });
        }
    }

    /// The lines of a fence; what stands between them, such as the mark of a quotation, is blanked.
    fn block(&mut self, fence: &Fence) {
        let first = fence.whole.of(self.text).find('\n').map_or(fence.whole.end, |feed| fence.whole.start + feed + 1);
        let start = fence.lines.first().map_or(first, |line| line.start);
        let end = fence.lines.last().map_or(start, |line| line.end);
        let mut source = String::with_capacity(end - start);
        for line in &fence.lines {
            let gap = Span::new(start + source.len(), line.start).of(self.text);
            source.extend(gap.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
            // The options of a directive are no part of the diagram.
            for written in line.of(self.text).split_inclusive('\n') {
                match written.starts_with(':') && source.trim().is_empty() {
                    true => source.extend(written.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' })),
                    false => source.push_str(written),
                }
            }
        }
        self.document.blocks.push(Block { source, start, inline: false });
    }

    /// Code in backticks: a fence whose line breaks are lost, or perhaps a path.
    fn code(&mut self, code: &str, span: Span) {
        if let Some((heading, _)) = self.heading.as_mut().filter(|_| self.images == 0) {
            heading.push_str(code);
        }
        let whole = span.of(self.text);
        let marks = whole.len() - whole.trim_start_matches('`').len();
        let inside = Span::new(span.start + marks, span.end.saturating_sub(marks));
        let written = inside.of(self.text);
        if marks >= 3 && written.starts_with("mermaid ") {
            let start = inside.start + "mermaid ".len();
            let source = Span::new(start, inside.end).of(self.text).to_owned();
            self.document.blocks.push(Block { source, start, inline: true });
        } else if is_path(code) {
            self.document.paths.push(PathName { path: code.to_owned(), span: inside });
        }
    }

    fn link(&mut self, target: &str, span: Span) {
        let scheme = target.split_once(':').is_some_and(|(scheme, _)| {
            scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        });
        // What a generator fills in, or names its own folder by, is not for us to follow.
        let generated = target.contains("{{") || target.contains("{%") || target.starts_with(['@', '~', '$']);
        // `tokio::task` and `[`Task`]: tokio::task::Task` are items that rustdoc finds.
        let item = target.contains("::");
        if scheme || generated || item || target.starts_with("//") || target.is_empty() {
            return;
        }
        let (path, anchor) = match target.split_once('#') {
            // Behind `:~:` stands what a browser is to show.
            Some((path, anchor)) => (path, Some(decode(anchor.split(":~:").next().unwrap_or_default()))),
            None => (target, None),
        };
        let path = decode(path.split('?').next().unwrap_or_default());
        self.document.links.push(Link { path, anchor: anchor.filter(|a| !a.is_empty()), span });
    }

    /// `id` and `name` of HTML elements.
    fn html(&mut self, html: &str, span: Span) {
        self.component(span);
        for mark in ["id=", "name="] {
            let begins = |at: usize| html[..at].chars().next_back().is_none_or(char::is_whitespace);
            for (at, _) in html.match_indices(mark).filter(|(at, _)| begins(*at)) {
                let value = &html[at + mark.len()..];
                let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
                let name = match quote {
                    Some(quote) => value[1..].split(quote).next(),
                    None => value.split([' ', '>', '/', '\n']).next(),
                };
                if let Some(name) = name.filter(|name| !name.is_empty()) {
                    let at = span.start + at;
                    let whole = Span::new(at, (at + mark.len() + name.len() + 1).min(span.end));
                    self.document.anchors.push(Anchor { name: name.to_owned(), span: whole, heading: false });
                }
            }
        }
    }
}

/// Whether code in backticks looks like a path in a repository: with a folder, and either an ending or a slash at its end.
fn is_path(code: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '*' | '?' | '[' | ']' | '@' | '+');
    if !code.contains('/') || code.starts_with(['/', '-', '@', '*']) || !code.chars().all(plain) || code.contains("//")
    {
        return false;
    }
    let last = code.rsplit('/').next().unwrap_or_default();
    let ending = last.rsplit_once('.').map_or("", |(_, ending)| ending);
    last.is_empty()
        || last.contains('*')
        || (ending.len() <= 8 && ending.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Decodes percent signs.
fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
