//! State diagrams against transitions that spans tell of.

use std::fmt::Write as _;

use interlock::{
    model::trace::{Happening, Span, Value},
    sequence::{
        Lines,
        conform::{Observed, StateSource, check_states},
        mermaid::{Diagram, Mode, parse, state::StateDiagram},
    },
};

use super::platform::{Platform, own};

const ORDER: &str = "stateDiagram-v2
  state decide <<choice>>
  [*] --> Placed
  Placed --> decide : checked
  decide --> Paid : enough
  decide --> Refused : too little
  Paid --> Delivery
  state Delivery {
    [*] --> Packed
    Packed --> Sent
    Sent --> [*]
  }
  Delivery --> Closed
  Delivery --> Refused : lost
  Closed --> [*]
";

fn diagram() -> StateDiagram {
    let Diagram::State(diagram) = parse(ORDER, Mode::Strict).diagram else { panic!("no state diagram") };
    diagram
}

/// Spans of one service that tell of transitions, each of an entity and with the state before where that is told.
fn told(transitions: &[(&str, Option<&str>, &str)]) -> Vec<Span> {
    let mut platform = Platform::new();
    platform.asked("orders", "POST /orders", transitions.iter().map(|_| own("change")).collect());
    let mut spans = platform.spans;
    for (span, (entity, from, to)) in spans.iter_mut().skip(1).zip(transitions) {
        let mut say = |name: &str, value: &str| {
            span.attributes.0.push((name.to_owned(), Value::Text(value.to_owned())));
        };
        say("order.id", entity);
        say("order.to", to);
        if let Some(from) = from {
            say("order.from", from);
        }
    }
    spans
}

fn say(spans: Vec<Span>) -> String {
    let source = StateSource { entity: "order.id".into(), from: Some("order.from".into()), to: "order.to".into() };
    let report = check_states(&diagram(), &source, &Observed { spans, ..Observed::default() });
    let (entities, observed, untaken) = (report.entities, report.observed, report.untaken.len());
    let mut all = format!("{} {entities} entities, {observed} told, {untaken} untaken\n", report.verdict.word());
    for doubt in report.doubts {
        writeln!(all, "? {doubt}").unwrap();
    }
    for stray in report.strays {
        let line = Lines::new(ORDER).place(stray.place.start).0;
        writeln!(all, "{line}: {} {} -> {}", stray.entity, stray.from.unwrap_or("[*]".into()), stray.to).unwrap();
    }
    all
}

#[test]
fn entities_go_where_it_is_drawn() {
    let closed =
        [("1", None, "placed"), ("1", None, "paid"), ("1", None, "packed"), ("1", None, "sent"), ("1", None, "closed")];
    insta::assert_snapshot!(say(told(&closed)), @r"
    PASS 1 entities, 5 told, 4 untaken
    ");
    let lost = [
        ("1", Some("placed"), "paid"),
        ("2", None, "placed"),
        ("1", Some("paid"), "packed"),
        ("1", Some("packed"), "refused"),
    ];
    insta::assert_snapshot!(say(told(&lost)), @r"
    PASS 2 entities, 4 told, 5 untaken
    ");
    insta::assert_snapshot!(say(told(&[])), @r"
    VACUOUS 0 entities, 0 told, 11 untaken
    ? no span tells of a transition
    ");
}

#[test]
fn what_is_not_drawn_is_told() {
    let leap = [
        ("1", None, "placed"),
        ("1", None, "closed"),
        ("2", None, "paid"),
        ("3", None, "placed"),
        ("3", None, "unheard of"),
    ];
    insta::assert_snapshot!(say(told(&leap)), @r"
    FAIL 3 entities, 5 told, 10 untaken
    3: 1 placed -> closed
    2: 2 [*] -> paid
    3: 3 placed -> unheard of
    ");
    let gap = [("1", None, "placed"), ("1", Some("paid"), "packed")];
    insta::assert_snapshot!(say(told(&gap)), @r"
    INCONCLUSIVE 1 entities, 2 told, 8 untaken
    ? entities that changed their states without telling: 1
    ");
}

#[test]
fn without_one_clock_each_transition_stands_alone() {
    let mut spans = told(&[("1", None, "placed"), ("1", Some("placed"), "paid"), ("1", Some("paid"), "placed")]);
    let mut other = Platform::new();
    other.asked("stock", "GET /", vec![]);
    spans[2].resource = other.spans[0].resource.clone();
    insta::assert_snapshot!(say(spans), @r"
    FAIL 1 entities, 3 told, 9 untaken
    ? entities whose transitions no one clock puts in order: 1
    5: 1 paid -> placed
    ");
}

#[test]
fn transitions_may_be_told_by_what_happens_within_spans() {
    let mut spans = told(&[("1", None, "placed"), ("1", None, "paid")]);
    let (first, second) = (spans[1].clone(), spans[2].clone());
    spans.truncate(1);
    for span in [second, first] {
        spans[0].events.push(Happening { name: "change".into(), at: span.start, attributes: span.attributes });
    }
    insta::assert_snapshot!(say(spans), @r"
    PASS 1 entities, 2 told, 8 untaken
    ");
}
