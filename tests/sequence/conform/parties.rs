//! Who is who: by name, as a scenario says, and what is said where it cannot be told.

use std::collections::BTreeMap;

use interlock::sequence::conform::{Binding, Expectation, Party};

use super::platform::{Platform, bound, call, checked, expecting, told};

const TWO: &str = "sequenceDiagram
  actor U
  participant Web as Web<br/>Shop
  participant Api
  U->>Web: go
  Web->>Api: ask
  Web->>Api: ask again
";

#[test]
fn names_are_compared_without_case_and_punctuation() {
    let mut platform = Platform::new();
    platform.asked("web-shop", "GET /", vec![call("API", "x", vec![]), call("API", "y", vec![])]);
    let report = checked(TWO, &bound(&[]), &platform.observed()).unwrap();
    insta::assert_debug_snapshot!(report.coverage, @r#"
    Coverage {
        messages: 3,
        bound: 3,
        observed: 3,
        branches: 0,
        branches_taken: 0,
        ambiguous: [
            "`Web` calls `Api`: `ask`, `ask again`",
        ],
        unbound_spans: [],
        uninstrumented: [],
        orphans: 0,
        broken: 0,
    }
    "#);
}

#[test]
fn names_that_may_be_several_services_are_a_problem() {
    let mut platform = Platform::new();
    platform.asked("web-shop", "GET /", vec![]);
    platform.asked("web", "GET /", vec![]);
    insta::assert_snapshot!(told(TWO, &bound(&[]), &platform.observed()), @r"
    3: `Web` may be any of these services: web, web-shop; bind it: `Web: {service: web}`
    ");
    let both = bound(&[("Web", Party::Service("web".to_owned())), ("Api", Party::Service("web".to_owned()))]);
    insta::assert_snapshot!(told(TWO, &both, &platform.observed()), @r"
    4: `Web` and `Api` are both the service `web`; bind one of them to another service, or draw one participant
    ");
    let slip = Binding { participants: BTreeMap::from([("Wep".to_owned(), Party::Stimulus)]), ..bound(&[]) };
    insta::assert_snapshot!(told(TWO, &slip, &Platform::new().observed()), @r"
    1: the diagram has no participant `Wep`; did you mean `Web`?
    ");
}

#[test]
fn operations_tell_calls_between_the_same_two_apart() {
    let named =
        |at, name: &str| Expectation { message: at, operation: Some(name.to_owned()), ..Expectation::default() };
    let binding = expecting(vec![named(1, "first*"), named(2, "second")]);
    let run = |names: [&'static str; 2]| {
        let mut platform = Platform::new();
        platform.asked("web", "GET /", names.iter().map(|name| call("api", name, vec![])).collect());
        told(TWO, &binding, &platform.observed())
    };
    insta::assert_snapshot!(run(["first one", "second"]), @r"
    PASS
    PASS [xxx] cost 0 of 3+3
    ");
    insta::assert_snapshot!(run(["second", "first one"]), @r"
    FAIL
    FAIL [x!x] cost 2 of 3+3
      6: Reordered: `Web` called `Api` out of order: ask (2 spans)
    ");
    insta::assert_snapshot!(run(["first one", "third"]), @r"
    FAIL
    FAIL [xx-] cost 2 of 3+3
      6: Unexpected: `Web` called `Api`, which is not drawn here: third (2 spans)
      7: Missing: `Web` did not call `Api`: ask again (0 spans)
    ");
}

#[test]
fn one_that_acts_unprompted_begins_its_own_traces() {
    let text = "sequenceDiagram\n  participant Watch\n  Watch->>Api: collect\n  Api-->>Watch: numbers\n  Watch->>Board: report\n";
    let mut platform = Platform::new();
    platform.acts("watch", "round", vec![call("api", "collect", vec![]), call("board", "report", vec![])]);
    platform.acts("watch", "round", vec![call("api", "collect", vec![])]);
    platform.acts("watch", "sleep", vec![]);
    insta::assert_snapshot!(told(text, &bound(&[]), &platform.observed()), @r"
    FAIL
    PASS [xxx] cost 0 of 3+3
    FAIL [xx-] cost 1 of 2+3
      5: Missing: `Watch` did not call `Board`: report (0 spans)
    ");
}

#[test]
fn a_service_that_tells_nothing_is_in_doubt_unless_that_is_said() {
    let mut platform = Platform::new();
    let dark = |name| call("api", name, vec![]).dark().says("peer.service", "api");
    platform.asked("web", "GET /", vec![dark("x"), dark("y")]);
    let service = |name: &str| Party::Service(name.to_owned());
    let silent = bound(&[("Web", service("web")), ("Api", service("api"))]);
    insta::assert_snapshot!(told(TWO, &silent, &platform.observed()), @r"
    INCONCLUSIVE
    INCONCLUSIVE [xxx] cost 0 of 3+3
      ? `Api` tells nothing at all: only its callers tell of it
    ");
    let known = bound(&[("Web", service("web")), ("Api", Party::Uninstrumented)]);
    insta::assert_snapshot!(told(TWO, &known, &platform.observed()), @r"
    PASS
    PASS [xxx] cost 0 of 3+3
    ");
}
