//! The documents on the disk: which there are, what stands in them, and what lies around them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    error::Error,
    sequence::lint::{Entry, Library, Source},
};

/// The largest document that is read, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;
/// How many entries of folders one pattern may look at.
const MOST_ENTRIES: usize = 20_000;

/// Reads the documents that were named, and those in the folders that were named, each once.
pub(super) fn collect(paths: &[PathBuf]) -> Result<Vec<Source>, Error> {
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
                    "name a folder with *.md, *.markdown, *.mmd, *.mermaid or scenarios in it",
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
    files.into_iter().map(source).collect()
}

pub(super) fn source(path: PathBuf) -> Result<Source, Error> {
    let cannot =
        |why: String| Error::usage(format!("cannot read `{}`: {why}", path.display()), "mend it, or leave it out");
    let size = fs::metadata(&path).map_err(|e| cannot(e.to_string()))?.len();
    if size > LARGEST {
        return Err(cannot(format!("it is longer than {LARGEST} bytes")));
    }
    let bytes = fs::read(&path).map_err(|e| cannot(e.to_string()))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { path, text }),
        Err(e) => Err(cannot(format!("it is no UTF-8 from byte {} on", e.utf8_error().valid_up_to()))),
    }
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
    [".md", ".markdown", ".mmd", ".mermaid"].iter().any(|ending| name.ends_with(ending))
}

/// Whether a file is meant to be a scenario: YAML that says so.
pub(super) fn is_scenario(path: &Path) -> bool {
    let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let says_so = |text: String| text.lines().any(|line| line.trim_end() == "kind: Scenario");
    yaml && source(path.to_owned()).is_ok_and(|source| says_so(source.text))
}

/// The disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources;

impl Library for Sources {
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
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(
            Sources.any(root, "runbooks/*.md")
                && Sources.any(root, "src/**/sources.rs")
                && Sources.any(root, "runbooks/")
        );
        assert!(!Sources.any(root, "runbooks/*.txt") && !Sources.any(root, "nowhere/*.md"));
    }
}
