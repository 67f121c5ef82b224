//! Switches on real pods, under load.

use serde_json::Value;

use crate::stage::{Done, Stage};

/// The counts that a load reports.
pub fn counts(done: &Done) -> (u64, u64) {
    // It ends in 1 where a request has failed.
    assert!(matches!(done.code, Some(0 | 1)), "{done:?}");
    let report: Value = serde_json::from_str(&done.out).unwrap();
    (report["ok"].as_u64().unwrap(), report["failed"].as_u64().unwrap())
}

/// All requests of a load that were sent were answered well, and most of them were sent: a busy machine may be too late to
/// offer the others, which no platform has lost.
pub fn none_lost(done: &Done, offered: u64) {
    let (ok, failed) = counts(done);
    let report: Value = serde_json::from_str(&done.out).unwrap();
    let unsent = report["failures"]["not_sent"].as_u64().unwrap();
    let told = done.out.split("\"latency\"").next().unwrap_or_default();
    assert_eq!((ok + unsent, failed), (offered, unsent), "{told}");
    assert!(unsent < offered / 2, "{told}");
}

#[test]
fn a_good_release_is_switched_to_and_back_without_a_lost_request() {
    let Some(stage) = Stage::up("switches") else { return };
    let (kept, new) = (stage.offer(200, 70, false), stage.offer(100, 70, true));
    for to in ["green", "blue", "green"] {
        let done = stage.ask(&[
            "switchover",
            "run",
            "tenant",
            "--to",
            to,
            "--yes",
            "--bake",
            "3s",
            "--max-bake",
            "30s",
            "--baseline",
            "6s",
            "--scale-down-old",
            "--accept-local-guardian",
        ]);
        assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
        assert_eq!(stage.serving(), to);
        let old = if to == "green" { "blue" } else { "green" };
        let scale = ["get", "deployment", &format!("tenant-{old}"), "-o", "jsonpath={.spec.replicas}"];
        assert_eq!(stage.kubectl(&scale), "0");
        stage.kubectl(&["scale", "deployment", &format!("tenant-{old}"), "--replicas=2"]);
        stage.kubectl(&["rollout", "status", &format!("deployment/tenant-{old}"), "--timeout=120s"]);
    }
    none_lost(&kept.wait(), 14_000);
    none_lost(&new.wait(), 7_000);
}
