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
    let text = "sequenceDiagram\n  participant T[Shop till]\n  participant B as Bank %% ours\n  T->>B: order #12 of 2; urgent\n  T=>B: what\n  \
        Note over T,B,S: all of them\n  end\n  B->>End user: done\n  end-user->>T: thanks\n  T->>B\n  loop twice\n  T->>B: bye %% really\n  else\n";
    insta::assert_snapshot!(said(text), @r"
2:15 IL-SEQ-003 mermaid takes `T[Shop till]` for the name, and `T` for another participant
  write `participant T as Shop till`
3:25 IL-SEQ-010 a comment behind a statement is drawn as part of its text
  put the comment on a line of its own
4:16 IL-SEQ-006 mermaid ends the text at `#`
  write `#35;` for the character `#`
4:24 IL-SEQ-007 `;` ends the statement, and what follows is none
  write `#59;` for the character `;`
5:5 IL-SEQ-001 expected an arrow, found `>`
  write an arrow here, or remove the line
6:17 IL-SEQ-011 the note stands over 3 participants, and mermaid reads at most two
  name the first and the last: the note spans all between them
7:3 IL-SEQ-013 `end` closes nothing
  remove it, or open the fragment that it was meant for
8:7 IL-SEQ-008 `End user` begins with a word that mermaid takes for a keyword
  declare it under another name: `participant Name as Label`
9:3 IL-SEQ-008 `end-user` begins with a word that mermaid takes for a keyword
  declare it under another name: `participant Name as Label`
10:3 IL-SEQ-030 a `:` and a text are missing
  add `: ` and what is said; it may be empty
11:3 IL-SEQ-012 `loop` is not closed
  add its `end`, each on a line of its own
12:14 IL-SEQ-010 a comment behind a statement is drawn as part of its text
  put the comment on a line of its own
13:3 IL-SEQ-013 `else` stands in no `alt`
  open the fragment with `alt`, or remove the line
T = Shop till
B = Bank
S = S
End user = End user
end-user = end-user
T to B: order #12 of 2; urgent
B to End user: done
end-user to T: thanks
T to B: 
T to B: bye
");
}

#[test]
fn a_flattened_diagram_is_read_by_its_words() {
    let text = "sequenceDiagram participant Till[Shop Till] participant Bank Till->>Bank: charge (card) alt covered Bank-->>Till: yes \
        else not covered Bank-->>Till: no, and that at the end end Note over Till,Bank: all is logged";
    insta::assert_snapshot!(said(text), @r"
1:1 IL-SEQ-002 the diagram stands on one line; 9 statements were told apart by their first words
  write each statement on a line of its own
1:29 IL-SEQ-003 mermaid takes `Till[Shop Till]` for the name, and `Till` for another participant
  write `participant Till as Shop Till`
Till = Shop Till
Bank = Bank
Till to Bank: charge (card)
Bank to Till: yes
Bank to Till: no, and that at the end
");
}

#[test]
fn names_that_are_keywords_are_names_where_nothing_else_fits() {
    let text = "sequenceDiagram\n  participant Note taker\n  loop all\n  Note taker->>A: x\n  end\n  opt->>A: y\n  A->>link: z\n";
    insta::assert_snapshot!(said(text), @r"
4:3 IL-SEQ-008 `Note taker` begins with a word that mermaid takes for a keyword
  declare it under another name: `participant Name as Label`
6:3 IL-SEQ-008 `opt` begins with a word that mermaid takes for a keyword
  declare it under another name: `participant Name as Label`
7:7 IL-SEQ-008 `link` begins with a word that mermaid takes for a keyword
  declare it under another name: `participant Name as Label`
Note taker = Note taker
A = A
opt = opt
link = link
Note taker to A: x
opt to A: y
A to link: z
");
}

#[test]
fn what_names_no_kind_is_told_by_its_nearest() {
    insta::assert_snapshot!(said("SequenceDiagram\n  A->>B: x"), @r"
1:1 IL-SEQ-020 `SequenceDiagram` names no kind of diagram: case counts
  write `sequenceDiagram`
A = A
B = B
A to B: x
");
    insta::assert_snapshot!(said("swimDiagram\n"), @r"
1:1 IL-SEQ-020 `swimDiagram` names no kind of diagram
  begin it with `sequenceDiagram`, `stateDiagram-v2` or `flowchart`
");
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
