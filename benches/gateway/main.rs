//! The highest open-loop rate that the lab's gateway serves on this machine with a p99 below 20 ms.
//!
//! Load, gateway and replicas share the machine, so this is the figure of the lab as a whole. A rate counts only if it
//! holds several times in a row: near the edge a single run passes by luck, more so while others use the machine.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use interlock::lab::{self, Lab, Release, load, supervisor};
use tokio_util::sync::CancellationToken;

/// The rate that has to be reached, a second.
const BAR: f64 = 5_000.0;
/// The p99 that a rate has to stay below, in milliseconds.
const P99_MS: f64 = 20.0;
/// How often in a row a rate has to hold.
const TIMES: usize = 3;
/// How long each rate is offered each time.
const STEP: Duration = Duration::from_secs(5);
/// How long the search may take.
const BUDGET: Duration = Duration::from_secs(120);
/// How near the search comes to the highest rate.
const RESOLUTION: f64 = 1.15;
const READY: Duration = Duration::from_secs(30);

fn main() -> anyhow::Result<ExitCode> {
    let dir = tempfile::tempdir()?;
    let folder = dir.path().join("lab");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let best = runtime.block_on(async {
        let release = Release { version: "1.0.0".into(), faults: vec![] };
        let options = supervisor::Options {
            folder: folder.clone(),
            interlock: env!("CARGO_BIN_EXE_interlock").into(),
            blue: release.clone(),
            green: release,
            replicas: 2,
            upstream_timeout: Duration::from_secs(10),
            prometheus: false,
            features: lab::Features::default(),
            services: None,
            database: None,
        };
        let lab = lab::start(&options, READY).await?;
        lab.settled(READY).await?;
        search(&lab).await
    });
    let left = lab::end(&folder)?;
    anyhow::ensure!(left.is_empty(), "processes are left: {left:?}");
    let best = best?;
    println!("load average {}", std::fs::read_to_string("/proc/loadavg")?.trim());
    println!(
        "highest rate {best:.0}/s with p99 < {P99_MS} ms and no failure, {TIMES} times in a row; the bar is {BAR:.0}/s"
    );
    Ok(if best >= BAR { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Doubles the rate until one does not hold, then halves the gap.
async fn search(lab: &Lab) -> anyhow::Result<f64> {
    let deadline = Instant::now() + BUDGET;
    let (mut good, mut bad) = (0.0, f64::INFINITY);
    let mut rate = BAR;
    while Instant::now() + STEP < deadline && (bad.is_infinite() || bad / f64::max(good, 1.0) > RESOLUTION) {
        if holds_each_time(lab, rate, deadline).await? {
            good = rate;
        } else {
            bad = rate;
        }
        rate = if bad.is_infinite() { rate * 2.0 } else { f64::midpoint(good, bad) };
    }
    Ok(good)
}

/// A rate for which the time does not suffice does not count.
async fn holds_each_time(lab: &Lab, rate: f64, deadline: Instant) -> anyhow::Result<bool> {
    for _ in 0..TIMES {
        if Instant::now() + STEP > deadline || !holds(lab, rate).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn holds(lab: &Lab, rate: f64) -> anyhow::Result<bool> {
    let spec = load::Spec::new(lab.file.gateway, "/tenants/7", rate, STEP);
    let report = load::run(spec, CancellationToken::new(), |_| {}).await.context("the load")?;
    let holds = report.failed == 0 && report.latency.p99_ms < P99_MS;
    println!(
        "{rate:>8.0}/s  p50 {:>8.2} ms  p99 {:>8.2} ms  failed {:>6}  {}",
        report.latency.p50_ms,
        report.latency.p99_ms,
        report.failed,
        if holds { "holds" } else { "does not hold" }
    );
    Ok(holds)
}
