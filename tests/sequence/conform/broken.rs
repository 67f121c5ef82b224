//! What is missing, broken or dark: nothing is said that is not known.

use interlock::{
    model::trace::{Kind, Span, SpanId},
    sequence::conform::{Party, Verdict},
};

use super::platform::{Do, Platform, bound, call, checked, told};

const CHAIN: &str = "sequenceDiagram
  actor U
  U->>A: go
  A->>B: b
  B->>C: c
  C-->>B: ok
  B-->>A: ok
  A->>D: d
  D-->>A: ok
  A-->>U: done
";

fn chain() -> Vec<Do> {
    vec![call("b", "b", vec![call("c", "c", Vec::new())]), call("d", "d", Vec::new())]
}

fn played(does: Vec<Do>) -> Platform {
    let mut platform = Platform::new();
    platform.asked("a", "GET /go", does);
    platform
}

fn say(platform: &Platform) -> String {
    told(CHAIN, &bound(&[]), &platform.observed())
}

#[test]
fn a_dark_leaf_is_seen_by_its_caller() {
    let d = call("d", "d", Vec::new()).dark();
    let b = call("b", "b", vec![call("c", "c", Vec::new())]);
    insta::assert_snapshot!(say(&played(vec![b.clone(), d.clone().says("server.address", "d.shop.svc")])), @r"
    PASS
    PASS [xxxxxxxx] cost 0 of 7+7
    ");
    insta::assert_snapshot!(say(&played(vec![b.clone(), d])), @r"
    INCONCLUSIVE
    INCONCLUSIVE [xxxxxxxx] cost 0 of 6+7
      ? `D` has no instrumentation: a call was made where it is drawn, and nothing says whom it went to
    ");
    insta::assert_snapshot!(say(&played(vec![b])), @r"
    FAIL
    FAIL [xxxxx--x] cost 2 of 5+7
      8: Missing: `A` did not call `D`: d (0 spans)
    ");
}

#[test]
fn a_dark_one_in_the_middle_leaves_a_doubt_and_what_is_behind_it_is_checked() {
    let b = |does| call("b", "b", does).dark().says("peer.service", "b");
    let d = || call("d", "d", Vec::new());
    insta::assert_snapshot!(say(&played(vec![b(vec![call("c", "c", Vec::new())]), d()])), @r"
    PASS
    PASS [xxxxxxxx] cost 0 of 7+5
    ");
    insta::assert_snapshot!(say(&played(vec![b(vec![]), d()])), @r"
    INCONCLUSIVE
    INCONCLUSIVE [xx??xxxx] cost 0 of 5+5
      ? `B` has no instrumentation: what only it could tell is not known
    ");
    insta::assert_snapshot!(say(&played(vec![d()])), @r"
    FAIL
    FAIL [x----xxx] cost 2 of 3+5
      4: Missing: `A` did not call `B`: b (0 spans)
    ");
    let wrong = b(vec![call("c", "c", Vec::new()), call("d", "d", Vec::new())]);
    insta::assert_snapshot!(say(&played(vec![wrong, d()])), @r"
    FAIL
    FAIL [xxxxxxxx] cost 1 of 8+5
      6: Unexpected: `B` called `D`, which is not drawn here: d (1 spans)
    ");
}

#[test]
fn a_lost_span_is_a_doubt_and_no_difference() {
    for (kind, service, name) in
        [(Kind::Client, "a", "b"), (Kind::Server, "b", "b"), (Kind::Client, "b", "c"), (Kind::Server, "c", "c")]
    {
        let mut platform = played(chain());
        platform.asked("c", "GET /healthz", Vec::new());
        platform.asked("b", "GET /healthz", Vec::new());
        platform.drop(kind, service, name);
        let report = checked(CHAIN, &bound(&[]), &platform.observed()).unwrap();
        // The called one's own span still shows the call, where only the caller's span is lost in another place.
        assert_eq!(report.verdict, Verdict::Inconclusive, "{kind:?} {service} {name}: {}", say(&platform));
    }
}

#[test]
fn a_call_that_failed_before_it_was_taken() {
    let mut platform = played(vec![call("b", "b", Vec::new()).failed().dark(), call("d", "d", Vec::new())]);
    platform.asked("b", "GET /healthz", Vec::new());
    platform.asked("c", "GET /healthz", Vec::new());
    insta::assert_snapshot!(say(&platform), @r"
    FAIL
    FAIL [x!--xxxx] cost 2 of 4+7
      4: WrongOutcome: the call failed before `B` took it (1 spans)
    ");
}

#[test]
fn clocks_of_two_processes_are_never_compared() {
    let minutes = 60_000_000_000;
    for (service, by) in [("a", 5 * minutes), ("b", 7 * minutes), ("c", 90 * minutes), ("d", minutes)] {
        let mut platform = Platform::new().ahead(service, by);
        platform.asked("a", "GET /go", chain());
        assert_eq!(say(&platform), say(&played(chain())), "{service}");
        assert!(say(&platform).starts_with("PASS"));
    }
}

#[test]
fn times_that_are_equal_are_in_any_order() {
    for does in [chain(), chain().into_iter().rev().collect()] {
        let mut platform = Platform::new();
        platform.frozen = true;
        platform.asked("a", "GET /go", does);
        assert!(say(&platform).starts_with("PASS"), "{}", say(&platform));
    }
}

#[test]
fn calls_without_a_span_of_the_caller_are_in_no_order() {
    let mut does = chain();
    does[0] = call("b", "b", vec![call("c", "c", Vec::new())]).unsent();
    does.reverse();
    insta::assert_snapshot!(say(&played(does)), @r"
    PASS
    PASS [xxxxxxxx] cost 0 of 7+7
    ");
}

fn broken(change: impl FnOnce(&mut Vec<Span>)) -> String {
    let mut platform = played(chain());
    change(&mut platform.spans);
    say(&platform)
}

#[test]
fn broken_traces_are_counted_and_never_fatal() {
    insta::assert_snapshot!(broken(|spans| spans.push(spans[2].clone())), @r"
    PASS
    PASS [xxxxxxxx] cost 0 of 7+7
    ");
    insta::assert_snapshot!(broken(|spans| {
        let mut other = spans[2].clone();
        other.name = "another".to_owned();
        spans.push(other);
    }), @r"
    INCONCLUSIVE
    INCONCLUSIVE [xxxxxxxx] cost 0 of 7+7
      ? spans break the rules of traces: 1
      ? spans of `A` have lost their places in the trace
      ? spans of `B` have lost their places in the trace
    ");
    insta::assert_snapshot!(broken(|spans| spans[3].parent = Some(spans[4].id)), @r"
    INCONCLUSIVE
    INCONCLUSIVE [xx??xxxx] cost 2 of 5+7
      ? spans break the rules of traces: 1
      ? spans of `B` have lost their places in the trace
      ? spans of `C` have lost their places in the trace
    ");
    insta::assert_snapshot!(broken(|spans| spans[2].parent = Some(SpanId([9; 8]))), @r"
    INCONCLUSIVE
    INCONCLUSIVE [xx??xxxx] cost 0 of 4+7
      ? `B` told nothing of a call to it, though it tells of others
      ? spans of `B` have lost their places in the trace
      ? spans of `C` have lost their places in the trace
    ");
    insta::assert_snapshot!(broken(|spans| spans[1].end = spans[1].start - 1), @r"
    INCONCLUSIVE
    INCONCLUSIVE [xxxxxxxx] cost 0 of 7+7
      ? spans break the rules of traces: 1
      ? spans of `A` have lost their places in the trace
      ? spans of `B` have lost their places in the trace
    ");
    insta::assert_snapshot!(broken(|spans| spans[0].parent = Some(spans[0].id)), @r"
    INCONCLUSIVE
    INCONCLUSIVE [xxxxxxxx] cost 0 of 7+7
      ? spans break the rules of traces: 1
      ? spans of `A` have lost their places in the trace
    ");
}

#[test]
fn what_is_in_between_and_not_drawn_is_looked_through() {
    let through = |does| call("proxy", "b", vec![call("b", "b", does)]);
    let does = vec![
        Do::Own("handler", vec![through(vec![call("c", "c", Vec::new())])]),
        call("other", "not drawn", Vec::new()),
        call("d", "d", Vec::new()),
    ];
    insta::assert_snapshot!(say(&played(does)), @r"
    PASS
    PASS [xxxxxxxx] cost 0 of 7+7
    ");
}

#[test]
fn several_stimuli_are_several_parts() {
    let text = "sequenceDiagram
  actor U
  U->>A: POST /carts
  A->>B: b
  A-->>U: ok
  U->>A: POST /orders
  A->>D: d
  A-->>U: ok
";
    let mut platform = Platform::new();
    platform.asked("a", "POST /carts", vec![call("b", "b", Vec::new())]);
    insta::assert_snapshot!(told(text, &bound(&[]), &platform.observed()), @r"
    INCONCLUSIVE
    ? no trace begins with `U` calling `A`: POST /orders
    PASS [xxx...] cost 0 of 2+2
    ");
    platform.asked("a", "POST /orders", vec![call("d", "d", Vec::new())]);
    platform.asked("a", "GET /metrics", vec![call("d", "d", Vec::new())]);
    insta::assert_snapshot!(told(text, &bound(&[]), &platform.observed()), @r"
    PASS
    PASS [xxx...] cost 0 of 2+2
    PASS [...xxx] cost 0 of 2+2
    ");
    let mut platform = Platform::new();
    platform.run = Some("r1");
    platform.asked("a", "POST /carts", vec![call("b", "b", Vec::new())]);
    platform.asked("a", "POST /orders", vec![]);
    insta::assert_snapshot!(told(text, &bound(&[]), &platform.observed()), @r"
    FAIL
    FAIL [xxxx-x] cost 1 of 3+4
      7: Missing: `A` did not call `D`: d (0 spans)
    ");
}

#[test]
fn a_first_one_without_instrumentation_is_passed_through() {
    let text = "sequenceDiagram\n  actor U\n  U->>Browser: open\n  Browser->>A: load\n  A-->>Browser: ok\n  Browser-->>U: page\n";
    let mut platform = Platform::new();
    platform.asked("a", "GET /go", vec![]);
    insta::assert_snapshot!(told(text, &bound(&[]), &platform.observed()), @r"
    INCONCLUSIVE
    INCONCLUSIVE [?xx?] cost 0 of 3+1
      ? `Browser` has no instrumentation: what only it could tell is not known
    ");
    insta::assert_snapshot!(told(text, &bound(&[("Browser", Party::Stimulus)]), &platform.observed()), @r"
    PASS
    PASS [~xx~] cost 0 of 1+1
    ");
}

#[test]
fn the_context_of_a_stimulus_need_not_be_collected() {
    let said = broken(|spans| spans[0].parent = Some(SpanId([7; 8])));
    assert_eq!(said, say(&played(chain())));
    let mut platform = played(chain());
    platform.spans[0].parent = Some(SpanId([7; 8]));
    let report = checked(CHAIN, &bound(&[]), &platform.observed()).unwrap();
    assert_eq!((report.verdict, report.coverage.orphans), (Verdict::Pass, 0));
}
