//! `config verify`: who runs on what is desired, and what is said of those who do not, or do not answer.

use std::fs;

use interlock::process::Signal;
use serde_json::Value;

use super::stage::Model;
use crate::{command::Done, stage::until};

const ORDERS: &str = r#"
replicas(2);
setting("limit", 3);
get("/limit", |request| config::get("limit"));
get("/plain", |request| #{ hash: "0123456789ab" });
"#;

fn up(configs: &str) -> Model {
    let model = Model::written(&[("orders", ORDERS)]);
    let head = "apiVersion: interlock/v1alpha1\nkind: Platform\nmetadata: {name: shop}\n";
    let platform = format!("{head}target: {{lab: {{services: services}}}}\nconfigs:\n{configs}");
    fs::write(model.folder.join("interlock.yaml"), platform).unwrap();
    change(&model, "all: {limit: 4}\n");
    model.raise(&[]);
    model
}

fn change(model: &Model, document: &str) {
    fs::write(model.folder.join("services/config.yaml"), document).unwrap();
}

/// How the command ended, and how each instance stands.
fn verify(model: &Model, config: &str) -> (Option<i32>, Vec<String>) {
    let Done { code, out, err } = model.run(&["config", "verify", config, "--output", "json"]);
    let all: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e} in {out}{err}"));
    let instances = all[0]["instances"].as_array().unwrap().iter();
    (code, instances.map(|one| format!("{} {}", one["name"], one["standing"]).replace('"', "")).collect())
}

fn standing(all: [&str; 2]) -> Vec<String> {
    ["orders-0", "orders-1"].iter().zip(all).map(|(name, standing)| format!("{name} {standing}")).collect()
}

#[test]
fn replicas_are_held_against_the_document_beside_their_scripts() {
    let model = up("  shop: {instances: {lab: {}}}\n");
    assert_eq!(verify(&model, "shop"), (Some(0), standing(["current", "current"])));

    model.signal("orders-1", Signal::SIGSTOP);
    change(&model, "all: {limit: 5}\n");
    until("one has taken it over", || verify(&model, "shop") == (Some(6), standing(["current", "silent"])));
    model.signal("orders-0", Signal::SIGSTOP);
    assert_eq!(verify(&model, "shop"), (Some(4), standing(["silent", "silent"])));
    model.signal("orders-0", Signal::SIGCONT);
    model.signal("orders-1", Signal::SIGCONT);
    until("both have", || verify(&model, "shop") == (Some(0), standing(["current", "current"])));

    // One that does not fit is taken over by nobody, and says so.
    change(&model, "all: {limit: many}\n");
    let told = || model.run(&["config", "verify", "--junit", "junit.xml", "--metrics", "configs.prom"]).out;
    until("both say so", || told().contains("shop: stale: orders-0, orders-1: a later one was rejected"));
    assert_eq!(verify(&model, "shop"), (Some(1), standing(["stale", "stale"])));
    let said = told();
    assert!(said.contains("the setting `limit` is a whole number"), "{said}");
    assert!(said.contains("0 of 2 instances run on the configuration of services/config.yaml"), "{said}");
    let junit = fs::read_to_string(model.folder.join("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"2\" skipped=\"0\" failures=\"2\" errors=\"0\""), "{junit}");
    let page = fs::read_to_string(model.folder.join("configs.prom")).unwrap();
    assert!(page.contains("interlock_config_instances{config=\"shop\",standing=\"stale\"} 2"), "{page}");

    change(&model, "all: {limit: 5}\n");
    until("going back ends that", || verify(&model, "shop") == (Some(0), standing(["current", "current"])));
    model.close();
}

