//! Lenient mode reads a diagram as it was meant, and says every repair with its place and a fix.

use std::fmt::Write as _;

use interlock::sequence::{
    Lines,
    mermaid::{Diagram, Mode, parse},
};

/// What was said, and what was read in spite of it.
fn said(text: &str) -> String {
    let parsed = parse(text, Mode::Lenient);
    let lines = Lines::new(text);
    let mut said = String::new();
    for finding in &parsed.found {
        let (line, column) = lines.place(finding.span.start);
        writeln!(said, "{line}:{column} {} {}\n  {}", finding.code, finding.what, finding.fix).unwrap();
    }
    if let Diagram::Sequence(tree) = &parsed.diagram {
        for who in &tree.participants {
            writeln!(said, "{} = {}", who.id, who.label).unwrap();
        }
        for m in tree.messages() {
            writeln!(said, "{} to {}: {}", tree.id(m.from), tree.id(m.to), m.text.text).unwrap();
        }
    }
    said
}

#[test]
fn one_reading_tells_all_faults() {
    let text = "sequenceDiagram\n  participant T[Shop till]\n  participant B as Bank %% ours\n  T->>B: order #12; urgent\n  T=>B: what\n  \
        Note over T,B,S: all of them\n  end\n  B->>End user: done\n  end-user->>T: thanks\n  T->>B\n  loop twice\n  T->>B: bye %% really\n  else\n";
    insta::assert_snapshot!(said(text), @"");
}

#[test]
fn a_flattened_diagram_is_read_by_its_words() {
    let text = "sequenceDiagram participant Till[Shop Till] participant Bank Till->>Bank: charge (card) alt covered Bank-->>Till: yes \
        else not covered Bank-->>Till: no, and that at the end end Note over Till,Bank: all is logged";
    insta::assert_snapshot!(said(text), @"");
}

#[test]
fn names_that_are_keywords_are_names_where_nothing_else_fits() {
    let text = "sequenceDiagram\n  participant Note taker\n  loop all\n  Note taker->>A: x\n  end\n  opt->>A: y\n  A->>link: z\n";
    insta::assert_snapshot!(said(text), @"");
}

#[test]
fn what_names_no_kind_is_told_by_its_nearest() {
    insta::assert_snapshot!(said("SequenceDiagram\n  A->>B: x"), @"");
    insta::assert_snapshot!(said("swimDiagram\n"), @"");
}

#[test]
fn strict_mode_repairs_nothing() {
    let text = "sequenceDiagram\n  participant T[Shop till]\n  T->>B: order #12\n";
    let parsed = parse(text, Mode::Strict);
    assert!(parsed.found.is_empty());
    let Diagram::Sequence(tree) = parsed.diagram else { panic!() };
    let ids: Vec<&str> = tree.participants.iter().map(|who| who.id.as_str()).collect();
    assert_eq!(ids, ["T[Shop till]", "T", "B"]);
    assert_eq!(tree.messages()[0].text.text, "order");
}
