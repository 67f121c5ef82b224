//! Each verdict, and each way in which what happened may differ.

use interlock::sequence::conform::{Expectation, Party, Verdict, align::Budget, check};

use super::platform::{Do, Platform, bound, call, diagram, expecting, own, told};

const SHOP: &str = "sequenceDiagram
  actor Buyer
  participant Shop
  participant Stock
  participant Till
  Buyer->>Shop: POST /orders
  Shop->>Stock: reserve
  Stock-->>Shop: reserved
  Shop->>Till: charge
  Till->>Till: book
  Till-->>Shop: charged
  Shop-->>Buyer: 201 Created
";

fn shop(does: Vec<Do>) -> String {
    let mut platform = Platform::new();
    platform.asked("shop", "POST /orders", does);
    // Both services exist, whatever this order made of them.
    platform.asked("stock", "GET /healthz", Vec::new());
    platform.asked("till", "GET /healthz", Vec::new());
    told(SHOP, &bound(&[]), &platform.observed())
}

fn reserve() -> Do {
    call("stock", "POST /reservations", Vec::new())
}

fn charge() -> Do {
    call("till", "POST /charges", Vec::new())
}

#[test]
fn what_is_drawn_passes() {
    insta::assert_snapshot!(shop(vec![reserve(), charge()]), @r"
    PASS
    PASS [xxxx~xx] cost 0 of 5+5
    ");
}

#[test]
fn a_call_that_is_not_made_is_missing() {
    insta::assert_snapshot!(shop(vec![reserve()]), @r"
    FAIL
    FAIL [xxx-~-x] cost 2 of 3+5
      9: Missing: `Shop` did not call `Till`: charge (0 spans)
    ");
}

#[test]
fn a_call_that_is_not_drawn_is_unexpected() {
    insta::assert_snapshot!(shop(vec![reserve(), charge(), charge()]), @r"
    FAIL
    FAIL [xxxx~xx] cost 2 of 7+5
      11: Unexpected: `Shop` called `Till`, which is not drawn here: POST /charges (2 spans)
    ");
}

#[test]
fn calls_that_change_places_are_out_of_order() {
    insta::assert_snapshot!(shop(vec![charge(), reserve()]), @r"
    FAIL
    FAIL [x!xx~xx] cost 4 of 5+5
      7: Reordered: `Shop` called `Stock` out of order: reserve (2 spans)
    ");
}

#[test]
fn a_call_that_does_not_wait_for_an_answer_is_out_of_order() {
    insta::assert_snapshot!(shop(vec![reserve().overlaps(), charge()]), @r"
    FAIL
    FAIL [xx!x~xx] cost 2 of 5+5
      8: Reordered: the call to `Stock` ended out of order: reserved (2 spans)
    ");
}

#[test]
fn a_call_that_goes_to_somebody_else_is_told_as_such() {
    insta::assert_snapshot!(shop(vec![reserve(), call("vault", "POST /charges", Vec::new())]), @r"
    FAIL
    FAIL [xxx!~-x] cost 2 of 3+5
      9: WrongParticipant: `Shop` called `vault`, where `Till` is drawn: charge (1 spans)
    ");
    insta::assert_snapshot!(shop(vec![call("till", "POST /reservations", Vec::new()), charge()]), @r"
    FAIL
    FAIL [x--x~xx] cost 4 of 5+5
      7: Missing: `Shop` did not call `Stock`: reserve (0 spans)
      11: Unexpected: `Shop` called `Till`, which is not drawn here: POST /charges (2 spans)
    ");
}

#[test]
fn an_end_that_is_not_drawn_is_told() {
    let mut platform = Platform::new();
    platform.asked_with("shop", "POST /orders", Some(500), vec![reserve(), charge()]);
    insta::assert_snapshot!(told(SHOP, &bound(&[]), &platform.observed()), @r"
    FAIL
    FAIL [xxxx~x!] cost 1 of 5+5
      12: WrongOutcome: the call ended with status 500; 201 is drawn (1 spans)
    ");
    let expected = Expectation { message: 3, status: Some(204), ..Expectation::default() };
    let mut platform = Platform::new();
    platform.asked_with("shop", "POST /orders", Some(201), vec![reserve(), charge().status(402)]);
    insta::assert_snapshot!(told(SHOP, &expecting(vec![expected]), &platform.observed()), @r"
    FAIL
    FAIL [xxxx~!x] cost 1 of 5+5
      11: WrongOutcome: the call ended with status 402; 204 is drawn (1 spans)
    ");
}

#[test]
fn no_trace_is_vacuous() {
    let observed = Platform::new().observed();
    insta::assert_snapshot!(told(SHOP, &bound(&[]), &observed), @r"
    VACUOUS
    ? no trace begins as the diagram does
    ");
    let mut platform = Platform::new();
    platform.asked("shop", "GET /healthz", vec![]);
    insta::assert_snapshot!(told(SHOP, &bound(&[]), &platform.observed()), @r"
    VACUOUS
    ? no trace begins as the diagram does
    ");
}

#[test]
fn who_is_declared_and_never_called_must_not_be_called() {
    let text = SHOP.replace("  Buyer->>", "  participant Model\n  Buyer->>");
    let mut platform = Platform::new();
    platform.asked("shop", "POST /orders", vec![reserve(), call("model", "POST /infer", vec![]), charge()]);
    insta::assert_snapshot!(told(&text, &bound(&[]), &platform.observed()), @r"
    FAIL
    FAIL [xxxx~xx] cost 1 of 6+5
      6: Forbidden: `Model` was called; the diagram declares it and draws no call to it (1 spans)
    ");
    let mut platform = Platform::new();
    platform.asked("shop", "POST /orders", vec![reserve(), charge().says("gen_ai.system", "any"), charge()]);
    insta::assert_snapshot!(told(&text, &bound(&[("Model", super::platform::peer("gen_ai.system", "any"))]), &platform.observed()), @r"
    FAIL
    FAIL [xxxx~xx] cost 2 of 7+5
      6: Forbidden: `Model` was called; the diagram declares it and draws no call to it (1 spans)
      12: Unexpected: `Shop` called `Till`, which is not drawn here: POST /charges (2 spans)
    ");
}

#[test]
fn more_to_come_or_spans_that_were_lost_leave_a_doubt() {
    let mut platform = Platform::new();
    platform.asked("shop", "POST /orders", vec![reserve(), charge()]);
    platform.drop(interlock::model::trace::Kind::Server, "till", "POST /charges");
    platform.drop(interlock::model::trace::Kind::Client, "shop", "POST /charges");
    platform.asked("till", "GET /healthz", Vec::new());
    let mut observed = platform.observed();
    insta::assert_snapshot!(told(SHOP, &bound(&[]), &observed), @r"
    FAIL
    FAIL [xxx-~-x] cost 2 of 3+5
      9: Missing: `Shop` did not call `Till`: charge (0 spans)
    ");
    observed.lost = 2;
    insta::assert_snapshot!(told(SHOP, &bound(&[]), &observed), @r"
    INCONCLUSIVE
    INCONCLUSIVE [xxx?~?x] cost 2 of 3+5
      ? spans were lost on their way: 2
    ");
    observed.lost = 0;
    observed.unsettled = observed.spans.iter().map(|span| span.trace).collect();
    insta::assert_snapshot!(told(SHOP, &bound(&[]), &observed), @r"
    INCONCLUSIVE
    INCONCLUSIVE [xxx?~?x] cost 2 of 3+5
      ? more spans may still come
    ");
}

#[test]
fn a_certain_difference_fails_whatever_else_is_in_doubt() {
    let mut platform = Platform::new();
    platform.asked("shop", "POST /orders", vec![reserve(), charge(), charge()]);
    let mut observed = platform.observed();
    observed.lost = 1;
    insta::assert_snapshot!(told(SHOP, &bound(&[]), &observed), @r"
    FAIL
    FAIL [xxxx~xx] cost 2 of 7+5
      ? spans were lost on their way: 1
      11: Unexpected: `Shop` called `Till`, which is not drawn here: POST /charges (2 spans)
    ");
}

#[test]
fn self_messages_count_where_they_are_bound() {
    let done = |does| vec![reserve(), call("till", "POST /charges", does)];
    let run = |does, binding: &_| {
        let mut platform = Platform::new();
        platform.asked("shop", "POST /orders", done(does));
        told(SHOP, binding, &platform.observed())
    };
    let book = expecting(vec![Expectation { message: 3, ..Expectation::default() }]);
    insta::assert_snapshot!(run(vec![own("Book")], &book), @r"
    PASS
    PASS [xxxxxxx] cost 0 of 6+5
    ");
    let book =
        expecting(vec![Expectation { message: 4, operation: Some("ledger*".to_owned()), ..Expectation::default() }]);
    insta::assert_snapshot!(run(vec![own("Book")], &book), @r"
    FAIL
    FAIL [xxxx-xx] cost 1 of 5+6
      10: Missing: `Till` did not do this: book (0 spans)
    ");
    insta::assert_snapshot!(run(vec![own("ledger entry")], &book), @r"
    PASS
    PASS [xxxxxxx] cost 0 of 6+6
    ");
}

#[test]
fn what_is_ignored_counts_for_nothing() {
    let ignored = expecting(vec![Expectation { message: 1, ignored: true, ..Expectation::default() }]);
    for does in [vec![reserve(), charge()], vec![charge()]] {
        let mut platform = Platform::new();
        platform.asked("shop", "POST /orders", does);
        platform.asked("stock", "GET /healthz", Vec::new());
        insta::allow_duplicates! {
            insta::assert_snapshot!(told(SHOP, &ignored, &platform.observed()), @r"
            PASS
            PASS [x~~x~xx] cost 0 of 3+3
            ");
        }
    }
}

#[test]
fn a_person_may_be_bound_to_a_service() {
    let mut platform = Platform::new();
    platform.acts("driver", "run", vec![call("shop", "POST /orders", vec![reserve(), charge()])]);
    insta::assert_snapshot!(told(SHOP, &bound(&[("Buyer", Party::Service("driver".to_owned()))]), &platform.observed()), @r"
    PASS
    PASS [xxxx~xx] cost 0 of 6+6
    ");
    insta::assert_snapshot!(told(SHOP, &bound(&[]), &platform.observed()), @r"
    PASS
    PASS [xxxx~xx] cost 0 of 5+5
    ");
}

#[test]
fn a_budget_that_does_not_suffice_is_said() {
    let mut platform = Platform::new();
    platform.asked("shop", "POST /orders", vec![charge(), reserve(), charge()]);
    let report = check(&diagram(SHOP), &bound(&[]), &platform.observed(), Budget { states: 1 }).unwrap();
    assert_eq!(report.verdict, Verdict::Inconclusive);
    assert_eq!(report.instances[0].doubts, ["the budget of the alignment is used up"]);
    let enough = check(&diagram(SHOP), &bound(&[]), &platform.observed(), Budget::default()).unwrap();
    assert_eq!(enough.verdict, Verdict::Fail);
}

#[test]
fn coverage_says_how_much_was_seen() {
    let text = SHOP.replace("  Buyer->>", "  participant Mail\n  Buyer->>").replace(
        "  Shop-->>Buyer",
        "  opt wanted\n    Shop->>Mail: confirm\n  end\n  Shop->>Stock: release\n  Shop-->>Buyer",
    );
    let mut platform = Platform::new();
    let release = call("stock", "DELETE /reservations", Vec::new());
    platform.asked("shop", "POST /orders", vec![reserve(), charge(), release, own("render")]);
    let report = check(&diagram(&text), &bound(&[]), &platform.observed(), Budget::default()).unwrap();
    assert_eq!(report.verdict, Verdict::Pass);
    insta::assert_debug_snapshot!(report.coverage, @r#"
    Coverage {
        messages: 9,
        bound: 8,
        observed: 7,
        branches: 1,
        branches_taken: 0,
        ambiguous: [
            "`Shop` calls `Stock`: `reserve`, `release`",
        ],
        unbound_spans: [
            (
                "shop: render",
                1,
            ),
        ],
        uninstrumented: [
            "Mail",
        ],
        orphans: 0,
        broken: 0,
    }
    "#);
    assert!((report.instances[0].fitness() - 1.0).abs() < f64::EPSILON);
}
