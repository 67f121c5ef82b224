//! The diagrams written for the tests: files of cases, each below a line `=== name`.

use std::{fs, path::Path};

/// A diagram of the corpus.
pub struct Case {
    /// The file, without its ending.
    pub file: String,
    /// The name in that file.
    pub name: String,
    /// The diagram.
    pub text: String,
}

/// All cases, by file and place.
pub fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sequence/diagrams");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|path| in_file(path)).collect()
}

fn in_file(path: &Path) -> Vec<Case> {
    let file = path.file_stem().unwrap().to_string_lossy().into_owned();
    let text = format!("\n{}", fs::read_to_string(path).unwrap());
    let parts = text.split("\n=== ").skip(1);
    parts
        .map(|part| {
            let (name, text) = part.split_once('\n').unwrap();
            Case { file: file.clone(), name: name.to_owned(), text: text.to_owned() }
        })
        .collect()
}
