//! What the lint finds in documents, and what it leaves alone.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use interlock::sequence::{
    Lines,
    lint::{Entry, Library, Report, Source, lint},
    mermaid::Mode,
};

/// Documents in memory.
pub(crate) struct Texts(pub(crate) BTreeMap<PathBuf, &'static str>);

impl Library for Texts {
    fn entry(&self, path: &Path) -> Entry {
        if self.0.contains_key(path) {
            Entry::File
        } else if self.0.keys().any(|file| file.starts_with(path)) {
            Entry::Folder
        } else {
            Entry::Missing
        }
    }

    fn any(&self, folder: &Path, pattern: &str) -> bool {
        let (before, after) = pattern.split_once('*').unwrap();
        let start = folder.join(before);
        self.0
            .keys()
            .any(|f| f.to_string_lossy().starts_with(&*start.to_string_lossy()) && f.to_string_lossy().ends_with(after))
    }

    fn text(&self, path: &Path) -> Option<String> {
        self.0.get(path).map(|text| (*text).to_owned())
    }

    fn folders(&self, document: &Path) -> Vec<PathBuf> {
        document.ancestors().skip(1).map(Path::to_owned).collect()
    }
}

fn linted(files: &[(&str, &'static str)]) -> (Vec<Source>, Report) {
    let sources: Vec<Source> =
        files.iter().map(|(path, text)| Source { path: path.into(), text: (*text).to_owned() }).collect();
    let library = Texts(files.iter().map(|(path, text)| (PathBuf::from(path), *text)).collect());
    let report = lint(&sources, &library, Mode::Lenient);
    (sources, report)
}

pub(crate) fn said(files: &[(&str, &'static str)]) -> String {
    let (sources, report) = linted(files);
    written(&sources, &report)
}

/// Every finding in a line.
pub(crate) fn written(sources: &[Source], report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let source = &sources[finding.document];
        let (line, column) = Lines::new(&source.text).place(finding.diagnostic.span.start);
        writeln!(
            text,
            "{}:{line}:{column} {} {}",
            source.path.display(),
            finding.diagnostic.code,
            finding.diagnostic.what
        )
        .unwrap();
    }
    text
}

#[test]
fn replies_are_found_by_open_calls_and_not_by_their_arrows() {
    let text = "sequenceDiagram\n  Till->>Bank: charge\n  Bank->>Ledger: book\n  Ledger-->>Bank: no\n  Bank->>Bank: wait\n  Ledger-->>Bank: no again\n  \
        Bank->>Log: failed\n  Bank->>Till: refused\n  Store-->>Till: delivered\n";
    insta::assert_snapshot!(said(&[("a.mmd", text)]), @r"
a.mmd:6:3 IL-SEQ-023 `Ledger` answers `Bank` once more, and no second call is drawn
a.mmd:6:3 IL-SEQ-026 `Ledger->>Bank` is drawn below `Bank->>Bank`, and nothing makes `Ledger` wait for that
a.mmd:8:3 IL-SEQ-022 a solid arrow goes back along the open call `Till->>Bank`: taken for its reply
a.mmd:9:3 IL-SEQ-015 `Store` answers `Till`, which has not called it
a.mmd:9:3 IL-SEQ-026 `Store->>Till` is drawn below `Bank->>Till`, and nothing makes `Store` wait for that
");
}

#[test]
fn every_branch_may_answer_the_same_call() {
    let text = "sequenceDiagram\n  Till->>Bank: charge\n  alt covered\n    Bank-->>Till: yes\n  else not covered\n    Bank-->>Till: no\n  end\n";
    assert_eq!(said(&[("a.mmd", text)]), "");
}

#[test]
fn participants_are_declared_and_used_or_it_is_said() {
    let text = "sequenceDiagram\n  participant Till\n  participant Bank\n  participant Bnk as Bank\n  participant Press\n  Till->>Bank: charge\n  Till->>Bnak: charge\n  Bnk->>Bnk: x\n  Note over Press: no call to the press\n";
    insta::assert_snapshot!(said(&[("a.mmd", text)]), @r#"
a.mmd:4:3 IL-SEQ-009 `Bnk` and `Bank` have the same label, `Bank`
a.mmd:5:3 IL-SEQ-005 `Press` is declared and takes part in no message: read as "nothing calls it"
a.mmd:7:10 IL-SEQ-004 `Bnak` takes part, and only others are declared
a.mmd:8:3 IL-SEQ-026 `Bnk->>Bnk` is drawn below `Till->>Bnak`, and nothing makes `Bnk` wait for that
"#);
}

#[test]
fn fragments_that_say_less_than_they_seem_to_are_noted() {
    let text = "sequenceDiagram\n  A->>B: x\n  par all at once\n    B->>C: y\n    B->>D: z\n  end\n  alt lucky\n    B->>C: w\n  end\n  opt never\n  end\n";
    insta::assert_snapshot!(said(&[("a.mmd", text)]), @r"
a.mmd:3:3 IL-SEQ-014 this `par` has one operand: its messages keep their order
a.mmd:7:3 IL-SEQ-024 this `alt` has no `else`: its messages may be absent
a.mmd:10:3 IL-SEQ-027 nothing stands in this `opt`
");
}

#[test]
fn order_that_no_lifeline_enforces_is_noted() {
    let text = "sequenceDiagram\n  A->>B: x\n  C->>D: y\n  par\n    D->>E: z\n  and\n    D->>F: w\n  end\n  E->>G: v\n  rect blue\n    G->>H: u\n  end\n  I->>G: t\n";
    insta::assert_snapshot!(said(&[("a.mmd", text)]), @r"
a.mmd:3:3 IL-SEQ-026 `C->>D` is drawn below `A->>B`, and nothing makes `C` wait for that
a.mmd:9:3 IL-SEQ-026 `E->>G` is drawn below `D->>F`, and nothing makes `E` wait for that
a.mmd:13:3 IL-SEQ-026 `I->>G` is drawn below `G->>H`, and nothing makes `I` wait for that
");
}

#[test]
fn several_user_actions_are_noted_once() {
    let text = "sequenceDiagram\n  actor Clerk\n  Clerk->>Till: scan\n  Till-->>Clerk: price\n  Clerk->>Till: pay\n  Till-->>Clerk: thanks\n";
    insta::assert_snapshot!(said(&[("a.mmd", text)]), @"a.mmd:5:3 IL-SEQ-025 `Clerk` acts 2 times here: these are several scenarios");
}

#[test]
fn links_anchors_and_paths_lead_somewhere_or_it_is_said() {
    let files = [
        (
            "docs/a.md",
            "# A guide\n[ok](b.md), [ok](b.md#two-words), [ok](#a-guide), [ok](../runbooks/), [ok](https://example.org/x), [ok](b.md#by-hand)\n\n\
             [gone](c.md) [gone](b.md#three) [gone](#b) ![gone](d.png)\n\n`runbooks/r.md` `runbooks/*.md` `docs/` `api/v1` `a.md`\n\
             `runbooks/s.md` `scripts/*.sh` `old/`\n\n```sh\nsee [nothing](x.md) `y/z.md`\n```\n",
        ),
        ("docs/b.md", "# B\n## Two words\n<a id=\"by-hand\"></a>\n<a id=\"twice\"></a> <a id=\"twice\"></a>\n"),
        ("runbooks/r.md", "# R\n"),
    ];
    insta::assert_snapshot!(said(&files), @r"
docs/a.md:4:1 IL-SEQ-040 there is no `docs/c.md`
docs/a.md:4:14 IL-SEQ-041 `docs/b.md` has no anchor `three`
docs/a.md:4:33 IL-SEQ-041 this document has no anchor `b`
docs/a.md:4:44 IL-SEQ-040 there is no `docs/d.png`
docs/a.md:7:2 IL-SEQ-042 there is no `runbooks/s.md`
docs/a.md:7:18 IL-SEQ-043 no file matches `scripts/*.sh`
docs/a.md:7:33 IL-SEQ-042 there is no `old/`
docs/b.md:4:23 IL-SEQ-044 the anchor `twice` is defined a second time
");
}

#[test]
fn identifiers_are_written_alike_and_defined_once() {
    let files = [
        (
            "a.md",
            "<a id=\"RT-001\"></a>\n\n## RT-001 Pay\n\nSee RT-002, RT-003, RT_004, rt-005 and RT-06; SHA-256, UTF-8.\n\n## RT-002 Refund\n",
        ),
        ("b.md", "# RT-002 Again\n# RT-007\n"),
    ];
    insta::assert_snapshot!(said(&files), @r"
a.md:5:21 IL-SEQ-045 `RT_004` is written otherwise than the others of its family
a.md:5:29 IL-SEQ-045 `rt-005` is written otherwise than the others of its family
a.md:5:40 IL-SEQ-045 `RT-06` has 2 digits where its family has 3
b.md:1:1 IL-SEQ-046 `RT-002` is defined a second time; first in a.md:7
");
}

#[test]
fn documents_are_checked_as_such() {
    let files = [
        ("a.md", "title: Shop\nowner: us\n\n# Shop â€” all of it\n\nğŸ›’\n"),
        ("b.md", "# Shop ## Pay ```mermaid sequenceDiagram Till->>Bank: charge Bank-->>Till: done ``` ## Refund\n"),
        (
            "c.md",
            "> ```mermaid\n> sequenceDiagram\n>   Till->>Bank: charge #1\n> ```\n\n- item\n  ```mermaid\n  sequenceDiagram\n    Till->Bank\n  ```\n\n```mermaid\nsequenceDiagram\n  Till->>Bank: charge\n",
        ),
    ];
    insta::assert_snapshot!(said(&files), @r"
a.md:1:1 IL-SEQ-033 the document begins with metadata (title, owner) without `---` lines around them
a.md:4:8 IL-SEQ-016 UTF-8 was once read as Windows-1254 and saved so, in 2 places; this was `—`
b.md:1:1 IL-SEQ-002 code fences stand in the middle of lines, where Markdown sees none: the line breaks are lost
b.md:1:26 IL-SEQ-002 the diagram stands on one line; 2 statements were told apart by their first words
c.md:3:25 IL-SEQ-006 mermaid ends the text at `#`
c.md:9:5 IL-SEQ-030 a `:` and a text are missing
c.md:12:1 IL-SEQ-032 the code fence is not closed: all that follows is taken for code
");
    let (_, report) = linted(&files);
    insta::assert_snapshot!(serde_json::to_string(&report.summary).unwrap(), @r#"{"files":3,"diagrams":{"sequence":4},"messages":5,"selfMessages":0,"findings":{"warning":3,"error":4}}"#);
}

#[test]
fn clean_documents_are_clean() {
    let text = "---\ntitle: Shop\nowner: us\n---\n\n# Pay\n\n```mermaid\nsequenceDiagram\n  actor Clerk\n  participant Till\n  Clerk->>Till: scan\n  Till-->>Clerk: price\n```\n\n\
        ~~~Mermaid\nstateDiagram-v2\n  [*] --> Open\n~~~\n\n```rust\nlet a = \"not #a diagram\";\n```\n";
    assert_eq!(said(&[("a.md", text)]), "");
}

/// `---` in the middle of a document hides nothing that follows it.
#[test]
fn front_matter_is_at_the_very_beginning_only() {
    let text = "# Shop\n\nSee [pay](#pay).\n\n---\n## Pay\n\nSee [gone](gone.md).\n\n```mermaid\nsequenceDiagram\n  Buyer->>Till\n```\n\n---\n\nEnd.\n";
    insta::assert_snapshot!(said(&[("doc.md", text)]), @r"
doc.md:8:5 IL-SEQ-040 there is no `gone.md`
doc.md:12:3 IL-SEQ-030 a `:` and a text are missing
");
    assert_eq!(said(&[("fence.md", "# Shop\n\n---\n```yaml\n---\na: 1\n---\n```\n")]), "");
    let whole = format!("---\ntitle: Shop\n---\n{text}");
    assert_eq!(linted(&[("doc.md", whole.leak())]).1.findings.len(), 2);
}

#[test]
fn an_asynchronous_arrow_answers_nobody() {
    let text = "sequenceDiagram\n  participant Buyer\n  participant Till\n  Buyer->>Till: subscribe\n  Till-->>Buyer: ok\n  Till--)Buyer: price changed\n  Till--)Buyer: price changed again\n";
    assert_eq!(said(&[("push.mmd", text)]), "");
}

#[test]
fn calls_of_every_branch_may_be_answered_behind_their_fragment() {
    for (open, close) in [("par", "and"), ("alt a", "else b"), ("critical a", "option b")] {
        let text = format!(
            "sequenceDiagram\n  participant desk\n  participant vault\n  participant safe\n  {open}\n    desk->>vault: take\n  {close}\n    desk->>safe: keep\n  end\n  \
             vault-->>desk: ok\n  safe-->>desk: ok\n"
        );
        let found = said(&[("a.mmd", text.leak())]);
        assert!(!found.contains("IL-SEQ-015") && !found.contains("IL-SEQ-023"), "{open}: {found}");
    }
}

#[test]
fn anchors_are_found_in_every_way_they_are_written() {
    let text = "# T\n\n[a](#️-setup) [b](#स्थापना) [c](#การติดตั้ง) [d](#here) [e](#f3) [f](#spot) [g](#target) [h](#old) [i](#user-content-t)\n\n\
        ## ⚙️ Setup\n\n## स्थापना\n\n## การติดตั้ง\n\n## Some heading {#here}\n\ntext\n<sup\nid=\"f3\">z</sup> and [span]{#spot}\n\n(target)=\n### Else {: #old .wide }\n\n\
        [none](#some) [none](#gone)\n";
    insta::assert_snapshot!(said(&[("doc.md", text)]), @r"
doc.md:20:1 IL-SEQ-041 this document has no anchor `some`
doc.md:20:15 IL-SEQ-041 this document has no anchor `gone`
");
}

/// The description of an image is no text of its heading; blanks before it and behind it are. Terms are led to as headings are.
#[test]
fn anchors_are_made_of_what_a_heading_says() {
    let text = "# T\n\n[a](#helpers---) [b](#-logo) [c](#care) [d](#warning-care) [e](#the-term) [f](#other) [g](#t:~:text=x) [h](#:~:text=x)\n\n\
        ## Helpers [![build](https://x.org/a.svg)](https://x.org) [![docs](https://x.org/b.svg)](https://x.org) ![c](https://x.org/c.svg)\n\n\
        ## ![picture](https://x.org/d.svg) Logo\n\n## :warning: Care\n\nthe term\n: what it means\n\nother\n\n  : what that means\n\n\
        [none](#helpers-build-docs-c) [none](#what-it-means)\n";
    insta::assert_snapshot!(said(&[("doc.md", text)]), @r"
doc.md:18:1 IL-SEQ-041 this document has no anchor `helpers-build-docs-c`
doc.md:18:31 IL-SEQ-041 this document has no anchor `what-it-means`
");
}

/// Where a plugin or a component puts text into a document, its anchors cannot all be seen.
#[test]
fn anchors_of_what_is_put_in_are_not_looked_for() {
    for text in [
        "# T\n\n[a](#till.pay)\n\n::: till.pay\n    options:\n      members: true\n",
        "# T\n\n[a](#till)\n\n::: mkdocs-click\n    :module: till\n",
        "# T\n\n[a](#pay-all)\n\n<PayTable of={\"all\"}/>\n",
        "# T\n\n[a](#pay-all)\n\n<Pay.Table />\n",
    ] {
        assert_eq!(said(&[("a.md", text)]), "", "{text}");
    }
    for text in [
        "# T\n\n[a](#gone)\n\n:::note\nx\n:::\n\n::: tip\n::::\n",
        "# T\n\n[a](#gone)\n\n```\n::: till.pay\n<PayTable />\n```\n",
        "# T\n\n[a](#gone)\n\n`<PayTable />` and Till<Pay> and <VERSION>\n",
    ] {
        assert_eq!(said(&[("a.md", text)]), "a.md:3:1 IL-SEQ-041 this document has no anchor `gone`\n", "{text}");
    }
}

/// rustdoc finds items by their paths; no file is named so.
#[test]
fn items_of_a_crate_are_no_files() {
    let text = "[a](till::pay) [`Till`] [b](crate::pay#refunds)\n\n[`Till`]: `till::Till`\n";
    assert_eq!(said(&[("a.md", text)]), "");
}

#[test]
fn a_fence_that_its_container_ends_takes_no_more_than_that() {
    let text = "1. one\n\n   ```sh\n   run\n\n2. two\n\n> ```\n> a\n\n```\nb\n";
    insta::assert_snapshot!(said(&[("a.md", text)]), @r"
a.md:3:4 IL-SEQ-032 the code fence is not closed: the rest of its list item or quotation is taken for code
a.md:8:3 IL-SEQ-032 the code fence is not closed: the rest of its list item or quotation is taken for code
a.md:11:1 IL-SEQ-032 the code fence is not closed: all that follows is taken for code
");
}

#[test]
fn numbers_have_as_many_digits_as_they_need_unless_somebody_pads_them() {
    let found = |text: &'static str| said(&[("a.md", text)]);
    assert_eq!(found("REQ-9 then REQ-10, REQ-11, REQ-12 and REQ-100.\n"), "");
    assert_eq!(found("FR-001, FR-002, FR-003 up to FR-999 and FR-1000.\n"), "");
    insta::assert_snapshot!(found("FR-001, FR-002, FR-003, FR-004, FR-7 and FR-0008.\n"), @r"
a.md:1:33 IL-SEQ-045 `FR-7` has 1 digits where its family has 3
a.md:1:42 IL-SEQ-045 `FR-0008` has 4 digits where its family has 3
");
}

#[test]
fn identifiers_of_others_are_theirs() {
    let files = [
        ("a.md", "# A\n\n## EIP-1559 fees\n\nRFC-1, RFC-2, RFC-3, RFC 9110, RFC9110, utf8, UTF-8, UTF-16, UTF-32\n"),
        ("b.md", "# B\n\n## EIP-1559 in headers\n\n## RFC-9110\n"),
        (
            "doc.md",
            "# Fixes\n\n## RFC-9110\n\n## CVE-2031-1001: till\n\n## CVE-2031-1001: again\n\n## FIX-2031-1: a\n\n## FIX-2031-2: b\n",
        ),
        ("docs/FIX-2031-2.md", "# Z-1 and the rest\n"),
        // A changelog speaks of what others define.
        ("0.x-CHANGELOG.md", "# Changes\n\n## FIX-2031-1: done\n\n## FIX-2031-2: done\n"),
    ];
    assert_eq!(said(&files), "");
}

#[test]
fn findings_that_are_allowed_are_none() {
    let text = "# A\n\n<!-- interlock-allow IL-SEQ-040 -->\n\n[gone](gone.md) [nowhere](#nowhere)\n";
    insta::assert_snapshot!(said(&[("a.md", text)]), @"a.md:5:17 IL-SEQ-041 this document has no anchor `nowhere`");
    let text = "%% interlock-allow IL-SEQ-015\nsequenceDiagram\n  A-->>B: x\n";
    assert_eq!(said(&[("a.mmd", text)]), "");
    insta::assert_snapshot!(said(&[("a.mmd", "%% interlock-allow 15\nsequenceDiagram\n  A->>B: x\n")]), @"a.mmd:1:1 IL-SEQ-029 `15` is no code; they are such as IL-SEQ-040");
}

#[test]
fn c4_diagrams_are_known_by_each_of_their_names() {
    for kind in ["C4Context", "C4Container", "C4Component", "C4Dynamic", "C4Deployment"] {
        let text = format!("{kind}\n  title Shop\n  Person(a, \"Buyer\")\n");
        let (_, report) = linted(&[("a.mmd", text.leak())]);
        assert!(report.findings.is_empty(), "{kind}: {:?}", report.findings);
    }
}

/// A few characters name as many edges as the product of their nodes: what is kept of them is bounded by a count.
#[test]
fn edges_are_bounded_by_a_count() {
    let nodes: Vec<String> = (0..2_000).map(|at| format!("n{at}")).collect();
    let all = nodes.join(" & ");
    let parsed = interlock::sequence::mermaid::parse(&format!("graph TD\n{all} --> {all}\n"), Mode::Lenient);
    let interlock::sequence::mermaid::Diagram::Flowchart(tree) = parsed.diagram else { panic!() };
    assert_eq!((tree.nodes.len(), tree.edges.len()), (2_000, 10_000));
    let said: Vec<&str> = parsed.found.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(said, ["the diagram has 4000000 edges, and mermaid draws at most 500"]);
    assert!(parsed.steps < 100, "{}", parsed.steps);
    let few = (0..500).map(|at| format!("a --> b{at}\n")).collect::<String>();
    assert!(interlock::sequence::mermaid::parse(&format!("graph TD\n{few}"), Mode::Lenient).found.is_empty());
}

#[test]
fn diagrams_are_found_in_the_containers_of_other_tools() {
    let text = "# A\n\n::: mermaid\nsequenceDiagram\n  A->>B\n:::\n\n<pre class=\"mermaid\">\nsequenceDiagram\n  A-&gt;&gt;B\n</pre>\n\n!!! note\n    text\n\n    ```mermaid\n    sequenceDiagram\n      A->>B\n    ```\n\n\
        ````{tip}\n```mermaid\nsequenceDiagram\n  A->>B\n```\n````\n\n```{mermaid}\n:align: center\n\nsequenceDiagram\n  A->>B\n```\n";
    insta::assert_snapshot!(said(&[("a.md", text)]), @r"
a.md:5:3 IL-SEQ-030 a `:` and a text are missing
a.md:10:3 IL-SEQ-030 a `:` and a text are missing
a.md:18:7 IL-SEQ-030 a `:` and a text are missing
a.md:24:3 IL-SEQ-030 a `:` and a text are missing
a.md:32:3 IL-SEQ-030 a `:` and a text are missing
");
}
