//! `interlock lab check`, and `lab up` with services that it would find something wrong with.

use super::stage::Model;

#[test]
fn what_is_wrong_is_told_with_its_place_and_a_hint() {
    let model = Model::written(&[
        ("broken", "get(\"/a\", |request| {\n    let x = (1 + ;\n});\n"),
        (
            "orders",
            r#"
defect("skip-audit", "writes no audit");
post("/orders", |request| {
    if defect("skip-log") { return; }
    http::post("paiments", "/payments");
    http::put("payments", "/payments");
    http::post("payments", "/payments/{id}/refunds", #{ id: 7 });
    http::fetch("payments", "/payments");
    ftp::get("payments");
});
"#,
        ),
        ("payments", "post(\"/payments\", |request| 1);\nget(\"/orders/{order}\", |request| 2);\n"),
        ("shop", "get(\"/orders/{id}\", |request| 1);\nget(\"/x\", |a, b| 1);\n"),
        ("stock", "get(\"/orders/{id}\", |request| 1);\n"),
        ("gateway", "get(\"/g\", |request| 1);\n"),
        ("twice", "get(\"/t/{a}\", |request| 1);\nget(\"/t/{b}\", |request| 1);\n"),
        ("doors", "let rows = sql::all(\"select 1\");\n"),
        ("variable", "get(\"/v\", |request| reqest.body);\n"),
        ("circle", "migration(\"a\", [\"b\"], \"\");\nmigration(\"b\", [\"a\"], \"\");\n"),
        ("function", "gte(\"/f\", |request| 1);\n"),
        ("eval", "get(\"/e\", |request| eval(\"1\"));\n"),
        ("import", "import \"other\" as other;\n"),
    ]);
    let done = model.run(&["lab", "check", "services"]);
    assert_eq!((done.code, done.err.as_str()), (Some(2), ""), "{done:?}");
    insta::assert_snapshot!(done.out);
    let json = model.run(&["lab", "check", "services", "--output", "json"]);
    let document: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json.code, Some(2));
    assert_eq!(document["findings"][0]["file"], "services/broken.rhai");
}

#[test]
fn a_lab_does_not_start_with_services_that_are_wrong() {
    let model = Model::written(&[("orders", "get(\"/a\", |request| {")]);
    let up = model.run(&["lab", "up", "--services", "services", "--database", "none", "--no-prometheus"]);
    assert_eq!(up.code, Some(2), "{up:?}");
    assert!(up.err.contains("services/orders.rhai:1:"), "{up:?}");
    assert!(!model.lab_folder().join("lab.json").exists());
    let none = model.run(&["lab", "check", "."]);
    assert_eq!(none.code, Some(2), "{none:?}");
    model.write("orders", "get(\"/a\", |request| 1);");
    let fine = model.run(&["lab", "check", "services"]);
    assert_eq!((fine.code, fine.out.as_str()), (Some(0), "1 service, 1 route, 0 defects: nothing is wrong\n"));
}

#[test]
fn the_platform_file_may_name_the_folder_of_services() {
    let model = Model::written(&[("orders", "get(\"/a\", |request| 1);")]);
    let platform = include_str!("../interlock.yaml").replace("{lab: {}}", "{lab: {services: services}}");
    std::fs::write(model.folder.join("interlock.yaml"), platform.replace("METRICS", "{lab: {source: scrape}}"))
        .unwrap();
    std::fs::write(model.folder.join("slo.yaml"), include_str!("../slo.yaml")).unwrap();
    let up = model.run(&["lab", "up", "--database", "none", "--no-prometheus", "--replicas", "1", "--timeout", "120s"]);
    assert_eq!(up.code, Some(0), "{up:?}");
    let address = model.run(&["lab", "address", "orders"]);
    assert_eq!((address.code, address.out.trim()), (Some(0), &*model.part("orders-0").address.to_string()));
    let unknown = model.run(&["lab", "address", "ordres"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    let down = model.run(&["lab", "down"]);
    assert_eq!(down.code, Some(0), "{down:?}");
}

#[test]
fn messages_that_nobody_sends_or_takes_are_told() {
    let orders = r#"
post("/orders", |request| {
    bus::publish("order.created", request.body);
    bus::publish("order.line.added", request.body);
    queue::add("send-mail", 1);
    queue::add("send-male", 1, #{ after: "1s" });
});
"#;
    let billing = r#"
on("order.*", |event| ());
on("order.*", #{ only: #{ site: "north" } }, |event| ());
on("payment.made", |event| ());
job("send-mail", |job| ());
"#;
    let model = Model::written(&[
        ("orders", orders),
        ("billing", billing),
        ("post", "job(\"send-mail\", |job| ());\ncron(\"tally\", \"1s\", || ());\n"),
        ("bus", "get(\"/b\", |request| 1);\n"),
    ]);
    let done = model.run(&["lab", "check", "services"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    insta::assert_snapshot!(done.out);
    drop(model);
    // Where a topic is put together, nobody can say what is published.
    let model = Model::written(&[
        ("orders", "post(\"/orders\", |request| bus::publish(`order.${request.body.what}`, 1));\n"),
        ("billing", "on(\"order.created\", |event| ());\n"),
    ]);
    let done = model.run(&["lab", "check", "services"]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), "2 services, 1 route, 0 defects: nothing is wrong\n"));
}

#[test]
fn subscriptions_that_are_none_are_told() {
    let model = Model::written(&[
        ("pattern", "on(\"order.cre*\", |event| ());\n"),
        ("params", "on(\"order.created\", || ());\n"),
        ("how", "on(\"order.created\", #{ atempts: 3 }, |event| ());\n"),
        ("twice", "cron(\"a\", \"1s\", || ());\ncron(\"a\", \"2s\", || ());\n"),
    ]);
    let done = model.run(&["lab", "check", "services"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    insta::assert_snapshot!(done.out);
}

#[test]
fn names_and_collections_that_there_are_not_are_told() {
    let auth = r#"
post("/logins", |request| {
    registry::register("login", #{ zone: "north" });
    registry::lookup("people");
    registry::lookup("login");
    registry::lookup("poeple");
    vectors::put("books", "a", vectors::embed("a mystery"));
    vectors::near("boks", [1, 0], 3);
    vectors::drop("books");
    cache::trough("a", "1s", || 1);
});
"#;
    let model = Model::written(&[("auth", auth), ("people", "get(\"/who\", |request| 1);\n")]);
    let done = model.run(&["lab", "check", "services"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    insta::assert_snapshot!(done.out);
}
