//! A platform of scripts: how soon it is up, how much memory each of its processes takes, and how soon a service of it answers.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use interlock::{
    lab::{self, PartStatus, Release, Status, load, supervisor},
    process::Identity,
};
use tokio_util::sync::CancellationToken;

use crate::{Figure, median_and_worst};

const READY: Duration = Duration::from_secs(60);
/// How often the platform is started, and the load offered.
const TIMES: usize = 5;
/// A service that answers from its database, and what is asked of it.
const ASKED: (&str, &str) = ("catalogue", "/products/mug");
/// Requests a second, and for how long.
const RATE: f64 = 2_000.0;
const STEP: Duration = Duration::from_secs(5);

/// All figures of the platform in `scenarios/commerce`.
///
/// # Errors
/// Where the platform does not come up, or a request fails.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (mut up, mut memory, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let folder = tempfile::tempdir()?;
        let measured = runtime.block_on(async {
            let begun = Instant::now();
            let (_, status) = lab::raise(&options(folder.path()), READY).await?;
            up.push(begun.elapsed().as_secs_f64() * 1e3);
            p99.push(p99_of(&status).await?);
            memory.extend(services(&status).map(proportional).collect::<anyhow::Result<Vec<_>>>()?);
            anyhow::Ok(())
        });
        let left = lab::end(folder.path())?;
        measured?;
        ensure!(left.is_empty(), "processes are left: {left:?}");
    }
    let figure = |what, values, bar, unit| {
        let (value, worst) = median_and_worst(values);
        Figure { what, value, worst, bar, unit }
    };
    Ok(vec![
        figure("a platform of seven scripts is up", up, 5_000.0, "ms"),
        figure("memory of one of its processes (PSS), after load", memory, 15.0, "MB"),
        figure("p99 of a script's answers at 2,000 requests/s", p99, 10.0, "ms"),
    ])
}

fn options(folder: &Path) -> supervisor::Options {
    let release = Release { version: "1.0.0".to_owned(), faults: Vec::new() };
    supervisor::Options {
        folder: folder.to_owned(),
        interlock: env!("CARGO_BIN_EXE_interlock").into(),
        blue: release.clone(),
        green: release,
        replicas: 1,
        upstream_timeout: Duration::from_secs(10),
        prometheus: false,
        features: lab::Features::default(),
        services: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/commerce/services")),
        database: None,
    }
}

fn services(status: &Status) -> impl Iterator<Item = &PartStatus> {
    status.parts.iter().filter(|part| part.service.is_some())
}

async fn p99_of(status: &Status) -> anyhow::Result<f64> {
    let (service, path) = ASKED;
    let part = services(status).find(|part| part.service.as_deref() == Some(service)).context("it is not up")?;
    let report = load::run(load::Spec::new(part.address, path, RATE, STEP), CancellationToken::new(), |_| {}).await?;
    ensure!(report.failed == 0, "{} of {} requests failed", report.failed, report.offered);
    Ok(report.latency.p99_ms)
}

/// The memory of a process: its own, and its share of what it has in common with others, such as the pages of the binary; in
/// megabytes.
fn proportional(part: &PartStatus) -> anyhow::Result<f64> {
    let Identity { pid, .. } = part.identity.as_ref().with_context(|| format!("{} does not run", part.name))?;
    let sum = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let shared = sum.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
    let kib: f64 = shared.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
