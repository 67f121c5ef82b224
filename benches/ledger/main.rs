//! How many slots a drill's writers miss, and what they can tell apart, while nothing is wrong with the database.
//!
//! `PostgreSQL` with a standby, writers and the lab share this machine. Every stream writes at the rate of the bar: the one that
//! looks for the primary, and one pinned to each node. pgbench writes the same at that rate, before each run of ours.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod peer;

use std::{
    path::Path,
    process::{Command, ExitCode},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use interlock::{
    adapters::postgres_cluster,
    app,
    lab::{DEFAULT_FOLDER, Lab, LabDatabase},
    model::Epoch,
    operation::drill::{
        ledger::{Mark, Measurement, measure},
        record::{Recorder, WriterSpec, read_back},
    },
    ports::{ByHand, Database},
};

/// Writes a second of each stream.
pub const RATE: u32 = 1_000;
/// Connections of each stream.
pub const WORKERS: usize = 16;
/// How long one run writes.
pub const LENGTH: Duration = Duration::from_secs(10);
const RUNS: usize = 5;
/// The largest share of slots that a stream may miss, in percent, in the median of the runs.
const BAR: f64 = 0.1;
const READ_BACK: Duration = Duration::from_secs(10);

fn main() -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir()?;
    interlock(folder.path(), &["lab", "up", "--database-only", "--database", "postgres", "--timeout", "120s"])?;
    let measured = figures(folder.path());
    interlock(folder.path(), &["lab", "down", "--yes"])?;
    let worst = measured?;
    let word = if worst <= BAR { "PASS" } else { "FAIL" };
    println!("\nworst stream, median of {RUNS} runs: {worst:.3} % missed, bar {BAR} % {word}");
    Ok(if worst <= BAR { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn interlock(folder: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_interlock")).args(arguments).current_dir(folder).output()?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Prints every run; gives the median of the shares of each run's worst stream, in percent.
fn figures(folder: &Path) -> anyhow::Result<f64> {
    let lab = Lab::open(&folder.join(DEFAULT_FOLDER))?.file.database()?.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    println!("load average {}", std::fs::read_to_string("/proc/loadavg")?.trim());
    println!("{RATE} writes a second of each stream, {WORKERS} connections each, {} s a run", LENGTH.as_secs());
    println!("| run | missed: primary | pg1 | pg2 | worst gap | pgbench: skipped | late or slow |");
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    let mut worst = Vec::new();
    for run in 1..=RUNS {
        let database = postgres(&lab)?;
        runtime.block_on(database.set_ledger("pg1", true, &ByHand(Epoch(0))))?;
        let (skipped, slow) = peer::pgbench(folder, &lab)?;
        let measured = runtime.block_on(write(database.clone(), folder))?;
        runtime.block_on(database.set_ledger("pg1", false, &ByHand(Epoch(0))))?;
        let shares: Vec<f64> = measured.slots.iter().map(|slots| slots.share() * 100.0).collect();
        let told: Vec<String> = shares.iter().map(|share| format!("{share:.3} %")).collect();
        let gap = measured.resolution.baseline;
        println!("| {run} | {} | {gap} | {skipped:.3} % | {slow:.3} % |", told.join(" | "));
        worst.push(shares.into_iter().fold(0.0, f64::max));
    }
    worst.sort_by(f64::total_cmp);
    worst.get(RUNS / 2).copied().context("nothing was measured")
}

fn postgres(lab: &LabDatabase) -> anyhow::Result<Arc<dyn Database>> {
    let nodes: Vec<_> = lab.nodes.iter().map(|node| (node.name.clone(), node.sql.to_string())).collect();
    Ok(postgres_cluster(&nodes, app::lab_login(lab))?)
}

async fn write(database: Arc<dyn Database>, folder: &Path) -> anyhow::Result<Measurement> {
    let spec = WriterSpec { workers: WORKERS, ..WriterSpec::new(f64::from(RATE)) };
    let recorder = Recorder::start(database.clone(), spec, &folder.join("ledger.jsonl"), 1).await?;
    tokio::time::sleep(LENGTH).await;
    // The figures are those of a drill whose fault does nothing, at its very end.
    recorder.mark(Mark::Fault);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut records = recorder.stop().await;
    read_back(&*database, &mut records, READ_BACK).await;
    let measured = measure(&records)?;
    let fate = measured.fate.as_ref().context("the table could not be read")?;
    ensure!(fate.lost.count == 0 && fate.duplicates.count == 0, "rows are missing, or there twice: {fate:?}");
    Ok(measured)
}
