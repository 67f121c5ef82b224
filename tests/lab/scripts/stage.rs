//! A lab with the services of one test, and the ways to them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use http::Method;
use interlock::{
    lab::{
        Lab, PartStatus,
        http::{Answer, Ask, Client},
    },
    process::Signal,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    command::Done,
    stage::{PATIENCE, Place, until},
    traces,
};

/// A lab with scripted services.
pub struct Model {
    runtime: Runtime,
    pub folder: PathBuf,
    _dir: TempDir,
    closed: bool,
    _place: Place,
}

impl Model {
    /// A lab with these services, each a name and its script.
    pub fn up(services: &[(&str, &str)]) -> Self {
        Self::with(services, &[])
    }

    /// The same with further arguments of `lab up`.
    pub fn with(services: &[(&str, &str)], more: &[&str]) -> Self {
        let model = Self::written(services);
        model.raise(more);
        model
    }

    /// Starts the lab of services that are written.
    pub fn raise(&self, more: &[&str]) {
        let up = ["lab", "up", "--services", "services", "--database", "none", "--no-prometheus", "--replicas", "1"];
        let done = self.run(&[&up[..], &["--timeout", "120s"], more].concat());
        assert_eq!(done.code, Some(0), "{done:?}");
    }

    /// The services without a lab.
    pub fn written(services: &[(&str, &str)]) -> Self {
        let place = Place::take();
        let dir = tempfile::Builder::new().prefix("interlock-scripts-").tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let model = Self { runtime, folder, _dir: dir, closed: false, _place: place };
        fs::create_dir(model.folder.join("services")).unwrap();
        services.iter().for_each(|(name, text)| model.write(name, text));
        model
    }

    /// Writes a service's script.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join("services").join(format!("{name}.rhai")), text).unwrap();
    }

    /// Runs the real binary to its end.
    pub fn run(&self, args: &[&str]) -> Done {
        self.finish(Command::new(env!("CARGO_BIN_EXE_interlock")).args(args))
    }

    /// Runs a line of a shell, in which `interlock` is the real binary.
    pub fn shell(&self, line: &str) -> Done {
        let folder = Path::new(env!("CARGO_BIN_EXE_interlock")).parent().unwrap().display().to_string();
        let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
        self.finish(Command::new("sh").args(["-c", line]).env("PATH", path))
    }

    fn finish(&self, command: &mut Command) -> Done {
        for key in ["INTERLOCK_LAB", "INTERLOCK_PLATFORM", "INTERLOCK_STORE"] {
            command.env_remove(key);
        }
        let output = command.current_dir(&self.folder).env("NO_COLOR", "1").stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    pub fn lab_folder(&self) -> PathBuf {
        self.folder.join(".interlock/lab")
    }

    fn lab(&self) -> Lab {
        Lab::open(&self.lab_folder()).unwrap()
    }

    /// A process of the lab by its name.
    pub fn part(&self, name: &str) -> PartStatus {
        let status = self.runtime.block_on(self.lab().status()).unwrap();
        status.parts.into_iter().find(|part| part.name == name).unwrap()
    }

    pub fn signal(&self, name: &str, signal: Signal) {
        assert!(self.part(name).identity.unwrap().signal(signal).unwrap());
    }

    /// Kills a replica, and waits until it is back.
    pub fn restart(&self, name: &str) {
        let before = self.part(name);
        self.signal(name, Signal::SIGKILL);
        until("the replica is back", || {
            let now = self.part(name);
            now.ready && now.identity != before.identity
        });
    }

    /// Asks a replica.
    pub fn ask(&self, name: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.try_ask(name, Ask { method, path, headers: &[], body }).unwrap()
    }

    /// Asks a replica with what else belongs to the request; an error where it does not answer.
    pub fn try_ask(&self, name: &str, ask: Ask<'_>) -> Result<Answer, String> {
        let client = Client::new(self.part(name).address, None);
        self.runtime.block_on(client.ask(ask, PATIENCE))
    }

    /// The status of an answer, and its JSON.
    pub fn get(&self, name: &str, path: &str) -> (u16, Value) {
        said(&self.ask(name, Method::GET, path, None))
    }

    pub fn post(&self, name: &str, path: &str, body: Value) -> (u16, Value) {
        said(&self.ask(name, Method::POST, path, Some(body)))
    }

    /// What a replica shows as its metrics.
    pub fn metrics(&self, name: &str) -> String {
        String::from_utf8(self.ask(name, Method::GET, "/metrics", None).body.to_vec()).unwrap()
    }

    /// How often a replica has asked a cache, registry or vector search with this outcome.
    pub fn asked(&self, replica: &str, of: &str, outcome: &str) -> f64 {
        let labels = format!("of=\"{of}\",outcome=\"{outcome}\"}} ");
        let page = self.metrics(replica);
        let counts = page.lines().filter_map(|line| line.strip_prefix("script_asked_total")?.split_once(&*labels));
        counts.map(|(_, count)| count.parse::<f64>().unwrap()).sum()
    }

    /// The lines that a replica has logged with this text in them.
    pub fn logged(&self, name: &str, text: &str) -> Vec<Value> {
        let all = fs::read_to_string(self.lab_folder().join("logs").join(format!("{name}.log"))).unwrap();
        let lines = all.lines().filter(|line| line.contains(text));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Ends the lab, and makes sure that nothing is left but logs and what is for people.
    pub fn close(mut self) {
        let down = self.run(&["lab", "down"]);
        assert_eq!(down.code, Some(0), "{down:?}");
        let left = traces::survivors(&self.folder);
        assert!(left.is_empty(), "survivors: {left:#?}");
        let entries = fs::read_dir(self.lab_folder()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        // A lab brings a platform file where there was none.
        names.retain(|name| !["interlock.yaml", "slo.yaml"].contains(&&**name));
        assert_eq!(names, [".interlock-lab", "logs"]);
        self.closed = true;
    }
}

/// The status of an answer, and its JSON.
pub fn said(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.json().unwrap_or(Value::Null))
}

impl Drop for Model {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        if std::thread::panicking() {
            traces::outputs(&self.folder).iter().for_each(|(name, text)| println!("--- {name}\n{text}"));
            let logs = fs::read_dir(self.lab_folder().join("logs")).into_iter().flatten().flatten();
            for log in logs {
                println!("--- {}\n{}", log.path().display(), fs::read_to_string(log.path()).unwrap_or_default());
            }
        }
        let _ = interlock::lab::end(&self.lab_folder());
        // A test that has failed may have left a small disk there.
        let disk = self.lab_folder().join("databases");
        let _ = Command::new("umount").arg("-l").arg(disk).stderr(Stdio::null()).status();
    }
}
