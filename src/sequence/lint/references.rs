//! Links, anchors and paths: whether what they name is there.

use std::{
    collections::{HashMap, HashSet},
    path::{Component, Path, PathBuf},
};

use super::library::{Entry, Library};
use crate::sequence::{
    Code, Diagnostic,
    markdown::{self, Document, Link, PathName},
};

/// Checks references, and reads each document that links lead to only once.
pub(super) struct References<'a> {
    library: &'a dyn Library,
    read: HashMap<PathBuf, Option<Document>>,
}

impl<'a> References<'a> {
    pub(super) fn new(library: &'a dyn Library) -> Self {
        Self { library, read: HashMap::new() }
    }

    /// Everything in a document that leads nowhere.
    pub(super) fn check(&mut self, path: &Path, document: &Document) -> Vec<Diagnostic> {
        let mut found = twice(document);
        let own = path.parent().unwrap_or(Path::new(""));
        found.extend(document.links.iter().filter_map(|link| self.link(own, link, document)));
        if !document.paths.is_empty() {
            let folders = self.library.folders(path);
            found.extend(document.paths.iter().filter_map(|name| named(name, &folders, self.library)));
        }
        found
    }

    fn link(&mut self, own: &Path, link: &Link, document: &Document) -> Option<Diagnostic> {
        if link.path.is_empty() {
            let anchor = link.anchor.as_deref()?;
            return (!leads(document, anchor)).then(|| dead_anchor(link, anchor, "this document"));
        }
        let target = match link.path.strip_prefix('/') {
            // GitHub takes a leading slash for the project's folder.
            Some(rest) => self.library.folders(own).last().map_or_else(|| PathBuf::from(rest), |root| root.join(rest)),
            None => normal(&own.join(&link.path)),
        };
        match self.library.entry(&target) {
            Entry::Missing => {
                let what = format!("there is no `{}`", target.display());
                let fix = "mend the path, which counts from the document's folder, or add the file";
                Some(Diagnostic::new(Code::DeadLink, link.span, what, fix))
            }
            Entry::Folder => None,
            Entry::File => {
                let anchor = link.anchor.as_deref()?;
                let there = self.document(&target)?;
                (!leads(there, anchor)).then(|| dead_anchor(link, anchor, &format!("`{}`", target.display())))
            }
        }
    }

    /// A document that is linked to; none where it is no Markdown.
    fn document(&mut self, path: &Path) -> Option<&Document> {
        if !path.extension().is_some_and(|ending| ending == "md" || ending == "markdown") {
            return None;
        }
        if !self.read.contains_key(path) {
            let document = self.library.text(path).map(|text| markdown::read(&text));
            self.read.insert(path.to_owned(), document);
        }
        self.read.get(path)?.as_ref()
    }
}

/// Anchors that were written by hand and stand twice in one document: a link leads to the first.
fn twice(document: &Document) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    let by_hand = document.anchors.iter().filter(|anchor| !anchor.heading);
    by_hand
        .filter(|anchor| !seen.insert(anchor.name.as_str()))
        .map(|anchor| {
            let what = format!("the anchor `{}` is defined a second time", anchor.name);
            Diagnostic::new(Code::DuplicateAnchor, anchor.span, what, "give it a name of its own")
        })
        .collect()
}

/// Whether an anchor is defined; GitHub finds those of headings in any case.
fn leads(document: &Document, anchor: &str) -> bool {
    anchor == "top"
        || document
            .anchors
            .iter()
            .any(|known| known.name == anchor || (known.heading && known.name == anchor.to_lowercase()))
}

fn dead_anchor(link: &Link, anchor: &str, within: &str) -> Diagnostic {
    let what = format!("{within} has no anchor `{anchor}`");
    Diagnostic::new(
        Code::DeadAnchor,
        link.span,
        what,
        format!("add a heading or `<a id=\"{anchor}\"></a>` there, or mend the link"),
    )
}

fn named(name: &PathName, folders: &[PathBuf], library: &dyn Library) -> Option<Diagnostic> {
    let tried = "it was looked for from the document's folder up to the project's";
    if name.is_pattern() {
        let missing = !folders.iter().any(|folder| library.any(folder, &name.path));
        return missing.then(|| {
            let what = format!("no file matches `{}`", name.path);
            Diagnostic::new(Code::DeadGlob, name.span, what, format!("mend the pattern, or add the files: {tried}"))
        });
    }
    let missing = folders.iter().all(|folder| library.entry(&normal(&folder.join(&name.path))) == Entry::Missing);
    missing.then(|| {
        let what = format!("there is no `{}`", name.path);
        Diagnostic::new(Code::DeadPath, name.span, what, format!("mend the path, or add the file: {tried}"))
    })
}

/// A path without `.` and, where that can be told, without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    if normal.as_os_str().is_empty() { PathBuf::from(".") } else { normal }
}
