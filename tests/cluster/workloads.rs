//! Slots behind other kinds than Deployments, and pods that end.

use std::time::Duration;

use interlock::{
    adapters::{Cluster, KubePlatform, ServiceInCluster, WorkloadName},
    model::{Epoch, Slot},
    ports::{Fence, Field, Replica, Workload as _},
};
use serde_json::{Value, json};

use crate::{
    api_server::shared,
    contract,
    stage::{Stage, selector, until},
};

const IMAGE: &str = "interlock/interlock:1";

/// Pods that run until they are told to end.
fn template(labels: &Value, lab: &[&str]) -> Value {
    json!({ "metadata": { "labels": labels },
            "spec": { "terminationGracePeriodSeconds": 0,
                      "containers": [{ "name": "tenant", "image": IMAGE, "imagePullPolicy": "Never", "args": lab }] } })
}

const SERVE: [&str; 13] = [
    "lab",
    "serve",
    "tenant",
    "--listen",
    "0.0.0.0:8080",
    "--admin",
    "0.0.0.0:9090",
    "--replica",
    "one",
    "--slot",
    "blue",
    "--release",
    "1.0.0",
];

fn workload(kind: &str, name: &str, replicas: u32, labels: &Value, lab: &[&str]) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": { "name": name, "labels": labels },
        "spec": { "replicas": replicas, "selector": { "matchLabels": labels }, "template": template(labels, lab) },
    });
    if kind == "StatefulSet" {
        object["spec"]["serviceName"] = json!(name);
        object["spec"]["podManagementPolicy"] = json!("Parallel");
    }
    object
}

fn platform(stage: &Stage, blue: &str, green: &str) -> KubePlatform {
    let service = ServiceInCluster {
        name: "tenant".to_owned(),
        workloads: [blue, green].map(|name| WorkloadName::parse(name).unwrap()),
        routing: selector(None),
        identity: ("/version".to_owned(), Field::Header("x-lab-slot".to_owned())),
        telling: None,
    };
    let cluster = stage.runtime.block_on(Cluster::connect(&stage.reach())).unwrap();
    let _entered = stage.runtime.enter();
    KubePlatform::new(&cluster, service).unwrap()
}

fn replicas(stage: &Stage, platform: &KubePlatform, slot: Slot) -> Vec<Replica> {
    stage.runtime.block_on(platform.replicas(slot)).unwrap()
}

#[test]
fn stateful_sets_and_what_a_rollout_leaves_are_slots() {
    let Some(stage) = Stage::bare("kinds", shared) else { return };
    let version = "app.kubernetes.io/version";
    let rollout =
        |hash: &str, release: &str| json!({ "app": "tenant", "slot": "blue", "hash": hash, version: release });
    for object in [
        workload("ReplicaSet", "tenant-old", 1, &rollout("a", "1.0.0"), &SERVE),
        workload("ReplicaSet", "tenant-new", 2, &rollout("b", "1.1.0"), &SERVE),
        workload("StatefulSet", "tenant", 2, &json!({ "app": "tenant", "slot": "green" }), &SERVE),
    ] {
        stage.apply(&object.to_string());
    }
    // As a rollout counts; by their ages, which are told in whole seconds, the two may be the same.
    for (name, revision) in [("tenant-old", 1), ("tenant-new", 2)] {
        stage.kubectl(&["annotate", "replicaset", name, &format!("rollout.argoproj.io/revision={revision}")]);
    }
    let by_labels = || platform(&stage, "replicaset/app=tenant,slot=blue", "statefulset/tenant");

    // Both are scaled up, as in the middle of a rollout.
    let both = by_labels();
    let refused = stage.runtime.block_on(both.scale(Slot::Blue)).unwrap_err().to_string();
    let told =
        "several are scaled up: tenant-new, tenant-old; let the rollout finish, or scale down all but the slot's own";
    assert!(refused.ends_with(told), "{refused}");
    assert!(stage.runtime.block_on(both.set_scale(Slot::Blue, 0, &Fence { epoch: Epoch(1), from: 1 })).is_err());

    // The old one has pods until it is scaled down; they are none of the slot's.
    stage.kubectl(&["scale", "replicaset", "tenant-old", "--replicas=0"]);
    stage.kubectl(&["rollout", "status", "statefulset/tenant", "--timeout=300s"]);
    let settled = by_labels();
    until("the new ReplicaSet's pods to be up", || {
        let blue = replicas(&stage, &settled, Slot::Blue);
        blue.len() == 2 && blue.iter().all(|replica| replica.ready)
    });
    let blue = replicas(&stage, &settled, Slot::Blue);
    assert!(blue.iter().all(|one| one.name.starts_with("tenant-new-") && one.version == "1.1.0"), "{blue:?}");
    assert_eq!(stage.runtime.block_on(settled.scale(Slot::Blue)).unwrap(), 2);
    let mut green = replicas(&stage, &settled, Slot::Green);
    green.sort_by(|a, b| a.name.cmp(&b.name));
    let told: Vec<_> = green.iter().map(|one| (one.name.as_str(), one.version.as_str(), one.ready)).collect();
    assert_eq!(told, [("tenant-0", IMAGE, true), ("tenant-1", IMAGE, true)]);

    stage.runtime.block_on(contract::scale_is_followed(&settled));
    stage.runtime.block_on(settled.set_scale(Slot::Blue, 0, &Fence { epoch: Epoch(50), from: 2 })).unwrap();
    let scale = |name: &str| stage.kubectl(&["get", "replicaset", name, "-o", "jsonpath={.spec.replicas}"]);
    assert_eq!((scale("tenant-old"), scale("tenant-new")), ("0".to_owned(), "0".to_owned()));
    until("no pod of blue to be left", || replicas(&stage, &settled, Slot::Blue).is_empty());
    // A slot that was scaled to nothing comes back as the release that it was, also for whoever looks it up anew.
    stage.runtime.block_on(by_labels().set_scale(Slot::Blue, 1, &Fence { epoch: Epoch(51), from: 0 })).unwrap();
    assert_eq!((scale("tenant-old"), scale("tenant-new")), ("0".to_owned(), "1".to_owned()));
}

