//! Bad releases and meddling on real pods: each is found, and put back, refused or left to a person.

use crate::stage::{Cli, Done, Setup, Stage, until};

const RUN: [&str; 13] = [
    "switchover",
    "run",
    "tenant",
    "--to",
    "green",
    "--yes",
    "--bake",
    "20s",
    "--max-bake",
    "60s",
    "--baseline",
    "6s",
    "--accept-local-guardian",
];

fn run(stage: &Stage) -> Done {
    stage.ask(&RUN)
}

/// Starts a run and waits until green has the traffic.
fn promoted(stage: &Stage) -> Cli {
    let mut run = stage.start(&RUN);
    until("green to get traffic", || run.has_ended() || stage.serving() == "green");
    if run.has_ended() {
        panic!("{:?}", run.wait());
    }
    run
}

fn put_back(stage: &Stage, done: &Done, why: &str) {
    assert_eq!(done.code, Some(1), "{}\n{}", done.out, done.err);
    assert!(done.out.contains(why), "{}\n{}", done.out, done.err);
    assert_eq!(stage.serving(), "blue");
}

#[test]
fn a_green_that_crashes_after_promotion_is_put_back() {
    let setup = Setup { faults: "crash-after=400", ..Setup::default() };
    let Some(stage) = Stage::with("crash", &setup) else { return };
    let load = stage.offer(100, true);
    put_back(&stage, &run(&stage), "processes of green exited");
    let requests = load.end();
    assert!(requests.ok > requests.failed * 3, "{requests:?}");
}

#[test]
fn a_green_with_errors_is_put_back() {
    let setup = Setup { faults: "error-rate=30%:after=200", ..Setup::default() };
    let Some(stage) = Stage::with("errors", &setup) else { return };
    let load = stage.offer(100, false);
    put_back(&stage, &run(&stage), "tenant-availability: ");
    load.end();
}

#[test]
fn a_green_that_cannot_serve_is_refused_with_its_reason() {
    let setup = Setup { image: Some("interlock/nowhere:1"), ..Setup::default() };
    let Some(stage) = Stage::with("image", &setup) else { return };
    let refused = |why: &str| {
        until(why, || {
            let plan = stage.ask(&["switchover", "plan", "tenant", "--to", "green"]);
            assert_eq!(plan.code, Some(3), "{plan:?}");
            plan.err.replace('\n', " ").contains(why)
        });
    };
    refused("ErrImageNeverPull");

    let patch = |patch: &str| stage.kubectl(&["patch", "deployment", "tenant-green", "--type=json", "-p", patch]);
    let image = r#"{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"interlock/interlock:1"}"#;
    let nowhere = r#"{"op":"add","path":"/spec/template/spec/nodeSelector","value":{"where":"nowhere"}}"#;
    stage.kubectl(&["scale", "deployment", "tenant-green", "--replicas=0"]);
    patch(&format!("[{image},{nowhere}]"));
    stage.kubectl(&["scale", "deployment", "tenant-green", "--replicas=2"]);
    refused("Unschedulable");

    let anywhere = r#"{"op":"remove","path":"/spec/template/spec/nodeSelector"}"#;
    let path = "/spec/template/spec/containers/0/readinessProbe/httpGet/path";
    let unready = format!(r#"{{"op":"replace","path":"{path}","value":"/nothing"}}"#);
    stage.kubectl(&["scale", "deployment", "tenant-green", "--replicas=0"]);
    patch(&format!("[{anywhere},{unready}]"));
    stage.kubectl(&["scale", "deployment", "tenant-green", "--replicas=2"]);
    refused("ContainersNotReady");
    assert_eq!(stage.serving(), "blue");
}

#[test]
fn a_selector_that_somebody_edits_in_the_middle_is_left_to_a_person() {
    let Some(stage) = Stage::up("edited") else { return };
    let load = stage.offer(100, true);
    let run = promoted(&stage);
    stage.kubectl(&["patch", "service", "tenant", "-p", r#"{"spec":{"selector":{"slot":"canary"}}}"#]);
    let done = run.wait();
    assert_eq!(done.code, Some(5), "{}\n{}", done.out, done.err);
    assert!(done.out.contains("slot=canary"), "{}", done.out);
    assert_eq!(stage.serving(), "canary");
    load.end();
}

#[test]
fn another_manager_of_the_selector_is_refused_with_the_mend() {
    let Some(stage) = Stage::up("managed") else { return };
    stage.kubectl(&["label", "service", "tenant", "kustomize.toolkit.fluxcd.io/name=shop"]);
    let plan = stage.ask(&["switchover", "plan", "tenant", "--to", "green"]);
    assert_eq!(plan.code, Some(3), "{plan:?}");
    assert!(plan.out.contains("Flux keeps services/tenant in step"), "{}", plan.out);
    assert!(plan.out.contains("flux suspend kustomization"), "{}", plan.out);

    stage.kubectl(&["label", "service", "tenant", "kustomize.toolkit.fluxcd.io/name-"]);
    let owned =
        r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"tenant"},"spec":{"selector":{"slot":"blue"}}}"#;
    let file = stage.folder().join("owned.json");
    std::fs::write(&file, owned).unwrap();
    let file = file.to_str().unwrap();
    stage.kubectl(&["apply", "--server-side", "--force-conflicts", "--field-manager=shop-operator", "-f", file]);
    let plan = stage.ask(&["switchover", "plan", "tenant", "--to", "green"]);
    assert_eq!(plan.code, Some(3), "{plan:?}");
    assert!(plan.out.contains("`shop-operator` owns spec.selector.slot"), "{}", plan.out);
}

#[test]
fn an_autoscaler_of_the_old_slot_stands_in_the_way_of_scaling_it_down() {
    let Some(stage) = Stage::up("autoscaled") else { return };
    stage.kubectl(&["autoscale", "deployment", "tenant-blue", "--min=2", "--max=4"]);
    let plan = stage.ask(&["switchover", "plan", "tenant", "--to", "green", "--scale-down-old"]);
    assert_eq!(plan.code, Some(3), "{plan:?}");
    assert!(plan.out.contains("HorizontalPodAutoscaler tenant-blue sets the scale"), "{}", plan.out);
}

#[test]
fn a_namespace_that_is_deleted_in_the_middle_ends_bounded_and_stuck() {
    let Some(stage) = Stage::up("deleted") else { return };
    let load = stage.offer(100, true);
    let run = promoted(&stage);
    stage.kubectl(&["delete", "namespace", &stage.namespace, "--wait=false"]);
    let done = run.wait();
    assert_eq!(done.code, Some(5), "{}\n{}", done.out, done.err);
    load.end();
}
