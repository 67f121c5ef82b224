//! Calls over gRPC: messages, faults and deadlines, a callee that dies, and one trace over it.

use http::Method;
use interlock::{lab::http::Ask, process::Signal};
use serde_json::json;

use super::stage::{Model, said};
#[cfg(feature = "otlp")]
use crate::full::collector::Collector;
use crate::stage::until;

const ORDERS: &str = r#"
migration("orders", "create table orders(key text primary key, sku text not null) strict");

rpc("orders.Orders/Get", |request| {
    let found = sql::one("select key, sku from orders where key = ?", [request.body.key]);
    if found == () { throw problem(404, "there is no such order"); }
    found
});
rpc("orders.Orders/Put", |request| {
    sql::run("insert into orders values (?, ?) on conflict do nothing", [request.headers["idempotency-key"], request.body.sku]);
});
rpc("orders.Orders/Ask", |request| #{
    method: request.method, id: request.id, actor: request.actor, role: request.role, site: request.site,
});
rpc("orders.Orders/Wait", |request| { loop { pause("5ms"); } });
rpc("orders.Orders/Throttle", |request| { throw reply(429, "too many").header("retry-after", "7"); });
rpc("orders.Orders/Fail", |request| { request.body.nothing.at });
get("/orders", |request| sql::all("select key from orders order by key"));
"#;

