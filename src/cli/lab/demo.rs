//! `interlock lab demo`: switches of a real service and a drill on its database, each with an end that is known beforehand.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    acts::{ACTS, Act, Drill, End, Play, Switch, TOO_BUSY},
    database, files,
};
use crate::{
    error::{Error, Exit},
    guard::{Mode, load as load_run},
    lab::{
        self, DatabaseKind, Lab, LabPlatform, Release,
        database::programs,
        load::Report,
        state::broken,
        supervisor::{self, WithDatabase},
    },
    model::{RunId, Slot, Weights},
    ports::{Store, Traffic as _},
    process::{Launch, Output, Running, Signal},
    report::Style,
};

/// How long a lab may take to be ready.
const READY: Duration = Duration::from_secs(60);
/// How long one act may take; the longest is expected to take half a minute.
const ACT: Duration = Duration::from_secs(300);
/// How long the load runs before the switch begins.
const WARM: Duration = Duration::from_secs(1);

/// Arguments of `interlock lab demo`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder that the demo works in; it is emptied first
    #[arg(long, default_value = ".interlock/demo", value_name = "DIR")]
    folder: PathBuf,
    /// Play only this act, by its number; as often as needed
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=ACTS.len() as i64))]
    act: Vec<u32>,
}

/// What came of an act.
struct Played {
    act: &'static Act,
    seconds: f64,
    exit: String,
    weights: Weights,
    load: Report,
    wrong: Vec<String>,
}

/// Plays all acts; passes only if each went as it should.
///
/// # Errors
/// Where the lab does not come up, or the folder cannot be written.
pub async fn run(args: Args) -> Result<Exit, Error> {
    let stage = Stage::set(&args.folder)?;
    let mut played = Vec::new();
    for (number, act) in (1_u32..).zip(ACTS) {
        if !args.act.is_empty() && !args.act.contains(&number) {
            continue;
        }
        announce(act, number);
        if let Some(missing) = missing(act) {
            println(&format!("skipped: {missing}"));
            continue;
        }
        let one = stage.play(act).await?;
        tell(&one);
        played.push(one);
    }
    println(&summary(&played));
    println(&format!("the journals stay: interlock --platform {}/interlock.yaml runs list", stage.folder.display()));
    Ok(if played.iter().all(|one| one.wrong.is_empty()) { Exit::Kept } else { Exit::RolledBack })
}

/// Where the demo happens: a folder with a platform file, and our own binary.
struct Stage {
    folder: PathBuf,
    interlock: PathBuf,
}

impl Stage {
    fn set(folder: &Path) -> Result<Self, Error> {
        if Lab::open(&folder.join(lab::DEFAULT_FOLDER)).is_ok() {
            lab::end(&folder.join(lab::DEFAULT_FOLDER))?;
        }
        match std::fs::remove_dir_all(folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(broken("the demo's folder", e)),
            _ => files::write(folder)?,
        }
        let folder = folder.canonicalize().map_err(|e| broken("the demo's folder", e))?;
        let interlock = std::env::current_exe().map_err(|e| broken("our own binary", e))?;
        Ok(Self { folder, interlock })
    }

    async fn play(&self, act: &'static Act) -> Result<Played, Error> {
        let begun = Instant::now();
        let lab = self.raise(act).await?;
        let guard = LabDown(lab.folder.path().to_owned());
        let mut load = self.offer(act)?;
        tokio::time::sleep(WARM).await;
        let exit = match &act.play {
            Play::Switch(switch) => self.switch(switch).await?,
            Play::Drill(drill) => self.drill(drill).await?,
        };
        let weights = LabPlatform::from(lab).weights().await.map_err(|e| broken("the gateway", e))?;
        let load = self.stop(&mut load).await?;
        let left = lab::end(&guard.0)?;
        let mut wrong = act.complaints(&exit, &weights, &load);
        wrong.extend(left.iter().map(|process| format!("{} is left running", process.name)));
        Ok(Played { act, seconds: begun.elapsed().as_secs_f64(), exit, weights, load, wrong })
    }

    async fn raise(&self, act: &Act) -> Result<Lab, Error> {
        let fault = |text: &&str| text.parse().map_err(|e: String| Error::usage(e, "a fault of the demo is misspelt"));
        let (faults, database) = match &act.play {
            Play::Switch(switch) => (switch.faults, None),
            Play::Drill(_) => {
                (&[][..], Some(WithDatabase { kind: DatabaseKind::Postgres, set: Vec::new(), only: false }))
            }
        };
        let faults = faults.iter().map(fault).collect::<Result<_, _>>()?;
        let options = supervisor::Options {
            folder: self.folder.join(lab::DEFAULT_FOLDER),
            interlock: self.interlock.clone(),
            blue: Release { version: "1.0.0".to_owned(), faults: Vec::new() },
            green: Release { version: "2.0.0".to_owned(), faults },
            replicas: 2,
            upstream_timeout: Duration::from_secs(5),
            prometheus: true,
            extent: lab::Extent::default(),
            database,
        };
        let lab = lab::start(&options, READY).await?;
        lab.settled(READY).await?;
        Ok(lab)
    }

    fn command(&self, args: &[&str]) -> Launch {
        let platform = self.folder.join("interlock.yaml");
        Launch::new(&self.interlock, &self.interlock)
            .arg("--platform")
            .arg(platform)
            .args(args)
            .grace(Duration::from_secs(30))
    }

    fn offer(&self, act: &Act) -> Result<Running, Error> {
        let rate = act.rate.to_string();
        let args = ["lab", "load", "--duration", "10m", "--in-flight", "8192", "--output", "json", "--rate", &rate];
        let started = self.command(&args).output(Output::File(self.report())).start();
        started.map_err(|e| broken("the load", e))
    }

