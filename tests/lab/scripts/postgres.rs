//! Services that keep their rows in the lab's PostgreSQL.

use std::collections::BTreeSet;

use http::Method;
use interlock::{lab::http::Ask, process::Signal};
use serde_json::json;

use super::stage::{Model, said};
use crate::stage::until;

const ORDERS: &str = r#"
postgres();
replicas(2);
migration("orders", "create table orders(id text primary key, price integer not null, paid boolean not null, note text)");

post("/orders", |request| {
    let order = request.body;
    sql::run("insert into orders values (?, ?, ?, ?)", [order.id, order.price, true, ()]);
    reply(201)
});
post("/both", |request| sql::transaction(|| {
    sql::run("insert into orders values (?, 1, false, '?')", [request.body.id]);
    sql::run("insert into orders values (?, 2, false, null)", [request.body.other]);
    reply(201)
}));
get("/orders", |request| sql::all("select id, price, paid, note from orders order by id"));
post("/caught", |request| {
    sql::transaction(|| {
        sql::run("insert into orders values (?, 3, false, null)", [request.body.id]);
        try { sql::run("insert into orders values (?, 3, false, null)", [request.body.id]); } catch { }
    });
    reply(201)
});
get("/broken", |request| sql::all("select nothing from orders"));
"#;

fn up() -> Model {
    let model = Model::written(&[("orders", ORDERS)]);
    let up = ["lab", "up", "--services", "services", "--database", "postgres", "--no-prometheus", "--replicas", "1"];
    let done = model.run(&[&up[..], &["--timeout", "120s"]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    model
}

#[test]
fn rows_conflicts_and_transactions_are_as_with_sqlite() {
    let model = up();
    let post = |path: &str, body| model.post("orders-0", path, body).0;
    assert_eq!(post("/orders", json!({ "id": "a", "price": 7 })), 201);
    assert_eq!(post("/orders", json!({ "id": "a", "price": 8 })), 409);
    assert_eq!(post("/both", json!({ "id": "b", "other": "a" })), 409, "the second of the two conflicts");
    assert_eq!(post("/both", json!({ "id": "b", "other": "c" })), 201);
    // PostgreSQL keeps nothing of a transaction after a failure, whatever is made of it.
    assert_eq!(post("/caught", json!({ "id": "d" })), 500);
    let kept = json!([
        { "id": "a", "price": 7, "paid": true, "note": null },
        { "id": "b", "price": 1, "paid": false, "note": "?" },
        { "id": "c", "price": 2, "paid": false, "note": null },
    ]);
    assert_eq!(model.get("orders-1", "/orders"), (200, kept));
    assert_eq!(model.get("orders-0", "/broken").0, 500);
    let told = model.logged("orders-0", "nothing");
    assert!(told.iter().any(|line| line["line"].as_u64().is_some()), "{told:#?}");
    model.close();
}

/// Where rows are kept is decided when a replica starts.
#[test]
fn a_reload_does_not_move_the_rows() {
    let model = up();
    assert_eq!(model.post("orders-0", "/orders", json!({ "id": "a", "price": 7 })).0, 201);
    model.write("orders", &ORDERS.replace("postgres();\n", ""));
    until("the change is told", || !model.logged("orders-0", "not reloaded").is_empty());
    assert_eq!(model.get("orders-0", "/orders").1[0]["id"], "a");
    model.close();
}

/// Each of a replica, and of the primary, dies in the middle of a stream of orders.
#[test]
fn what_was_answered_is_kept_whoever_is_killed() {
    let model = up();
    let mut answered = BTreeSet::new();
    for round in 0..3 {
        for at in 0..40 {
            let id = format!("{round}-{at:02}");
            if at == 20 {
                model.signal(["orders-0", "orders-1", "orders-0"][round], Signal::SIGKILL);
                if round == 2 {
                    let order = |word: &str| model.run(&["lab", "host", "pg1", word]);
                    assert_eq!(order("down").code, Some(0));
                    assert_eq!(order("running").code, Some(0));
                }
            }
            let body = Some(json!({ "id": id, "price": at }));
            let ask = Ask { method: Method::POST, path: "/orders", headers: &[], body };
            if model.try_ask("orders-1", ask).is_ok_and(|answer| said(&answer).0 == 201) {
                answered.insert(id);
            }
        }
    }
    let mut kept = BTreeSet::new();
    until("the orders are read", || {
        let (status, rows) = model.get("orders-1", "/orders");
        kept = rows.as_array().into_iter().flatten().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        status == 200
    });
    assert!(answered.len() >= 60, "{} of 120 were answered", answered.len());
    let lost: Vec<_> = answered.difference(&kept).collect();
    assert!(lost.is_empty(), "{lost:?}");
    model.close();
}
