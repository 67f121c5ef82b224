//! Wall time of single commands, and the memory that they take at most.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::ensure;
use nix::sys::resource::{UsageWho, getrusage};

use crate::{Figure, median_and_worst};

/// How often each command is run; the median counts.
const TIMES: usize = 50;

/// The binary, in a folder, with nobody to talk to.
pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interlock"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Runs a command often; its median and its worst time, in milliseconds.
///
/// # Errors
/// Where it does not end well.
pub fn measure(folder: &Path, args: &[&str]) -> anyhow::Result<(f64, f64)> {
    let mut times = Vec::with_capacity(TIMES);
    // The first run reads the binary from the disk.
    for run in 0..=TIMES {
        let begun = Instant::now();
        let status = command(folder, args).status()?;
        let took = begun.elapsed().as_secs_f64() * 1e3;
        ensure!(status.success(), "interlock {} ended with {status}", args.join(" "));
        if run > 0 {
            times.push(took);
        }
    }
    Ok(median_and_worst(times))
}

/// The most memory that any child of ours has had so far, in megabytes. A child counts from its start, when it still shares
/// the memory of this process, so this is an upper limit.
///
/// # Errors
/// Where the system does not say.
pub fn peak_of_children() -> anyhow::Result<f64> {
    Ok(getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss() as f64 / 1024.0)
}

/// Commands that ask no platform.
///
/// # Errors
/// Where one of them does not end well.
pub fn without_a_platform() -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let mut figures = Vec::new();
    for (what, args) in [("interlock --version", ["--version"]), ("interlock --help", ["--help"])] {
        let (value, worst) = measure(folder.path(), &args)?;
        figures.push(Figure { what, value, worst, bar: 10.0, unit: "ms" });
    }
    let peak = peak_of_children()?;
    figures.push(Figure { what: "memory of both at most", value: peak, worst: peak, bar: 15.0, unit: "MB" });
    Ok(figures)
}