const SHOP: &str = r#"
calls("orders", #{ timeout: "500ms", retries: 0, back_off: "10ms", failures: 3, cool_down: "500ms" });

get("/orders/{key}", |request| grpc::unary("orders", "orders.Orders/Get", #{ key: request.params.key }, #{ idempotent: true }));
put("/orders/{key}", |request| {
    grpc::unary("orders", "orders.Orders/Put", request.body, #{ key: request.params.key });
    reply(201)
});
get("/calls/{name}", |request| grpc::unary("orders", "orders.Orders/" + request.params.name, ()));
"#;

fn up(shop: &str) -> Model {
    let model = Model::up(&[("orders", ORDERS), ("shop", shop)]);
    until("they find each other", || model.get("shop-0", "/orders/none").0 == 404);
    model
}

/// How many calls a method has answered with a code.
fn counted(model: &Model, method: &str, code: &str) -> u64 {
    let labels = format!("service=\"orders\",replica=\"orders-0\",method=\"{method}\",code=\"{code}\"");
    let series = format!("rpc_server_call_duration_seconds_count{{{labels}}} ");
    let page = model.metrics("orders-0");
    page.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |count| count.parse().unwrap())
}

#[test]
fn messages_faults_and_who_asks_go_from_service_to_service() {
    let model = up(SHOP);
    let put = Ask::put("/orders/k-1", json!({ "sku": "mug" }));
    assert_eq!(model.try_ask("shop-0", put).unwrap().status, 201);
    assert_eq!(model.get("shop-0", "/orders/k-1"), (200, json!({ "key": "k-1", "sku": "mug" })));
    let headers =
        [("x-request-id", "order-4711"), ("x-claim-subject", "ada"), ("x-claim-role", "buyer"), ("x-site-id", "north")];
    let asked = model.try_ask("shop-0", Ask { headers: &headers, ..Ask::get("/calls/Ask") }).unwrap();
    let who = json!({
        "method": "orders.Orders/Ask", "id": "order-4711", "actor": "ada", "role": "buyer", "site": "north",
    });
    assert_eq!(said(&asked), (200, who));
    for (name, status, detail, code) in [
        ("Throttle", 429, "", "RESOURCE_EXHAUSTED"),
        ("Fail", 500, "the handler failed; the service's log has the place", "INTERNAL"),
    ] {
        let answer = model.ask("shop-0", Method::GET, &format!("/calls/{name}"), None);
        let (found, body) = said(&answer);
        assert_eq!((found, &body["detail"]), (status, &json!(detail)), "{answer:?}");
        assert_eq!(answer.headers.contains_key("retry-after"), status == 429, "{answer:?}");
        assert_eq!(counted(&model, &format!("orders.Orders/{name}"), code), 1);
    }
    let unknown = model.get("shop-0", "/calls/Nothing");
    assert_eq!((unknown.0, &unknown.1["detail"]), (501, &json!("orders has no method orders.Orders/Nothing")));
    assert_eq!(counted(&model, "unmatched", "UNIMPLEMENTED"), 1);
    assert!(!model.logged("orders-0", "\"line\":17").is_empty());
    model.close();
}

#[test]
fn a_deadline_goes_along_and_ends_the_handler_of_the_service_that_is_called() {
    let model = up(SHOP);
    let (status, body) = model.get("shop-0", "/calls/Wait");
    assert_eq!(status, 504, "{body}");
    until("the handler has noticed it", || counted(&model, "orders.Orders/Wait", "DEADLINE_EXCEEDED") == 1);
    assert!(!model.logged("orders-0", "did not finish within its deadline").is_empty());
    model.close();
}

#[test]
fn a_circuit_opens_and_closes_as_with_http() {
    let model = up(SHOP);
    model.signal("orders-0", Signal::SIGSTOP);
    until("the circuit is open", || {
        let (status, body) = model.get("shop-0", "/orders/none");
        status == 503 && body["detail"].as_str().is_some_and(|detail| detail.contains("left alone"))
    });
    model.signal("orders-0", Signal::SIGCONT);
    until("the circuit is closed again", || model.get("shop-0", "/orders/none").0 == 404);
    assert!(!model.logged("shop-0", "\"after\":\"closed\"").is_empty());
    model.close();
}

/// The callee is killed again and again while calls are made; each that was confirmed is kept, and once.
#[test]
fn what_was_confirmed_survives_kills_of_the_service_that_is_called() {
    let model = up(&SHOP.replace("retries: 0", "retries: 10").replace("failures: 3", "failures: 1000"));
    let mut confirmed = Vec::new();
    for round in 0..60 {
        if round % 20 == 10 {
            model.signal("orders-0", Signal::SIGKILL);
        }
        let key = format!("k-{round:03}");
        let path = format!("/orders/{key}");
        let answer = model.try_ask("shop-0", Ask::put(&path, json!({ "sku": "mug" })));
        if answer.is_ok_and(|answer| answer.status == 201) {
            confirmed.push(key);
        }
    }
    until("it is back", || model.get("shop-0", "/orders/none").0 == 404);
    let kept = model.get("orders-0", "/orders").1;
    let kept: Vec<_> = kept.as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect();
    println!("{} confirmed, {} kept, {} exits", confirmed.len(), kept.len(), model.part("orders-0").exits);
    assert!(model.part("orders-0").exits >= 2);
    assert!(confirmed.len() >= 30, "most get through: {confirmed:?}");
    assert!(confirmed.iter().all(|key| kept.contains(key)), "lost: {confirmed:?} of {kept:?}");
    model.close();
}

#[test]
fn calls_of_what_there_is_not_are_found_before_anything_starts() {
    let shop = r#"
get("/a", |request| grpc::unary("order", "orders.Orders/Get", ()));
get("/b", |request| grpc::unary("orders", "orders.Orders/Gets", ()));
get("/c", |request| grpc::unary("orders", "orders.Carts/Empty", ()));
get("/d", |request| grpc::stream("orders", "orders.Orders/Get", ()));
"#;
    let model = Model::written(&[("orders", r#"rpc("orders.Orders/Get", |request| ());"#), ("shop", shop)]);
    let checked = model.run(&["lab", "check", "services"]);
    assert_eq!(checked.code, Some(2), "{checked:?}");
    for found in [
        "there is no service `order`",
        "did you mean `orders`?",
        "`orders` has no method orders.Orders/Gets",
        "did you mean `orders.Orders/Get`?",
        "`orders` has no method orders.Carts/Empty",
        "there is no function grpc::stream",
        "`grpc` has unary",
    ] {
        assert!(checked.err.contains(found) || checked.out.contains(found), "{found}: {checked:?}");
    }
    for (text, why) in [
        (r#"rpc("Get", |request| ());"#, "names no method"),
        (r#"rpc("a.B/C", || ());"#, "the handler takes 0 values instead of 1"),
        ("slots();\nrpc(\"a.B/C\", |request| ());", "calls do not come through the gateway"),
    ] {
        model.write("orders", text);
        let checked = model.run(&["lab", "check", "services"]);
        assert!(checked.err.contains(why) || checked.out.contains(why), "{why}: {checked:?}");
    }
}

#[cfg(feature = "otlp")]
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[cfg(feature = "otlp")]
const TREE: &str = "\
shop server GET /orders/{key} 404
  shop client orders.Orders/Get -> orders NOT_FOUND error
    orders server orders.Orders/Get NOT_FOUND
      orders internal query
";

#[cfg(feature = "otlp")]
#[test]
fn a_call_is_a_part_of_its_trace() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let collector = Collector::start(&runtime);
    let otlp = format!("http://{}", collector.address);
    let model = Model::with(&[("orders", ORDERS), ("shop", SHOP)], &["--otlp", &otlp]);
    until("they find each other", || model.get("shop-0", "/orders/none").0 == 404);
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = [("traceparent", &*parent)];
    assert_eq!(model.try_ask("shop-0", Ask { headers: &headers, ..Ask::get("/orders/none") }).unwrap().status, 404);
    collector.expect(TRACE, TREE);
    for seen in collector.of(TRACE).iter().filter(|seen| seen.span.name == "orders.Orders/Get") {
        for (key, value) in [("rpc.system", "grpc"), ("rpc.service", "orders.Orders"), ("rpc.method", "Get")] {
            assert_eq!(seen.attributes[key], value);
        }
    }
    model.close();
}
