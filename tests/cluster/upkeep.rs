//! Restarting workloads, and taking pods away: only those that were meant, and none that a budget protects.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::{
    acts::{Evicted, Namespace, PodName},
    api_server::shared,
    stage::{Stage, until},
};

fn namespace(stage: &Stage) -> Namespace {
    let reach = stage.reach();
    stage.runtime.block_on(Namespace::connect(&reach.kubeconfig.unwrap(), &reach.namespace))
}

/// The code of an error that the server answered with.
fn code<T: std::fmt::Debug>(answer: kube::Result<T>) -> u16 {
    match answer {
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("{other:?}"),
    }
}

/// The pods of a slot that are not on their way out.
fn pods(stage: &Stage, slot: &str) -> Vec<PodName> {
    let line =
        "{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{.metadata.uid}}\n{{end}}{{end}}";
    let listed = stage.kubectl(&["get", "pods", "-l", &format!("slot={slot}"), "-o", &format!("go-template={line}")]);
    let pod = |line: &str| {
        let (name, uid) = line.split_once(' ').unwrap();
        PodName { name: name.to_owned(), uid: uid.to_owned() }
    };
    listed.lines().map(pod).collect()
}

fn uids(stage: &Stage, slot: &str) -> BTreeSet<String> {
    pods(stage, slot).into_iter().map(|pod| pod.uid).collect()
}

fn other(pod: &PodName) -> PodName {
    PodName { uid: "00000000-0000-0000-0000-000000000000".to_owned(), ..pod.clone() }
}

#[test]
fn evictions_go_by_the_budget_and_by_the_pods_identity() {
    let Some(stage) = Stage::up("rbac-evict") else { return };
    let namespace = namespace(&stage);
    let evict = |pod: &PodName| stage.runtime.block_on(namespace.evict_pod(pod, Some(Duration::from_secs(1))));
    let allowed = || stage.runtime.block_on(namespace.allowed("tenant-blue"));
    until("the budget to be counted", || allowed() == 1);

    let [first, _] = &pods(&stage, "blue")[..] else { panic!("two pods") };
    assert_eq!(code(evict(&other(first))), 409);
    assert_eq!(pods(&stage, "blue").len(), 2);

    let patch = |budget: &str| stage.kubectl(&["patch", "pdb", "tenant-blue", "--type=merge", "-p", budget]);
    patch(r#"{"spec":{"maxUnavailable":0}}"#);
    until("the budget to be used up", || allowed() == 0);
    let begun = Instant::now();
    let Evicted::Blocked { why } = evict(first).unwrap() else { panic!("a budget of nothing was passed") };
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert!(why.contains("tenant-blue"), "{why}");
    assert!(uids(&stage, "blue").contains(&first.uid));

    patch(r#"{"spec":{"maxUnavailable":1}}"#);
    until("the budget to allow one", || allowed() == 1);
    assert_eq!(evict(first).unwrap(), Evicted::Done);
    until("the pod to go", || !uids(&stage, "blue").contains(&first.uid));
    assert_eq!(code(evict(&PodName { name: "nobody".to_owned(), ..first.clone() })), 404);
}

#[test]
fn restarts_replace_every_pod_and_deletions_the_one_that_was_meant() {
    let Some(stage) = Stage::up("rbac-upkeep") else { return };
    let namespace = namespace(&stage);
    let before = uids(&stage, "green");
    let now = "2026-11-21T09:30:00Z".parse().unwrap();
    stage.runtime.block_on(namespace.restart("tenant-green", now)).unwrap();
    stage.kubectl(&["rollout", "status", "deployment/tenant-green", "--timeout=600s"]);
    until("all pods to be others", || {
        let after = uids(&stage, "green");
        after.len() == 2 && after.is_disjoint(&before)
    });
    // The same time again changes nothing.
    let generation = || stage.kubectl(&["get", "deployment", "tenant-green", "-o", "jsonpath={.metadata.generation}"]);
    let was = generation();
    stage.runtime.block_on(namespace.restart("tenant-green", now)).unwrap();
    assert_eq!(generation(), was);

    let delete = |pod: &PodName| stage.runtime.block_on(namespace.delete_pod(pod, Some(Duration::ZERO)));
    let [first, second] = &pods(&stage, "green")[..] else { panic!("two pods") };
    assert_eq!(code(delete(&other(first))), 409);
    assert_eq!(uids(&stage, "green"), [first, second].map(|pod| pod.uid.clone()).into());
    delete(first).unwrap();
    until("the pod to go", || !uids(&stage, "green").contains(&first.uid));
    assert!(uids(&stage, "green").contains(&second.uid));
}

#[test]
fn schedules_are_read() {
    let Some(stage) = Stage::bare("rbac-cron", shared) else { return };
    let namespace = namespace(&stage);
    let job = "{restartPolicy: Never, containers: [{name: nothing, image: interlock/nowhere:1}]}";
    for (name, suspend) in [("nightly", "true"), ("hourly", "false")] {
        stage.apply(&format!(
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: {name}}}\n\
             spec: {{schedule: \"0 0 1 1 *\", suspend: {suspend}, jobTemplate: {{spec: {{template: {{spec: {job}}}}}}}}}\n"
        ));
    }
    let found = stage.runtime.block_on(namespace.schedules()).unwrap();
    let told: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.schedule.as_str(), one.suspended)).collect();
    assert_eq!(told, [("hourly", "0 0 1 1 *", false), ("nightly", "0 0 1 1 *", true)]);
}
