//! Markdown documents: the diagrams in them, and what else can be checked — anchors, links, paths, metadata, encoding.

mod containers;
mod document;
mod metadata;
mod mojibake;
mod reader;
mod slug;

pub(in crate::sequence) use containers::allowed;
pub use document::{Anchor, Block, Document, Heading, Link, PathName, read};
