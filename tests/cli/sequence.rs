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
  help: fix the path, which counts from the document's folder, or add the file

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
::error file=pay.md,line=3,col=5,title=IL-SEQ-040 link leads nowhere::there is no `how.md` - fix the path, which counts from the document's folder, or add the file
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
  "help": "fix the path, which counts from the document's folder, or add the file",
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
    assert_eq!([ends(&["gone.md"]), ends(&["empty"]), ends(&["latin.md"]), ends(&[])], [2, 2, 1, 2]);
}

/// The project's own documents are clean; `make validate-sequences` says so of a working copy.
#[test]
fn the_projects_own_documents_are_clean() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "runbooks"];
    let said = interlock(root, &[&["sequence", "lint"], documents.as_slice(), &["--deny", "warnings"]].concat());
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}

/// One document that cannot be read does not keep the others from being checked.
#[test]
fn a_document_that_cannot_be_read_is_a_finding() {
    let (_guard, folder) = folder();
    fs::write(folder.join("a.md"), b"# x \xff\n").unwrap();
    fs::write(folder.join("b.md"), "# y\n\n[g](gone.md)\n").unwrap();
    fs::write(folder.join("c.mdx"), "[h](gone.md)\n").unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.join("d.yaml")).status().unwrap();
    assert!(made.success());
    std::os::unix::fs::symlink("/dev/zero", folder.join("e.md")).unwrap();
    fs::write(folder.join("f.md"), "[zeros](e.md#x)\n").unwrap();
    insta::assert_snapshot!(interlock(&folder, &["sequence", "lint", ".", "--github"]).told(&folder), @r"
exit 1
-- out
::error file=b.md,line=3,col=1,title=IL-SEQ-040 link leads nowhere::there is no `gone.md` - fix the path, which counts from the document's folder, or add the file
::error file=c.mdx,line=1,col=1,title=IL-SEQ-040 link leads nowhere::there is no `gone.md` - fix the path, which counts from the document's folder, or add the file
::error file=a.md,line=1,col=5,title=IL-SEQ-034 document cannot be read::it is no UTF-8 from byte 4 on - save it as UTF-8, fix it, or leave it out
4 files, 0 diagrams, 0 messages (0 to oneself): 3 errors, 0 warnings, 0 notes
-- err
");
}

#[test]
fn codes_are_allowed_and_sites_are_told() {
    let (_guard, folder) = folder();
    fs::create_dir_all(folder.join("docs/guide")).unwrap();
    fs::write(folder.join("docs/guide/doc.md"), "# T\n\n[a](/guide/pay)\n[b](./pay)\n").unwrap();
    fs::write(folder.join("docs/guide/pay.md"), "# Pay\n").unwrap();
    let lint = |more: &[&str]| interlock(&folder, &[&["sequence", "lint", "docs"], more].concat());
    let said = lint(&[]);
    assert!(said.code == 1 && said.out.contains("there is no `/guide/pay`"), "{}", said.out);
    assert!(!said.out.contains(&folder.display().to_string()), "a place of this machine: {}", said.out);
    assert_eq!(lint(&["--site-root", "docs"]).code, 0);
    assert_eq!(lint(&["--allow", "IL-SEQ-040"]).code, 0);
    let said = lint(&["--site-root", "gone"]);
    assert!(said.code == 2 && said.err.contains("there is no folder `gone`"), "{}", said.err);
    let said = lint(&["--allow", "links"]);
    assert!(said.code == 2 && said.err.contains("`links` is no code"), "{}", said.err);
    // The site of a generator is known by its file.
    fs::write(folder.join("mkdocs.yml"), "site_name: x\n").unwrap();
    fs::create_dir(folder.join(".git")).unwrap();
    let said = lint(&["--deny", "notes"]);
    assert_eq!(said.code, 0, "{}", said.out);
}

