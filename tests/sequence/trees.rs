//! What diagrams are read into: the tree of a sequence diagram, states and transitions, nodes and edges.

use std::fmt::Write as _;

use interlock::sequence::mermaid::{
    Diagram, Mode, parse,
    sequence::{Item, Sequence},
};

fn sequence(text: &str) -> Sequence {
    let parsed = parse(text, Mode::Strict);
    assert!(parsed.accepted(), "{:?}", parsed.found);
    let Diagram::Sequence(sequence) = parsed.diagram else { panic!() };
    sequence
}

/// A tree as indented lines; every line is what the source says at the item's span.
fn drawn(tree: &Sequence, source: &str) -> String {
    let mut text = String::new();
    for who in &tree.participants {
        let grouping = who.grouping.map_or(String::new(), |g| format!(" in {}", tree.boxes[g].label.text));
        writeln!(text, "{} = {} ({:?}){grouping}", who.id, who.label, who.role).unwrap();
    }
    items(tree, &tree.items, source, 0, &mut text);
    text
}

fn items(tree: &Sequence, steps: &[Item], source: &str, depth: usize, text: &mut String) {
    let pad = "  ".repeat(depth);
    for item in steps {
        match item {
            Item::Message(m) => {
                let marks = format!("{}{}", if m.activates { "+" } else { "" }, if m.deactivates { "-" } else { "" });
                let (from, to) = (tree.id(m.from), tree.id(m.to));
                writeln!(text, "{pad}{from} {:?} {:?}{marks} {to}: {}", m.arrow.stroke, m.arrow.head, m.text.text)
                    .unwrap();
                assert!(m.span.of(source).ends_with(&m.text.text), "{:?}", m.span.of(source));
                assert_eq!(m.text.span.of(source).trim(), m.text.text);
            }
            Item::Fragment(f) => {
                assert!(f.span.of(source).to_lowercase().ends_with("end"), "{:?}", f.span.of(source));
                for (i, operand) in f.operands.iter().enumerate() {
                    let word = if i == 0 { f.operator.word() } else { f.operator.divider().unwrap() };
                    assert_eq!(operand.keyword.of(source).to_lowercase(), word);
                    writeln!(text, "{pad}{word} [{}]", operand.label.text).unwrap();
                    items(tree, &operand.items, source, depth + 1, text);
                }
            }
            Item::Note(n) => {
                let at: Vec<&str> = n.at.iter().map(|who| tree.id(*who)).collect();
                writeln!(text, "{pad}note {:?} {}: {}", n.placement, at.join(","), n.text.text).unwrap();
            }
            Item::Activate(who, _) => writeln!(text, "{pad}activate {}", tree.id(*who)).unwrap(),
            Item::Deactivate(who, _) => writeln!(text, "{pad}deactivate {}", tree.id(*who)).unwrap(),
            Item::Create(who, _) => writeln!(text, "{pad}create {}", tree.id(*who)).unwrap(),
            Item::Destroy(who, _) => writeln!(text, "{pad}destroy {}", tree.id(*who)).unwrap(),
            Item::Autonumber(_) => writeln!(text, "{pad}autonumber").unwrap(),
        }
    }
}

#[test]
fn sequences_become_trees() {
    let source = "---\ntitle: Pay\n---\nsequenceDiagram\n  %% who\n  box Aqua Shop\n  actor C as Clerk\n  participant T@{ \"type\": \"control\", \"alias\": \"Till\" }\n  end\n  \
        autonumber\n  C->>+T: scan #35;12\n  alt known\n    T->>B: price?\n    loop wrap: at most 3\n      B--)T: later\n    end\n    B-->>T: 12 €\n  \
        else\n    T-xB: price?\n    Note over T,B: gives up<br/>at once\n  end\n  par\n    T->>T: print\n  and to the store\n    create participant S as Store\n    \
        T-)S: sold\n  end\n  critical book\n    T->>B: book\n  option timeout\n    T->>B: book again\n  end\n  destroy S\n  S-xT: closes\n  deactivate T\n";
    insta::assert_snapshot!(drawn(&sequence(source), source), @r#"
C = Clerk (Actor) in Aqua Shop
T = Till (Typed("control")) in Aqua Shop
B = B (Participant)
S = Store (Participant)
autonumber
C Solid Filled+ T: scan #35;12
alt [known]
  T Solid Filled B: price?
  loop [at most 3]
    B Dotted Open T: later
  B Dotted Filled T: 12 €
else []
  T Solid Cross B: price?
  note Over T,B: gives up<br/>at once
par []
  T Solid Filled T: print
and [to the store]
  create S
  T Solid Open S: sold
critical [book]
  T Solid Filled B: book
option [timeout]
  T Solid Filled B: book again
destroy S
S Solid Cross T: closes
deactivate T
"#);
}

#[test]
fn states_and_transitions_are_read() {
    let source = "stateDiagram-v2\n  [*] --> Open: scanned\n  state \"Being paid\" as Paying {\n    [*] --> Asked\n    Asked --> Paid: card: ok\n    --\n    \
        [*] --> Shown\n  }\n  Open --> Paying\n  state both <<join>>\n  Paying --> both\n  both --> [*]\n";
    let Diagram::State(tree) = parse(source, Mode::Strict).diagram else { panic!() };
    let mut text = String::new();
    for state in &tree.states {
        let within = state.within.state.map_or("", |s| &tree.states[s].id);
        let described = state.description.as_deref().unwrap_or("-");
        writeln!(text, "{} {described} {:?} in {within:?} {}", state.id, state.form, state.within.region).unwrap();
    }
    for t in &tree.transitions {
        writeln!(text, "{} -> {} on {:?} | {}", tree.name(t.from), tree.name(t.to), t.label, t.span.of(source))
            .unwrap();
    }
    insta::assert_snapshot!(text, @r#"
Open - State in "" 0
Paying Being paid State in "" 0
Asked - State in "Paying" 0
Paid - State in "Paying" 0
Shown - State in "Paying" 1
both - Join in "" 0
[*] -> Open on "scanned" | [*] --> Open: scanned
[*] -> Asked on "" | [*] --> Asked
Asked -> Paid on "card: ok" | Asked --> Paid: card: ok
[*] -> Shown on "" | [*] --> Shown
Open -> Paying on "" | Open --> Paying
Paying -> both on "" | Paying --> both
both -> [*] on "" | both --> [*]
"#);
}

#[test]
fn nodes_and_edges_are_read() {
    let source = "flowchart TD\n  A[Scan] --> B{Known?}\n  B -->|yes| C[(Prices)] & D\n  B -- no --> E[\"Ask (twice)\"] -.-> A\n  subgraph s [The shop]\n    D === A\n  end\n  style A fill:#fff\n";
    let Diagram::Flowchart(tree) = parse(source, Mode::Strict).diagram else { panic!() };
    let mut text = String::new();
    for node in &tree.nodes {
        writeln!(text, "{} {} {:?}", node.id, node.label, node.shape).unwrap();
    }
    for edge in &tree.edges {
        let arrow = edge.span.of(source).trim();
        writeln!(text, "{} {arrow} {} ({})", tree.nodes[edge.from].id, tree.nodes[edge.to].id, edge.label).unwrap();
    }
    writeln!(text, "{:?}", tree.subgraphs).unwrap();
    insta::assert_snapshot!(text, @r#"
A Scan Box
B Known? Decision
C Prices Store
D D Box
E Ask (twice) Box
A --> B ()
B -->|yes| C (yes)
B -->|yes| D (yes)
B -- no --> E (no)
E -.-> A ()
D === A ()
["The shop"]
"#);
}
