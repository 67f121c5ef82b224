//! The same application behind one Service whose selector names the slot that serves: the static site of
//! `manifests/site-selector` and `scenarios/site-selector`, whose pods count by themselves.

use std::fs;

use crate::{
    api_server::shared,
    site::{GREENS_PAGE, PAGE, replaced},
    stage::{Done, Load, Stage, is_served, until},
};

const MANIFESTS: &str = include_str!("../../manifests/site-selector/site.yaml");
const PLATFORM: &str = include_str!("../../scenarios/site-selector/interlock.yaml");
const SLO: &str = include_str!("../../scenarios/site-selector/slo.yaml");

/// The site in a namespace of its own, serving from blue; `None` where there is no cluster.
fn up(name: &str, changes: &[(&str, &str)]) -> Option<Stage> {
    let stage = Stage::bare(name, shared)?;
    stage.apply(&replaced(MANIFESTS, changes));
    let namespace = format!("{{namespace: {}}}", stage.namespace);
    // How fast the site is on a busy machine is not what is asked here.
    let platform = [("{namespace: shop}", namespace.as_str()), ("defaults: {", "defaults: {answerWithin: 10s, ")];
    fs::write(stage.folder().join("interlock.yaml"), replaced(PLATFORM, &platform)).unwrap();
    fs::write(stage.folder().join("slo.yaml"), SLO).unwrap();
    for slot in ["blue", "green"] {
        stage.kubectl(&["rollout", "status", &format!("deployment/site-{slot}"), "--timeout=300s"]);
    }
    Some(stage)
}

/// Begins to ask for pages, each over a connection of its own: a selector moves no other ones.
fn offer(stage: &Stage) -> Load {
    let address = format!("{}:80", stage.kubectl(&["get", "service", "site", "-o", "jsonpath={.spec.clusterIP}"]));
    until("the Service's address to be served", || is_served(&address));
    stage.offer_at(&address, 100, &["--path", PAGE, "--new-connections"])
}

fn switch(stage: &Stage, to: &str) -> Done {
    let run = ["switchover", "run", "site", "--to", to, "--yes", "--accept-local-guardian"];
    stage.ask(&[&run[..], &["--bake", "3s", "--max-bake", "60s", "--baseline", "6s"]].concat())
}

fn serving(stage: &Stage) -> String {
    stage.kubectl(&["get", "service", "site", "-o", "jsonpath={.spec.selector.slot}"])
}

#[test]
fn a_selector_switches_an_application_that_knows_nothing_of_us_without_a_lost_request() {
    let Some(stage) = up("selected", &[]) else { return };
    let load = offer(&stage);
    for to in ["green", "blue"] {
        let done = switch(&stage, to);
        assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
        assert_eq!(serving(&stage), to);
    }
    load.end().none_lost();
}

#[test]
fn a_bad_release_behind_a_selector_is_put_back() {
    let Some(stage) = up("bad-selected", &[(GREENS_PAGE, "")]) else { return };
    let load = offer(&stage);
    let done = switch(&stage, "green");
    assert_eq!(done.code, Some(1), "{}\n{}", done.out, done.err);
    assert!(done.out.contains("rolled-back: site-pages"), "{}\n{}", done.out, done.err);
    assert_eq!(serving(&stage), "blue");
    // A page that is missing is an answer as well.
    load.end().none_lost();
}
