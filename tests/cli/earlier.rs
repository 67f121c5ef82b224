//! Stores as earlier releases have left them, in `earlier/`: a switchover and a drill whose operators were killed, and a drill that
//! was kept. Each release that writes journals differently adds its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{folder, interlock};

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/earlier")
}

/// All files of a store with what is in them, by their paths from there.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for within in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(&within).unwrap().map(|entry| entry.unwrap().path()) {
            files.push((file.strip_prefix(folder).unwrap().to_owned(), fs::read(&file).unwrap()));
        }
    }
    files.sort();
    files
}

#[test]
fn they_are_listed_shown_and_verified_as_they_are() {
    let (_guard, folder) = folder();
    for (path, content) in files(&kept()) {
        let path = folder.join("runs").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let runs = |args: &[&str]| {
        let said = interlock(&folder, &[&["--store", "runs", "runs"], args].concat());
        assert_eq!(said.code, 0, "{args:?}: {}", said.err);
        said.out
    };
    let list = runs(&["list"]);
    for (run, outcome, title) in [
        ("20261130-131957-0695", None, "switchover tenant from green to blue"),
        ("20261130-132246-efe1", Some("kept"), "drill postgres-promote: promote pg1 of orders"),
        ("20261130-132528-bb84", None, "drill postgres-promote: promote pg1 of orders"),
    ] {
        let row = list.lines().find(|line| line.contains(run)).unwrap();
        assert!(row.contains(title), "{row}");
        assert_eq!(outcome.is_some_and(|outcome| row.contains(outcome)), outcome.is_some(), "{row}");
        let head: Value = serde_json::from_slice(&fs::read(kept().join(run).join("head.json")).unwrap()).unwrap();
        let head = head["hash"].as_str().unwrap();
        assert!(runs(&["verify", run, "--head", head]).contains("whole"), "{run}");
        let shown = runs(&["show", run]);
        assert!(shown.contains(title) && shown.contains(head), "{shown}");
    }
    assert_eq!(files(&folder.join("runs")), files(&kept()), "reading changes nothing");
}
