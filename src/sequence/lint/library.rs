//! What links and paths may lead to.

use std::path::{Path, PathBuf};

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Nothing.
    Missing,
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// The site that a document is a page of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// The folders that links with a leading slash may count from.
    pub roots: Vec<PathBuf>,
    /// Whether somebody said so. Else it was recognized, and what is not found may be what its generator makes.
    pub named: bool,
    /// Whether links may name labels and objects of the whole project, as in those of Sphinx and MyST.
    pub labels: bool,
}

/// The files around the documents.
pub trait Library {
    /// The site that a document is a page of, where it is one.
    fn site(&self, _document: &Path) -> Option<Site> {
        None
    }

    /// Whether git ignores a path: what stands there is made, and is in no fresh clone.
    fn ignored(&self, _path: &Path) -> bool {
        false
    }

    /// What stands at a path.
    fn entry(&self, path: &Path) -> Entry;
    /// Whether any file or folder matches a pattern such as `runbooks/*.md`, seen from a folder.
    fn any(&self, folder: &Path, pattern: &str) -> bool;
    /// The text of a document; none where it cannot be read.
    fn text(&self, path: &Path) -> Option<String>;
    /// The folders that paths in a document may be relative to: its own, and those above it up to the project's.
    fn folders(&self, document: &Path) -> Vec<PathBuf>;
}
