//! Bad input: cut anywhere and with any byte changed, a diagram is read or said to be wrong; nothing panics.

use std::path::{Path, PathBuf};

use interlock::sequence::{
    Code, Lines, Severity,
    lint::{Entry, Library, Source, lint},
    markdown,
    mermaid::{Diagram, Mode, parse},
};
use proptest::prelude::*;

use crate::corpus::cases;

/// A shelf with nothing on it.
struct Nothing;

impl Library for Nothing {
    fn entry(&self, _: &Path) -> Entry {
        Entry::Missing
    }

    fn any(&self, _: &Path, _: &str) -> bool {
        false
    }

    fn text(&self, _: &Path) -> Option<String> {
        None
    }

    fn folders(&self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// Fuzz entry: any bytes as a diagram.
fn diagram(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for mode in [Mode::Lenient, Mode::Strict] {
        let parsed = parse(&text, mode);
        // A repair reads on behind what it has repaired, and no token is read more than a few times.
        assert!(parsed.steps <= 8 * text.len() + 16, "{} steps for {} bytes: {text}", parsed.steps, text.len());
        for finding in &parsed.found {
            assert!(
                finding.span.start <= finding.span.end && finding.span.end <= text.len(),
                "{finding:?} in {text:?}"
            );
            assert!(!finding.what.is_empty() && !finding.fix.is_empty());
        }
    }
}

/// Fuzz entry: any bytes as a document.
fn document(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    for block in markdown::read(&text).blocks {
        assert!(text.is_char_boundary(block.start) && block.start + block.source.len() <= text.len(), "{text:?}");
    }
    let sources = [Source { path: "a.md".into(), text }];
    let report = lint(&sources, &Nothing, Mode::Lenient);
    let lines = Lines::new(&sources[0].text);
    for finding in report.findings {
        let (line, column) = lines.place(finding.diagnostic.span.start);
        assert!(line >= 1 && column >= 1);
    }
}

/// Bytes that mean something to a lexer; the first eight are tried everywhere.
const BYTES: &[u8] = b"\n:->#;{e %<)@\"[x\x00\xff";

fn mutations() -> Vec<u8> {
    if std::env::var_os("INTERLOCK_FUZZ").is_some() { (1..=255).collect() } else { BYTES[..8].to_vec() }
}

#[test]
fn every_truncation_of_every_diagram_is_read() {
    for case in cases() {
        for end in 0..case.text.len() {
            diagram(&case.text.as_bytes()[..end]);
        }
    }
}

#[test]
fn every_byte_of_every_diagram_may_be_another() {
    let mutations = mutations();
    let cases = cases();
    let parts = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for part in cases.chunks(cases.len().div_ceil(parts)) {
            let mutations = &mutations;
            scope.spawn(move || part.iter().for_each(|case| mutate(case.text.as_bytes(), mutations)));
        }
    });
}

