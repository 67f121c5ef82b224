//! Defects that scripts declare, switched on by a deployment and seen from outside.

use serde_json::json;

use super::stage::Model;

const ORDERS: &str = r#"
replicas(2);
defect("skip-audit", "keeps an order without a line in the audit");
migration("order", "create table orders(id text primary key) strict");
migration("audit", ["order"], "create table audit(order_id text not null) strict");

post("/orders", |request| sql::transaction(|| {
    sql::run("insert into orders values (?)", [request.body.id]);
    if !defect("skip-audit") { sql::run("insert into audit values (?)", [request.body.id]); }
    reply(201)
}));
get("/unaudited", |request| sql::all("select id from orders where id not in (select order_id from audit)"));
"#;

#[test]
fn a_defect_is_switched_on_seen_and_switched_off_again() {
    let model = Model::up(&[("orders", ORDERS)]);
    let order = |id: &str| model.post("orders-0", "/orders", json!({ "id": id })).0;
    let unaudited = || model.get("orders-1", "/unaudited").1;
    assert_eq!((order("a"), unaudited()), (201, json!([])));

    let deployed = model.run(&["lab", "deploy", "orders", "--version", "1.1.0", "--fault", "skip-audit"]);
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
    assert_eq!(model.part("orders-0").version.as_deref(), Some("1.1.0"));
    assert_eq!((order("b"), unaudited()), (201, json!([{ "id": "b" }])));

    let back = model.run(&["lab", "deploy", "orders", "--version", "1.1.1"]);
    assert_eq!(back.code, Some(0), "{back:?}");
    assert_eq!((order("c"), unaudited()), (201, json!([{ "id": "b" }])));
    model.close();
}

#[test]
fn faults_that_any_service_can_have_work_and_others_are_refused() {
    let model = Model::up(&[("orders", ORDERS)]);
    let failing = model.run(&["lab", "deploy", "orders", "--version", "2.0.0", "--fault", "error-rate=100%"]);
    assert_eq!(failing.code, Some(0), "{failing:?}");
    assert_eq!(model.get("orders-0", "/unaudited").0, 500);
    let mut told = Vec::new();
    for args in [
        ["orders", "--fault", "skip-adit"],
        ["orders", "--fault", "latency=soon"],
        ["orders", "--fault", "skip-store"],
        ["ordres", "--fault", "skip-audit"],
        ["green", "--fault", "skip-audit"],
    ] {
        let refused = model.run(&[&["lab", "deploy", "--version", "2.0.1"][..], &args].concat());
        assert_eq!(refused.code, Some(2), "{refused:?}");
        told.push(refused.err);
    }
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(model.part("orders-0").version.as_deref(), Some("2.0.0"));
    model.close();
}
