//! `interlock guardian`: watches over one run, and puts things back when its operator is gone.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::context::block_on;
use crate::{
    app::{self, Rebuilder},
    error::{Error, Exit},
    guard::keep_guard,
    model::RunId,
    process::{Identity, Launch, Output},
    report,
};

/// How long a guardian may take to say that it is there.
const ARRIVAL: Duration = Duration::from_secs(10);

/// Watch over one run until it is over: put things back when its operator is gone
///
/// `switchover run` starts one by itself, detached from the terminal. Start one by hand where that one has died.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run
    #[arg(long, value_parser = RunId::parse)]
    run: RunId,
    /// The folder of the run store, absolute
    #[arg(long, value_name = "FOLDER")]
    runs: PathBuf,
}

impl Args {
    pub fn run(self) -> Result<Exit, Error> {
        arrive(&self.runs, &self.run)?;
        let (store, clock) = (app::store(&self.runs), app::clock());
        let events = report::events(report::Format::Table);
        // Nothing but the end of the run ends a guardian.
        let (_keep, stop) = tokio::sync::watch::channel(None);
        let outcome = block_on(async {
            ignore_signals()?;
            keep_guard(&store, &clock, &Rebuilder, &events, &self.run, &stop).await
        })?;
        Ok(outcome.exit())
    }
}

fn ignore_signals() -> Result<(), Error> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        // A handler that nobody listens to: the default, ending the process, is gone.
        drop(signal(kind).map_err(|e| failed(Path::new("signals"), &e))?);
    }
    Ok(())
}

fn sign(runs: &Path, run: &RunId) -> PathBuf {
    runs.join(run.as_str()).join("guardian.json")
}

fn failed(place: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::Store {
        place: place.display().to_string(),
        why: why.to_string(),
        mend: "without a guardian nobody would put things back; nothing was touched".to_owned(),
    }
}

/// Writes down that this guardian is there.
fn arrive(runs: &Path, run: &RunId) -> Result<(), Error> {
    let path = sign(runs, run);
    let identity = Identity::current().map_err(|e| failed(&path, &e))?;
    let text = serde_json::to_vec(&identity).map_err(|e| failed(&path, &e))?;
    std::fs::write(&path, text).map_err(|e| failed(&path, &e))
}

/// Starts a guardian that outlives this command and its terminal, and waits until it is there.
///
/// # Errors
/// Where it cannot be started or does not arrive.
pub fn post(runs: &Path, run: &RunId) -> Result<Identity, Error> {
    let path = sign(runs, run);
    let runs = runs.canonicalize().map_err(|e| failed(runs, &e))?;
    let program = std::env::current_exe().map_err(|e| failed(&path, &e))?;
    let log = runs.join(run.as_str()).join("guardian.log");
    let guardian = Launch::new(&program, &program)
        .args(["guardian", "--run", run.as_str(), "--runs"])
        .arg(&runs)
        // A cut is meant for the operator, not for who heals it.
        .env("INTERLOCK_CUT", std::env::var_os("INTERLOCK_GUARDIAN_CUT").unwrap_or_default())
        .output(Output::File(log.clone()))
        .start_detached()
        .map_err(|e| failed(&path, &e))?;
    let begun = Instant::now();
    while begun.elapsed() < ARRIVAL {
        if std::fs::read(&path).is_ok_and(|text| serde_json::from_slice::<Identity>(&text).is_ok()) {
            return Ok(guardian);
        }
        if !guardian.is_alive() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(failed(&log, &"the guardian did not arrive; this is its log"))
}
