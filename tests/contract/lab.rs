//! The contract over a real lab, and that it mends itself and leaves nothing behind.

use std::{fs, path::Path, time::Duration};

use interlock::{
    lab::{self, LabPlatform, Release, SlotStatus, load, supervisor},
    model::{Epoch, Slot, Weights},
    ports::{Fence, Requests, Route, Traffic, Workload},
    process::Signal,
};
use tokio_util::sync::CancellationToken;

use crate::contract::{self, PATH, until};

const READY: Duration = Duration::from_secs(120);
/// How long the gateway waits for a replica: long enough for a replica on a busy machine, and for a second try to be seen.
const UPSTREAM: Duration = Duration::from_secs(10);

fn release(version: &str, faults: &[&str]) -> Release {
    Release { version: version.into(), faults: faults.iter().map(|fault| fault.parse().unwrap()).collect() }
}

/// Ends the lab also when the test fails.
struct Ends<'a>(&'a Path);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        let _ = lab::end(self.0);
    }
}

async fn start(folder: &Path) -> LabPlatform {
    let options = supervisor::Options {
        folder: folder.to_owned(),
        interlock: env!("CARGO_BIN_EXE_interlock").into(),
        blue: release("1.0.0", &[]),
        green: release("1.1.0", &[]),
        replicas: 2,
        upstream_timeout: UPSTREAM,
        prometheus: false,
        features: lab::Features::default(),
        services: None,
        database: None,
    };
    let lab = lab::start(&options, READY).await.unwrap();
    lab.settled(READY).await.unwrap();
    lab.into()
}

/// Processes whose arguments or environment name the folder.
fn survivors(folder: &Path) -> Vec<String> {
    let needle = folder.to_str().unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.parse::<u32>().is_err() || name == std::process::id().to_string() {
            continue;
        }
        let text = |file| {
            fs::read(entry.path().join(file)).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
        };
        if text("cmdline").contains(needle) || text("environ").contains(needle) {
            found.push(format!("{name}: {}", text("cmdline").replace('\0', " ")));
        }
    }
    found
}

#[tokio::test]
async fn a_real_lab_keeps_the_contract_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("lab");
    {
        let _ends = Ends(&folder);
        let platform = start(&folder).await;
        assert!(survivors(&folder).len() >= 6, "the search for survivors finds what runs");
        contract::weights_are_idempotent(&platform, Weights::giving(Slot::Green, 50)).await;
        contract::a_stale_epoch_is_refused(&platform).await;
        contract::a_wrong_from_is_refused(&platform).await;
        contract::parts_are_refused(&platform).await;
        contract::live_requests_follow_the_weights(&platform).await;
        contract::live_requests_are_shared(&platform).await;
        contract::previews_reach_their_slot(&platform).await;
        contract::scale_is_followed(&platform).await;
        contract::a_fence_keeps_the_value_and_refuses_earlier_epochs(&platform).await;
        contract::nothing_is_in_flight(&platform).await;

        a_gateway_that_was_killed_serves_the_same_weights(&platform).await;
        a_replica_that_was_killed_fails_no_request(&platform).await;
        a_release_is_replaced_without_a_failure(&platform).await;
        a_hanging_request_is_seen_and_times_out(&platform).await;
        a_crash_is_counted(&platform).await;
    }
    assert!(!folder.join("lab.json").exists());
    let left: Vec<_> = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, [".interlock-lab", "logs"]);
    assert_eq!(survivors(&folder), Vec::<String>::new());
}

#[tokio::test]
async fn nothing_outlives_a_supervisor_that_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("lab");
    let _ends = Ends(&folder);
    let platform = start(&folder).await;
    assert!(platform.lab().file.supervisor.signal(Signal::SIGKILL).unwrap());
    until("the kernel has ended all of them", async || survivors(&folder).is_empty()).await;
    assert!(LabPlatform::open(&folder).is_err());
    assert_eq!(lab::end(&folder).unwrap(), vec![]);
    assert!(LabPlatform::open(&folder).is_err());
}

async fn kill(platform: &LabPlatform, name: &str) {
    let status = platform.lab().status().await.unwrap();
    let part = status.parts.into_iter().find(|part| part.name == name).unwrap();
    assert!(part.identity.unwrap().signal(Signal::SIGKILL).unwrap());
}

async fn exits(platform: &LabPlatform, name: &str) -> u64 {
    platform.lab().status().await.unwrap().parts.iter().find(|part| part.name == name).map_or(0, |part| part.exits)
}

