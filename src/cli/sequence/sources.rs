//! The documents on the disk: which there are, what stands in them, and what lies around them.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use ignore::gitignore::GitignoreBuilder;

use crate::{
    error::Error,
    sequence::{
        Code, Diagnostic, Span,
        lint::{Entry, Library, Site, Source},
    },
};

/// The largest document that is read, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;
/// How many entries of folders one pattern may look at.
const MOST_ENTRIES: usize = 20_000;

/// A document that cannot be read, and why.
pub(super) struct Unread {
    /// Its path, and as much of its text as can be shown.
    pub source: Source,
    pub diagnostic: Diagnostic,
}

/// Reads the documents that were named, and those in the folders that were named, each once. One that cannot be read does
/// not keep the others from being read.
pub(super) fn collect(paths: &[PathBuf]) -> Result<(Vec<Source>, Vec<Unread>), Error> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            search(path, &mut files)?;
            // `./a.md` is called `a.md`, as annotations need it.
            for file in files.iter_mut().skip(before) {
                if let Ok(plain) = file.strip_prefix(".") {
                    *file = plain.to_owned();
                }
            }
            if files.len() == before {
                let what = format!("`{}` holds no documents", path.display());
                return Err(Error::usage(
                    what,
                    "name a folder with *.md, *.mdx, *.markdown, *.mmd, *.mermaid or scenarios in it",
                ));
            }
        } else if path.is_file() {
            files.push(path.clone());
        } else {
            let what = format!("there is no file or folder `{}`", path.display());
            return Err(Error::usage(what, "name a document, or a folder with documents"));
        }
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    let (mut read, mut unread) = (Vec::new(), Vec::new());
    for path in files {
        match text(&path) {
            Ok(text) => read.push(Source { path, text }),
            Err(Why { what, before }) => {
                let span = Span::new(before.len(), before.len());
                let diagnostic = Diagnostic::new(Code::Unread, span, what, "save it as UTF-8, fix it, or leave it out");
                unread.push(Unread { source: Source { path, text: before }, diagnostic });
            }
        }
    }
    Ok((read, unread))
}

pub(super) fn source(path: PathBuf) -> Result<Source, Error> {
    let text = text(&path).map_err(|Why { what, .. }| {
        Error::usage(format!("cannot read `{}`: {what}", path.display()), "fix it, or leave it out")
    })?;
    Ok(Source { path, text })
}

/// Why a document cannot be read, and its text up to there.
struct Why {
    what: String,
    before: String,
}

