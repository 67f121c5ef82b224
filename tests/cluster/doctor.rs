//! `interlock doctor` on a cluster: what is there, and what is not.

use std::fs;

use crate::{
    api_server::shared,
    stage::{Done, Stage, until},
};

/// What was told, a line for each part, with what differs between runs left out.
fn told(stage: &Stage, done: &Done) -> String {
    let found: serde_json::Value = serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {done:?}"));
    let line = |one: &serde_json::Value| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        format!("{}: {}: {}", text("part"), text("state"), text("found"))
    };
    // What this machine has is another test's, and how many series there are goes by who has answered.
    let machine = ["kubectl:", "prometheus:", "promtool:", "release:", "series of"];
    let lines = found["findings"].as_array().unwrap().iter().map(line);
    let lines: Vec<_> = lines.filter(|line| !machine.iter().any(|part| line.starts_with(part))).collect();
    let server = stage.kubectl(&["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"]);
    let text = lines.join("\n").replace(&stage.namespace, "NAMESPACE").replace(&server, "SERVER");
    text.replace(&stage.folder().canonicalize().unwrap().display().to_string(), "FOLDER")
}

#[test]
fn a_cluster_is_seen_part_by_part() {
    let Some(stage) = Stage::up("rbac-doctor") else { return };
    let idle = stage.ask(&["doctor", "-o", "json"]);
    assert_eq!(idle.code, Some(0), "{idle:?}");
    let address = stage.address("tenant");
    let load = ["lab", "load", "--address", &address, "--rate", "50", "--duration", "3s", "--new-connections"];
    until("a load without a lost request", || stage.ask(&load).code == Some(0));
    let well = stage.ask(&["doctor", "-o", "json"]);
    assert_eq!(well.code, Some(0), "{well:?}");
    insta::assert_snapshot!(told(&stage, &well), @r"
    platform file: fine: FOLDER/interlock.yaml: 1 service in namespace NAMESPACE of a cluster
    API server: fine: v1.37.2 at SERVER/
    credentials: fine: known to admin
    namespace: fine: NAMESPACE
    API versions: fine: EndpointSlice v1, PodDisruptionBudget v1, CronJob v1
    guardian: optional: none is alive in the cluster
    may read tenant: fine: all that is needed
    may switchover tenant: fine: all that is needed
    tenant traffic: fine: blue 100 %, green 0 %
    tenant blue: fine: 2 of 2 replicas are ready, release 1.0.0
    tenant blue preview: fine: GET /version is answered with status 200
    tenant green: fine: 2 of 2 replicas are ready, release 1.1.0
    tenant green preview: fine: GET /version is answered with status 200
    tenant identity: fine: the header `x-lab-slot`: `blue` and `green`
    run store: fine: namespace NAMESPACE: Leases and ConfigMaps; the permissions tell who may write them
    SLOs: fine: tenant-availability in slo.yaml
    notices: optional: nobody is told of runs that are held, stuck or rolled back
    ");

    assert!(well.out.contains("bad: 0 of tenant_requests_total, total: "), "{}", well.out);

    stage.kubectl(&["delete", "deployment", "tenant-green", "--wait=true"]);
    stage.kubectl(&["delete", "service", "tenant-blue"]);
    let ill = stage.ask(&["doctor", "-o", "json"]);
    assert_eq!(ill.code, Some(4), "{ill:?}");
    let told = told(&stage, &ill);
    assert!(told.contains("tenant green: missing: "), "{told}");
    assert!(told.contains("tenant blue preview: missing: "), "{told}");
    assert!(told.contains("tenant traffic: fine"), "{told}");
}

#[test]
fn what_cannot_be_asked_is_told_once() {
    let Some(stage) = Stage::bare("rbac-nobody", shared) else { return };
    let file = stage.folder().join("interlock.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(&stage.namespace, "rbac-nowhere")).unwrap();
    let nowhere = stage.ask(&["doctor"]);
    assert_eq!(nowhere.code, Some(4), "{nowhere:?}");
    assert!(nowhere.out.contains("there is no namespace rbac-nowhere"), "{}", nowhere.out);
    assert!(!nowhere.out.contains("may read"), "{}", nowhere.out);

    let away = stage.ask(&["doctor", "--set", "target.kubernetes.context=elsewhere"]);
    assert_eq!(away.code, Some(4), "{away:?}");
    assert_eq!(away.out.matches("unreachable").count(), 1, "{}", away.out);
}
