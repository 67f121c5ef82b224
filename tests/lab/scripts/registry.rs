//! The service registry: replicas are listed while they live, whatever becomes of the registry.

use std::time::{Duration, Instant};

use interlock::process::Signal;
use serde_json::{Value, json};

use super::stage::Model;
use crate::stage::until;

const PEOPLE: &str = "replicas(2);\nget(\"/who\", |request| #{ who: \"ada\" });\n";

const AUTH: &str = r#"
get("/found/{name}", |request| registry::lookup(request.params.name));
get("/asked", |request| {
    let found = registry::lookup("people");
    http::get("people", "/who", #{ at: found[0].id }).body
});
get("/nobody", |request| http::get("people", "/who", #{ at: "people-9" }).body);
post("/names/{name}", |request| #{ known: registry::register(request.params.name, request.body) });
"#;

/// Longer than a lease.
const LONG: Duration = Duration::from_secs(6);

fn up() -> Model {
    let model = Model::up(&[("people", PEOPLE), ("auth", AUTH)]);
    until("the replicas are listed", || ids(&model, "people") == ["people-0", "people-1"]);
    model
}

fn found(model: &Model, name: &str) -> Value {
    let (status, found) = model.get("auth-0", &format!("/found/{name}"));
    assert_eq!(status, 200, "{found}");
    found
}

fn ids(model: &Model, name: &str) -> Vec<String> {
    found(model, name).as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// How many replicas the registry itself says that it holds.
fn held(model: &Model, name: &str) -> String {
    let series = format!("registry_instances{{service=\"registry\",name=\"{name}\"}} ");
    let page = model.metrics("registry");
    page.lines().find_map(|line| line.strip_prefix(&series)).unwrap_or("0").to_owned()
}

#[test]
fn a_replica_that_hangs_or_is_gone_leaves_after_its_lease() {
    let model = up();
    let listed = found(&model, "people");
    let expected = json!({
        "name": "people", "id": "people-0", "about": { "version": "1.0.0" },
        "address": model.part("people-0").address,
    });
    assert_eq!(listed[0], expected);
    model.signal("people-1", Signal::SIGSTOP);
    until("it has left", || ids(&model, "people") == ["people-0"]);
    model.signal("people-1", Signal::SIGCONT);
    until("it is back", || ids(&model, "people").len() == 2);
    // What cannot start again stays away.
    model.write("people", "get(\"/who\", |request| {");
    model.signal("people-0", Signal::SIGKILL);
    until("it has left for good", || ids(&model, "people") == ["people-1"]);
    model.close();
}

#[test]
fn a_registry_that_is_killed_comes_back_with_what_it_held() {
    let model = up();
    assert_eq!(model.post("auth-0", "/names/login", json!({ "zone": "north" })).1, json!({ "known": true }));
    let all = ["people-0", "people-1", "auth-0"];
    // Nobody can tell it anything.
    all.iter().for_each(|replica| model.signal(replica, Signal::SIGSTOP));
    model.restart("registry");
    let now = ["people", "auth", "login"].map(|name| held(&model, name));
    println!("held after kill -9: {now:?}");
    assert_eq!(now, ["2", "1", "1"]);
    all.iter().for_each(|replica| model.signal(replica, Signal::SIGCONT));
    until("they are found", || ids(&model, "people").len() == 2);
    assert_eq!(found(&model, "login")[0]["about"], json!({ "zone": "north", "version": "1.0.0" }));
    model.close();
}

#[test]
fn whoever_was_found_is_called_while_the_registry_is_away() {
    let model = up();
    assert_eq!(model.run(&["lab", "break", "registry"]).code, Some(0));
    let begun = Instant::now();
    let mut asked = 0;
    while begun.elapsed() < LONG {
        assert_eq!(model.get("auth-0", "/asked"), (200, json!({ "who": "ada" })));
        assert_eq!(ids(&model, "people").len(), 2);
        asked += 1;
    }
    println!("{asked} calls while the registry was away");
    assert!(model.asked("auth-0", "registry", "remembered") >= 2.0);
    let unknown = model.ask("auth-0", http::Method::GET, "/found/payments", None);
    assert_eq!(unknown.status, 503);
    assert!(unknown.headers.contains_key("retry-after"));
    // No lease has ended while nobody could renew one.
    assert_eq!(model.run(&["lab", "mend", "registry"]).code, Some(0));
    let before = model.asked("auth-0", "registry", "found");
    until("it answers", || {
        assert_eq!(ids(&model, "people").len(), 2);
        model.asked("auth-0", "registry", "found") > before
    });
    model.close();
}

#[test]
fn a_replica_goes_by_the_names_that_it_registers() {
    let model = up();
    assert_eq!(ids(&model, "login"), Vec::<String>::new());
    assert_eq!(model.post("auth-0", "/names/login", json!({ "zone": "north" })).1, json!({ "known": true }));
    assert_eq!(found(&model, "login")[0]["id"], "auth-0");
    assert_eq!(model.post("auth-0", "/names/login", json!({ "zone": "south" })).1, json!({ "known": true }));
    assert_eq!(found(&model, "login")[0]["about"]["zone"], "south");
    assert_eq!(model.get("auth-0", "/nobody").0, 503);
    assert_eq!(model.post("auth-0", "/names/Log%20in", json!({})).0, 500);
    let told = model.logged("auth-0", "is no name").pop().unwrap();
    assert_eq!(told["message"], "`Log in` is no name; it has small letters, digits and hyphens");
    // One that is replaced says goodbye, and is back under its name.
    let deployed = model.run(&["lab", "deploy", "auth", "--version", "1.1.0"]);
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
    until("the new release is listed", || {
        let auth = found(&model, "auth");
        auth.as_array().unwrap().len() == 1 && auth[0]["about"]["version"] == "1.1.0"
    });
    assert_eq!(ids(&model, "login"), Vec::<String>::new(), "the one before has ended");
    model.close();
}
