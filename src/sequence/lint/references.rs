//! Links, anchors and paths: whether what they name is there.

use std::{
    collections::{HashMap, HashSet},
    path::{Component, Path, PathBuf},
};

use super::library::{Entry, Library, Site};
use crate::sequence::{
    Code, Diagnostic,
    markdown::{self, Document, Link, PathName},
};

/// Endings that a generator makes pages of.
const PAGES: &[&str] = &["md", "mdx", "markdown"];
/// What stands in a folder for the folder itself.
const INDEX: &[&str] = &["index", "README", "_index"];
/// Pages of a forge beside the files of a project, such as `../../issues`.
const FORGE: &[&str] = &[
    "actions",
    "blob",
    "commit",
    "commits",
    "compare",
    "discussions",
    "graphs",
    "issues",
    "labels",
    "milestones",
    "projects",
    "pull",
    "pulls",
    "raw",
    "releases",
    "security",
    "stargazers",
    "tags",
    "tree",
    "wiki",
];

/// The anchors of a document, each found at once.
struct Anchors {
    /// As they are written.
    exact: HashSet<String>,
    /// Those of headings, which are found in any case.
    headings: HashSet<String>,
    /// Letters and digits alone: no two generators agree on all that is between them.
    plain: HashSet<String>,
    is_page: bool,
    includes: bool,
}

impl Anchors {
    fn of(document: &Document) -> Self {
        let names = || document.anchors.iter();
        Self {
            exact: names().map(|anchor| anchor.name.clone()).collect(),
            headings: names().filter(|anchor| anchor.heading).map(|anchor| anchor.name.clone()).collect(),
            plain: names().map(|anchor| plain(&anchor.name)).collect(),
            is_page: document.front_matter,
            includes: document.includes,
        }
    }

    /// Whether an anchor is defined, or whether that cannot be known.
    fn lead(&self, anchor: &str, site: bool) -> bool {
        let anchor = anchor.strip_prefix("user-content-").unwrap_or(anchor);
        anchor == "top"
            || self.exact.contains(anchor)
            || self.headings.contains(&anchor.to_lowercase())
            || self.includes
            || is_line(anchor)
            || ((site || self.is_page) && self.plain.contains(&plain(anchor)))
    }
}

