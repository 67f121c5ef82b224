//! The commerce platform of scenarios/commerce: its flows from end to end, and each of its defects with the check that sees it.

mod checks;

use std::{
    cell::Cell,
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use interlock::lab::http::{Answer, Ask};
use serde_json::{Value, json};

use super::{
    stage::{Model, said},
    tokens::logged_in,
};
use crate::stage::until;

const FLAG: &str = "advisory.enabled";

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/commerce/services")
}

/// The platform, up, and who asks it.
struct Shop {
    model: Model,
    asked: Cell<u32>,
}

impl Shop {
    fn up() -> Self {
        let model = Model::written(&[]);
        for entry in fs::read_dir(scripts()).unwrap().map(Result::unwrap) {
            fs::copy(entry.path(), model.folder.join("services").join(entry.file_name())).unwrap();
        }
        model.raise(&[]);
        let shop = Self { model, asked: Cell::new(0) };
        let buyer = shop.buyer();
        until("the services find each other", || {
            shop.post(&buyer, "/cart", json!({ "sku": "mug", "quantity": 1 })).0 == 201
        });
        shop
    }

    /// A name that nobody had before.
    fn fresh(&self, what: &str) -> String {
        self.asked.set(self.asked.get() + 1);
        format!("{what}-{}", self.asked.get())
    }

    fn token(&self, role: &str, site: &str) -> String {
        let subject = self.fresh(role);
        let of = ["--subject", &subject, "--role", role, "--site", site, "--scope", "orders:write"];
        let done = self.model.run(&[&["lab", "token"][..], &of].concat());
        assert_eq!(done.code, Some(0), "{done:?}");
        done.out.trim().to_owned()
    }

    fn buyer(&self) -> String {
        self.token("buyer", "north")
    }

    fn ask(&self, token: &str, ask: Ask<'_>) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [&[("authorization", &*bearer)][..], ask.headers].concat();
        self.model.try_ask("shop-0", Ask { headers: &headers, ..ask }).unwrap()
    }

    fn post(&self, token: &str, path: &str, body: Value) -> (u16, Value) {
        said(&self.ask(token, Ask::post(path, body)))
    }

    fn put(&self, token: &str, path: &str, body: Value) -> (u16, Value) {
        said(&self.ask(token, Ask::put(path, body)))
    }

    /// What another service than the shop tells whoever has a token.
    fn inside(&self, replica: &str, token: &str, path: &str) -> (u16, Value) {
        let bearer = format!("Bearer {token}");
        said(&self.model.try_ask(replica, Ask { headers: &[("authorization", &*bearer)], ..Ask::get(path) }).unwrap())
    }

    /// Puts something into a cart; gives the order.
    fn cart(&self, token: &str, note: &str, request: &str) -> String {
        let body = json!({ "sku": "mug", "quantity": 2, "note": note });
        let ask = Ask { headers: &[("x-request-id", request)], ..Ask::post("/cart", body) };
        let (status, order) = said(&self.ask(token, ask));
        assert_eq!((status, &order["amount"], &order["state"]), (201, &json!(2400), &json!("draft")), "{order}");
        order["id"].as_str().unwrap().to_owned()
    }

    fn checkout(&self, token: &str, order: &str, card: &str, request: &str) -> u16 {
        let path = format!("/orders/{order}/checkout");
        let ask = Ask { headers: &[("x-request-id", request)], ..Ask::post(&path, json!({ "card": card })) };
        self.ask(token, ask).status.as_u16()
    }

    fn state(&self, token: &str, order: &str) -> Value {
        said(&self.ask(token, Ask::get(&format!("/orders/{order}/status")))).1["state"].clone()
    }

    /// Pays for an order, and waits what becomes of it.
    fn paid(&self, token: &str, order: &str, card: &str) -> Value {
        assert_eq!(self.checkout(token, order, card, &self.fresh("checkout")), 202);
        until("the payment is known", || {
            ["confirmed", "failed"].contains(&self.state(token, order).as_str().unwrap_or_default())
        });
        self.state(token, order)
    }

    fn authorizations(&self, order: &str) -> Value {
        self.model.get("acquirer-0", &format!("/authorizations/{order}")).1
    }

    fn audit(&self, token: &str, order: &str) -> Vec<Value> {
        let (status, lines) = self.inside("orders-0", token, &format!("/orders/{order}/audit"));
        assert_eq!(status, 200, "{lines}");
        lines.as_array().unwrap().clone()
    }