/// The text of a regular file; a device or a pipe may never end, and is not opened.
fn text(path: &Path) -> Result<String, Why> {
    let cannot = |what: String| Why { what, before: String::new() };
    let found = fs::metadata(path).map_err(|e| cannot(e.to_string()))?;
    if !found.is_file() {
        return Err(cannot("it is no regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| cannot(e.to_string()))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| cannot(e.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(cannot(format!("it is longer than {LARGEST} bytes")));
    }
    String::from_utf8(bytes).map_err(|e| {
        let valid = e.utf8_error().valid_up_to();
        let before = e.as_bytes().get(..valid).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Why { what: format!("it is no UTF-8 from byte {valid} on"), before: before.unwrap_or_default() }
    })
}

/// Documents in a folder and below, by name; hidden folders and what builds leave behind are passed over.
fn search(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let cannot =
        |e: std::io::Error| Error::usage(format!("cannot read `{}`: {e}", folder.display()), "check its permissions");
    let mut entries: Vec<_> = fs::read_dir(folder).map_err(cannot)?.collect::<Result<_, _>>().map_err(cannot)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        // A link to a folder is not followed: it may lead back here.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            search(&entry.path(), files)?;
        } else if !kind.is_dir() && (is_document(&name) || is_scenario(&entry.path())) && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn is_document(name: &str) -> bool {
    [".md", ".mdx", ".markdown", ".mmd", ".mermaid"].iter().any(|ending| name.ends_with(ending))
}

/// Whether a file is meant to be a scenario: YAML that says so.
pub(super) fn is_scenario(path: &Path) -> bool {
    let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let says_so = |text: String| text.lines().any(|line| line.trim_end() == "kind: Scenario");
    yaml && source(path.to_owned()).is_ok_and(|source| says_so(source.text))
}

#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    /// The folder of the site that all documents are pages of, where that is said.
    pub site: Option<PathBuf>,
}

/// The files by which generators of sites are known, and the folders that their links count from.
const GENERATORS: &[(&[&str], &[&str])] = &[
    (&["mkdocs.yml", "mkdocs.yaml", "zensical.toml"], &["docs"]),
    (
        &["docusaurus.config.js", "docusaurus.config.ts", "docusaurus.config.mjs", "docusaurus.config.cjs"],
        &["", "docs", "blog", "static", "src/pages"],
    ),
    (
        &["hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json", "config/_default", "layouts/_default", "archetypes"],
        &["content", "content/en", "static"],
    ),
    (&["_config.yml", "_config.yaml"], &["", "_docs", "_posts", "_pages"]),
    (&[".vitepress", ".vuepress"], &["", "public", ".vuepress/public"]),
    (&["book.toml"], &["src"]),
    (
        &["astro.config.mjs", "astro.config.ts", "astro.config.js"],
        &["src/content/docs", "src/content", "src/pages", "public"],
    ),
    (
        &["next.config.js", "next.config.mjs", "next.config.ts"],
        &["content", "pages", "src/pages", "src/content", "app", "public"],
    ),
    (&["gatsby-config.js", "gatsby-config.ts", "gatsby-config.mjs"], &["content", "src/pages", "docs", "static"]),
    (&[".eleventy.js", "eleventy.config.js", "eleventy.config.mjs"], &["", "src", "content"]),
    (&[DOCSIFY], &[""]),
    // Markdown beside the sources of a crate is a part of what rustdoc makes.
    (&["lib.rs"], &[""]),
    (&["conf.py", "myst.yml", "_quarto.yml", "docs.json", "mint.json", "SUMMARY.md", "antora.yml"], &[""]),
];

/// The page that docsify is loaded by.
const DOCSIFY: &str = "index.html";

/// Whether a generator's file is there.
fn is_mark(path: &Path, mark: &str) -> bool {
    if mark == DOCSIFY { text(path).is_ok_and(|page| page.contains("docsify")) } else { path.exists() }
}

/// The files of generators that find labels and objects of the whole project.
const LABELS: &[&str] = &["conf.py", "myst.yml"];

impl Library for Sources {
    fn site(&self, document: &Path) -> Option<Site> {
        if let Some(root) = &self.site {
            let roots = ["", "docs", "content", "static", "public"].map(|folder| root.join(folder)).into();
            return Some(Site { roots, named: true, labels: false });
        }
        self.folders(document).iter().find_map(|folder| {
            let (_, roots) =
                GENERATORS.iter().find(|(marks, _)| marks.iter().any(|mark| is_mark(&folder.join(mark), mark)))?;
            let named = ["mkdocs.yml", "mkdocs.yaml"].iter().find_map(|config| docs_dir(&folder.join(config)));
            let roots = roots.iter().map(|root| folder.join(root)).chain(named.map(|root| folder.join(root))).collect();
            let labels = LABELS.iter().any(|mark| folder.join(mark).exists());
            Some(Site { roots, named: false, labels })
        })
    }

    fn ignored(&self, path: &Path) -> bool {
        let root = path.ancestors().position(|folder| folder.join(".git").exists());
        // The nearest file that speaks of it decides.
        let mut said = path.ancestors().skip(1).take(root.unwrap_or_default()).filter_map(|folder| {
            let lines = text(&folder.join(".gitignore")).ok()?;
            let mut rules = GitignoreBuilder::new(folder);
            for line in lines.lines() {
                // Git passes over what it cannot read, too.
                let _ = rules.add_line(None, line);
            }
            let found = rules.build().ok()?.matched_path_or_any_parents(path, false).map(|_| ());
            (!found.is_none()).then(|| found.is_ignore())
        });
        said.next().unwrap_or(false)
    }

    fn entry(&self, path: &Path) -> Entry {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Entry::Folder,
            Ok(_) => Entry::File,
            Err(_) => Entry::Missing,
        }
    }

    fn any(&self, folder: &Path, pattern: &str) -> bool {
        let parts: Vec<&str> = pattern.trim_end_matches('/').split('/').filter(|part| *part != ".").collect();
        let mut budget = MOST_ENTRIES;
        matches(folder, &parts, &mut budget)
    }

    fn text(&self, path: &Path) -> Option<String> {
        source(path.to_owned()).ok().map(|source| source.text)
    }

    fn folders(&self, document: &Path) -> Vec<PathBuf> {
        let own = document.parent().filter(|own| !own.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(absolute) = own.canonicalize() else { return vec![own.to_owned()] };
        let above: Vec<PathBuf> = absolute.ancestors().map(Path::to_owned).collect();
        // The project's folder is the one with the repository in it; without one, paths count from the document.
        let root = above.iter().position(|folder| folder.join(".git").exists()).unwrap_or(0);
        above.into_iter().take(root + 1).collect()
    }
}

/// The folder that a file of MkDocs names for its documents.
fn docs_dir(config: &Path) -> Option<String> {
    let text = text(config).ok()?;
    let named = text.lines().find_map(|line| line.strip_prefix("docs_dir:"))?;
    Some(named.split(" #").next()?.trim().trim_matches(['"', '\'']).to_owned())
}

/// Whether anything below a folder matches the parts of a pattern; `**` stands for any number of folders.
fn matches(folder: &Path, parts: &[&str], budget: &mut usize) -> bool {
    let Some((part, rest)) = parts.split_first() else { return true };
    if *part == ".." || !part.contains(['*', '?', '[']) {
        let next = folder.join(part);
        return next.exists() && matches(&next, rest, budget);
    }
    if *part == "**" && matches(folder, rest, budget) {
        return true;
    }
    let Ok(entries) = fs::read_dir(folder) else { return false };
    for entry in entries.flatten() {
        let Some(left) = budget.checked_sub(1) else { return false };
        *budget = left;
        let name = entry.file_name().to_string_lossy().into_owned();
        let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let found = if *part == "**" {
            folder && !name.starts_with('.') && matches(&entry.path(), parts, budget)
        } else {
            fits(part.as_bytes(), name.as_bytes()) && matches(&entry.path(), rest, budget)
        };
        if found {
            return true;
        }
    }
    false
}

/// Whether a name fits a pattern with `*`, `?` and `[abc]`; linear but for the stars, each of which may be tried again.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(_) if one(pattern, p, name[n]).is_some() => {
                p = one(pattern, p, name[n]).unwrap_or(p + 1);
                n += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (p, n) = (at + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

/// The place in the pattern behind what fits one byte.
fn one(pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
    match pattern.get(p)? {
        b'?' => Some(p + 1),
        b'[' => {
            let close = pattern[p..].iter().position(|b| *b == b']').map(|n| p + n)?;
            pattern[p + 1..close].contains(&byte).then_some(close + 1)
        }
        b => (*b == byte).then_some(p + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_names() {
        let fit = |pattern: &str, name: &str| fits(pattern.as_bytes(), name.as_bytes());
        assert!(fit("*.md", "a.md") && fit("a*b*c", "axxbyyc") && fit("a?[cd]", "abd") && fit("*", ""));
        assert!(!fit("*.md", "a.txt") && !fit("a?", "a") && !fit("[ab]", "c") && !fit("", "a"));
    }

    #[test]
    fn patterns_find_files_below() {
        let (root, disk) = (Path::new(env!("CARGO_MANIFEST_DIR")), Sources::default());
        assert!(disk.any(root, "runbooks/*.md") && disk.any(root, "src/**/sources.rs") && disk.any(root, "runbooks/"));
        assert!(!disk.any(root, "runbooks/*.txt") && !disk.any(root, "nowhere/*.md"));
    }
}
