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

/// The files around the documents.
pub trait Library {
    /// What stands at a path.
    fn entry(&self, path: &Path) -> Entry;
    /// Whether any file or folder matches a pattern such as `runbooks/*.md`, seen from a folder.
    fn any(&self, folder: &Path, pattern: &str) -> bool;
    /// The text of a document; none where it cannot be read.
    fn text(&self, path: &Path) -> Option<String>;
    /// The folders that paths in a document may be relative to: its own, and those above it up to the project's.
    fn folders(&self, document: &Path) -> Vec<PathBuf>;
}