async fn a_gateway_that_was_killed_serves_the_same_weights(platform: &LabPlatform) {
    let (blue, some) = (Weights::all(Slot::Blue), Weights::giving(Slot::Green, 40));
    platform.set_weights(&some, &Fence { epoch: Epoch(90), from: blue }).await.unwrap();
    kill(platform, "gateway").await;
    until("the gateway is back", async || exits(platform, "gateway").await == 1 && platform.weights().await.is_ok())
        .await;
    assert_eq!(platform.weights().await.unwrap(), some);
    let stale = platform.set_weights(&blue, &Fence { epoch: Epoch(89), from: some }).await;
    assert!(stale.is_err(), "the epoch is kept as well");
    platform.set_weights(&blue, &Fence { epoch: Epoch(90), from: some }).await.unwrap();
    platform.lab().settled(READY).await.unwrap();
}

async fn load(platform: &LabPlatform, meanwhile: impl Future<Output = ()>) -> load::Report {
    let spec = load::Spec::new(platform.lab().file.gateway, PATH, 200.0, Duration::from_secs(4));
    let stop = CancellationToken::new();
    let (report, ()) = tokio::join!(load::run(spec, stop, |_| {}), meanwhile);
    report.unwrap()
}

async fn a_replica_that_was_killed_fails_no_request(platform: &LabPlatform) {
    let report = load(platform, async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        kill(platform, "tenant-blue-0").await;
    })
    .await;
    assert_eq!((report.ok, report.failed), (800, 0), "{:?}", report.examples);
    assert_eq!(exits(platform, "tenant-blue-0").await, 1);
    platform.lab().settled(READY).await.unwrap();
}

async fn a_release_is_replaced_without_a_failure(platform: &LabPlatform) {
    let report = load(platform, async {
        platform.lab().set_release(Slot::Blue, &release("1.0.1", &[])).await.unwrap();
    })
    .await;
    assert_eq!((report.ok, report.failed), (800, 0), "{:?}", report.examples);
    platform.lab().settled(READY).await.unwrap();
    assert!(platform.replicas(Slot::Blue).await.unwrap().iter().all(|replica| replica.version == "1.0.1"));
    assert_eq!(exits(platform, "tenant-blue-0").await, 1, "a replacement is no exit");
}

async fn deploy_green(platform: &LabPlatform, version: &str, fault: &str) {
    platform.lab().set_release(Slot::Green, &release(version, &[fault])).await.unwrap();
    until("green runs it", async || {
        let SlotStatus { release, .. } = &platform.lab().status().await.unwrap().slots[1];
        release.version == version
            && platform.replicas(Slot::Green).await.unwrap().iter().all(|r| r.version == version && r.ready)
    })
    .await;
    platform.lab().settled(READY).await.unwrap();
}

async fn a_hanging_request_is_seen_and_times_out(platform: &LabPlatform) {
    deploy_green(platform, "1.2.0", "hang").await;
    let hanging = platform.get(Route::Preview(Slot::Green), PATH, READY);
    let (reply, ()) = tokio::join!(hanging, async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let seen = platform.in_flight(Slot::Green, Duration::from_millis(300)).await.unwrap();
        assert_eq!((seen.count, seen.older), (1, 1));
        assert!(seen.oldest >= Duration::from_millis(300));
        assert!(seen.examples[0].starts_with("GET /tenants/7 for "), "{:?}", seen.examples);
        assert_eq!(platform.in_flight(Slot::Green, Duration::from_secs(60)).await.unwrap().older, 0);
        assert_eq!(platform.in_flight(Slot::Blue, Duration::ZERO).await.unwrap().count, 0);
    });
    let reply = reply.unwrap();
    assert_eq!(reply.status, 504);
    assert!((UPSTREAM..2 * UPSTREAM).contains(&reply.took), "the gateway's timeout, and once: {:?}", reply.took);
    contract::nothing_is_in_flight(platform).await;
}

async fn a_crash_is_counted(platform: &LabPlatform) {
    deploy_green(platform, "1.3.0", "crash-after=0").await;
    let _ = platform.get(Route::Preview(Slot::Green), PATH, READY).await;
    until("the crash is counted", async || {
        platform.replicas(Slot::Green).await.unwrap().iter().any(|replica| replica.exits > 0)
    })
    .await;
}
