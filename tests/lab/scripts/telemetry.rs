//! Metrics, logs and traces that no script has a line for.

use std::time::Duration;

use interlock::lab::http::{Ask, Client};
use serde_json::{Value, json};

use super::stage::Model;
#[cfg(feature = "otlp")]
use crate::full::collector::Collector;
use crate::stage::until;

const FRONT: &str = r#"
redact(["card"]);
histogram("basket_value", "What baskets are worth.");
post("/baskets/{id}", |request| {
    log::info("basket taken", #{ basket: request.params.id, payment: #{ card: "4111-1111" } });
    metric::observe("basket_value", request.body.value, #{ site: request.site });
    span("price basket", || pause("1ms"));
    let kept = http::put("back", "/kept/{id}", #{ id: request.params.id, body: request.body });
    reply(kept.status, kept.body)
});
"#;

const BACK: &str = r#"
migration("kept", "create table kept(id text primary key, value integer) strict");
put("/kept/{id}", |request| {
    log::warn("kept");
    sql::run("insert or replace into kept values (?, ?)", [request.params.id, request.body.value]);
    #{ id: request.params.id, actor: request.actor, site: request.site }
});
"#;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What `buy` takes, as a tree of spans.
#[cfg(feature = "otlp")]
const TREE: &str = "\
front server POST /baskets/{id} 200
  front internal price basket
  front client PUT /kept/{id} -> back 200
    back server PUT /kept/{id} 200
      back internal statement
";

fn buy(model: &Model) -> Value {
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = [
        ("traceparent", &*parent),
        ("x-request-id", "order-4711"),
        ("x-claim-subject", "ada"),
        ("x-claim-role", "buyer"),
        ("x-site-id", "site-1"),
    ];
    let ask =
        Ask { method: http::Method::POST, path: "/baskets/b-1", headers: &headers, body: Some(json!({ "value": 3 })) };
    let answer = model.try_ask("front-0", ask).unwrap();
    assert_eq!(answer.headers["x-request-id"], "order-4711");
    answer.json().unwrap()
}

#[test]
fn metrics_and_logs_tell_of_each_request_and_show_no_redacted_field() {
    let model = Model::up(&[("front", FRONT), ("back", BACK)]);
    until("they find each other", || model.post("front-0", "/baskets/b-0", json!({ "value": 1 })).0 == 200);
    assert_eq!(buy(&model), json!({ "id": "b-1", "actor": "ada", "site": "site-1" }));
    let page = model.metrics("back-0");
    let counted = "http_server_request_duration_seconds_count{service=\"back\",replica=\"back-0\",method=\"PUT\",route=\"/kept/{id}\",status=\"200\"} 2";
    assert!(page.contains(counted), "{page}");
    let own = "basket_value_sum{service=\"front\",replica=\"front-0\",site=\"site-1\"} 3";
    assert!(model.metrics("front-0").contains(own), "{}", model.metrics("front-0"));
    for (replica, text) in [("front-0", "basket taken"), ("back-0", "kept")] {
        let line = model.logged(replica, "order-4711").into_iter().find(|line| line["message"] == text).unwrap();
        let about =
            ["trace_id", "correlation_id", "actor", "role", "site"].map(|key| line[key].as_str().unwrap().to_owned());
        assert_eq!(about, [TRACE, "order-4711", "ada", "buyer", "site-1"], "{line}");
    }
    assert!(model.logged("front-0", "4111").is_empty(), "a redacted field is in the log");
    assert!(!model.logged("front-0", "[redacted]").is_empty());
    for path in ["/healthz", "/readyz", "/startupz", "/version"] {
        assert_eq!(model.ask("front-0", http::Method::GET, path, None).status, 200, "{path}");
    }
    model.close();
}

/// The slowest requests are those that clients give up.
#[test]
fn a_request_whose_client_waits_no_longer_is_counted() {
    let model = Model::up(&[("slow", "get(\"/slow\", |request| { pause(\"300ms\"); 1 });\n")]);
    let client = Client::new(model.part("slow-0").address, None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let given_up = runtime.block_on(client.ask(Ask::get("/slow"), Duration::from_millis(50)));
    assert!(given_up.is_err(), "{given_up:?}");
    drop((client, runtime));
    let counted = "http_server_request_duration_seconds_count{service=\"slow\",replica=\"slow-0\",method=\"GET\",route=\"/slow\",status=\"200\"} 1";
    until("it is counted", || model.metrics("slow-0").contains(counted));
    model.close();
}

#[cfg(feature = "otlp")]
#[test]
fn a_request_through_two_services_is_one_trace() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let collector = Collector::start(&runtime);
    let otlp = format!("http://{}", collector.address);
    let model = Model::with(&[("front", FRONT), ("back", BACK)], &["--otlp", &otlp]);
    until("they find each other", || model.post("front-0", "/baskets/b-0", json!({ "value": 1 })).0 == 200);
    buy(&model);
    collector.expect(TRACE, TREE);
    model.close();
}
