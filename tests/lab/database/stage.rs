//! A lab with a database and nothing else, for one test; and nothing left of it in the end.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use interlock::{
    lab::{self, Folder, Lab, LabDatabase, LabHosts, PartStatus, database::programs},
    model::Epoch,
    ports::{ByHand, Flow, HostState, Hosts as _},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::command::{PATIENCE, until, within};

/// How long an answer of a database that is well may take.
const ANSWER: Duration = Duration::from_secs(20);
/// How long one that is not well is waited for.
const SILENCE: Duration = Duration::from_millis(700);

pub struct Stage {
    runtime: Runtime,
    pub hosts: LabHosts,
    pub database: LabDatabase,
    token: String,
    pub folder: PathBuf,
    _dir: TempDir,
    closed: bool,
}

impl Stage {
    pub fn up(kind: lab::DatabaseKind, set: &[&str]) -> Self {
        let missing = programs::missing(kind);
        assert!(missing.is_empty(), "programs are missing: apt-get install {}", missing.join(" "));
        let dir = tempfile::Builder::new().prefix("interlock-database-").tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap().join("lab");
        let ends = Ends(folder.clone());
        let set: Vec<_> = set.iter().map(|one| format!("--database-set={one}")).collect();
        let up = interlock(&folder)
            .args(["up", "--database-only", "--timeout", "120s", "--database", kind.name()])
            .args(set)
            .output()
            .unwrap();
        assert!(up.status.success(), "{up:?}\n{}", logs(&folder));
        let file = Folder::new(&folder).read_lab().unwrap();
        std::mem::forget(ends);
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            hosts: LabHosts::open(&folder).unwrap(),
            database: file.database.unwrap(),
            token: file.token,
            folder,
            _dir: dir,
            closed: false,
        }
    }

    pub fn state(&self, host: &str) -> HostState {
        self.runtime.block_on(self.hosts.state(host)).unwrap()
    }

    pub fn set(&self, host: &str, to: HostState) {
        self.runtime.block_on(self.hosts.set_state(host, to, &ByHand(Epoch(1)))).unwrap();
    }

    /// Brings a host into a state, and sees it there.
    pub fn bring(&self, host: &str, to: HostState) {
        self.set(host, to);
        assert_eq!(self.state(host), to);
    }

    pub fn set_flow(&self, host: &str, to: Flow) {
        self.runtime.block_on(self.hosts.set_flow(host, to, &ByHand(Epoch(1)))).unwrap();
        assert_eq!(self.runtime.block_on(self.hosts.flow(host)).unwrap(), to);
    }

    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn follow(&self, host: &str, primary: &str) -> String {
        self.runtime.block_on(self.hosts.start_following(host, primary, &ByHand(Epoch(1)))).unwrap()
    }

    pub fn part(&self, name: &str) -> PartStatus {
        let status = self.runtime.block_on(Lab::open(&self.folder).unwrap().status()).unwrap();
        status.parts.into_iter().find(|part| part.name == name).unwrap()
    }

    fn ask(&self, node: &str, admin: bool, statement: &str, within: Duration) -> Result<String, String> {
        let node = self.database.nodes.iter().find(|one| one.name == node).unwrap();
        let LabDatabase { user, password, admin_user, admin_password, database, .. } = &self.database;
        let (user, password) = if admin { (admin_user, admin_password) } else { (user, password) };
        let port = node.sql.port().to_string();
        let mut command = Command::new("timeout");
        command.arg(within.as_secs_f64().to_string());
        match self.database.kind {
            lab::DatabaseKind::MariaDb => command
                .args(["mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", &port, "-u", user, "-N", "-B", database])
                .args(["-e", statement])
                .env("MYSQL_PWD", password),
            _ => command
                .arg(programs::find("psql").unwrap())
                .args(["-X", "-A", "-t", "-q", "-w", "-h", "127.0.0.1", "-p", &port, "-U", user, "-d", database])
                .args(["-c", statement])
                .env("PGPASSWORD", password),
        };
        said(&command.stdin(Stdio::null()).output().unwrap())
    }

    /// Has a statement done as the user.
    pub fn sql(&self, node: &str, statement: &str) -> String {
        self.ask(node, false, statement, ANSWER).unwrap_or_else(|e| panic!("{node}: {statement}: {e}"))
    }

    /// Tries a statement as the user.
    pub fn try_sql(&self, node: &str, statement: &str) -> Result<String, String> {
        self.ask(node, false, statement, ANSWER)
    }

    /// Has a statement done as the administrator.
    pub fn admin(&self, node: &str, statement: &str) -> String {
        self.ask(node, true, statement, ANSWER).unwrap_or_else(|e| panic!("{node}: {statement}: {e}"))
    }

    /// Tries a statement as the administrator: whoever leads may be started anew meanwhile.
    pub fn try_admin(&self, node: &str, statement: &str) -> Result<String, String> {
        self.ask(node, true, statement, ANSWER)
    }

    pub fn answers(&self, node: &str) -> bool {
        self.tries(node, "select 1")
    }

    /// Whether a statement is done at once.
    pub fn tries(&self, node: &str, statement: &str) -> bool {
        self.ask(node, false, statement, SILENCE).is_ok()
    }

    /// Waits until a node says what is expected.
    pub fn until(&self, node: &str, statement: &str, wanted: &str) {
        self.until_said(node, false, statement, wanted);
    }

    /// Waits until a node says to the administrator what is expected.
    pub fn until_admin(&self, node: &str, statement: &str, wanted: &str) {
        self.until_said(node, true, statement, wanted);
    }

    fn until_said(&self, node: &str, admin: bool, statement: &str, wanted: &str) {
        let mut told = Err("nothing".to_owned());
        let so = within(PATIENCE, || {
            told = self.ask(node, admin, statement, ANSWER);
            told.as_deref() == Ok(wanted)
        });
        assert!(so, "{node}: {statement}: {told:?} instead of {wanted}\n{}", logs(&self.folder));
    }

    /// The secrets of the database, and the lab's token.
    pub fn secrets(&self) -> Vec<String> {
        let LabDatabase { password, admin_password, .. } = &self.database;
        vec![password.clone(), admin_password.clone(), self.token.clone()]
    }

    /// Ends the lab as a user would, and makes sure that nothing of it is left.
    pub fn close(mut self) {
        let down = interlock(&self.folder).arg("down").output().unwrap();
        assert!(down.status.success(), "{down:?}");
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        assert!(!mounts.contains(self.database.folder.to_str().unwrap()), "{mounts}");
        assert!(!self.database.folder.exists(), "{} is left", self.database.folder.display());
        until("the end of all processes", || self.processes().is_empty());
        let logs = logs(&self.folder);
        for secret in self.secrets() {
            assert!(!logs.contains(&secret), "a secret was logged");
        }
        self.closed = true;
    }

    /// The processes that have to do with the lab or its database.
    pub fn processes(&self) -> Vec<crate::traces::Survivor> {
        let of_lab = crate::traces::survivors(&self.folder);
        of_lab.into_iter().chain(crate::traces::survivors(&self.database.folder)).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.closed {
            println!("{}", logs(&self.folder));
            drop(Ends(self.folder.clone()));
        }
    }
}

/// Ends a lab whose test has failed.
struct Ends(PathBuf);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = lab::end(&self.0);
    }
}

pub fn interlock(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interlock"));
    for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("INTERLOCK_")) {
        command.env_remove(key);
    }
    command.args(["lab", "--output", "json"]).env("INTERLOCK_LAB", folder).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn said(output: &Output) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// The end of each log.
fn logs(folder: &Path) -> String {
    let mut told = String::new();
    for entry in fs::read_dir(folder.join("logs")).into_iter().flatten().flatten() {
        let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap_or_default()).into_owned();
        let lines: Vec<_> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(25)..].join("\n");
        told.push_str(&format!("--- {}\n{tail}\n", entry.path().display()));
    }
    told
}

/// Whether something is so for a while, for what must not happen.
pub fn stays(so: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < SILENCE {
        if !so() {
            return false;
        }
    }
    true
}
