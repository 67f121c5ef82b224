//! What readiness tells of all that a service needs, while that dies, is cut off and comes back.

use std::{collections::BTreeMap, fs};

use http::Method;
use interlock::{lab::http::Answer, process::Signal};
use serde_json::Value;

use super::stage::Model;
use crate::stage::until;

const BANK: &str = r#"
migration("charge", "create table charge(key text primary key) strict");
get("/charges", |request| sql::all("select key from charge"));
"#;

const SHOP: &str = r#"
calls("bank", #{ retries: 0 });
get("/paid", requires(#{ role: "buyer" }), |request| http::get("bank", "/charges").body);
post("/orders/{id}", |request| { bus::publish("order.created", request.params.id); queue::add("pack", request.params.id); });
job("pack", |job| ());
"#;

const FRONT: &str = r#"
get("/shown", |request| http::post("shop", "/orders/{id}", #{ id: "o-1" }).status);
on("order.created", |event| ());
"#;

/// What a replica says of its readiness: the status, and each dependency with why it is away.
fn told(model: &Model, replica: &str) -> (u16, BTreeMap<String, Option<String>>) {
    let answer: Answer = model.ask(replica, Method::GET, "/readyz", None);
    let body: Value = answer.json().unwrap();
    let why = |one: &Value| {
        assert_eq!(one["ok"].as_bool().unwrap(), one["why"].is_null(), "{one}");
        (one["name"].as_str().unwrap().to_owned(), one["why"].as_str().map(str::to_owned))
    };
    (answer.status.as_u16(), body["dependencies"].as_array().unwrap().iter().map(why).collect())
}

/// Waits until a dependency of a replica is away, and gives why; all others are there, and the replica is ready.
fn away(model: &Model, replica: &str, dependency: &str) -> String {
    until(&format!("{replica} tells that its {dependency} is away"), || told(model, replica).1[dependency].is_some());
    let (status, dependencies) = told(model, replica);
    assert_eq!(status, 200, "{dependencies:?}");
    let missing: Vec<_> = dependencies.iter().filter(|(_, why)| why.is_some()).map(|(name, _)| &**name).collect();
    assert_eq!(missing, [dependency]);
    dependencies[dependency].clone().unwrap()
}

fn all_there(model: &Model, replica: &str) {
    until(&format!("{replica} has all that it needs"), || {
        let (status, dependencies) = told(model, replica);
        status == 200 && dependencies.values().all(Option::is_none)
    });
}

#[test]
fn what_a_service_needs_is_told_and_a_service_that_is_away_takes_no_caller_with_it() {
    let model = Model::up(&[("bank", BANK), ("shop", SHOP), ("front", FRONT)]);
    for replica in ["bank-0", "shop-0", "front-0"] {
        all_there(&model, replica);
    }
    let names = |replica| told(&model, replica).1.into_keys().collect::<Vec<_>>();
    assert_eq!(names("bank-0"), ["database"]);
    assert_eq!(names("shop-0"), ["bank", "bus", "database", "identity", "queue"]);
    assert_eq!(names("front-0"), ["bus", "database", "shop"]);

    // A service that is called.
    model.signal("bank-0", Signal::SIGSTOP);
    let why = away(&model, "shop-0", "bank");
    assert!(why.starts_with("bank-0: ") || why.starts_with("no answer within"), "{why}");
    assert!(
        model
            .metrics("shop-0")
            .contains("script_dependency_up{service=\"shop\",replica=\"shop-0\",dependency=\"bank\"} 0")
    );
    all_there(&model, "front-0");
    assert!(model.part("shop-0").ready && model.part("front-0").ready);
    model.signal("bank-0", Signal::SIGCONT);
    all_there(&model, "shop-0");
    assert!(!model.logged("shop-0", "it is back").is_empty());

    // Bus and queue, killed and cut off.
    model.signal("bus", Signal::SIGSTOP);
    away(&model, "front-0", "bus");
    model.signal("bus", Signal::SIGKILL);
    all_there(&model, "front-0");
    assert_eq!(model.run(&["lab", "break", "queue"]).code, Some(0));
    assert_eq!(away(&model, "shop-0", "queue"), "it is out of order");
    assert_eq!(model.run(&["lab", "mend", "queue"]).code, Some(0));
    all_there(&model, "shop-0");

    // The identity provider.
    model.signal("identity", Signal::SIGSTOP);
    away(&model, "shop-0", "identity");
    for path in ["/healthz", "/startupz"] {
        assert_eq!(model.ask("shop-0", Method::GET, path, None).status, 200, "{path}");
    }
    model.signal("identity", Signal::SIGKILL);
    all_there(&model, "shop-0");
    model.close();
}

const KEEPER: &str = r#"get("/version-of-database", |request| sql::one("select sqlite_version() as version"));"#;
const CALLER: &str = r#"get("/keeper", |request| http::get("keeper", "/version-of-database").body);"#;

/// A file where the databases should lie.
#[test]
fn a_replica_without_its_database_is_unready_and_its_caller_is_not() {
    let model = Model::up(&[("keeper", KEEPER), ("caller", CALLER)]);
    all_there(&model, "keeper-0");
    let databases = model.lab_folder().join("databases");
    fs::rename(&databases, model.folder.join("aside")).unwrap();
    fs::write(&databases, "").unwrap();
    until("it is unready", || told(&model, "keeper-0").0 == 503);
    let answer = model.ask("keeper-0", Method::GET, "/readyz", None);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let body: Value = answer.json().unwrap();
    assert!(body["detail"].as_str().unwrap().starts_with("the database: "), "{body}");
    assert_eq!(body["dependencies"][0]["required"], true);
    assert!(away(&model, "caller-0", "keeper").contains("503"));
    assert_eq!(model.ask("keeper-0", Method::GET, "/healthz", None).status, 200);
    until("the supervisor knows", || !model.part("keeper-0").ready);
    fs::remove_file(&databases).unwrap();
    fs::rename(model.folder.join("aside"), &databases).unwrap();
    all_there(&model, "keeper-0");
    all_there(&model, "caller-0");
    until("the supervisor knows", || model.part("keeper-0").ready);
    model.close();
}
