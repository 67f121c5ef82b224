//! Switches on real pods, under load.

use crate::stage::Stage;

#[test]
fn a_good_release_is_switched_to_and_back_without_a_lost_request() {
    let Some(stage) = Stage::up("switches") else { return };
    let (kept, new) = (stage.offer(100, false), stage.offer(50, true));
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
        stage.kubectl(&["rollout", "status", &format!("deployment/tenant-{old}"), "--timeout=600s"]);
    }
    kept.end().none_lost();
    new.end().none_lost();
}
