//! A database cluster in a lab of its own, and nothing left of it in the end.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use interlock::lab::{Lab, LabDatabase};
use serde_json::Value;
use tempfile::TempDir;

/// One cluster at a time: each has up to seven busy processes, and writers that must not be late.
static ONE: Mutex<()> = Mutex::new(());

/// How long a guardian may take to put everything back; some twenty seconds are expected.
const HEALED: Duration = Duration::from_secs(600);

/// How long a manager may take to see that all is well; its turns are ten seconds apart at most.
const WHOLE: Duration = Duration::from_secs(300);

pub struct Stage {
    dir: TempDir,
    down: bool,
    _one: MutexGuard<'static, ()>,
}

/// What came of a command.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// Keeps all other clusters away.
pub fn alone() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/drill").join(format!("{name}.yaml"))
}

impl Stage {
    /// A cluster of one kind, with the settings that `lab up --database-set` takes.
    pub fn up(kind: &str, settings: &[&str]) -> Self {
        let one = alone();
        let dir = tempfile::Builder::new().prefix("interlock-sql-").tempdir().unwrap();
        std::fs::copy(scenario("interlock"), dir.path().join("interlock.yaml")).unwrap();
        let stage = Self { dir, down: false, _one: one };
        let set = settings.iter().flat_map(|setting| ["--database-set", setting]);
        let arguments: Vec<&str> =
            ["lab", "up", "--database-only", "--database", kind, "--timeout", "120s"].into_iter().chain(set).collect();
        let up = stage.run(&arguments);
        assert_eq!(up.code, Some(0), "{up:?}");
        stage
    }

    /// What the lab knows of its database.
    pub fn known(&self) -> LabDatabase {
        let lab = Lab::open(&self.folder().join(".interlock/lab")).unwrap();
        lab.file.database().unwrap().clone()
    }

    /// Has one statement done by a node of PostgreSQL, as its administrator; gives what it answers.
    pub fn psql(&self, node: &str, statement: &str) -> String {
        let known = self.known();
        let at = known.nodes.iter().find(|known| known.name == node).unwrap().sql;
        let contact = format!("host={} port={} user={} dbname=postgres", at.ip(), at.port(), known.admin_user);
        let mut command = Command::new("psql");
        command.args(["-X", "-A", "-t", "-q", "-d", &contact, "-c", statement]).env("PGPASSWORD", known.admin_password);
        let done: Done = command.output().unwrap().into();
        assert_eq!(done.code, Some(0), "{statement}: {}", done.err);
        done.out.trim().to_owned()
    }

    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interlock"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_remove("INTERLOCK_PLATFORM")
            .env_remove("INTERLOCK_STORE");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Done {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs a drill document of the scenarios.
    pub fn drill(&self, name: &str) -> Done {
        self.run(&["drill", "run", scenario(name).to_str().unwrap(), "--yes"])
    }

    /// Writes a drill document, and gives its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder().join(format!("{name}.yaml"));
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The name of the newest run.
    pub fn newest(&self) -> String {
        let listed = self.run(&["runs", "list", "--output", "json"]);
        let all: Vec<Value> = serde_json::from_str(&listed.out).unwrap_or_else(|e| panic!("{e}: {listed:?}"));
        all.last().expect("there is a run")["run"].as_str().unwrap().to_owned()
    }

    /// The report of the newest run.
    pub fn report(&self) -> Value {
        let done = self.run(&["runs", "report", &self.newest(), "--output", "json"]);
        serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {done:?}"))
    }

    /// The report of the newest run for people.
    pub fn sheet(&self) -> String {
        self.run(&["runs", "report", &self.newest()]).out
    }

    /// Waits until the cluster is as it was before any drill: a plan of this drill finds every gate open. A manager may take a
    /// turn of some seconds to see what its members have done. Gives the primary.
    pub fn until_whole(&self, drill: &str) -> String {
        self.until_open(scenario(drill).to_str().unwrap())
    }

    /// Waits until a plan of this document finds every gate open; gives the primary that it has found.
    pub fn until_open(&self, file: &str) -> String {
        let begun = Instant::now();
        loop {
            let plan = self.run(&["drill", "plan", file]);
            if plan.code == Some(0) {
                let before = plan.out.split(" alone takes writes").next().unwrap();
                return before.split_whitespace().next_back().unwrap().to_owned();
            }
            assert!(begun.elapsed() < WHOLE, "the cluster is not whole: {}\n{}", plan.out, plan.err);
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// Waits until no run holds the database any more.
    pub fn until_free(&self) {
        let begun = Instant::now();
        loop {
            let listed = self.run(&["runs", "list", "--output", "json"]);
            let all: Vec<Value> = serde_json::from_str(&listed.out).unwrap_or_default();
            let open = ["running", "putting back", "abandoned"];
            if !all.iter().any(|run| open.contains(&run["state"].as_str().unwrap_or_default())) {
                return;
            }
            assert!(begun.elapsed() < HEALED, "nobody has put it back: {listed:?}");
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// Ends the lab, and makes sure that nothing is left.
    pub fn down(mut self) {
        self.down = true;
        let down = self.run(&["lab", "down", "--yes"]);
        assert_eq!(down.code, Some(0), "{down:?}");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.down {
            let down = self.run(&["lab", "down", "--yes"]);
            eprintln!("lab down: {down:?}");
        }
    }
}
