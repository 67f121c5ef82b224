//! Settings that change while their services run: by one document, by all replicas, and whole or not at all.

use std::fs;

use serde_json::{Value, json};

use super::stage::Model;
use crate::stage::until;

const ORDERS: &str = r#"
replicas(2);
setting("limit", 3);
setting("advisory.enabled", false);
setting("bank.card", "4111");
redact(["card"]);
get("/limit", |request| #{ limit: config::get("limit"), card: config::get("bank.card") });
get("/advice", |request| {
    let before = config::get("advisory.enabled");
    pause(request.query.pause);
    #{ before: before, after: config::get("advisory.enabled") }
});
"#;

const STOCK: &str = "setting(\"limit\", 0.5);\nget(\"/stock/limit\", |request| config::get(\"limit\"));\n";

const REPLICAS: [&str; 3] = ["orders-0", "orders-1", "stock-0"];

fn up() -> Model {
    Model::up(&[("orders", ORDERS), ("stock", STOCK)])
}

fn write(model: &Model, document: &str) {
    fs::write(model.folder.join("services/config.yaml"), document).unwrap();
}

fn shown(model: &Model, replica: &str) -> Value {
    let (status, shown) = model.get(replica, "/config");
    assert_eq!(status, 200, "{shown}");
    shown
}

/// The one generation that all replicas run on, if they do.
fn generation(model: &Model) -> Option<String> {
    let all = REPLICAS.map(|replica| shown(model, replica)["generation"].as_str().unwrap().to_owned());
    all.iter().all(|one| *one == all[0]).then(|| all[0].clone())
}

fn limits(model: &Model) -> [Value; 3] {
    let of = |replica: &str| model.get(replica, "/limit").1["limit"].clone();
    [of("orders-0"), of("orders-1"), model.get("stock-0", "/stock/limit").1]
}

fn metric(model: &Model, replica: &str, line: &str) -> bool {
    model.metrics(replica).lines().any(|one| one.starts_with("script_config_") && one.contains(line))
}

#[test]
fn a_change_reaches_all_replicas_without_a_restart() {
    let model = up();
    assert_eq!(limits(&model), [json!(3), json!(3), json!(0.5)]);
    let first = generation(&model).unwrap();
    let processes = || REPLICAS.map(|replica| model.part(replica).identity);
    let before = processes();
    write(&model, "all:\n  limit: 5\nservices:\n  orders:\n    limit: 7\n    bank.card: \"4222\"\n");
    until("all run on it", || generation(&model).is_some_and(|now| now != first));
    assert_eq!(limits(&model), [json!(7), json!(7), json!(5.0)]);
    let second = generation(&model).unwrap();
    let info = format!("generation=\"{second}\"}} 1");
    assert!(REPLICAS.iter().all(|replica| metric(&model, replica, &info)), "{}", model.metrics("orders-0"));
    let told = shown(&model, "orders-1");
    let values = json!({ "advisory.enabled": false, "bank.card": "[redacted]", "limit": 7 });
    assert_eq!((&told["values"], &told["rejected"]), (&values, &Value::Null));
    assert_eq!(model.get("orders-0", "/limit").1["card"], "4222", "a script sees what nobody is shown");
    assert_eq!(processes(), before, "nothing was restarted");
    model.close();
}

#[test]
fn a_change_that_does_not_fit_is_rejected_whole_until_it_does() {
    let model = up();
    let good = "services: {orders: {limit: 7}}\n";
    write(&model, good);
    until("all run on it", || limits(&model)[..2] == [json!(7), json!(7)]);
    let (first, since) = (generation(&model).unwrap(), shown(&model, "orders-0")["since"].clone());
    let mut told = Vec::new();
    for bad in [
        "services:\n  orders:\n    limit: 8\n  stock:\n    limit: many\n",
        "services:\n  orders:\n    limti: 8\n",
        "services:\n  oders: {}\n",
        "all:\n  limit: [\n",
    ] {
        let before = shown(&model, "orders-0")["rejected"].clone();
        write(&model, bad);
        until("all say that it was rejected", || {
            REPLICAS.iter().all(|replica| {
                let now = shown(&model, replica)["rejected"].clone();
                !now.is_null() && now["what"] != before["what"]
            })
        });
        let rejected = &shown(&model, "stock-0")["rejected"];
        let place = rejected["place"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        told.push(format!("{place} {} -> {}", rejected["what"], rejected["hint"]));
        assert_eq!((generation(&model), limits(&model)), (Some(first.clone()), [json!(7), json!(7), json!(0.5)]));
        assert!(REPLICAS.iter().all(|replica| metric(&model, replica, "last_reload_successful{") && {
            let page = model.metrics(replica);
            page.lines().any(|line| line.starts_with("script_config_last_reload_successful") && line.ends_with(" 0"))
        }));
        // Going back to what was good ends the rejection, and is no change.
        write(&model, good);
        until("nothing is rejected any more", || shown(&model, "orders-1")["rejected"].is_null());
    }
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!((generation(&model), &shown(&model, "orders-0")["since"]), (Some(first), &since));
    let logged = model.logged("supervisor", "configuration rejected");
    assert_eq!((logged.len(), logged[0]["line"].as_u64()), (4, Some(5)), "{logged:?}");
    model.close();
}

/// A replica that begins anew while the document is wrong runs on what the others run on.
#[test]
fn a_killed_replica_comes_back_with_what_the_others_have() {
    let model = up();
    write(&model, "all: {limit: 9}\n");
    until("all run on it", || limits(&model)[..2] == [json!(9), json!(9)]);
    write(&model, "all: {limit: nine}\n");
    until("it is rejected", || !shown(&model, "orders-1")["rejected"].is_null());
    model.restart("orders-0");
    assert_eq!(limits(&model)[..2], [json!(9), json!(9)]);
    assert!(!shown(&model, "orders-0")["rejected"].is_null());
    fs::remove_file(model.folder.join("services/config.yaml")).unwrap();
    model.restart("orders-1");
    assert_eq!(limits(&model)[..2], [json!(9), json!(9)], "a document that is gone changes nothing");
    model.close();
}

#[test]
fn one_call_of_a_handler_sees_one_configuration() {
    let model = up();
    let address = model.part("orders-0").address;
    let slow = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = interlock::lab::http::Client::new(address, None);
        let ask = interlock::lab::http::Ask::get("/advice?pause=4s");
        runtime.block_on(client.ask(ask, crate::stage::PATIENCE)).unwrap().json::<Value>().unwrap()
    });
    let active = "http_server_active_requests{service=\"orders\",replica=\"orders-0\"} 1";
    until("it is at work", || model.metrics("orders-0").contains(active) || slow.is_finished());
    write(&model, "all: {advisory.enabled: true}\n");
    until("others see the change", || {
        model.get("orders-0", "/advice?pause=1ms").1 == json!({ "before": true, "after": true })
    });
    let seen = slow.join().unwrap();
    assert_eq!(seen["before"], seen["after"], "{seen}");
    model.close();
}

#[test]
fn a_check_finds_what_does_not_fit() {
    let model = Model::written(&[
        ("orders", "setting(\"unused\", 1);\nget(\"/a\", |request| config::get(\"undeclared\"));\n"),
        ("stock", STOCK),
        ("kinds", "setting(\"list\", []);\n"),
        ("names", "setting(\"Bad Name\", 1);\n"),
        ("own", "get(\"/config\", |request| 1);\n"),
        ("twice", "setting(\"a\", 1);\nsetting(\"a\", 2);\n"),
    ]);
    write(&model, "services:\n  stock:\n    limit: high\n");
    let done = model.run(&["lab", "check", "services"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    insta::assert_snapshot!(done.out);
    model.write("orders", "get(\"/a\", |request| 1);\n");
    for name in ["kinds", "names", "own", "twice"] {
        fs::remove_file(model.folder.join(format!("services/{name}.rhai"))).unwrap();
    }
    let up = model.run(&["lab", "up", "--services", "services", "--database", "none", "--no-prometheus"]);
    assert_eq!(up.code, Some(2), "{up:?}");
    assert!(up.err.contains("services/config.yaml:3:12"), "{up:?}");
}
