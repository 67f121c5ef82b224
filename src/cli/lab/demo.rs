//! `interlock lab demo`: switches of a real service and a drill on its database, each with an end that is known beforehand.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    acts::{ACTS, Act},
    command::left as left_of,
    database, files,
    play::Played,
};
use crate::{
    error::{Error, Exit},
    lab::{self, DatabaseKind, Folder, Lab, database::programs, known::Process, own, state::broken},
    model::RunId,
    ports::Store,
    process::{Identity, StopSignals},
    report::{self, Style},
};

/// What a demo of an earlier release has left in its folder.
const EARLIER: &[&str] = &[".interlock", "interlock.yaml", "slo.yaml", "primary-power.yaml"];
/// How long a guardian may take to put things back where the demo is interrupted.
const GUARDIAN: Duration = Duration::from_secs(30);

/// Arguments of `interlock lab demo`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder that the demo works in: a new one, an empty one, or that of an earlier demo, whose journals stay aside
    #[arg(long, default_value = ".interlock/demo", value_name = "DIR")]
    folder: PathBuf,
    /// Leave the platform of the last act up, also when interrupted
    #[arg(long)]
    keep: bool,
    /// Play only this act, by its number; as often as needed
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=ACTS.len() as i64))]
    act: Vec<u32>,
}

/// Plays all acts; passes only if each went as it should. What it has started is ended with it, whatever ends it.
///
/// # Errors
/// Where the lab does not come up, or the folder is somebody else's or cannot be written.
pub async fn run(args: Args) -> Result<Exit, Error> {
    let mut stop = StopSignals::new().map_err(|e| broken("signals", e))?;
    let stage = Stage::set(&args.folder, args.keep)?;
    let ended = tokio::select! {
        played = stage.play_all(&args.act) => Ok(played),
        signal = stop.next() => Err(signal),
    };
    // Whatever was being done is given up by now: load and operator have ended, and what they began was put back.
    let left = stage.leave().await;
    match ended {
        Ok(played) => {
            let played = played?;
            println(&summary(&played));
            println(&format!(
                "the journals stay: interlock --platform {}/interlock.yaml runs list",
                stage.folder.display()
            ));
            println(&left);
            Ok(if played.iter().all(|one| one.wrong.is_empty()) { Exit::Kept } else { Exit::RolledBack })
        }
        Err(signal) => {
            report::remark(&format!("{signal}: {left}"));
            Ok(Exit::Interrupted)
        }
    }
}

/// Where the demo happens: a folder with a platform file, which it holds, and our own binary.
pub(super) struct Stage {
    pub(super) folder: PathBuf,
    pub(super) interlock: PathBuf,
    pub(super) keep: bool,
    _held: File,
}

impl Stage {
    fn set(folder: &Path, keep: bool) -> Result<Self, Error> {
        // Demos of earlier releases left no mark.
        let has_lab = folder.join(lab::DEFAULT_FOLDER).join("logs").join("supervisor.lock").is_file();
        own::take(folder, |names| has_lab && names.iter().all(|name| EARLIER.contains(&&**name)))?;
        let held = own::hold(folder, || {
            let hint = "wait for it, or name another folder with --folder";
            Error::usage(format!("a demo plays in {} already", folder.display()), hint)
        })?;
        let folder = folder.canonicalize().map_err(|e| broken("the demo's folder", e))?;
        let interlock = std::env::current_exe().map_err(|e| broken("our own binary", e))?;
        let stage = Self { folder, interlock, keep, _held: held };
        // Of a demo that was killed.
        stage.end_lab()?;
        own::set_aside(&stage.runs())?;
        files::write_anew(&stage.folder)?;
        Ok(stage)
    }

    pub(super) fn lab(&self) -> PathBuf {
        self.folder.join(lab::DEFAULT_FOLDER)
    }

    fn runs(&self) -> PathBuf {
        self.folder.join(".interlock").join("runs")
    }

    /// Ends the lab, if there is one; gives what of it does not end.
    pub(super) fn end_lab(&self) -> Result<Vec<Process>, Error> {
        if !Folder::new(self.lab()).lab().exists() {
            return Ok(Vec::new());
        }
        lab::end(&self.lab())
    }