    /// Switches the advisory, and waits until those who ask for it know.
    fn switch(&self, on: bool) {
        fs::write(self.model.folder.join("services/config.yaml"), format!("all: {{{FLAG}: {on}}}\n")).unwrap();
        let knows = |replica| self.model.get(replica, "/config").1["values"][FLAG] == on;
        until("the switch is known", || knows("shop-0") && knows("advisory-0"));
    }

    fn suggestion(&self, token: &str) -> String {
        let (status, suggestion) = self.post(token, "/suggestions", json!({ "sku": "mug" }));
        assert_eq!((status, &suggestion["state"]), (201, &json!("proposed")), "{suggestion}");
        suggestion["id"].as_str().unwrap().to_owned()
    }

    /// The texts that are published about the mug.
    fn published(&self) -> Vec<Value> {
        self.model.get("catalogue-0", "/products/mug").1["versions"].as_array().unwrap().clone()
    }

    /// A number that a metric shows, all its series together.
    fn metric(&self, replica: &str, series: &str) -> f64 {
        let page = self.model.metrics(replica);
        let found = page.lines().filter(|line| line.starts_with(series) || line.contains(&format!("{series},")));
        found.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    fn completions(&self) -> f64 {
        self.metric("model-0", "completions_total{")
    }
}

#[test]
fn a_purchase_is_confirmed_once_it_is_paid_and_can_be_tried_again() {
    let shop = Shop::up();
    let [ada, eve] = ["ada", "eve"].map(|user| logged_in(&shop.model, user));
    let order = shop.cart(&ada, "ring twice", "cart-of-ada");
    assert_eq!(shop.paid(&ada, &order, "4111"), "confirmed");
    let lines = shop.audit(&ada, &order);
    let states: Vec<_> = lines.iter().map(|line| line["state"].clone()).collect();
    assert_eq!(states, ["draft", "pending", "authorized", "confirmed"]);
    assert!(lines.iter().all(|line| line["actor"] == "ada"), "{lines:?}");
    assert_eq!(shop.authorizations(&order).as_array().unwrap().len(), 1);
    assert_eq!(shop.checkout(&ada, &order, "4111", "again"), 409, "it is paid");
    // Nobody sees it but those of its site, and nobody says that it is paid but the payments.
    assert_eq!(shop.state(&eve, &order), Value::Null);
    let event = json!({ "order": order, "attempt": 1, "outcome": "authorized" });
    let forged = Ask { headers: &[("webhook-id", "forged")], ..Ask::post("/webhooks/payments", event) };
    assert_eq!(shop.model.try_ask("orders-0", forged).unwrap().status, 401);

    let second = shop.cart(&ada, "", "second-cart");
    assert_eq!(shop.paid(&ada, &second, "declined"), "failed");
    assert_eq!(shop.paid(&ada, &second, "4111"), "confirmed");
    let keys: Vec<_> = shop.authorizations(&second).as_array().unwrap().iter().map(|one| one["key"].clone()).collect();
    assert_eq!(keys, [format!("{second}-1"), format!("{second}-2")]);
    shop.model.close();
}

/// Whoever dies on the way of a payment, it is confirmed in the end, and once.
#[test]
fn a_purchase_survives_the_end_of_those_who_are_at_it() {
    let shop = Shop::up();
    let buyers = ["payments-0", "acquirer-0", "orders-0"].map(|victim| (victim, shop.buyer()));
    let orders = buyers.map(|(victim, buyer)| {
        let order = shop.cart(&buyer, "", &shop.fresh("cart"));
        assert_eq!(shop.checkout(&buyer, &order, "4111", &shop.fresh("checkout")), 202);
        shop.model.restart(victim);
        (buyer, order)
    });
    for (buyer, order) in orders {
        until("it is confirmed", || shop.state(&buyer, &order) == "confirmed");
        assert_eq!(shop.authorizations(&order).as_array().unwrap().len(), 1);
        assert_eq!(shop.audit(&buyer, &order).len(), 4);
    }
    shop.model.close();
}

#[test]
fn a_suggestion_is_published_once_an_admin_has_approved_it() {
    let shop = Shop::up();
    let [ed, ann] = ["ed", "ann"].map(|user| logged_in(&shop.model, user));
    let off = json!({ "available": false, "why": "the advisory is switched off" });
    assert_eq!(shop.post(&ed, "/suggestions", json!({ "sku": "mug" })), (200, off.clone()));
    assert_eq!(shop.completions(), 0.0, "nobody was asked");
    shop.switch(true);
    let suggestion = shop.suggestion(&ed);
    assert_eq!((shop.completions(), shop.published()), (1.0, vec![]));
    let approve = format!("/suggestions/{suggestion}/approve");
    assert_eq!(shop.put(&ed, &approve, json!({})).0, 403);
    assert_eq!(shop.put(&ann, &approve, json!({})).0, 200);
    let version = json!({ "id": suggestion, "text": "All that is worth knowing about the mug.", "approved_by": "ann" });
    assert_eq!(shop.published(), [version]);
    assert_eq!(shop.put(&ann, &approve, json!({})).0, 409, "once is enough");
    let other = shop.suggestion(&ed);
    assert_eq!(shop.put(&ann, &format!("/suggestions/{other}/reject"), json!({ "reason": "dull" })).0, 200);
    let (_, decided) = shop.inside("advisory-0", &ann, &format!("/suggestions/{other}/decisions"));
    assert_eq!(decided, json!([{ "state": "rejected", "actor": "ann", "reason": "dull" }]));
    assert_eq!(shop.published().len(), 1);
    shop.switch(false);
    assert_eq!(shop.post(&ed, "/suggestions", json!({ "sku": "mug" })), (200, off));
    assert_eq!(shop.completions(), 2.0);
    shop.model.close();
}

/// A defect, the service that has it, and what sees it.
type Row = (&'static str, &'static str, fn(&Shop) -> Result<(), String>);

const DEFECTS: [Row; 13] = [
    ("shop", "stack-trace", checks::answers_hide_what_is_inside),
    ("shop", "no-retry-after", checks::who_is_turned_away_knows_for_how_long),
    ("shop", "advisory-unguarded", checks::nobody_asks_an_advisory_that_is_off),
    ("shop", "role-unchecked", checks::only_an_admin_approves),
    ("orders", "skip-audit", checks::each_change_is_audited),
    ("orders", "correlation-dropped", checks::an_audit_names_the_request),
    ("orders", "note-in-log", checks::no_log_shows_a_note),
    ("orders", "other-site", checks::a_site_sees_its_own_orders),
    ("payments", "signature-unchecked", checks::a_webhook_is_signed),
    ("payments", "key-reused", checks::each_attempt_has_its_key),
    ("payments", "no-back-off", checks::tries_leave_time_between_them),
    ("advisory", "writes-content", checks::a_suggestion_changes_nothing),
    ("catalogue", "cache-not-invalidated", checks::what_is_published_is_read),
];

/// Every defect that a script declares, with its service.
fn declared() -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(scripts()).unwrap().map(|entry| entry.unwrap().path()) {
        let service = entry.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&entry).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("defect(\"")?.split('"').next());
        all.extend(names.map(|name| (service.clone(), name.to_owned())));
    }
    all
}

