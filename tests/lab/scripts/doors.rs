//! What stands behind doors dies, fills up and comes back: what was promised is kept, and callers are told when to come again.

use std::{fs, process::Command, time::Instant};

use http::Method;
use interlock::{lab::http::Ask, process::Signal};
use serde_json::json;

use super::stage::{Model, said};
use crate::stage::until;

const BANK: &str = r#"
migration("charge", "create table charge(key text primary key, amount integer not null) strict");

post("/charges", |request| {
    let key = request.headers["idempotency-key"];
    try {
        sql::run("insert into charge values (?, ?)", [key, request.body.amount]);
    } catch (conflict) {
        if conflict.status != 409 { throw conflict; }
    }
    reply(201, #{ key: key })
});
get("/charges", |request| sql::all("select key, amount from charge order by key"));
"#;

const SHOP: &str = r#"
calls("bank", #{ timeout: "500ms", retries: 0, back_off: "10ms", failures: 3, cool_down: "500ms" });
get("/paid", |request| http::get("bank", "/charges").body);
post("/buy/{key}", |request| {
    let answer = http::post("bank", "/charges", #{ key: request.params.key, body: #{ amount: 7 } });
    reply(answer.status, answer.body)
});
"#;

#[test]
fn a_circuit_opens_on_a_dead_service_and_closes_once_it_is_back() {
    let model = Model::up(&[("bank", BANK), ("shop", SHOP)]);
    until("they find each other", || model.get("shop-0", "/paid").0 == 200);
    model.signal("bank-0", Signal::SIGSTOP);
    let mut last = json!(null);
    until("the circuit is open", || {
        last = model.get("shop-0", "/paid").1;
        last["detail"].as_str().is_some_and(|detail| detail.contains("left alone"))
    });
    let begun = Instant::now();
    let open = model.ask("shop-0", Method::GET, "/paid", None);
    assert_eq!(open.status, 503, "{open:?}");
    assert!(open.headers.contains_key("retry-after"), "{open:?}");
    println!("an open circuit answered within {:?}", begun.elapsed());
    assert!(!model.logged("shop-0", "\"after\":\"open\"").is_empty());
    model.signal("bank-0", Signal::SIGCONT);
    until("the circuit is closed again", || model.get("shop-0", "/paid").0 == 200);
    assert!(!model.logged("shop-0", "\"before\":\"half-open\"").is_empty());
    assert!(!model.logged("shop-0", "\"after\":\"closed\"").is_empty());
    model.close();
}

/// The bank is killed again and again while charges are made; each that was confirmed is there in the end, and once.
#[test]
fn what_was_confirmed_survives_kills_and_is_done_once() {
    let patient = SHOP.replace("retries: 0", "retries: 10").replace("failures: 3", "failures: 1000");
    let model = Model::up(&[("bank", BANK), ("shop", &patient)]);
    until("they find each other", || model.get("shop-0", "/paid").0 == 200);
    let mut confirmed = Vec::new();
    for round in 0..60 {
        if round % 20 == 10 {
            model.signal("bank-0", Signal::SIGKILL);
        }
        let key = format!("k-{round:03}");
        let answer = model.try_ask("shop-0", Ask { method: Method::POST, ..Ask::get(&format!("/buy/{key}")) });
        if answer.is_ok_and(|answer| answer.status == 201) {
            confirmed.push(key);
        }
    }
    until("the bank is back", || model.get("shop-0", "/paid").0 == 200);
    let kept = model.get("shop-0", "/paid").1;
    let kept: Vec<_> = kept.as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect();
    println!("{} confirmed, {} kept, {} exits", confirmed.len(), kept.len(), model.part("bank-0").exits);
    assert!(model.part("bank-0").exits >= 2);
    assert!(confirmed.len() >= 30, "most get through: {confirmed:?}");
    assert!(confirmed.iter().all(|key| kept.contains(key)), "lost: {confirmed:?} of {kept:?}");
    model.close();
}

const LEDGER: &str = r#"
migration("line", "create table line(n integer primary key, text text not null) strict");
states("line", ["new -> kept, dropped", "kept -> dropped"]);
guard("line", "kept -> dropped", |line| line.old);
limit("lines", 3, "1h");

post("/lines", |request| {
    sql::transaction(|| {
        sql::run("insert into line(text) values (?)", [request.body.text]);
        if request.body.fails == true { throw problem(422, "as it was asked to"); }
    });
    reply(201)
});
get("/lines", |request| sql::one("select count(*) as count from line"));
post("/advance", |request| #{ state: states::advance("line", request.body, request.query.to) });
get("/limited/{key}", |request| limit::take("lines", request.params.key));
"#;

#[test]
fn a_transaction_that_fails_leaves_nothing_and_guards_hold() {
    let model = Model::up(&[("ledger", LEDGER)]);
    assert_eq!(model.post("ledger-0", "/lines", json!({ "text": "a" })).0, 201);
    assert_eq!(model.post("ledger-0", "/lines", json!({ "text": "b", "fails": true })).0, 422);
    assert_eq!(model.get("ledger-0", "/lines").1, json!({ "count": 1 }));
    let mut told = Vec::new();
    for (state, old, to) in [
        ("new", false, "kept"),
        ("new", false, "sold"),
        ("kept", false, "dropped"),
        ("kept", true, "dropped"),
        ("dropped", true, "kept"),
    ] {
        let path = format!("/advance?to={to}");
        let (status, answer) = model.post("ledger-0", &path, json!({ "state": state, "old": old }));
        told.push(format!("{state} -> {to}: {status} {}", answer.get("detail").unwrap_or(&answer)));
    }
    insta::assert_snapshot!(told.join("\n"));
    let limited: Vec<_> = (0..4).map(|_| model.get("ledger-0", "/limited/a").0).collect();
    assert_eq!((limited, model.get("ledger-0", "/limited/b").0), (vec![204, 204, 204, 429], 204));
    model.close();
}

const MACHINE: &str = r#"
states("order", ["draft -> pending", "pending -> paid, failed", "failed -> pending", "paid -> sent"]);
limit("orders", 5, "1h");
migration("change", "create table change(n integer primary key, order_id text not null, state text not null) strict");

post("/orders/{id}/{state}", |request| sql::transaction(|| {
    let id = request.params.id;
    let last = sql::one("select state from change where order_id = ? order by n desc limit 1", [id]);
    let order = if last == () { #{ state: "draft" } } else { last };
    let state = states::advance("order", order, request.params.state);
    sql::run("insert into change(order_id, state) values (?, ?)", [id, state]);
    reply(201)
}));
get("/orders/{id}", |request| sql::all("select state from change where order_id = ? order by n", [request.params.id]));
get("/limited/{key}", |request| limit::take("orders", request.params.key));
"#;

/// The process is killed while orders go from state to state, also by ways that there are not.
#[test]
fn states_that_were_reached_are_kept_and_no_other_ways_are_gone_whoever_is_killed() {
    let model = Model::up(&[("orders", MACHINE)]);
    let (mut reached, mut lives) = (vec![Vec::new(); 8], 1);
    for round in 0..15 {
        for (order, reached) in reached.iter_mut().enumerate() {
            for state in ["sent", "pending", "failed", "paid", "draft"] {
                let path = format!("/orders/{order}/{state}");
                let asked = Ask { method: Method::POST, ..Ask::get(&path) };
                if model.try_ask("orders-0", asked).is_ok_and(|answer| answer.status == 201) {
                    reached.push(state);
                }
            }
            if round % 5 == 2 && order == 4 {
                model.signal("orders-0", Signal::SIGKILL);
                lives += 1;
            }
        }
    }
    until("it is back", || model.part("orders-0").ready);
    assert_eq!(model.part("orders-0").exits + 1, lives);
    for (order, reached) in reached.iter().enumerate() {
        let kept = model.get("orders-0", &format!("/orders/{order}")).1;
        let kept: Vec<_> = kept.as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
        let mut left = kept.iter();
        assert!(reached.iter().all(|state| left.any(|kept| kept == state)), "lost: {reached:?} of {kept:?}");
        let ways = ["draft pending", "pending paid", "pending failed", "failed pending", "paid sent"];
        let gone = std::iter::once(&"draft").chain(&kept).zip(&kept).map(|(from, to)| format!("{from} {to}"));
        let others: Vec<_> = gone.filter(|way| !ways.contains(&&**way)).collect();
        assert!(others.is_empty(), "{others:?} in {kept:?}");
    }
    model.close();
}

/// What was taken is forgotten with its process, and only then.
#[test]
fn a_limit_lets_through_its_burst_in_each_life_of_a_replica() {
    let model = Model::up(&[("orders", MACHINE)]);
    for life in 0..3 {
        for key in ["a", "b"] {
            let answers: Vec<_> = (0..12).map(|_| model.get("orders-0", &format!("/limited/{key}")).0).collect();
            assert_eq!(answers.iter().filter(|status| **status == 204).count(), 5, "{life}: {answers:?}");
            assert_eq!(answers.iter().filter(|status| **status == 429).count(), 7, "{life}: {answers:?}");
        }
        model.signal("orders-0", Signal::SIGKILL);
        until("it is back", || model.part("orders-0").exits == life + 1 && model.part("orders-0").ready);
    }
    model.close();
}

/// A small disk under the databases of the lab, which begin anew on it.
#[test]
fn a_full_disk_confirms_nothing_and_works_again_once_there_is_room() {
    let model = Model::up(&[("ledger", LEDGER)]);
    let databases = model.lab_folder().join("databases");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k", "scripts"]).arg(&databases).status();
    assert!(mounted.unwrap().success(), "a tmpfs takes root (CAP_SYS_ADMIN)");
    model.restart("ledger-0");
    let line = json!({ "text": "x".repeat(20_000) });
    let mut confirmed = 0;
    let refused = loop {
        let answer = model.ask("ledger-0", Method::POST, "/lines", Some(line.clone()));
        if answer.status != 201 {
            break answer;
        }
        confirmed += 1;
        assert!(confirmed < 100, "the disk never fills up");
    };
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(said(&refused).1["detail"], "the database is out of order");
    assert_eq!(model.get("ledger-0", "/lines"), (200, json!({ "count": confirmed })));
    let grown = Command::new("mount").args(["-o", "remount,size=4m"]).arg(&databases).status();
    assert!(grown.unwrap().success());
    assert_eq!(model.post("ledger-0", "/lines", line).0, 201);
    assert_eq!(model.get("ledger-0", "/lines").1, json!({ "count": confirmed + 1 }));
    model.signal("ledger-0", Signal::SIGKILL);
    assert!(Command::new("umount").arg("-l").arg(&databases).status().unwrap().success());
    fs::create_dir_all(&databases).unwrap();
    until("it is back", || model.part("ledger-0").ready);
    model.close();
}

const ONCE: &str = r#"
migration("charge", "create table charge(n integer primary key, amount integer not null) strict");
post("/charges/{key}", |request| sql::once(request.params.key, || {
    sql::run("insert into charge(amount) values (?)", [request.body.amount]);
    if request.body.amount > 100 { throw problem(422, "too much"); }
    sql::one("select n, amount from charge order by n desc")
}));
get("/charges", |request| sql::all("select amount from charge order by n"));
"#;

#[test]
fn what_is_done_once_gives_its_first_result_again_and_what_failed_may_be_tried_again() {
    let model = Model::up(&[("charges", ONCE)]);
    let charge = |key: &str, amount: u32| {
        let (status, answer) = model.post("charges-0", &format!("/charges/{key}"), json!({ "amount": amount }));
        (status, if status == 200 { answer } else { answer["detail"].clone() })
    };
    assert_eq!(charge("a", 7), (200, json!({ "n": 1, "amount": 7 })));
    assert_eq!(charge("b", 101), (422, json!("too much")));
    assert_eq!(charge("b", 8), (200, json!({ "n": 2, "amount": 8 })));
    model.restart("charges-0");
    assert_eq!(charge("a", 9), (200, json!({ "n": 1, "amount": 7 })), "it was done before");
    assert_eq!(model.get("charges-0", "/charges").1, json!([{ "amount": 7 }, { "amount": 8 }]));
    model.close();
}