#[test]
fn every_end_of_a_container_is_counted_and_a_failed_pod_is_none() {
    let Some(stage) = Stage::bare("ends", shared) else { return };
    let labels = json!({ "app": "tenant", "slot": "green" });
    // Nothing of that name can be served: it exits at once, and is started again.
    stage.apply(&workload("Deployment", "crashing", 1, &labels, &["lab", "serve", "nothing"]).to_string());
    let mut failed = template(&labels, &["lab", "serve", "nothing"]);
    failed["apiVersion"] = json!("v1");
    failed["kind"] = json!("Pod");
    failed["metadata"]["name"] = json!("failed");
    failed["spec"]["restartPolicy"] = json!("Never");
    // Of no ReplicaSet, which would take it for its own and delete it.
    failed["metadata"]["labels"] = json!({ "app": "tenant", "slot": "blue" });
    stage.apply(&failed.to_string());
    stage.apply(&workload("Deployment", "quiet", 0, &json!({ "app": "tenant", "slot": "blue" }), &SERVE).to_string());
    let platform = platform(&stage, "deployment/quiet", "deployment/crashing");

    let crashed = |field: &str| {
        let path = format!("jsonpath={{.items[0].status.containerStatuses[0].{field}}}");
        stage.kubectl(&["get", "pods", "--selector=slot=green", "-o", &path])
    };
    // Between the reads it may have ended once more; a look counts when nothing has moved around it.
    let mut most = 0;
    until("it to have ended thrice", || {
        let look = || ["restartCount", "state", "lastState"].map(crashed);
        let before = look();
        // The watch may be a moment behind what is read here.
        std::thread::sleep(Duration::from_millis(300));
        let counted = replicas(&stage, &platform, Slot::Green);
        if let ([one], true, Ok(restarts)) = (counted.as_slice(), before == look(), before[0].parse::<u64>()) {
            // Whoever does not run has ended once more than it was started again.
            let [_, state, last] = &before;
            let down = !state.contains("running") && (state.contains("terminated") || last.contains("terminated"));
            assert_eq!(one.exits, restarts + u64::from(down), "{before:?}");
            most = most.max(one.exits);
        }
        most >= 3
    });

    until("the pod to fail", || stage.kubectl(&["get", "pod", "failed", "-o", "jsonpath={.status.phase}"]) == "Failed");
    until("nothing to be left of blue", || replicas(&stage, &platform, Slot::Blue).is_empty());
}
