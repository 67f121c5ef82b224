//! Whatever spans there are: the same answer in any order, and never a panic.

use std::sync::Arc;

use interlock::{
    model::trace::{Attributes, Kind, Link, Resource, Span, SpanId, Status, TraceId, Value},
    sequence::{
        conform::{Observed, Verdict, align::Budget, check},
        mermaid::{Diagram, Mode, parse},
    },
};
use proptest::prelude::*;

use super::platform::{Do, Platform, bound, call, checked, peer};

const MIXED: &str = "sequenceDiagram
  actor U
  participant Bus
  U->>A: go
  A->>B: b
  alt x
    B->>C: c
    B-->>A: 200 OK
    loop max 2
      A->>C: again
    end
  else y
    B-->>A: 500
  end
  A->>Bus: sent
  Bus->>C: taken
  par
    A->>B: one
  and
    A->>C: two
  end
  A->>A: think
  A-->>U: done
  Watch->>A: look
";

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Internal),
        Just(Kind::Server),
        Just(Kind::Client),
        Just(Kind::Producer),
        Just(Kind::Consumer),
        Just(Kind::Unspecified)
    ]
}

prop_compose! {
    fn span()(
        trace in 1u8..3, id in 1u8..24, parent in 0u8..24, service in 0usize..6, kind in kind(),
        start in 0u64..40, end in 0u64..40, failed in any::<bool>(), link in 0u8..24, status in 0i64..3,
    ) -> Span {
        let service = ["a", "b", "c", "watch", "sidecar", ""][service].to_owned();
        let mut attributes = Attributes::default();
        if status > 0 {
            attributes.0.push(("http.response.status_code".to_owned(), Value::Int(if status == 1 { 200 } else { 500 })));
            attributes.0.push(("messaging.destination.name".to_owned(), Value::Text("t".to_owned())));
        }
        let links = if link < 8 { vec![Link { trace: TraceId([trace % 2 + 1; 16]), span: SpanId([link; 8]), attributes: Attributes::default() }] } else { Vec::new() };
        Span {
            trace: TraceId([trace; 16]), id: SpanId([id; 8]), parent: (parent > 0).then_some(SpanId([parent; 8])),
            name: "think".to_owned(), kind, start, end,
            status: if failed { Status::Error(String::new()) } else { Status::Unset },
            attributes, events: Vec::new(), links,
            resource: Arc::new(Resource { service, attributes: Attributes::default() }),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn any_spans_in_any_order_give_one_answer(
        (spans, shuffled) in prop::collection::vec(span(), 0..40).prop_flat_map(|s| (Just(s.clone()), Just(s).prop_shuffle())),
        lost in 0u64..2,
    ) {
        let binding = bound(&[("Bus", peer("messaging.destination.name", "t"))]);
        let one = checked(MIXED, &binding, &Observed { spans, lost, ..Observed::default() });
        let other = checked(MIXED, &binding, &Observed { spans: shuffled, lost, ..Observed::default() });
        if let Ok(report) = &one {
            for instance in &report.instances {
                prop_assert_eq!(instance.steps.len(), 13);
                prop_assert!(instance.cost <= instance.observed + instance.shortest + 4, "{:?}", instance);
                prop_assert_eq!(instance.verdict != Verdict::Fail, instance.deviations.is_empty());
            }
        }
        prop_assert_eq!(one, other);
    }
}

#[test]
fn thousands_of_equal_traces_give_equal_instances() {
    let text = "sequenceDiagram\n  actor U\n  U->>A: go\n  A->>B: b\n  A->>C: c\n";
    let mut platform = Platform::new();
    for _ in 0..2000 {
        platform.asked("a", "GET /go", vec![call("b", "b", vec![]), call("c", "c", vec![])]);
    }
    let report = checked(text, &bound(&[]), &platform.observed()).unwrap();
    assert_eq!(report.instances.len(), 2000);
    assert!(report.instances.iter().all(|instance| instance.verdict == Verdict::Pass));
    let odd = platform.asked("a", "GET /go", vec![call("b", "b", vec![])]);
    let report = checked(text, &bound(&[]), &platform.observed()).unwrap();
    let failed: Vec<_> = report.instances.iter().filter(|instance| instance.verdict == Verdict::Fail).collect();
    assert_eq!((report.verdict, failed.len(), failed[0].traces.clone()), (Verdict::Fail, 1, vec![odd]));
}

#[test]
fn deep_chains_do_not_overflow() {
    let text = "sequenceDiagram\n  actor U\n  U->>A: go\n  A->>B: b\n";
    let mut does: Vec<Do> = Vec::new();
    for at in 0..300 {
        does = vec![call(if at % 2 == 0 { "b" } else { "c" }, "x", does)];
    }
    let mut platform = Platform::new();
    platform.asked("a", "GET /go", does);
    let mut spans = platform.spans.clone();
    // A long line of spans within one service, each the child of the one before.
    let first = spans[0].clone();
    for at in 0..50_000u64 {
        let mut next = first.clone();
        let id = |at: u64| SpanId((at + 1_000_000).to_be_bytes());
        next.id = id(at);
        next.parent = Some(if at == 0 { first.id } else { id(at - 1) });
        next.kind = Kind::Internal;
        spans.push(next);
    }
    let report = checked(text, &bound(&[]), &Observed { spans, ..Observed::default() }).unwrap();
    assert_eq!(report.instances.len(), 1);
}

#[test]
fn every_diagram_can_be_held_against_traces() {
    let mut diagrams = 0;
    for case in crate::corpus::cases() {
        let Diagram::Sequence(sequence) = parse(&case.text, Mode::Lenient).diagram else { continue };
        diagrams += 1;
        let empty = check(&sequence, &bound(&[]), &Platform::new().observed(), Budget::default()).unwrap();
        assert_eq!(empty.verdict, Verdict::Vacuous, "{}: {}", case.file, case.name);
        // One trace in which the first receiver does nothing, under the name of the diagram.
        let messages = sequence.messages();
        let Some(first) = messages.iter().find(|m| m.from != m.to) else { continue };
        let mut platform = Platform::new();
        platform.asked("somebody", "GET /go", Vec::new());
        let mut observed = platform.observed();
        let service = sequence.id(first.to).to_owned();
        observed.spans[0].resource = Arc::new(Resource { service, attributes: Attributes::default() });
        if let Ok(report) = check(&sequence, &bound(&[]), &observed, Budget::default()) {
            assert!(report.instances.iter().all(|instance| instance.steps.len() == messages.len()));
        }
    }
    assert!(diagrams > 20, "{diagrams}");
}
