//! Dependencies point one way: reads what each module names of its siblings and fails on an upward arrow.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What each top-level module may name, and what a part of one may name beside that. `main` and `cli` may name everything.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("process", &["model"]),
    ("error", &[]),
    ("journal", &["error", "model"]),
    ("ports", &["error", "journal", "model", "process"]),
    ("stats", &["model"]),
    ("slo", &["error", "model", "ports", "stats"]),
    ("sequence", &["model"]),
    ("document", &["error", "model", "ports", "sequence", "slo"]),
    // A fault is one file: that drills may ask for it follows.
    ("document/drill", &["operation"]),
    ("guard", &["error", "journal", "model", "ports"]),
    ("operation", &["error", "guard", "journal", "model", "ports", "slo", "stats"]),
    ("adapters", &["error", "journal", "model", "ports", "process", "slo"]),
    // A way of routing is one file, its part of the platform file included.
    ("adapters/kube/routing", &["document"]),
    ("lab", &["error", "model", "ports", "process"]),
    // What people write beside their scripts is read as all documents are.
    ("lab/script/config", &["document", "slo"]),
    ("lab/identity/users", &["document"]),
    ("report", &["document", "error", "guard", "journal", "model", "operation", "ports", "sequence", "slo"]),
    (
        "app",
        &["adapters", "document", "error", "guard", "journal", "lab", "model", "operation", "ports", "process", "slo"],
    ),
];

/// Modules that take no clock, no I/O and no async, beside what `ALLOWED` says.
const PURE: &[&str] =
    &["model", "journal", "sequence", "slo", "stats", "guard/next.rs", "guard/undo.rs", "operation/drill/ledger"];

/// What the pure modules may not name.
const IMPURE: &[&str] = &[
    "async fn",
    "tokio::",
    "nix::",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// The code of a file, without comments, so that prose may mention what it likes.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// What is shipped of a file's code: a unit test may feed its module with what others make.
fn shipped(code: &str) -> &str {
    code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// The sibling modules that a text names after `crate::`, also in braces.
fn named(text: &str) -> BTreeSet<String> {
    let ident = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = text[at + "crate::".len()..].trim_start();
        let Some(inside) = rest.strip_prefix('{') else {
            names.insert(ident(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (i, c) in inside.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if depth == 0 && start && !c.is_whitespace() => {
                    names.insert(ident(&inside[i..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn layer(path: &Path) -> String {
    let relative = path.strip_prefix(source_root()).unwrap();
    relative.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Whether a file is a module, or lies in it.
fn is_in(path: &Path, module: &str) -> bool {
    path.with_extension("").strip_prefix(source_root()).unwrap().starts_with(module)
}

#[test]
fn no_arrow_points_upward() {
    let modules: BTreeSet<_> = sources(&source_root()).iter().map(|path| layer(path)).collect();
    for path in sources(&source_root()) {
        let from = layer(&path);
        if ["main", "lib", "cli"].contains(&from.as_str()) {
            continue;
        }
        let parts = ALLOWED.iter().filter(|(part, _)| is_in(&path, part));
        assert!(parts.clone().count() > 0, "{}: `{from}` has no place in the order of layers", path.display());
        let allowed: Vec<_> = parts.flat_map(|(_, allowed)| *allowed).collect();
        for to in named(shipped(&code(&path))) {
            let fine = to == from || allowed.contains(&&to.as_str()) || !modules.contains(&to);
            assert!(fine, "{}: `{from}` may not name `{to}`", path.display());
        }
    }
}

#[test]
fn the_pure_modules_stay_pure() {
    for path in sources(&source_root()) {
        let relative = path.strip_prefix(source_root()).unwrap().to_string_lossy().into_owned();
        if !PURE.iter().any(|pure| relative == *pure || relative.starts_with(&format!("{pure}/"))) {
            continue;
        }
        let code = code(&path);
        for impure in IMPURE {
            assert!(!code.contains(impure), "{relative} names `{impure}`");
        }
    }
}

#[test]
fn kubernetes_is_named_in_its_adapters_only() {
    let own = ["adapters/kube", "adapters/store/kube"].map(|folder| source_root().join(folder));
    for path in sources(&source_root()).into_iter().filter(|path| !own.iter().any(|own| path.starts_with(own))) {
        // Our own module has the crate's name.
        let code = code(&path).replace("self::kube::", "");
        assert!(!code.contains("kube::") && !code.contains("k8s_openapi::"), "{}", path.display());
    }
}

#[test]
fn only_the_guard_reads_its_entries() {
    for path in sources(&source_root()).into_iter().filter(|path| layer(path) != "guard") {
        for reads in ["entry.pointer(", "entry.get(", "entry.as_object(", "entry["] {
            assert!(!shipped(&code(&path)).contains(reads), "{} looks into a record: `{reads}`", path.display());
        }
    }
}

#[test]
fn the_reader_of_names_sees_through_braces() {
    let text = "use crate::{error::{Exit, Error}, journal::Record};\ncrate::lab::up();";
    assert_eq!(named(text).into_iter().collect::<Vec<_>>(), ["error", "journal", "lab"]);
}