/// A site of MkDocs says where its pages are, and what git ignores is what its build makes.
#[test]
fn what_git_ignores_and_a_site_names_is_known() {
    let (_guard, folder) = folder();
    for made in ["site/guide", "plans", ".git"] {
        fs::create_dir_all(folder.join(made)).unwrap();
    }
    fs::write(folder.join("mkdocs.yml"), "site_name: x\ndocs_dir: 'site' # the pages\n").unwrap();
    fs::write(folder.join(".gitignore"), "# made\nsite/reference/*.md\n!kept.md\nout/\nsite/**/made.md\n").unwrap();
    fs::write(folder.join("site/guide/pay.md"), "# Pay\n").unwrap();
    fs::write(
        folder.join("plans/a.md"),
        "[a](../guide/pay.md)\n[b](../reference/spec.md)\n[c](../guide/out/x.md)\n[d](../reference/kept.md)\n[e](../reference/in/spec.md)\n[f](../guide/in/made.md)\n",
    )
    .unwrap();
    let said = interlock(&folder, &["sequence", "lint", ".", "--output", "json"]).json();
    let found: Vec<String> = said["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| format!("{} {}", finding["line"], finding["code"].as_str().unwrap()))
        .collect();
    assert_eq!(found, ["2 IL-SEQ-047", "3 IL-SEQ-047", "4 IL-SEQ-040", "5 IL-SEQ-040", "6 IL-SEQ-047"]);
    // A document that is ignored itself was added all the same, and so may its neighbours be.
    fs::write(folder.join(".gitignore"), "*.[56]\n").unwrap();
    fs::create_dir(folder.join("site/v1.5")).unwrap();
    fs::write(folder.join("site/v1.5/a.md"), "[gone](gone.md)\n").unwrap();
    assert_eq!(interlock(&folder, &["sequence", "lint", "site"]).code, 1);
    // docsify is known by the page that loads it, and rustdoc by the crate.
    let ends = |page: &str| {
        fs::create_dir_all(folder.join("crate/api")).unwrap();
        fs::write(folder.join("crate/api/a.md"), "[a](/api/a.md) [b](Till)\n").unwrap();
        fs::write(folder.join("crate/index.html"), page).unwrap();
        fs::remove_file(folder.join("mkdocs.yml")).ok();
        interlock(&folder, &["sequence", "lint", "crate"]).code
    };
    assert_eq!((ends("<html>"), ends("<script src=\"docsify.min.js\">")), (1, 0));
    fs::write(folder.join("crate/lib.rs"), "").unwrap();
    fs::write(folder.join("crate/api/b.md"), "[b](Till) [c](../till/struct.Till.html)\n").unwrap();
    fs::remove_file(folder.join("crate/api/a.md")).unwrap();
    assert_eq!(interlock(&folder, &["sequence", "lint", "crate/api/b.md"]).code, 0);
}

#[test]
fn known_findings_are_left_out_and_new_ones_are_not() {
    let (_guard, folder) = folder();
    fs::write(folder.join("a.md"), "[x](gone.md)\n").unwrap();
    let lint = |more: &[&str]| interlock(&folder, &[&["sequence", "lint", "a.md"], more].concat());
    assert_eq!(lint(&["--write-baseline", "known.json"]).code, 1);
    // Lines move, and what is known stays known; the same once more is new.
    fs::write(folder.join("a.md"), "# A\n\n[x](gone.md)\n").unwrap();
    let said = lint(&["--baseline", "known.json"]);
    assert!(said.code == 0 && said.err.contains("1 findings are in the baseline"), "{}{}", said.out, said.err);
    fs::write(folder.join("a.md"), "# A\n\n[x](gone.md) [y](gone.md)\n").unwrap();
    assert_eq!(lint(&["--baseline", "known.json"]).code, 1);
    fs::write(folder.join("known.json"), "{}").unwrap();
    let said = lint(&["--baseline", "known.json"]);
    assert!(said.code == 2 && said.err.contains("cannot read the baseline"), "{}", said.err);
}

#[test]
fn code_scanning_gets_sarif() {
    let (_guard, folder) = folder();
    fs::write(folder.join("a b.md"), "# A\n\n[x](gone.md)\n").unwrap();
    assert_eq!(interlock(&folder, &["sequence", "lint", ".", "--sarif", "found.sarif"]).code, 1);
    let log: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.join("found.sarif")).unwrap()).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules: Vec<&str> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().filter_map(|r| r["id"].as_str()).collect();
    let result = &run["results"][0];
    assert!(rules.contains(&result["ruleId"].as_str().unwrap()));
    assert_eq!((result["ruleId"].as_str(), result["level"].as_str()), (Some("IL-SEQ-040"), Some("error")));
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b.md");
    assert_eq!((&place["region"]["startLine"], &place["region"]["startColumn"]), (&3.into(), &1.into()));
}