fn plain(anchor: &str) -> String {
    anchor.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether it is a line of a source, such as `L10` or `L10-L20`, which forges find.
fn is_line(anchor: &str) -> bool {
    anchor.split('-').all(|part| {
        let digits = part.strip_prefix('L').map(|rest| rest.split('C').next().unwrap_or_default());
        digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Checks references, and reads each document that links lead to only once.
pub(super) struct References<'a> {
    library: &'a dyn Library,
    read: HashMap<PathBuf, Option<Anchors>>,
    /// What all documents define by hand.
    labels: HashSet<&'a str>,
}

/// What is known of the document that is checked.
struct Here<'d> {
    document: &'d Document,
    anchors: Anchors,
    own: &'d Path,
    /// Its name without its ending: pages are often served as folders.
    stem: PathBuf,
    /// The folders from its own up to the project's.
    folders: Vec<PathBuf>,
    site: Option<Site>,
}

impl Here<'_> {
    /// Whether it is a page of a site, by a generator's files or by front matter.
    const fn is_page(&self) -> bool {
        self.site.is_some() || self.document.front_matter
    }

    /// Where a path may lead, the most usual first.
    fn ways(&self, path: &str) -> Vec<PathBuf> {
        let roots = || self.site.iter().flat_map(|site| site.roots.iter().cloned());
        let project = self.folders.last().cloned().unwrap_or_default();
        if let Some(rest) = path.strip_prefix('/') {
            // Forges take a leading slash for the project's folder, and sites for their own.
            return roots().chain([project]).map(|folder| normal(&folder.join(rest))).collect();
        }
        let own = self.folders.first().map_or(self.own, PathBuf::as_path);
        let direct = normal(&own.join(path));
        let mut ways = vec![direct.clone()];
        if self.is_page() {
            ways.push(normal(&self.stem.join(path)));
        }
        // A site is put together from several folders: one beside its root appears in it under its own name.
        if self.folders.len() > 1 {
            ways.extend(roots().filter_map(|root| match direct.strip_prefix(&root) {
                Ok(within) => Some(project.join(within)),
                Err(_) => direct.strip_prefix(&project).ok().map(|within| root.join(within)),
            }));
        }
        ways
    }
}

impl<'a> References<'a> {
    pub(super) fn new(library: &'a dyn Library, documents: &'a [Document]) -> Self {
        let by_hand = documents.iter().flat_map(|document| &document.anchors).filter(|anchor| !anchor.heading);
        Self { library, read: HashMap::new(), labels: by_hand.map(|anchor| anchor.name.as_str()).collect() }
    }

    /// Everything in a document that leads nowhere.
    pub(super) fn check(&mut self, path: &Path, document: &Document) -> Vec<Diagnostic> {
        let mut found = twice(document);
        if document.links.is_empty() && document.paths.is_empty() {
            return found;
        }
        let folders = self.library.folders(path);
        let here = Here {
            document,
            anchors: Anchors::of(document),
            own: path.parent().unwrap_or(Path::new("")),
            stem: folders.first().map_or(PathBuf::new(), |own| own.join(path.file_stem().unwrap_or_default())),
            folders,
            site: self.library.site(path),
        };
        found.extend(document.links.iter().filter_map(|link| self.link(&here, link)));
        found.extend(document.paths.iter().filter_map(|name| named(name, &here.folders, self.library)));
        found
    }

    fn link(&mut self, here: &Here<'_>, link: &Link) -> Option<Diagnostic> {
        if link.path.is_empty() {
            let anchor = link.anchor.as_deref()?;
            let labels = here.site.as_ref().is_some_and(|site| site.labels);
            if here.anchors.lead(anchor, here.site.is_some()) || (labels && self.labels.contains(anchor)) {
                return None;
            }
            return Some(if labels { made_label(link, anchor) } else { dead_anchor(link, anchor, "this document") });
        }
        let Some(target) = self.target(here, &link.path) else { return self.dead(here, link) };
        let anchor = link.anchor.as_deref()?;
        let site = here.site.is_some();
        let there = self.anchors(&target)?;
        let within = format!("`{}`", written(&link.path, here.own).display());
        (!there.lead(anchor, site)).then(|| dead_anchor(link, anchor, &within))
    }

    /// What a link leads to, by the first of all ways to read it that lead anywhere.
    fn target(&self, here: &Here<'_>, path: &str) -> Option<PathBuf> {
        here.ways(path).into_iter().find_map(|target| self.page(target, here))
    }

    /// A file or folder, or for a page the file that is served under that name.
    fn page(&self, target: PathBuf, here: &Here<'_>) -> Option<PathBuf> {
        match self.library.entry(&target) {
            Entry::File => return Some(target),
            // Where the site's folders are not known, what it has for one is not known either.
            Entry::Folder if here.site.is_none() => return Some(target),
            Entry::Missing if !here.is_page() => return None,
            Entry::Folder | Entry::Missing => {}
        }
        let is_file = |path: &PathBuf| self.library.entry(path) == Entry::File;
        let bare =
            if target.extension().is_some_and(|ending| ending == "html") { target.with_extension("") } else { target };
        let named = PAGES.iter().map(|ending| PathBuf::from(format!("{}.{ending}", bare.display())));
        let index = INDEX.iter().flat_map(|name| PAGES.iter().map(move |ending| format!("{name}.{ending}")));
        let found = named.chain(index.map(|name| bare.join(name))).find(is_file);
        found.or_else(|| (self.library.entry(&bare) != Entry::Missing).then_some(bare))
    }

    /// What is said of a link that leads to nothing.
    fn dead(&self, here: &Here<'_>, link: &Link) -> Option<Diagnostic> {
        let path = &link.path;
        let bare = Path::new(path).extension().is_none() || path.ends_with('/');
        if path.starts_with("..")
            && path.split('/').find(|part| *part != "..").is_some_and(|part| FORGE.contains(&part))
        {
            return None;
        }
        let site = here.site.as_ref();
        let named = site.is_some_and(|site| site.named);
        let html = Path::new(path).extension().is_some_and(|ending| ending == "html" || ending == "htm");
        let object = site.is_some_and(|site| site.labels) && !path.contains('/') && !is_page(Path::new(path));
        let made = !named && (path.starts_with('/') || bare || html || object);
        // What is ignored together with the document itself was added all the same.
        let built = |target: &PathBuf| self.library.ignored(target) && !self.library.ignored(&here.stem);
        if here.is_page() && (made || here.ways(path).iter().any(built)) {
            let what =
                format!("there is no file for `{path}`; the site's generator may make the page of something else");
            let fix = "say where the site's files are with `--site-root FOLDER`, or fix the link";
            return Some(Diagnostic::new(Code::SiteLink, link.span, what, fix));
        }
        let what = format!("there is no `{}`", written(path, here.own).display());
        let fix = if path.starts_with('/') {
            "fix the path, which counts from the project's folder, or name the site's with `--site-root FOLDER`"
        } else {
            "fix the path, which counts from the document's folder, or add the file"
        };
        Some(Diagnostic::new(Code::DeadLink, link.span, what, fix))
    }

    /// The anchors of a document that is linked to; none where it is no Markdown.
    fn anchors(&mut self, path: &Path) -> Option<&Anchors> {
        if !is_page(path) {
            return None;
        }
        if !self.read.contains_key(path) {
            let anchors = self.library.text(path).map(|text| Anchors::of(&markdown::read(&text)));
            self.read.insert(path.to_owned(), anchors);
        }
        self.read.get(path)?.as_ref()
    }
}

/// Whether a file is Markdown.
fn is_page(path: &Path) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| PAGES.contains(&ending))
}

