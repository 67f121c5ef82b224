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
    insta::assert_snapshot!(interlock(&folder, &["sequence", "lint", "pay.md"]).told(&folder), @r"
exit 1
-- out
error[IL-SEQ-040]

  x there is no `how.md`
   ,-[pay.md:3:5]
 2 |
 3 | See [how](how.md).
   :     ^^^^^^^^^^^^^
 4 |
   `----
  help: mend the path, which counts from the document's folder, or add the file

warning[IL-SEQ-003]

  ! mermaid takes `Till[Shop till]` for the name, and `Till` for another participant
   ,-[pay.md:7:15]
 6 | sequenceDiagram
 7 |   participant Till[Shop till]
   :               ^^^^^^^^^^^^^^^
 8 |   Till->>Bank: charge
   `----
  help: write `participant Till as Shop till`

note[IL-SEQ-022]: a solid arrow goes back along the open call `Till->>Bank`: taken for its reply
  at pay.md:9:3
  help: draw a reply as `Bank-->>Till`

error[IL-SEQ-030]

  x a `:` and a text are missing
    ,-[pay.md:10:3]
  9 |   Bank->>Till: done
 10 |   Till->>Bank
    :   ^^^^^^^^^^^
 11 | ```
    `----
  help: add `: ` and what is said; it may be empty

1 file, 1 diagram (1 sequence), 3 messages (0 to oneself): 2 errors, 1 warning, 1 note
-- err
");
}

#[test]
fn strict_mode_rejects_what_mermaid_rejects() {
    let (_guard, folder) = folder();
    fs::write(folder.join("pay.mmd"), "sequenceDiagram\n  Till->>Bank\n").unwrap();
    insta::assert_snapshot!(interlock(&folder, &["sequence", "lint", "pay.mmd", "--strict"]).told(&folder), @r"
exit 1
-- out
error[IL-SEQ-001]

  x expected a `:` and a text, found the end of the line
   ,-[pay.mmd:2:14]
 1 | sequenceDiagram
 2 |   Till->>Bank
   :              ^
   `----
  help: write a `:` and a text here, or remove the line

1 file, 1 diagram (1 sequence), 0 messages (0 to oneself): 1 error, 0 warnings, 0 notes
-- err
");
}

#[test]
fn github_gets_annotations() {
    let (_guard, folder) = folder();
    fs::write(folder.join("pay.md"), DOCUMENT).unwrap();
    let asked = interlock(&folder, &["sequence", "lint", "pay.md", "--github"]);
    let within = interlock_with(&folder, &["sequence", "lint", "pay.md"], &[("GITHUB_ACTIONS", "true")]);
    assert_eq!(asked.out, within.out);
    insta::assert_snapshot!(asked.told(&folder), @r"
exit 1
-- out
::error file=pay.md,line=3,col=5,title=IL-SEQ-040 link leads nowhere::there is no `how.md` - mend the path, which counts from the document's folder, or add the file
::warning file=pay.md,line=7,col=15,title=IL-SEQ-003 label in brackets::mermaid takes `Till[Shop till]` for the name, and `Till` for another participant - write `participant Till as Shop till`
::notice file=pay.md,line=9,col=3,title=IL-SEQ-022 reply drawn as a call::a solid arrow goes back along the open call `Till->>Bank`: taken for its reply - draw a reply as `Bank-->>Till`
::error file=pay.md,line=10,col=3,title=IL-SEQ-030 text is missing::a `:` and a text are missing - add `: ` and what is said; it may be empty
1 file, 1 diagram (1 sequence), 3 messages (0 to oneself): 2 errors, 1 warning, 1 note
-- err
");
}

#[test]
fn programs_get_json() {
    let (_guard, folder) = folder();
    fs::write(folder.join("pay.md"), DOCUMENT).unwrap();
    let said = interlock(&folder, &["sequence", "lint", ".", "--output", "json"]);
    assert_eq!((said.code, said.err.as_str()), (1, ""));
    let json = said.json();
    insta::assert_json_snapshot!(json["findings"][0], @r#"
{
  "code": "IL-SEQ-040",
  "column": 5,
  "file": "pay.md",
  "help": "mend the path, which counts from the document's folder, or add the file",
  "line": 3,
  "message": "there is no `how.md`",
  "severity": "error",
  "title": "link leads nowhere"
}
"#);
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
