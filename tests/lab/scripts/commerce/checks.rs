//! What has to hold on the commerce platform: for each defect that its scripts declare, the check that sees it.

use interlock::lab::http::Ask;
use serde_json::{Value, json};

use super::Shop;
use crate::stage::until;

fn holds(what: bool, found: impl std::fmt::Debug) -> Result<(), String> {
    if what { Ok(()) } else { Err(format!("{found:?}")) }
}

pub fn answers_hide_what_is_inside(shop: &Shop) -> Result<(), String> {
    let (status, problem) = shop.post(&shop.buyer(), "/cart", json!({ "sku": "mug", "quantity": "many" }));
    let text = problem.to_string();
    holds(status == 422 && !["line", "position", "unction"].iter().any(|word| text.contains(word)), problem)
}

pub fn who_is_turned_away_knows_for_how_long(shop: &Shop) -> Result<(), String> {
    let buyer = shop.buyer();
    let checkout = || shop.ask(&buyer, Ask::post("/orders/none/checkout", json!({})));
    let refused = (0..100).map(|_| checkout()).find(|answer| answer.status == 429);
    let refused = refused.ok_or("nobody is turned away")?;
    holds(refused.headers.contains_key("retry-after"), refused)
}

pub fn nobody_asks_an_advisory_that_is_off(shop: &Shop) -> Result<(), String> {
    shop.switch(false);
    let asked = || shop.metric("advisory-0", "http_server_request_duration_seconds_count{");
    let before = asked();
    shop.post(&shop.token("editor", "north"), "/suggestions", json!({ "sku": "mug" }));
    holds(asked() == before, asked())
}

pub fn only_an_admin_approves(shop: &Shop) -> Result<(), String> {
    let (status, problem) = shop.put(&shop.token("editor", "north"), "/suggestions/none/approve", json!({}));
    holds(status == 403, problem)
}

pub fn each_change_is_audited(shop: &Shop) -> Result<(), String> {
    let buyer = shop.buyer();
    let order = shop.cart(&buyer, "", &shop.fresh("cart"));
    shop.paid(&buyer, &order, "4111");
    let lines = shop.audit(&buyer, &order);
    let states: Vec<_> = lines.iter().map(|line| &line["state"]).collect();
    holds(states == ["draft", "pending", "authorized", "confirmed"], &lines)
}

pub fn an_audit_names_the_request(shop: &Shop) -> Result<(), String> {
    let (buyer, cart, checkout) = (shop.buyer(), shop.fresh("cart"), shop.fresh("checkout"));
    let order = shop.cart(&buyer, "", &cart);
    assert_eq!(shop.checkout(&buyer, &order, "4111", &checkout), 202);
    until("it is confirmed", || shop.state(&buyer, &order) == "confirmed");
    let lines = shop.audit(&buyer, &order);
    let named: Vec<_> = lines.iter().map(|line| line["correlation"].clone()).collect();
    holds(named == [&cart, &checkout, &checkout, &checkout].map(|name| json!(name)), &lines)
}

pub fn no_log_shows_a_note(shop: &Shop) -> Result<(), String> {
    let note = shop.fresh("the key is under the mat");
    shop.cart(&shop.buyer(), &note, &shop.fresh("cart"));
    let lines: Vec<_> =
        ["shop-0", "orders-0", "orders-1"].iter().flat_map(|name| shop.model.logged(name, &note)).collect();
    holds(lines.is_empty(), lines)
}

pub fn a_site_sees_its_own_orders(shop: &Shop) -> Result<(), String> {
    let order = shop.cart(&shop.buyer(), "", &shop.fresh("cart"));
    let (status, seen) = shop.inside("orders-0", &shop.token("buyer", "south"), &format!("/orders/{order}"));
    holds(status == 404, seen)
}

pub fn a_webhook_is_signed(shop: &Shop) -> Result<(), String> {
    let (id, event) =
        (shop.fresh("forged"), json!({ "order": shop.fresh("order"), "attempt": 1, "outcome": "authorized" }));
    let ask = Ask { headers: &[("webhook-id", &*id)], ..Ask::post("/webhooks/acquirer", event) };
    let answer = shop.model.try_ask("payments-0", ask).unwrap();
    holds(answer.status == 401, answer)
}

pub fn each_attempt_has_its_key(shop: &Shop) -> Result<(), String> {
    let buyer = shop.buyer();
    let order = shop.cart(&buyer, "", &shop.fresh("cart"));
    shop.paid(&buyer, &order, "declined");
    assert_eq!(shop.checkout(&buyer, &order, "4111", &shop.fresh("checkout")), 202);
    let authorizations = shop.authorizations(&order);
    holds(authorizations.as_array().unwrap().len() == 2, authorizations)
}

pub fn tries_leave_time_between_them(shop: &Shop) -> Result<(), String> {
    let buyer = shop.buyer();
    let order = shop.cart(&buyer, "", &shop.fresh("cart"));
    assert_eq!(shop.checkout(&buyer, &order, "busy", &shop.fresh("checkout")), 202);
    let (_, tries) = shop.model.get("acquirer-0", &format!("/tries/{order}"));
    let at = |one: &Value| one["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let times: Vec<_> = tries.as_array().unwrap().iter().map(at).collect();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_millis()).collect();
    // No wait is shorter than it is meant to be, however busy the machine is.
    holds(waits.len() == 3 && waits.iter().zip([100, 200, 400]).all(|(wait, least)| *wait >= least), waits)
}

pub fn a_suggestion_changes_nothing(shop: &Shop) -> Result<(), String> {
    shop.switch(true);
    let before = shop.published().len();
    shop.suggestion(&shop.token("editor", "north"));
    let after = shop.published();
    shop.switch(false);
    holds(after.len() == before, after)
}

pub fn what_is_published_is_read(shop: &Shop) -> Result<(), String> {
    let hits = || shop.model.asked("catalogue-0", "cache", "hit");
    let before = hits();
    until("the product is cached", || {
        shop.published();
        hits() > before
    });
    let (version, token) = (shop.fresh("version"), shop.token("admin", "north"));
    let (path, bearer) = (format!("/products/mug/versions/{version}"), format!("Bearer {token}"));
    let headers = [("authorization", &*bearer)];
    let ask = Ask { headers: &headers, ..Ask::put(&path, json!({ "text": "It is blue." })) };
    assert_eq!(shop.model.try_ask("catalogue-0", ask).unwrap().status, 200);
    let published = shop.published();
    holds(published.iter().any(|one| one["id"] == version.as_str()), published)
}