/// A path as it is shown: seen from where the lint was started, or from the site's root as it is written.
fn written(path: &str, own: &Path) -> PathBuf {
    if path.starts_with('/') { PathBuf::from(path) } else { normal(&own.join(path)) }
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

/// A label that no document defines, where others than documents may.
fn made_label(link: &Link, anchor: &str) -> Diagnostic {
    let what = format!("no document defines the label `{anchor}`; the site's generator may know it from elsewhere");
    Diagnostic::new(Code::SiteLink, link.span, what, format!("write `({anchor})=` where it leads to, or fix the link"))
}

fn dead_anchor(link: &Link, anchor: &str, within: &str) -> Diagnostic {
    let what = format!("{within} has no anchor `{anchor}`");
    Diagnostic::new(
        Code::DeadAnchor,
        link.span,
        what,
        format!("add a heading or `<a id=\"{anchor}\"></a>` there, or fix the link"),
    )
}

fn named(name: &PathName, folders: &[PathBuf], library: &dyn Library) -> Option<Diagnostic> {
    let tried = "it was looked for from the document's folder up to the project's";
    if name.is_pattern() {
        let missing = !folders.iter().any(|folder| library.any(folder, &name.path));
        return missing.then(|| {
            let what = format!("no file matches `{}`", name.path);
            Diagnostic::new(Code::DeadGlob, name.span, what, format!("fix the pattern, or add the files: {tried}"))
        });
    }
    let missing = folders.iter().all(|folder| library.entry(&normal(&folder.join(&name.path))) == Entry::Missing);
    missing.then(|| {
        let what = format!("there is no `{}`", name.path);
        Diagnostic::new(Code::DeadPath, name.span, what, format!("fix the path, or add the file: {tried}"))
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