    /// Ends what the acts have left, unless it is to be kept; says what is left, and how that is ended.
    async fn leave(&self) -> String {
        let lab = self.lab();
        // A guardian that puts things back needs the platform for it, and no lab is ended under a run.
        let begun = Instant::now();
        while begun.elapsed() < GUARDIAN && self.is_being_put_back().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if self.keep && Lab::open(&lab).is_ok() {
            return format!("the platform stays up: `interlock lab down --yes --folder {}` ends it", lab.display());
        }
        match self.end_lab() {
            Ok(left) if left.is_empty() => left_of(&lab),
            Ok(left) => {
                let names = left.iter().map(|process| format!("{} (pid {})", process.name, process.identity.pid));
                format!("still running: {}", names.collect::<Vec<_>>().join(", "))
            }
            Err(e) => format!("{e}; {}", left_of(&lab)),
        }
    }

    /// Whether the guardian of the newest run is at work, which ends once it has seen that the run is over.
    async fn is_being_put_back(&self) -> bool {
        let Ok(newest) = self.newest_run().await else { return false };
        let guardian = std::fs::read(self.runs().join(newest.as_str()).join("guardian.json")).unwrap_or_default();
        serde_json::from_slice::<Identity>(&guardian).is_ok_and(|guardian| guardian.is_alive())
    }

    async fn play_all(&self, chosen: &[u32]) -> Result<Vec<Played>, Error> {
        let mut played = Vec::new();
        for (number, act) in (1_u32..).zip(ACTS) {
            if !chosen.is_empty() && !chosen.contains(&number) {
                continue;
            }
            announce(act, number);
            if let Some(missing) = missing(act) {
                println(&format!("skipped: {missing}"));
                continue;
            }
            let one = self.play(act).await?;
            tell(&one);
            played.push(one);
        }
        Ok(played)
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        crate::app::store(&self.runs())
    }

    pub(super) async fn newest_run(&self) -> Result<RunId, Error> {
        self.store().runs().await?.pop().ok_or_else(|| broken("the run", "it is not in the store"))
    }
}

/// Why an act cannot be played here.
fn missing(act: &Act) -> Option<String> {
    if !act.has_database() {
        return None;
    }
    if !cfg!(feature = "sql") {
        return Some("this binary was built without what drills take".to_owned());
    }
    let packages = programs::missing(DatabaseKind::Postgres);
    let install = || format!("the programs of PostgreSQL are missing; {}", database::install(&packages));
    (!packages.is_empty()).then(install)
}

fn announce(act: &Act, number: u32) {
    println(&format!("\n== {number}/{}  {} ({} requests/s) ==", ACTS.len(), act.title, act.rate));
}

fn tell(one: &Played) {
    let (load, act) = (&one.load, one.act);
    println(&format!(
        "users: {} requests, {} failed ({} answered 5xx, {} timed out, {} broken, {} not sent); p99 {:.1} ms",
        load.offered,
        load.failed,
        load.failures.status_5xx,
        load.failures.timeout,
        load.failures.transport,
        load.failures.not_sent,
        load.latency.p99_ms,
    ));
    if let Some(busy) = load.busy() {
        println(&busy);
    }
    match one.wrong.is_empty() {
        true => println(&format!("as it should: {}", act.expected)),
        false => println(&format!("NOT AS IT SHOULD ({}): {}", act.expected, one.wrong.join("; "))),
    }
}

fn summary(played: &[Played]) -> String {
    let mut table =
        Style::stdout().table(&["act", "ended", "traffic", "users' requests", "failed", "seconds", "as it should"]);
    for one in played {
        table.add_row([
            one.act.title.to_owned(),
            one.exit.clone(),
            one.weights.to_string(),
            one.load.offered.to_string(),
            one.load.failed.to_string(),
            format!("{:.0}", one.seconds),
            if one.wrong.is_empty() { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    format!("\n{table}")
}

#[expect(clippy::print_stdout, reason = "the command line prints")]
pub(super) fn println(line: &str) {
    println!("{line}");
}
