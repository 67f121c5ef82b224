//! Webhooks between services: signed, sent until they are taken, and handled once, whoever is killed meanwhile.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use interlock::{
    lab::http::{Answer, Ask},
    process::Signal,
};
use ring::hmac;
use serde_json::{Value, json};

use super::stage::{Model, said};
#[cfg(feature = "otlp")]
use crate::full::collector::Collector;
use crate::stage::until;

const BANK: &str = r#"
calls("shop", #{ timeout: "500ms", back_off: "20ms" });
migration("charge", "create table charge(id text primary key) strict");

post("/charges/{id}", |request| {
    let id = request.params.id;
    sql::transaction(|| {
        sql::run("insert into charge values (?)", [id]);
        webhook::send("shop", "/webhooks", #{ charge: id }, "charge-" + id);
        if request.query["fails"] == "yes" { throw problem(422, "as it was asked to"); }
    });
    reply(201)
});
get("/charges", |request| sql::all("select id from charge order by id"));
post("/twice/{id}", |request| {
    webhook::send("shop", "/webhooks", #{ charge: request.params.id }, "twice");
    webhook::send("shop", "/webhooks", #{ charge: request.params.id }, "twice");
});
post("/untaken", |request| webhook::send("shop", "/refused", #{}));
get("/waiting", |request| sql::one("select count(*) as waiting, sum(failed is not null) as failed from webhook_outbox"));
"#;

const SHOP: &str = r#"
replicas(2);
migration("seen", "create table seen(charge text not null, correlation text not null, actor text) strict");
counter("received_total", "Webhooks that came in, again or not.");

post("/webhooks", |request| {
    metric::add("received_total");
    webhook::verify(request);
    webhook::once(request, |event| {
        if event.charge == "poison" && sql::one("select count(*) as count from seen").count < 1 {
            throw problem(500, "not before another");
        }
        sql::run("insert into seen values (?, ?, ?)", [event.charge, request.id, request.actor]);
    })
});
post("/refused", |request| problem(503, "never").header("retry-after", "0"));
get("/seen", |request| sql::all("select charge, count(*) as times from seen group by charge order by charge"));
get("/seen/{charge}", |request| sql::one("select * from seen where charge = ?", [request.params.charge]));
"#;

fn up() -> Model {
    Model::up(&[("bank", BANK), ("shop", SHOP)])
}

fn charge(model: &Model, id: &str) -> Result<u16, String> {
    let headers = [("x-request-id", "request-1"), ("x-claim-subject", "ada")];
    let ask = Ask { headers: &headers, ..Ask::post("/x", json!({})) };
    model.try_ask("bank-0", Ask { path: &format!("/charges/{id}"), ..ask }).map(|answer| answer.status.as_u16())
}

/// How often the shop has handled each charge.
fn seen(model: &Model, replica: &str) -> BTreeMap<String, u64> {
    let (_, all) = model.get(replica, "/seen");
    let all = all.as_array().cloned().unwrap_or_default();
    all.iter().map(|one| (one["charge"].as_str().unwrap().to_owned(), one["times"].as_u64().unwrap())).collect()
}

fn waiting(model: &Model) -> Value {
    model.get("bank-0", "/waiting").1["waiting"].clone()
}

#[test]
fn a_webhook_is_sent_with_its_transaction_and_says_whose_it_is() {
    let model = up();
    assert_eq!(charge(&model, "a"), Ok(201));
    until("it was handled", || seen(&model, "shop-0").contains_key("a"));
    let (_, told) = model.get("shop-1", "/seen/a");
    assert_eq!(told, json!({ "charge": "a", "correlation": "request-1", "actor": "ada" }));
    assert_eq!(model.post("bank-0", "/charges/b?fails=yes", json!({})).0, 422);
    assert_eq!(charge(&model, "a"), Ok(409));
    assert_eq!(charge(&model, "c"), Ok(201));
    until("the next was handled", || seen(&model, "shop-0").contains_key("c"));
    assert!(!seen(&model, "shop-0").contains_key("b"), "what was rolled back is not sent");
    until("nothing waits", || waiting(&model) == json!(0));
    assert_eq!(model.post("bank-0", "/twice/d", json!({})).0, 204);
    until("it was handled as well", || seen(&model, "shop-0").contains_key("d"));
    until("nothing waits", || waiting(&model) == json!(0));
    let once = ["a", "c", "d"].map(|id| (id.to_owned(), 1));
    assert_eq!(seen(&model, "shop-0"), BTreeMap::from(once));
    let line = "script_webhooks_total{service=\"bank\",replica=\"bank-0\",receiver=\"shop\",outcome=\"delivered\"}";
    assert!(model.metrics("bank-0").contains(line), "{}", model.metrics("bank-0"));
    model.close();
}

fn kill(model: &Model, name: &str) {
    until("there is something to kill", || model.part(name).ready);
    model.signal(name, Signal::SIGKILL);
}

fn all_up(model: &Model) -> bool {
    ["bank-0", "shop-0", "shop-1"].iter().all(|name| model.part(name).ready)
}

/// Sender and receivers are killed while charges are made; each that was confirmed is handled in the end, and once.
#[test]
fn nothing_is_lost_or_handled_twice_whoever_is_killed() {
    let model = up();
    let mut confirmed = Vec::new();
    for round in 0..90 {
        match round % 30 {
            10 | 25 => kill(&model, "bank-0"),
            15 => kill(&model, "shop-0"),
            20 => kill(&model, "shop-1"),
            29 => until("all are up", || all_up(&model)),
            _ => {}
        }
        let id = format!("c-{round:02}");
        if charge(&model, &id) == Ok(201) {
            confirmed.push(id);
        }
    }
    until("nothing waits", || waiting(&model) == json!(0));
    // A charge whose confirmation was lost on its way was made all the same.
    let (_, made) = model.get("bank-0", "/charges");
    let made: Vec<_> = made.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    println!("{} confirmed, {} made of 90", confirmed.len(), made.len());
    assert!(confirmed.len() >= 20 && confirmed.iter().all(|id| made.contains(id)), "{confirmed:?}");
    assert_eq!(seen(&model, "shop-0"), made.into_iter().map(|id| (id, 1)).collect());
    model.close();
}

#[test]
fn a_receiver_that_fails_gets_it_again_and_one_that_never_takes_it_is_left() {
    let model = up();
    assert_eq!(charge(&model, "poison"), Ok(201));
    let retried = "receiver=\"shop\",outcome=\"retried\"}";
    until("it was refused", || model.metrics("bank-0").contains(retried));
    assert_eq!(seen(&model, "shop-0"), BTreeMap::new(), "what throws has handled nothing");
    assert_eq!(charge(&model, "other"), Ok(201));
    until("both were handled", || seen(&model, "shop-0").len() == 2);
    assert_eq!(model.post("bank-0", "/untaken", json!({})).0, 204);
    until("it was given up", || model.get("bank-0", "/waiting").1 == json!({ "waiting": 1, "failed": 1 }));
    let told = model.logged("bank-0", "webhook given up").pop().unwrap();
    assert_eq!((&told["receiver"], told["attempts"].as_u64()), (&json!("shop"), Some(20)), "{told}");
    model.close();
}

/// Sends a webhook as somebody else would.
fn posted(model: &Model, headers: &[(&str, &str)], body: &Value) -> Answer {
    model.try_ask("shop-0", Ask { headers, ..Ask::post("/webhooks", body.clone()) }).unwrap()
}

#[test]
fn only_what_was_signed_a_moment_ago_is_taken() {
    let model = up();
    let file = model.lab_folder().join("webhooks.json");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let secrets: BTreeMap<String, String> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let key = |service: &str| {
        let bytes = STANDARD.decode(secrets[service].strip_prefix("whsec_").unwrap()).unwrap();
        hmac::Key::new(hmac::HMAC_SHA256, &bytes)
    };
    let sign = |service: &str, id: &str, at: i64, body: &Value| {
        let tag = hmac::sign(&key(service), format!("{id}.{at}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    };
    let now = jiff::Timestamp::now().as_second();
    let (body, other) = (json!({ "charge": "a" }), json!({ "charge": "b" }));
    let send = |id: &str, at: i64, signature: &str, body: &Value| {
        let at = at.to_string();
        let headers = [("webhook-id", id), ("webhook-timestamp", &*at), ("webhook-signature", signature)];
        let (status, answer) = said(&posted(&model, &headers, body));
        format!("{status} {}", answer.get("detail").unwrap_or(&answer))
    };
    let good = sign("shop", "w-1", now, &body);
    let told = [
        send("w-1", now, &good, &other),
        send("w-2", now, &good, &body),
        send("w-1", now + 1, &good, &body),
        send("w-1", now, &sign("bank", "w-1", now, &body), &body),
        send("w-1", now - 3600, &sign("shop", "w-1", now - 3600, &body), &body),
        send("w-1", now + 3600, &sign("shop", "w-1", now + 3600, &body), &body),
        send("w-1", now, "v1,AAAA", &body),
        said(&posted(&model, &[], &body)).1["detail"].to_string(),
        send("w-1", now, &good, &body),
        send("w-1", now, &good, &body),
    ];
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(seen(&model, "shop-1"), BTreeMap::from([("a".to_owned(), 1)]), "it is handled once");
    for name in ["bank-0", "shop-0", "shop-1", "supervisor"] {
        let shown = secrets.values().any(|secret| !model.logged(name, secret).is_empty());
        assert!(!shown, "a secret is in the log of {name}");
    }
    model.close();
}

#[test]
fn a_check_finds_webhooks_that_nobody_takes() {
    let model = Model::written(&[
        ("bank", "post(\"/a\", |request| webhook::send(\"shopp\", \"/webhooks\", 1));\n"),
        ("post", "post(\"/b\", |request| webhook::send(\"shop\", \"/webhook\", 1));\n"),
        ("shop", "post(\"/webhooks\", |request| webhook::verfy(request));\n"),
    ]);
    let done = model.run(&["lab", "check", "services"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    insta::assert_snapshot!(done.out);
}

/// What a charge takes, as a tree of spans; the webhook follows the request that has sent it.
#[cfg(feature = "otlp")]
const TREE: &str = "\
bank server POST /charges/{id} 201
  bank internal transaction
    bank internal statement
    bank internal send webhook
    bank client POST /webhooks -> shop 204
      shop server POST /webhooks 204
        shop internal transaction
          shop internal note webhook
          shop internal statement
";

#[cfg(feature = "otlp")]
#[test]
fn a_webhook_belongs_to_the_trace_of_its_request() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let collector = Collector::start(&runtime);
    let otlp = format!("http://{}", collector.address);
    let model = Model::with(&[("bank", BANK), ("shop", SHOP)], &["--otlp", &otlp]);
    until("they find each other", || charge(&model, "first") != Ok(503));
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let ask = Ask { headers: &[("traceparent", &*parent)], ..Ask::post("/charges/traced", json!({})) };
    assert_eq!(model.try_ask("bank-0", ask).unwrap().status, 201);
    collector.expect(trace, TREE);
    model.close();
}
