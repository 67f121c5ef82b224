//! Faults of the cluster itself, and of whoever operates on it, in the middle of a run.

use std::{fs, path::Path, time::Duration};

use interlock::{
    model::{Epoch, Slot},
    ports::{Fence, Workload as _},
    process::{Identity, Signal},
};

use crate::{
    api_server::ApiServer,
    contract,
    stage::{Cli, Stage, until},
};

const RUN: [&str; 12] =
    ["switchover", "run", "tenant", "--to", "green", "--yes", "--bake", "25s", "--max-bake", "60s", "--baseline", "6s"];

fn start(stage: &Stage, more: &[&str]) -> Cli {
    stage.start(&[&RUN, more].concat())
}

fn promoted(stage: &Stage, mut run: Cli) -> Cli {
    until("green to get traffic", || run.has_ended() || stage.serving() == "green");
    if run.has_ended() {
        panic!("it has ended before: {:?}", run.wait());
    }
    run
}

/// The newest run, as `runs list` names it.
fn newest(stage: &Stage) -> (String, String) {
    let listed = stage.ask(&["runs", "list", "-o", "json"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let runs: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    let run = runs.as_array().unwrap().last().unwrap().clone();
    (run["run"].as_str().unwrap().to_owned(), run["state"].to_string())
}

fn put_back(stage: &Stage) {
    until("blue to have the traffic back", || stage.serving() == "blue");
    until("the run to be over", || newest(stage).1.contains("interrupted"));
}

#[test]
fn a_silent_api_server_is_outlasted() {
    let Some(stage) = Stage::up_alone("silent") else { return };
    let load = stage.offer(100, true);
    let run = promoted(&stage, start(&stage, &["--accept-local-guardian"]));
    std::thread::sleep(Duration::from_secs(3));
    ApiServer::find().silent_for(Duration::from_secs(10));
    let done = run.wait();
    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    assert_eq!(stage.serving(), "green");
    assert_eq!(stage.ask(&["runs", "verify"]).code, Some(0));
    load.end().none_lost();
}

#[test]
fn a_watch_that_has_expired_begins_anew() {
    let Some(stage) = Stage::up_alone("expired") else { return };
    let platform = stage.platform();
    stage.runtime.block_on(async {
        assert_eq!(platform.replicas(Slot::Green).await.unwrap().len(), 2);
    });
    // What the watch had seen last is compacted away, so that the server answers with 410 Gone.
    let server = ApiServer::find();
    server.restart(|| {
        server.compact_history();
    });
    stage.kubectl(&["scale", "deployment", "tenant-green", "--replicas=1"]);
    stage.runtime.block_on(contract::until("the watch to see what happened meanwhile", async || {
        platform.replicas(Slot::Green).await.is_ok_and(|replicas| replicas.len() == 1)
    }));
    stage.runtime.block_on(platform.set_scale(Slot::Green, 2, &Fence { epoch: Epoch(1), from: 1 })).unwrap();
    // The next test shall find a cluster that follows.
    Stage::until_all_follow();
}

#[test]
fn a_killed_operator_is_put_back_by_the_guardian_in_the_cluster() {
    let Some(stage) = Stage::up("guarded") else { return };
    stage.guardian();
    let load = stage.offer(100, true);
    let run = promoted(&stage, start(&stage, &[]));
    run.kill_group();
    put_back(&stage);
    load.end().none_lost();
    let told = stage.kubectl(&["get", "lease,configmap,events"]);
    assert!(told.contains("interlock-tenant") && told.contains("TrafficMoved"), "{told}");
}

#[test]
fn a_killed_operator_is_put_back_from_another_machine() {
    let Some(stage) = Stage::up("elsewhere") else { return };
    let load = stage.offer(100, true);
    let run = promoted(&stage, start(&stage, &["--accept-local-guardian"]));
    // The whole machine is lost: the operator, and its guardian.
    let (id, _) = newest(&stage);
    let guardian = stage.folder().join(".interlock/guardians").join(&id).join("guardian.json");
    let guardian: Identity = serde_json::from_slice(&fs::read(guardian).unwrap()).unwrap();
    assert!(guardian.signal(Signal::SIGKILL).unwrap());
    run.kill_group();
    let recovered = stage.start_from(&another_home(&stage), &["runs", "recover", &id]).wait();
    assert_eq!(recovered.code, Some(7), "{recovered:?}");
    put_back(&stage);
    load.end().none_lost();
}

/// A folder with nothing but the platform file.
fn another_home(stage: &Stage) -> std::path::PathBuf {
    let home = stage.folder().join("another");
    fs::create_dir(&home).unwrap();
    for file in ["interlock.yaml", "slo.yaml"] {
        fs::copy(stage.folder().join(file), Path::new(&home).join(file)).unwrap();
    }
    home
}

#[test]
fn an_operator_that_has_lost_its_lease_writes_nothing_more() {
    let Some(stage) = Stage::up("superseded") else { return };
    let load = stage.offer(100, true);
    let run = promoted(&stage, start(&stage, &["--accept-local-guardian"]));
    run.signal(Signal::SIGSTOP);
    let aborted = stage.start_from(&another_home(&stage), &["switchover", "abort", "tenant"]).wait();
    assert_eq!(aborted.code, Some(7), "{aborted:?}");
    let version = |kind: &str| stage.kubectl(&["get", kind, "-o", "jsonpath={.items[*].metadata.resourceVersion}"]);
    let before = (version("services"), version("configmaps"));
    run.signal(Signal::SIGCONT);
    let done = run.wait();
    assert_eq!(done.code, Some(7), "{}\n{}", done.out, done.err);
    assert_eq!((version("services"), version("configmaps")), before);
    assert_eq!(stage.serving(), "blue");
    load.end();
}
