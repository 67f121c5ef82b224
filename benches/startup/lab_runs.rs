//! Against a lab: how long a plan takes, and how long users stay on a release after the verdict on it.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, bail, ensure};
use interlock::{
    app,
    guard::{Entry, Verdict, entries},
    lab::{self, Lab, Release, load, supervisor},
    model::Slot,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Figure, median_and_worst,
    times::{command, measure},
};

const READY: Duration = Duration::from_secs(30);
/// How often a bad release is switched to.
const RUNS: usize = 5;
/// Requests of users a second, meanwhile.
const RATE: f64 = 500.0;
/// How long one run may take.
const LONGEST: Duration = Duration::from_secs(120);

/// All figures that need a lab.
///
/// # Errors
/// Where the lab does not come up, or a run ends otherwise than it should.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/lab");
    for file in ["interlock.yaml", "slo.yaml"] {
        fs::copy(at.join(file), folder.path().join(file))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let measured = runtime.block_on(measure_all(folder.path()));
    let left = lab::end(&folder.path().join(lab::DEFAULT_FOLDER))?;
    ensure!(left.is_empty(), "processes are left: {left:?}");
    measured
}

fn release(version: &str, fault: Option<&str>) -> Release {
    Release { version: version.to_owned(), faults: fault.map(str::to_owned).into_iter().collect() }
}

async fn measure_all(folder: &Path) -> anyhow::Result<Vec<Figure>> {
    let options = supervisor::Options {
        folder: folder.join(lab::DEFAULT_FOLDER),
        interlock: env!("CARGO_BIN_EXE_interlock").into(),
        blue: release("1.0.0", None),
        green: release("1.1.0", None),
        replicas: 2,
        upstream_timeout: Duration::from_secs(10),
        prometheus: true,
        features: lab::Features::default(),
        services: None,
        database: None,
    };
    let lab = lab::start(&options, READY).await?;
    lab.settled(READY).await?;
    let (value, worst) = measure(folder, &["switchover", "plan", "tenant", "--to", "green"])?;
    let plan = Figure { what: "switchover plan against a lab", value, worst, bar: 100.0, unit: "ms" };

    let mut back = Vec::new();
    for run in 1..=RUNS {
        let ms = from_verdict_to_blue(&lab, folder, run).await.with_context(|| format!("run {run} of {RUNS}"))?;
        println!("run {run}: {ms:.1} ms from the verdict until all new requests reach blue");
        back.push(ms);
    }
    let (value, worst) = median_and_worst(back);
    Ok(vec![plan, Figure { what: "verdict until all new requests are on blue", value, worst, bar: 50.0, unit: "ms" }])
}

/// Switches to a release that fails once users are on it, and reads from the journal how long the way back took.
async fn from_verdict_to_blue(lab: &Lab, folder: &Path, run: usize) -> anyhow::Result<f64> {
    // The fault counts from the start of its process, so each run gets new ones.
    lab.set_release(Slot::Green, &release(&format!("1.1.{run}"), Some("error-rate=50%:after=200"))).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    lab.settled(READY).await?;
    let stop = CancellationToken::new();
    let users = load::Spec::new(lab.file.gateway, "/tenants/7", RATE, LONGEST);
    let users = tokio::spawn(load::run(users, stop.clone(), |_| {}));
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The error budget of the run before is spent, and what is measured is not the gate.
    let past = ["--override", "budget", "--override", "slo", "--reason", "a benchmark"];
    let mut switch = command(folder, &["switchover", "run", "tenant", "--to", "green", "--yes", "--bake", "30s"]);
    let ended = tokio::task::spawn_blocking(move || switch.args(past).status());
    let status = tokio::time::timeout(LONGEST, ended).await???;
    stop.cancel();
    users.await??;
    ensure!(status.code() == Some(1), "the switch ended with {status}, and not rolled back");
    let store = app::store(&folder.join(".interlock/runs"));
    let newest = store.runs().await?.pop().context("no run was recorded")?;
    let records = store.load(&newest).await?;
    let entries = entries(&records)?;
    let breach = entries
        .iter()
        .position(|entry| matches!(entry, Entry::Observed { verdict: Verdict::Breach { .. }, .. }))
        .context("no look found a breach")?;
    let Some(back) = entries.iter().skip(breach).position(|entry| matches!(entry, Entry::Undone { .. })) else {
        bail!("nothing was undone");
    };
    let took = records[breach + back].at.duration_since(records[breach].at);
    Ok(took.as_secs_f64() * 1e3)
}
