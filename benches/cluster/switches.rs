//! Requests that are lost in switches back and forth, with the old slot scaled to nothing each time; the same by kubectl.

use std::time::{Duration, Instant};

use crate::stage::{Load, Stage, until};

/// Requests a second over kept-alive connections, and over a new one each.
const KEPT: u32 = 500;
const NEW: u32 = 500;
/// How far apart switches begin, where they do not take longer.
const APART: Duration = Duration::from_secs(15);

struct Lost {
    offered: u64,
    failed: u64,
}

/// Measures both and prints them; says whether the bar was met.
pub fn measure() -> bool {
    let switches: u32 = std::env::var("INTERLOCK_BENCH_SWITCHES").map_or(20, |text| text.parse().unwrap());
    println!("\nlost requests in {switches} switches, {} requests/s, half of them over new connections", KEPT + NEW);
    println!("{:<42}  {:>10}  {:>8}  {:>9}", "", "offered", "failed", "seconds");
    let ours = series("interlock, with bake and scale-down", switches, by_interlock);
    series("kubectl patch, then scale down", switches, by_kubectl);
    ours.failed == 0
}

fn series(title: &str, switches: u32, switch: impl Fn(&Stage, &str, &str)) -> Lost {
    let stage = Stage::up("bench-switches").unwrap();
    let begun = Instant::now();
    let loads = [stage.offer(KEPT, false), stage.offer(NEW, true)];
    std::thread::sleep(Duration::from_secs(2));
    let (mut old, mut new) = ("blue", "green");
    for _ in 0..switches {
        let began = Instant::now();
        switch(&stage, old, new);
        // The old slot comes back for the next one.
        stage.kubectl(&["scale", "deployment", &format!("tenant-{old}"), "--replicas=2"]);
        stage.kubectl(&["rollout", "status", &format!("deployment/tenant-{old}"), "--timeout=120s"]);
        std::thread::sleep(APART.saturating_sub(began.elapsed()));
        (old, new) = (new, old);
    }
    let ended = loads.map(Load::end);
    for one in ended.iter().filter(|one| one.failed > 0) {
        println!("  such as {}", one.examples);
    }
    let failed = ended.iter().map(|one| one.failed).sum();
    let lost = Lost { offered: failed + ended.iter().map(|one| one.ok).sum::<u64>(), failed };
    println!("{title:<42}  {:>10}  {:>8}  {:>9}", lost.offered, lost.failed, begun.elapsed().as_secs());
    lost
}

fn by_interlock(stage: &Stage, old: &str, new: &str) {
    let done = stage.ask(&[
        "switchover",
        "run",
        "tenant",
        "--to",
        new,
        "--yes",
        "--bake",
        "3s",
        "--max-bake",
        "60s",
        "--baseline",
        "3s",
        "--scale-down-old",
        "--accept-local-guardian",
    ]);
    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    gone(stage, old);
}

fn by_kubectl(stage: &Stage, old: &str, new: &str) {
    let patch = format!(r#"{{"spec":{{"selector":{{"slot":"{new}"}}}}}}"#);
    stage.kubectl(&["patch", "service", "tenant", "-p", &patch]);
    stage.kubectl(&["scale", "deployment", &format!("tenant-{old}"), "--replicas=0"]);
    gone(stage, old);
}

/// Waits until no pod of a slot is left.
fn gone(stage: &Stage, slot: &str) {
    let selector = format!("--selector=slot={slot}");
    until("the old pods to go", || stage.kubectl(&["get", "pods", &selector, "--output=name"]).is_empty());
}
