//! What a Markdown document holds.

use super::{metadata, mojibake, reader::Reader};
use crate::sequence::{Code, Diagnostic, Span};

/// A document, taken apart.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// The Mermaid diagrams, in the order of the text.
    pub blocks: Vec<Block>,
    /// The headings.
    pub headings: Vec<Heading>,
    /// Everything that a link can lead to.
    pub anchors: Vec<Anchor>,
    /// Links and images, without those that name a scheme such as `https:`.
    pub links: Vec<Link>,
    /// Paths and patterns in backticks.
    pub paths: Vec<PathName>,
    /// The texts that a reader sees, code left out.
    pub prose: Vec<Span>,
    /// The codes that the document says are allowed in it.
    pub allowed: Vec<Code>,
    /// Whether it begins with front matter, as the pages of sites do.
    pub front_matter: bool,
    /// Whether other files are put into it, so that not all of its anchors can be seen.
    pub includes: bool,
    /// What is wrong with the document itself.
    pub found: Vec<Diagnostic>,
}

/// A Mermaid diagram in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The diagram; what does not belong to it, such as the `>` of a quotation, is blanked, so that every byte stands at
    /// the same distance from `start` as in the document.
    pub source: String,
    /// The byte of the document that `source` begins at.
    pub start: usize,
    /// Whether its fence stands in the middle of a line, where Markdown sees no fence.
    pub inline: bool,
}

/// A heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// Its text without markup.
    pub text: String,
    /// The whole heading.
    pub span: Span,
}

/// Something that a link can lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// What stands behind the `#`.
    pub name: String,
    /// Where it is defined.
    pub span: Span,
    /// Whether it was made from a heading, as GitHub does, and not written by hand.
    pub heading: bool,
}

/// A link to a file or an anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The path, percent signs decoded; empty for an anchor in the same document.
    pub path: String,
    /// What stands behind the `#`.
    pub anchor: Option<String>,
    /// The whole link.
    pub span: Span,
}

/// A path or pattern in backticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathName {
    /// What is written.
    pub path: String,
    /// Without the backticks.
    pub span: Span,
}

impl PathName {
    /// Whether it stands for several files.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.path.contains(['*', '?', '['])
    }
}

/// Takes a document apart; linear, and never fails.
#[must_use]
pub fn read(text: &str) -> Document {
    let mut document = Reader::new(text).read();
    document.found.extend(metadata::bare(text));
    document.found.extend(mojibake::find(text));
    if document.blocks.iter().any(|block| block.inline) {
        let what = "code fences stand in the middle of lines, where Markdown sees none: the line breaks are lost";
        let fix = "put every fence, heading and list item on a line of its own";
        let end = text.find('\n').unwrap_or(text.len()).min(1);
        document.found.push(Diagnostic::new(Code::Flattened, Span::new(0, end), what, fix));
    }
    document
}