    fn report(&self) -> PathBuf {
        self.folder.join("load.json")
    }

    async fn stop(&self, load: &mut Running) -> Result<Report, Error> {
        load.identity().signal(Signal::SIGINT).map_err(|e| broken("the load", e))?;
        ended(load, Duration::from_secs(60)).await?;
        let text = std::fs::read_to_string(self.report()).map_err(|e| broken("the load's report", e))?;
        std::fs::remove_file(self.report()).map_err(|e| broken("the load's report", e))?;
        serde_json::from_str(&text).map_err(|e| broken("the load's report", format!("{e} in {text}")))
    }

    /// Runs the switch as a person would, and says how it ended.
    async fn switch(&self, switch: &Switch) -> Result<String, Error> {
        let args: Vec<_> =
            ["switchover", "run", "tenant", "--to", "green", "--yes"].iter().chain(switch.args).copied().collect();
        let mut operator = self.operate(&args)?;
        if let End::Killed = switch.end {
            self.kill_when_switched(&mut operator).await?;
            return self.outcome_by_guardian().await;
        }
        Ok(exit(ended(&mut operator, ACT).await?))
    }

    fn operate(&self, args: &[&str]) -> Result<Running, Error> {
        println(&format!("$ interlock {}", args.join(" ")));
        self.command(args).output(Output::Inherit).start().map_err(|e| broken("the operator", e))
    }

    /// Runs the drill as a person would, and says how it ended.
    async fn drill(&self, drill: &Drill) -> Result<String, Error> {
        let file = self.folder.join(drill.file);
        std::fs::write(&file, drill.text).map_err(|e| broken("the drill's document", e))?;
        let status = ended(&mut self.operate(&["drill", "run", &file.to_string_lossy(), "--yes"])?, ACT).await?;
        // The users go on for a while, and see the database as it is afterwards.
        tokio::time::sleep(WARM).await;
        if status.code() == Some(Exit::Held as i32) && self.was_too_busy().await? {
            println("this machine was too busy for a verdict, which is none against the database");
            return Ok(TOO_BUSY.to_owned());
        }
        Ok(exit(status))
    }

    /// Whether nothing but time on this machine was missing for the newest run's verdict.
    async fn was_too_busy(&self) -> Result<bool, Error> {
        let run = self.newest_run().await?;
        let file = self.folder.join("drill.json");
        let report =
            self.command(&["runs", "report", run.as_str(), "--output", "json"]).output(Output::File(file.clone()));
        ended(&mut report.start().map_err(|e| broken("the drill's report", e))?, ACT).await?;
        let text = std::fs::read_to_string(&file).map_err(|e| broken("the drill's report", e))?;
        std::fs::remove_file(&file).map_err(|e| broken("the drill's report", e))?;
        let report: serde_json::Value = serde_json::from_str(&text).map_err(|e| broken("the drill's report", e))?;
        let reasons = report["judgement"]["reasons"].as_array().cloned().unwrap_or_default();
        let mut doubts = reasons.iter().filter(|reason| reason["verdict"] != "pass").peekable();
        let any = doubts.peek().is_some();
        Ok(any && doubts.all(|doubt| doubt["why"].as_str().is_some_and(|why| why.contains("too busy"))))
    }

    fn store(&self) -> Arc<dyn Store> {
        crate::app::store(&self.folder.join(".interlock").join("runs"))
    }

    async fn newest_run(&self) -> Result<RunId, Error> {
        self.store().runs().await?.pop().ok_or_else(|| broken("the run", "it is not in the store"))
    }

    async fn kill_when_switched(&self, operator: &mut Running) -> Result<(), Error> {
        let platform = LabPlatform::open(&self.folder.join(lab::DEFAULT_FOLDER))?;
        let begun = Instant::now();
        while platform.weights().await.ok() != Some(Weights::all(Slot::Green)) {
            if begun.elapsed() > ACT {
                return Err(broken("the switch", "green never got traffic"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        println("$ kill -9 (the operator, in the middle of its bake)");
        operator.kill().map_err(|e| broken("the operator", e))
    }

    /// How the newest run ended, once its guardian has ended it.
    async fn outcome_by_guardian(&self) -> Result<String, Error> {
        let store = self.store();
        let newest = self.newest_run().await?;
        let begun = Instant::now();
        loop {
            let stored = load_run(&*store, &newest).await?;
            if let (Mode::Finished(outcome), None) = (stored.mode(), &stored.lock) {
                println(&format!("guardian: {outcome}, {:.1}s after the kill", begun.elapsed().as_secs_f64()));
                return Ok(outcome.word().to_owned());
            }
            if begun.elapsed() > ACT {
                return Err(broken("the guardian", "it did not end the run"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Takes the lab down, also when an act fails halfway.
struct LabDown(PathBuf);

impl Drop for LabDown {
    fn drop(&mut self) {
        if Lab::open(&self.0).is_ok() {
            let _ = lab::end(&self.0);
        }
    }
}

async fn ended(running: &mut Running, within: Duration) -> Result<std::process::ExitStatus, Error> {
    let begun = Instant::now();
    loop {
        if let Some(status) = running.ended().map_err(|e| broken("a process of the demo", e))? {
            return Ok(status);
        }
        if begun.elapsed() > within {
            return Err(broken("a process of the demo", format!("it has not ended within {}s", within.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn exit(status: std::process::ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit {code}"))
}

/// Why an act cannot be played here.
fn missing(act: &Act) -> Option<String> {
    let Play::Drill(_) = act.play else { return None };
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
fn println(line: &str) {
    println!("{line}");
}
