//! `interlock sequence lint`: what it prints, where, and how it ends.

use std::fs;

use crate::{folder, interlock, interlock_with};

const DOCUMENT: &str = "# Pay\n\nSee [how](how.md).\n\n```mermaid\nsequenceDiagram\n  participant Till[Shop till]\n  Till->>Bank: charge\n  \
                        Bank->>Till: done\n  Till->>Bank\n```\n";

const CLEAN: &str = "# Pay\n\n```mermaid\nsequenceDiagram\n  Till->>Bank: charge\n  Bank-->>Till: done\n```\n";

#[test]
fn findings_are_shown_as_a_compiler_shows_them() {
    let (_guard, folder) = folder();
    fs::write(folder.join("pay.md"), DOCUMENT).unwrap();
    insta::assert_snapshot!(interlock(&folder, &["sequence", "lint", "pay.md"]).told(&folder), @"");
}

#[test]
fn strict_mode_rejects_what_mermaid_rejects() {
    let (_guard, folder) = folder();
    fs::write(folder.join("pay.mmd"), "sequenceDiagram\n  Till->>Bank\n").unwrap();
    insta::assert_snapshot!(interlock(&folder, &["sequence", "lint", "pay.mmd", "--strict"]).told(&folder), @"");
}

#[test]
fn github_gets_annotations() {
    let (_guard, folder) = folder();
    fs::write(folder.join("pay.md"), DOCUMENT).unwrap();
    let asked = interlock(&folder, &["sequence", "lint", "pay.md", "--github"]);
    let within = interlock_with(&folder, &["sequence", "lint", "pay.md"], &[("GITHUB_ACTIONS", "true")]);
    assert_eq!(asked.out, within.out);
    insta::assert_snapshot!(asked.told(&folder), @"");
}

#[test]
fn programs_get_json() {
    let (_guard, folder) = folder();
    fs::write(folder.join("pay.md"), DOCUMENT).unwrap();
    let said = interlock(&folder, &["sequence", "lint", ".", "--output", "json"]);
    assert_eq!((said.code, said.err.as_str()), (1, ""));
    let json = said.json();
    insta::assert_json_snapshot!(json["findings"][0], @"");
    assert_eq!(json["summary"]["diagrams"]["sequence"], 1);
    assert_eq!(json["summary"]["findings"]["error"], 2);
}

#[test]
fn exit_codes_tell_what_was_found() {
    let (_guard, folder) = folder();
    fs::create_dir(folder.join("empty")).unwrap();
    fs::write(folder.join("clean.md"), CLEAN).unwrap();
    fs::write(folder.join("note.mmd"), "sequenceDiagram\n  A->>B: x\n  C->>D: y\n").unwrap();
    fs::write(folder.join("warning.mmd"), "sequenceDiagram\n  A-->>B: x\n").unwrap();
    fs::write(folder.join("error.mmd"), "sequenceDiagram\n  A=B\n").unwrap();
    fs::write(folder.join("latin.md"), b"gr\xfc\xdfe").unwrap();
    let ends = |args: &[&str]| interlock(&folder, &[&["sequence", "lint"], args].concat()).code;
    assert_eq!([ends(&["clean.md"]), ends(&["note.mmd"]), ends(&["warning.mmd"]), ends(&["error.mmd"])], [0, 0, 0, 1]);
    assert_eq!([ends(&["note.mmd", "--deny", "warnings"]), ends(&["warning.mmd", "-D", "warnings"])], [0, 1]);
    assert_eq!([ends(&["clean.md", "-D", "notes"]), ends(&["note.mmd", "-D", "notes"])], [0, 1]);
    assert_eq!([ends(&["gone.md"]), ends(&["empty"]), ends(&["latin.md"]), ends(&[])], [2, 2, 2, 2]);
}

/// The project's own documents are clean; `make validate-sequences` says so of a working copy.
#[test]
fn the_projects_own_documents_are_clean() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "runbooks"];
    let said = interlock(root, &[&["sequence", "lint"], documents.as_slice(), &["--deny", "warnings"]].concat());
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}