/// Any service that tells a hash, in JSON or as a metric, and any that differs.
#[test]
fn instances_tell_in_json_or_by_a_metric() {
    let model = up("  shop: {instances: {lab: {}}}\n");
    let at = |replica: &str, path: &str| format!("http://{}{path}", model.part(replica).address);
    let configs = |desired: &str, other: &str| {
        let (json, metrics) = (at("orders-0", "/plain"), at("orders-0", "/metrics"));
        let platform = fs::read_to_string(model.folder.join("interlock.yaml")).unwrap();
        let head = platform.split("configs:").next().unwrap();
        let json =
            format!("  json:\n    instances: {{json: {{urls: [\"{json}\"{other}], generation: /hash}}}}\n{desired}");
        let metric = format!(
            "  metric:\n    instances: {{metric: {{urls: [\"{metrics}\"], name: script_config_generation_info, label: \
             generation}}}}\n"
        );
        fs::write(model.folder.join("interlock.yaml"), format!("{head}configs:\n{json}{metric}")).unwrap();
    };
    let standings = |config: &str| {
        let (code, all) = verify(&model, config);
        (code, all.iter().map(|one| one.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>())
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    configs("    desired: {generation: 0123456789abcdef}\n", "");
    assert_eq!(standings("json"), (Some(0), words(&["current"])));
    assert_eq!(standings("metric"), (Some(0), words(&["current"])), "it agrees with itself");
    configs("    desired: {generation: fedcba9876543210}\n", "");
    assert_eq!(standings("json"), (Some(1), words(&["stale"])));
    configs("", &format!(", \"{}\"", at("orders-1", "/limit")));
    assert_eq!(standings("json"), (Some(6), words(&["current", "unclear"])), "a number is no document");
    // A file by what it holds.
    fs::write(model.folder.join("settings.json"), "{}\n").unwrap();
    configs("    desired: {file: settings.json}\n", "");
    assert_eq!(standings("json"), (Some(1), words(&["stale"])));
    configs("    desired: {file: nothing.json}\n", "");
    let refused = model.run(&["config", "verify", "json"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("nothing.json cannot be read"), "{refused:?}");
    model.close();
}

/// A real Prometheus: a change that it has not read, one that it refuses, and the text of before, which it has to read again.
#[test]
fn prometheus_is_held_against_the_file_that_it_reads() {
    let model = Model::written(&[("orders", ORDERS)]);
    let up = ["lab", "up", "--services", "services", "--database", "none", "--timeout", "120s"];
    let done = model.run(&up);
    assert_eq!(done.code, Some(0), "{done:?}");
    let address = model.part("prometheus").address;
    let file = model.lab_folder().join("prometheus/prometheus.yml");
    let platform = format!(
        "apiVersion: interlock/v1alpha1\nkind: Platform\nmetadata: {{name: shop}}\ntarget: {{lab: {{}}}}\nconfigs:\n  \
         monitoring:\n    instances: {{prometheus: {{urls: [\"http://{address}/\"]}}}}\n    desired: {{file: \"{}\"}}\n",
        file.display()
    );
    fs::write(model.folder.join("interlock.yaml"), platform).unwrap();
    let stands = || {
        let (code, all) = verify(&model, "monitoring");
        (code, all[0].rsplit(' ').next().unwrap().to_owned())
    };
    let (current, stale) = ((Some(0), "current".to_owned()), (Some(1), "stale".to_owned()));
    assert_eq!(stands(), current);

    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{good}# changed\n")).unwrap();
    assert_eq!(stands(), stale, "it has not read it");
    model.signal("prometheus", Signal::SIGHUP);
    until("it has read it", || stands() == current);

    fs::write(&file, "scrape_configs: [\n").unwrap();
    model.signal("prometheus", Signal::SIGHUP);
    let refused = || model.run(&["config", "verify"]).out.contains("a later one was rejected");
    until("it has refused it", || stands() == stale && refused());
    fs::write(&file, &good).unwrap();
    assert_eq!(stands(), stale, "the text of before has to be read again");
    model.signal("prometheus", Signal::SIGHUP);
    until("it has read it again", || stands() == current);
    model.close();
}