fn mutate(bytes: &[u8], mutations: &[u8]) {
    let mut changed = bytes.to_vec();
    for at in 0..bytes.len() {
        for mutation in mutations {
            changed[at] = bytes[at] ^ mutation;
            diagram(&changed);
            if std::env::var_os("INTERLOCK_FUZZ").is_none() {
                changed[at] = *mutation;
                diagram(&changed);
            }
        }
        changed[at] = bytes[at];
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn anything_is_a_diagram(text in "(sequenceDiagram|stateDiagram-v2|graph TD|---)?\n?(\\PC|[\\n:;#%\\->+(){}\\[\\]|\"]|end|loop |alt |else|note over |state |style ){0,60}") {
        diagram(text.as_bytes());
    }

    #[test]
    fn anything_is_a_document(text in "(\\PC|[\\n`#<>\\[\\]()]|```mermaid\n|```\n|sequenceDiagram\n|A->>B: x\n|<a id=\"x\">|\\[a\\]\\(b.md#c\\)|FR-01 ){0,60}") {
        document(text.as_bytes());
    }
}

#[test]
fn documents_may_be_cut_anywhere() {
    let text = "title: a\nstatus: b\n\n# RT-1 Pay\n> ```mermaid\n> sequenceDiagram\n> A->>B: x â€” y\n> ```\n\
                See [there](b.md#c), `docs/*.md`, `a/b.md` and <a id=\"RT-1\"></a>. ```mermaid sequenceDiagram A->>B: x B-->>A: y ```\n";
    for end in 0..=text.len() {
        document(&text.as_bytes()[..end]);
    }
    let report = lint(&[Source { path: "a.md".into(), text: text.into() }], &Nothing, Mode::Lenient);
    assert!(report.findings.iter().any(|finding| finding.diagnostic.severity() == Severity::Error));
}

#[test]
fn yaml_that_grows_without_end_is_refused_in_time() {
    // Nine levels of nine: three hundred million texts, if anybody followed.
    let laughs: String = (1..10)
        .map(|level| format!("l{level}: &l{level} [{}]\n", vec![format!("*l{}", level - 1); 9].join(", ")))
        .collect();
    let laughs = format!("l0: &l0 [ha, ha]\n{laughs}");
    let depth = format!("a: {}{}\n", "[".repeat(50_000), "]".repeat(50_000));
    let many = format!("a: [{}]\n", "b, ".repeat(200_000));
    let endless = "a: &a [*a]\n".to_owned();
    let merged = "a: &a {b: 1}\n".to_owned() + "<<: *a\n".repeat(20_000).as_str();
    for bomb in [laughs, depth, many, endless, merged] {
        for mode in [Mode::Lenient, Mode::Strict] {
            let parsed = parse(&format!("---\n{bomb}---\nsequenceDiagram\nA->>B: x\n"), mode);
            let said: Vec<_> = parsed.found.iter().map(|finding| finding.code).collect();
            assert_eq!(said, [Code::Yaml], "{mode:?} {}", &bomb[..20.min(bomb.len())]);
            let Diagram::Sequence(sequence) = &parsed.diagram else { panic!("the rest is read all the same") };
            assert_eq!(sequence.messages().len(), 1);
            assert!(parsed.found[0].what.len() < 400, "{}", parsed.found[0].what);
        }
        // What stands between the braces of a participant is YAML as well.
        let inside = bomb.trim_end().replace('\n', ", ");
        diagram(format!("sequenceDiagram\nparticipant A@{{ {inside} }}\nA->>A: x\n").as_bytes());
        document(format!("---\n{bomb}---\n\n```mermaid\n---\n{bomb}---\nsequenceDiagram\nA->>B: x\n```\n").as_bytes());
    }
}

/// What strangers have sent: a few characters that mean much, and much that leads nowhere. Work is bounded by what was read.
#[test]
fn what_means_much_is_bounded_by_what_was_read() {
    let nodes: Vec<String> = (0..3_000).map(|at| format!("n{at}")).collect();
    let crowd = format!("graph TD\n{0} --> {0} --> {0}\n", nodes.join(" & "));
    diagram(crowd.as_bytes());
    let Diagram::Flowchart(tree) = parse(&crowd, Mode::Strict).diagram else { panic!("it is one") };
    assert!(tree.edges.len() <= 10_000, "{}", tree.edges.len());
    // One run without a blank, in which the name of an edge may begin anywhere.
    diagram(format!("graph TD\n{}b\n", "a-->".repeat(5_000)).as_bytes());
    diagram(format!("graph TD\n{}", "<a ".repeat(5_000)).as_bytes());
    diagram(format!("graph TD\nsubgraph {}", "\"".repeat(5_000)).as_bytes());
    for line in [
        "[a](gone.md) [b](#gone)\n",
        "[a](gone.md#x) ",
        "## RT-1 a\n",
        "{#a} ",
        "!!! note\n",
        "````{note}\n",
        "<pre class=\"mermaid\">\n",
        "::: mermaid\n",
    ] {
        document(line.repeat(2_000).as_bytes());
    }
}
