//! How one act of the demo is played: its lab rises, users come, an operator does what people would, and all of it ends.

use std::{
    fs::File,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    acts::{Act, Drill, End, On, Play, Switch, TOO_BUSY},
    demo::{Stage, println},
    files,
};
use crate::{
    error::{Error, Exit},
    guard::{Mode, load as load_run},
    lab::{
        self, DatabaseKind, Folder, Lab, LabPlatform, Release,
        load::Report,
        own,
        state::broken,
        supervisor::{self, WithDatabase},
    },
    model::{Slot, Weights},
    ports::Traffic as _,
    process::{Launch, Output, Running, Signal},
};

/// How long a lab may take to be ready: it is up in 3 s, and in half a minute where the machine does five things besides.
const READY: Duration = Duration::from_secs(180);
/// How long one act may take; the longest is expected to take half a minute.
const ACT: Duration = Duration::from_secs(300);
/// How long the load runs before the switch begins.
const WARM: Duration = Duration::from_secs(1);

/// What came of an act.
pub(super) struct Played {
    pub(super) act: &'static Act,
    pub(super) seconds: f64,
    pub(super) exit: String,
    pub(super) weights: Weights,
    pub(super) load: Report,
    pub(super) wrong: Vec<String>,
}

impl Stage {
    /// Plays an act from the rise of its lab to its end.
    pub(super) async fn play(&self, act: &'static Act) -> Result<Played, Error> {
        let begun = Instant::now();
        if self.keep {
            self.end_lab()?;
        }
        let lab = self.raise(act).await?;
        let mut load = self.offer(act)?;
        tokio::time::sleep(WARM).await;
        let exit = match &act.play {
            Play::Switch(switch) => self.switch(act.on, switch).await?,
            Play::Drill(drill) => self.drill(act.on, drill).await?,
        };
        let weights = LabPlatform::from(lab).weights().await.map_err(|e| broken("the gateway", e))?;
        let load = self.stop(&mut load).await?;
        let left = if self.keep { Vec::new() } else { self.end_lab()? };
        let mut wrong = act.complaints(&exit, &weights, &load);
        wrong.extend(left.iter().map(|process| format!("{} is left running", process.name)));
        Ok(Played { act, seconds: begun.elapsed().as_secs_f64(), exit, weights, load, wrong })
    }

    async fn raise(&self, act: &Act) -> Result<Lab, Error> {
        let faults = match &act.play {
            Play::Switch(switch) => switch.faults.iter().map(|fault| (*fault).to_owned()).collect(),
            Play::Drill(_) => Vec::new(),
        };
        let postgres = || WithDatabase { kind: DatabaseKind::Postgres, set: Vec::new(), only: false };
        let options = supervisor::Options {
            folder: self.lab(),
            interlock: self.interlock.clone(),
            blue: Release { version: "1.0.0".to_owned(), faults: Vec::new() },
            green: Release { version: "2.0.0".to_owned(), faults },
            replicas: 2,
            upstream_timeout: Duration::from_secs(5),
            prometheus: true,
            features: lab::Features::default(),
            services: (act.on == On::Model).then(|| self.folder.join(files::SERVICES)),
            database: act.has_database().then(postgres),
        };
        Ok(lab::raise(&options, READY).await?.0)
    }

    fn command(&self, on: On, args: &[&str]) -> Launch {
        let platform = self.folder.join(on.platform());
        Launch::new(&self.interlock, &self.interlock)
            .arg("--platform")
            .arg(platform)
            .args(args)
            .grace(Duration::from_secs(30))
    }

    fn offer(&self, act: &Act) -> Result<Running, Error> {
        let (rate, (_, path)) = (act.rate.to_string(), act.on.asked());
        let offered = ["lab", "load", "--duration", "10m", "--in-flight", "8192", "--output", "json"];
        let args = [&offered[..], &["--rate", &rate, "--path", path]].concat();
        let started = self.command(act.on, &args).output(Output::File(self.scratch("load")?)).start();
        started.map_err(|e| broken("the load", e))
    }

    /// An empty file for what a command says, among the lab's logs.
    fn scratch(&self, name: &str) -> Result<PathBuf, Error> {
        let path = Folder::new(self.lab()).log(name);
        File::create(&path).map_err(|e| broken(name, e))?;
        Ok(path)
    }

    async fn stop(&self, load: &mut Running) -> Result<Report, Error> {
        load.identity().signal(Signal::SIGINT).map_err(|e| broken("the load", e))?;
        ended(load, Duration::from_secs(60)).await?;
        let text = std::fs::read_to_string(Folder::new(self.lab()).log("load"));
        let text = text.map_err(|e| broken("the load's report", e))?;
        serde_json::from_str(&text).map_err(|e| broken("the load's report", format!("{e} in {text}")))
    }

    /// Runs the switch as a person would, and says how it ended.
    async fn switch(&self, on: On, switch: &Switch) -> Result<String, Error> {
        let (service, _) = on.asked();
        let args = [&["switchover", "run", service, "--to", "green", "--yes"], switch.args].concat();
        let mut operator = self.operate(on, &args)?;
        if let End::Killed = switch.end {
            self.kill_when_switched(&mut operator).await?;
            return self.outcome_by_guardian().await;
        }
        Ok(exit(ended(&mut operator, ACT).await?))
    }

    fn operate(&self, on: On, args: &[&str]) -> Result<Running, Error> {
        println(&format!("$ interlock {}", args.join(" ")));
        self.command(on, args).output(Output::Inherit).start().map_err(|e| broken("the operator", e))
    }

    /// Runs the drill as a person would, and says how it ended.
    async fn drill(&self, on: On, drill: &Drill) -> Result<String, Error> {
        let file = self.folder.join(drill.file);
        own::write_beside(&file, drill.text)?;
        let status = ended(&mut self.operate(on, &["drill", "run", &file.to_string_lossy(), "--yes"])?, ACT).await?;
        // The users go on for a while, and see the database as it is afterwards.
        tokio::time::sleep(WARM).await;
        if status.code() == Some(Exit::Held as i32) && self.was_too_busy(on).await? {
            println("this machine was too busy for a verdict, which is none against the database");
            return Ok(TOO_BUSY.to_owned());
        }
        Ok(exit(status))
    }

    /// Whether nothing but time on this machine was missing for the newest run's verdict.
    async fn was_too_busy(&self, on: On) -> Result<bool, Error> {
        let run = self.newest_run().await?;
        let file = self.scratch("report")?;
        let report =
            self.command(on, &["runs", "report", run.as_str(), "--output", "json"]).output(Output::File(file.clone()));
        ended(&mut report.start().map_err(|e| broken("the drill's report", e))?, ACT).await?;
        let text = std::fs::read_to_string(&file).map_err(|e| broken("the drill's report", e))?;
        let report: serde_json::Value = serde_json::from_str(&text).map_err(|e| broken("the drill's report", e))?;
        let reasons = report["judgement"]["reasons"].as_array().cloned().unwrap_or_default();
        let mut doubts = reasons.iter().filter(|reason| reason["verdict"] != "pass").peekable();
        let any = doubts.peek().is_some();
        Ok(any && doubts.all(|doubt| doubt["why"].as_str().is_some_and(|why| why.contains("too busy"))))
    }

    async fn kill_when_switched(&self, operator: &mut Running) -> Result<(), Error> {
        let platform = LabPlatform::open(&self.lab())?;
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