fn deploy(shop: &Shop, service: &str, fault: Option<&str>) {
    let (version, fault) = (shop.fresh("1.1"), fault.map(|fault| ["--fault", fault]));
    let args = [&["lab", "deploy", service, "--version", &version][..], fault.as_ref().map_or(&[], |two| &two[..])];
    let done = shop.model.run(&args.concat());
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn every_defect_fails_its_check_and_no_other_release_does() {
    let listed: BTreeSet<_> =
        DEFECTS.iter().map(|(service, defect, _)| ((*service).into(), (*defect).into())).collect();
    assert_eq!(declared(), listed, "each defect has its check, and each check its defect");
    let shop = Shop::up();
    let sound = |when: &str| {
        for (service, defect, check) in DEFECTS {
            assert_eq!(check(&shop), Ok(()), "{when}, without {defect} of {service}");
        }
    };
    sound("before");
    for (at, (service, defect, check)) in DEFECTS.into_iter().enumerate() {
        deploy(&shop, service, Some(defect));
        let seen = check(&shop).expect_err(defect);
        println!("{service} {defect}: {seen}");
        if DEFECTS.get(at + 1).is_none_or(|(next, ..)| *next != service) {
            deploy(&shop, service, None);
        }
    }
    sound("afterwards");
    shop.model.close();
}
