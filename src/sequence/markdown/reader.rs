//! Walks through the events of a Markdown parser and notes what is of use.

use pulldown_cmark::{CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

use super::{
    document::{Anchor, Block, Document, Heading, Link, PathName},
    slug::Slugs,
};
use crate::sequence::{Code, Diagnostic, Span};

/// Reads one document.
pub(super) struct Reader<'a> {
    text: &'a str,
    document: Document,
    slugs: Slugs,
    heading: Option<(String, Span)>,
    fence: Option<Fence>,
    in_code: bool,
}

/// A Mermaid fence, and the spans of the lines in it.
struct Fence {
    whole: Span,
    lines: Vec<Span>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let (document, slugs) = (Document::default(), Slugs::default());
        Self { text, document, slugs, heading: None, fence: None, in_code: false }
    }

    pub(super) fn read(mut self) -> Document {
        let options =
            Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
        let mut metadata = false;
        for (event, range) in Parser::new_ext(self.text, options).into_offset_iter() {
            let span = Span::new(range.start, range.end);
            match event {
                Event::Start(Tag::MetadataBlock(_)) => metadata = true,
                Event::End(TagEnd::MetadataBlock(_)) => metadata = false,
                _ if metadata => {}
                Event::Start(tag) => self.start(&tag, span),
                Event::End(tag) => self.end(tag),
                Event::Text(text) => self.text(&text, span),
                Event::Code(code) => self.code(&code, span),
                Event::Html(html) | Event::InlineHtml(html) => self.html(&html, span),
                _ => {}
            }
        }
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
            Tag::Image { dest_url, .. } => self.link(dest_url, span),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                if let Some((text, span)) = self.heading.take() {
                    let name = self.slugs.of(&text);
                    self.document.anchors.push(Anchor { name, span, heading: true });
                    self.document.headings.push(Heading { text, span });
                }
            }
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
        if let Some((heading, _)) = &mut self.heading {
            heading.push_str(text);
        }
        if !self.in_code {
            self.document.prose.push(span);
        }
    }

    fn fence(&mut self, info: &CowStr<'_>, span: Span) {
        let mut lines = span.of(self.text).lines();
        let opening = lines.next().unwrap_or_default().trim_start_matches(['>', ' ', '\t']);
        let mark: String = opening.chars().take_while(|c| matches!(c, '`' | '~')).collect();
        let closing = lines.last().unwrap_or_default().trim_start_matches(['>', ' ', '\t']);
        if !closing.starts_with(&mark) {
            let what = "the code fence is not closed: all that follows is taken for code";
            let first = Span::new(span.start, span.start + opening.len().min(span.end - span.start));
            self.document.found.push(Diagnostic::new(Code::OpenFence, first, what, format!("add a line `{mark}`")));
        }
        if info.split_whitespace().next().is_some_and(|language| language.eq_ignore_ascii_case("mermaid")) {
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
            source.push_str(line.of(self.text));
        }
        self.document.blocks.push(Block { source, start, inline: false });
    }

    /// Code in backticks: a fence whose line breaks are lost, or perhaps a path.
    fn code(&mut self, code: &str, span: Span) {
        if let Some((heading, _)) = &mut self.heading {
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
        if scheme || target.starts_with("//") || target.is_empty() {
            return;
        }
        let (path, anchor) = match target.split_once('#') {
            Some((path, anchor)) => (path, Some(decode(anchor))),
            None => (target, None),
        };
        let path = decode(path.split('?').next().unwrap_or_default());
        self.document.links.push(Link { path, anchor: anchor.filter(|a| !a.is_empty()), span });
    }

    /// `id` and `name` of HTML elements.
    fn html(&mut self, html: &str, span: Span) {
        for mark in [" id=", " name="] {
            for (at, _) in html.match_indices(mark) {
                let value = &html[at + mark.len()..];
                let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
                let name = match quote {
                    Some(quote) => value[1..].split(quote).next(),
                    None => value.split([' ', '>', '/']).next(),
                };
                if let Some(name) = name.filter(|name| !name.is_empty()) {
                    let at = span.start + at + 1;
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
