//! A scripted service behind the gateway, in two slots.

use serde_json::json;

use super::stage::Model;
use crate::stage::until;

const ORDERS: &str = r#"
slots();
defect("forgets", "says that there are no orders");
migration("orders", "create table orders(id text primary key) strict");
post("/orders", |request| { sql::run("insert into orders values (?)", [request.body.id]); reply(201) });
get("/orders", |request| if defect("forgets") { [] } else { sql::all("select id from orders") });
"#;

const SHOP: &str = r#"
get("/listed", |request| http::get("orders", "/orders").body);
"#;

#[test]
fn slots_share_what_they_keep_and_are_reached_through_the_gateway() {
    let model = Model::with(&[("orders", ORDERS), ("shop", SHOP)], &["--fault-green", "forgets"]);
    assert_eq!(model.part("orders-blue-0").slot.map(|slot| slot.to_string()).as_deref(), Some("blue"));
    let address = model.run(&["lab", "address", "orders"]);
    assert_eq!(address.out.trim(), model.part("gateway").address.to_string());

    let listed = || model.get("shop-0", "/listed").1;
    assert_eq!(model.post("gateway", "/orders", json!({ "id": "a" })).0, 201);
    assert_eq!(model.get("orders-blue-0", "/orders").1, json!([{ "id": "a" }]));
    assert_eq!(model.get("orders-green-0", "/orders").1, json!([]), "the defect is green's alone");
    assert_eq!(listed(), json!([{ "id": "a" }]), "blue has all traffic, also that of other services");
    assert!(model.metrics("orders-green-0").contains(r#"service="orders",slot="green",replica="orders-green-0""#));

    let needed = || model.get("shop-0", "/readyz").1["dependencies"][0].clone();
    until("the gateway is found", || needed() == json!({ "name": "orders", "required": false, "ok": true }));
    let deployed = model.run(&["lab", "deploy", "green", "--version", "2.0.1"]);
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
    assert_eq!(model.get("orders-green-0", "/orders").1, json!([{ "id": "a" }]));
    model.close();
}

#[test]
fn what_slots_cannot_do_is_told_before_anything_starts() {
    let model = Model::written(&[
        ("orders", "slots();\nget(\"/orders\", |request| []);"),
        ("quotes", "slots();\nget(\"/quotes\", |request| []);"),
        ("stock", "slots();\nreplicas(2);\nget(\"/stock\", |request| []);"),
    ]);
    let checked = model.run(&["lab", "check", "services"]);
    assert_eq!(checked.code, Some(2), "{checked:?}");
    insta::assert_snapshot!(format!("{}{}", checked.out, checked.err));

    model.write("quotes", "get(\"/quotes\", |request| []);");
    model.write("stock", "get(\"/stock\", |request| []);");
    let mut told = Vec::new();
    for fault in ["skip-store", "forgets"] {
        let refused = model.run(&["lab", "up", "--services", "services", "--fault-blue", fault]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        told.push(refused.err);
    }
    insta::assert_snapshot!(told.join("\n"));
}
