//! Programs that `tests/programs/build` makes.

use std::{path::Path, process::Command};

/// A program of those that `build NAME` makes.
pub fn program(name: &str, program: &str) -> String {
    let asked = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/build"))
        .args(["--where", name])
        .output()
        .unwrap();
    let program = format!("{}/{program}", String::from_utf8(asked.stdout).unwrap().trim());
    assert!(Path::new(&program).exists(), "{program} is missing: `tests/programs/build {name}` makes it");
    program
}
