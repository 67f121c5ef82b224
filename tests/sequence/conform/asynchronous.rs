//! Messages over a bus: sent, handed on, and taken in traces of their own.

use interlock::sequence::conform::Binding;

use super::platform::{Do, Platform, bound, peer, told};

const ORDERS: &str = "sequenceDiagram
  actor Buyer
  participant Orders
  participant Bus as Event Bus
  participant Finance
  participant Mail
  Buyer->>Orders: POST /orders
  Orders->>Bus: publish order
  Orders-->>Buyer: 202 Accepted
  par
    Bus->>Finance: order
    Finance->>Ledger: book
  and
    Bus->>Mail: order
  end
";

fn parties() -> Binding {
    bound(&[("Bus", peer("messaging.destination.name", "orders"))])
}

fn book() -> Do {
    super::platform::call("ledger", "book", Vec::new())
}

fn ordered(takers: Vec<(&'static str, Vec<Do>)>) -> Platform {
    let mut platform = Platform::new();
    platform.asked_with("orders", "POST /orders", Some(202), vec![Do::Send { topic: "orders", takers }]);
    for service in ["finance", "mail", "ledger"] {
        platform.asked(service, "GET /healthz", Vec::new());
    }
    platform
}

#[test]
fn those_who_take_a_message_are_found_by_their_links() {
    let platform = ordered(vec![("mail", vec![]), ("finance", vec![book()])]);
    insta::assert_snapshot!(told(ORDERS, &parties(), &platform.observed()), @r"
    PASS
    PASS [xxxxxx] cost 0 of 5+5
    ");
}

#[test]
fn what_nobody_takes_is_missing() {
    let platform = ordered(vec![("finance", vec![book()])]);
    insta::assert_snapshot!(told(ORDERS, &parties(), &platform.observed()), @r"
    FAIL
    FAIL [xxxxx-] cost 1 of 4+5
      14: Missing: `Bus` did not call `Mail`: order (0 spans)
    ");
    let platform = ordered(vec![]);
    insta::assert_snapshot!(told(ORDERS, &parties(), &platform.observed()), @r"
    FAIL
    FAIL [xxx---] cost 3 of 2+5
      11: Missing: `Bus` did not call `Finance`: order (0 spans)
      14: Missing: `Bus` did not call `Mail`: order (0 spans)
    ");
}

#[test]
fn what_is_done_with_a_message_is_checked() {
    let platform = ordered(vec![("mail", vec![]), ("finance", vec![])]);
    insta::assert_snapshot!(told(ORDERS, &parties(), &platform.observed()), @r"
    FAIL
    FAIL [xxxx-x] cost 1 of 4+5
      12: Missing: `Finance` did not call `Ledger`: book (0 spans)
    ");
    let platform = ordered(vec![("mail", vec![book()]), ("finance", vec![book()])]);
    insta::assert_snapshot!(told(ORDERS, &parties(), &platform.observed()), @r"
    FAIL
    FAIL [xxxxxx] cost 1 of 6+5
      14: Unexpected: `Mail` called `Ledger`, which is not drawn here: book (2 spans)
    ");
}

#[test]
fn a_message_that_is_not_sent_takes_all_with_it() {
    let mut platform = ordered(vec![]);
    platform.spans.retain(|span| !span.name.ends_with("publish"));
    insta::assert_snapshot!(told(ORDERS, &parties(), &platform.observed()), @r"
    FAIL
    FAIL [x-x---] cost 4 of 1+5
      8: Missing: `Orders` did not call `Bus`: publish order (0 spans)
    ");
}

#[test]
fn where_links_are_not_made_nothing_is_certain() {
    let mut platform = ordered(vec![("mail", vec![]), ("finance", vec![book()])]);
    for span in &mut platform.spans {
        span.links.clear();
    }
    insta::assert_snapshot!(told(ORDERS, &parties(), &platform.observed()), @r"
    INCONCLUSIVE
    INCONCLUSIVE [xxx???] cost 0 of 2+2
      ? `Bus` has no instrumentation: what only it could tell is not known
    ");
}

#[test]
fn a_bus_that_is_not_drawn_needs_no_participant() {
    let text = "sequenceDiagram\n  actor Buyer\n  Buyer->>Orders: POST /orders\n  Orders-)Finance: order\n  Orders-)Mail: order\n";
    let platform = ordered(vec![("finance", vec![]), ("mail", vec![])]);
    insta::assert_snapshot!(told(text, &bound(&[]), &platform.observed()), @r"
    PASS
    PASS [xxx] cost 0 of 3+3
    ");
    let platform = ordered(vec![("mail", vec![])]);
    insta::assert_snapshot!(told(text, &bound(&[]), &platform.observed()), @r"
    FAIL
    FAIL [x-x] cost 1 of 2+3
      4: Missing: `Orders` did not call `Finance`: order (0 spans)
    ");
}

#[test]
fn one_who_takes_may_send_in_turn() {
    let text = "sequenceDiagram
  actor Buyer
  participant Bus as Event Bus
  Buyer->>Orders: POST /orders
  Orders->>Bus: ordered
  Bus->>Finance: ordered
  Finance->>Bus: paid
  Bus->>Orders: paid
";
    let paid = Do::Send { topic: "orders", takers: vec![("orders", vec![])] };
    let platform = ordered(vec![("finance", vec![paid])]);
    insta::assert_snapshot!(told(text, &parties(), &platform.observed()), @r"
    PASS
    PASS [xxxxx] cost 0 of 5+5
    ");
}
