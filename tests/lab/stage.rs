//! A stage for one test: its own folder, lab, load and receiver of notices, and nothing left of them in the end.

mod runs;

use std::{
    fs,
    io::{PipeReader, Write as _},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use interlock::{
    lab::{Lab, LabPlatform, PartStatus, load::Report},
    model::{RunId, Slot, Weights},
    ports::Traffic as _,
    process::{Identity, Signal},
};
use nix::fcntl::OFlag;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{servers::Receiver, traces};

pub use crate::command::{Cli, Done, PATIENCE, until, within};

pub const BLUE: Weights = Weights::all(Slot::Blue);
pub const GREEN: Weights = Weights::all(Slot::Green);

/// How many labs may be up at once; each of them has six busy processes.
const LABS: usize = 2;

static UP: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// A place among the labs that are up.
pub struct Place;

impl Place {
    pub fn take() -> Self {
        let free = UP.1.wait_while(UP.0.lock().unwrap(), |up| *up >= LABS);
        *free.unwrap() += 1;
        Self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *UP.0.lock().unwrap() -= 1;
        UP.1.notify_one();
    }
}

/// What differs between stages.
#[derive(Default)]
pub struct Setup {
    /// The `metrics` of the platform file; the lab's own pages when empty.
    pub metrics: String,
    /// Whether the lab runs a Prometheus.
    pub prometheus: bool,
    /// Requests a second.
    pub rate: u32,
    /// A fault of blue's release.
    pub fault: Option<&'static str>,
    /// The kind of the lab's database; it has none unless named.
    pub database: Option<&'static str>,
    /// Further arguments of `lab up`.
    pub more: Vec<String>,
}

/// A lab with load, and everything that a test has started there.
pub struct Stage {
    // In this order: the runtime ends before the folder goes.
    pub runtime: Runtime,
    pub receiver: Receiver,
    platform: Option<LabPlatform>,
    load: Mutex<Option<Cli>>,
    started: Mutex<Vec<Identity>>,
    outputs: AtomicUsize,
    pub folder: PathBuf,
    _dir: TempDir,
    closed: bool,
    _place: Place,
}

impl Stage {
    /// A lab with two releases and a hundred requests a second on blue.
    pub fn up() -> Self {
        Self::with(Setup { rate: 100, ..Setup::default() })
    }

    pub fn with(setup: Setup) -> Self {
        let place = Place::take();
        let dir = tempfile::Builder::new().prefix("interlock-faults-").tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let receiver = runtime.block_on(Receiver::start());
        let folder = dir.path().canonicalize().unwrap();
        let mut stage = Self {
            runtime,
            receiver,
            platform: None,
            load: Mutex::default(),
            started: Mutex::default(),
            outputs: AtomicUsize::default(),
            folder,
            _dir: dir,
            closed: false,
            _place: place,
        };
        stage.write_platform(&setup.metrics);
        fs::create_dir(stage.folder.join("out")).unwrap();
        fs::write(stage.folder.join("slo.yaml"), include_str!("slo.yaml")).unwrap();
        let database = setup.database.unwrap_or("none");
        let mut up = vec!["lab", "up", "--database", database, "--timeout", "120s"];
        up.extend(["--version-green", "1.1.0", "--upstream-timeout", "30s"]);
        if !setup.prometheus {
            up.push("--no-prometheus");
        }
        if let Some(fault) = setup.fault {
            up.extend(["--fault-blue", fault]);
        }
        up.extend(setup.more.iter().map(String::as_str));
        let up = stage.ask(&up);
        assert_eq!(up.code, Some(0), "{up:?}");
        stage.platform = Some(LabPlatform::open(&stage.lab_folder()).unwrap());
        if setup.rate > 0 {
            stage.offer(setup.rate);
        }
        stage
    }

    pub fn write_platform(&self, metrics: &str) {
        let metrics = if metrics.is_empty() { "{lab: {source: scrape}}" } else { metrics };
        let text = include_str!("interlock.yaml").replace("METRICS", metrics);
        fs::write(self.folder.join("interlock.yaml"), text).unwrap();
    }

    pub fn lab_folder(&self) -> PathBuf {
        self.folder.join(".interlock/lab")
    }

    pub fn runs_folder(&self) -> PathBuf {
        self.folder.join(".interlock/runs")
    }

    pub fn platform(&self) -> &LabPlatform {
        self.platform.as_ref().unwrap()
    }

    pub fn lab(&self) -> &Lab {
        self.platform().lab()
    }

    pub fn weights(&self) -> Weights {
        self.runtime.block_on(self.platform().weights()).unwrap()
    }

    /// A process of the lab.
    pub fn part(&self, name: &str) -> PartStatus {
        let status = self.runtime.block_on(self.lab().status()).unwrap();
        status.parts.into_iter().find(|part| part.name == name).unwrap_or_else(|| panic!("no part {name}"))
    }

    /// Sends a signal to a process of the lab.
    pub fn signal(&self, name: &str, signal: Signal) {
        assert!(self.part(name).identity.unwrap().signal(signal).unwrap(), "{name} is gone");
    }

    /// Waits until all of the lab is as it should be.
    pub fn settle(&self) {
        self.runtime.block_on(self.lab().settled(PATIENCE)).unwrap();
    }

    fn offer(&self, rate: u32) {
        let rate = rate.to_string();
        let load = self.start(&["lab", "load", "--rate", &rate, "--duration", "1h", "-o", "json"], &[]);
        *self.load.lock().unwrap() = Some(load);
    }

    /// Ends the load and says what came of it.
    pub fn end_load(&self) -> Report {
        let load = self.load.lock().unwrap().take().unwrap();
        load.signal(Signal::SIGINT);
        let done = load.wait();
        serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {done:?}"))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interlock"));
        // Whatever the shell that runs the tests has set is not meant for these.
        for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("INTERLOCK_")) {
            command.env_remove(key);
        }
        command
            .args(args)
            .current_dir(&self.folder)
            .env("FAULTS_HOOK", self.receiver.url())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Starts the real binary as the leader of a group of its own, as a shell would.
    pub fn start(&self, args: &[&str], env: &[(&str, &str)]) -> Cli {
        self.launch(args, env, false)
    }

    /// Starts the real binary with nobody at the other end of its output, as after `| head`.
    pub fn start_unheard(&self, args: &[&str]) -> Cli {
        self.launch(args, &[], true)
    }

    /// Starts the real binary with a reader of its output that has stopped: nothing more can be written before it reads on.
    pub fn start_unread(&self, args: &[&str]) -> (Cli, PipeReader) {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let wait = |flags| nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETFL(flags)).unwrap();
        wait(OFlag::O_NONBLOCK);
        let mut filler = &writer;
        while filler.write(&[b'\n'; 4096]).is_ok() {}
        while filler.write(b"\n").is_ok() {}
        wait(OFlag::empty());
        let (number, mut command) = (self.outputs.fetch_add(1, Ordering::SeqCst), self.command(args));
        let _ = writer.flush();
        let file = self.folder.join("out").join(format!("{number}.none"));
        fs::write(&file, "").unwrap();
        command.process_group(0).stdout(writer.try_clone().unwrap()).stderr(writer);
        (self.started(command, file.clone(), file), reader)
    }

    /// Starts the real binary as `nohup` does.
    pub fn start_under_nohup(&self, args: &[&str]) -> Cli {
        let number = self.outputs.fetch_add(1, Ordering::SeqCst);
        let file = |kind: &str| self.folder.join("out").join(format!("{number}.{kind}"));
        let plain = self.command(args);
        let mut command = Command::new("nohup");
        command.arg(plain.get_program()).args(plain.get_args()).current_dir(&self.folder).process_group(0);
        for (key, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command.stdout(fs::File::create(file("out")).unwrap()).stderr(fs::File::create(file("err")).unwrap());
        self.started(command, file("out"), file("err"))
    }

    fn launch(&self, args: &[&str], env: &[(&str, &str)], unheard: bool) -> Cli {
        let number = self.outputs.fetch_add(1, Ordering::SeqCst);
        let file = |kind: &str| self.folder.join("out").join(format!("{number}.{kind}"));
        let mut command = self.command(args);
        command.envs(env.iter().copied()).process_group(0);
        command.stdout(fs::File::create(file("out")).unwrap()).stderr(fs::File::create(file("err")).unwrap());
        if unheard {
            let (_, broken) = std::io::pipe().unwrap();
            command.stdout(broken.try_clone().unwrap()).stderr(broken);
        }
        self.started(command, file("out"), file("err"))
    }

    fn started(&self, mut command: Command, out: PathBuf, err: PathBuf) -> Cli {
        let child = command.spawn().unwrap();
        let identity = Identity::of(i32::try_from(child.id()).unwrap()).unwrap();
        self.started.lock().unwrap().push(identity.clone());
        Cli::new(child, identity, out, err)
    }

    /// Runs the real binary to its end.
    pub fn ask(&self, args: &[&str]) -> Done {
        self.start(args, &[]).wait()
    }

    /// Starts a switchover with short times; `more` wins over them.
    pub fn switch(&self, more: &[&str]) -> Cli {
        self.switch_with(more, &[])
    }

    pub fn switch_with(&self, more: &[&str], env: &[(&str, &str)]) -> Cli {
        let to = if more.contains(&"--to") { &[][..] } else { &["--to", "green"][..] };
        self.start(&[&["switchover", "run", "tenant", "--yes", "--assume", "independent"], to, more].concat(), env)
    }

    /// Starts a switchover that stays in its bake until something happens to it.
    pub fn bake(&self) -> (Cli, RunId) {
        self.bake_with(&[])
    }

    pub fn bake_with(&self, more: &[&str]) -> (Cli, RunId) {
        let before = self.runs();
        let cli = self.switch(&[&["--bake", "10m", "--max-bake", "20m"], more].concat());
        let run = self.wait_for_run(&before);
        self.wait_for_bake(&run);
        (cli, run)
    }

    /// Waits until of all that works for runs nothing is left.
    pub fn no_process_but_the_lab(&self) {
        let mut left = Vec::new();
        let quiet = within(Duration::from_secs(30), || {
            let load = self.load.lock().unwrap().as_ref().map(|load| load.identity.pid);
            left = traces::survivors(&self.folder);
            left.retain(|one| !one.belongs_to(&self.lab_folder()) && Some(one.pid) != load);
            left.is_empty()
        });
        assert!(quiet, "still running: {left:#?}");
    }

    /// Ends the lab as a user would, and makes sure that no process and no secret is left anywhere.
    pub fn close(self) {
        self.close_keeping(|| {});
    }

    /// The same, with a look at what the lab has left once it is down.
    pub fn close_keeping(mut self, look: impl FnOnce()) {
        if self.load.lock().unwrap().is_some() {
            self.end_load();
        }
        self.no_process_but_the_lab();
        let secrets = [self.lab().file.token.clone(), self.receiver.secret().to_owned()];
        for run in self.runs() {
            self.ask(&["runs", "show", run.as_str()]);
            self.ask(&["runs", "show", run.as_str(), "-o", "json"]);
        }
        // The token has one place; that it is found there shows that the search finds something.
        let holders = traces::naming(&self.folder, &secrets);
        assert_eq!(holders, [self.lab_folder().join("lab.json")], "a secret was written");
        let down = self.ask(&["lab", "down"]);
        assert_eq!(down.code, Some(0), "{down:?}");
        let left = traces::survivors(&self.folder);
        assert!(left.is_empty(), "survivors: {left:#?}");
        look();
        self.closed = true;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        // The test has failed: show what there is, and end what it has started.
        for (name, text) in traces::outputs(&self.folder) {
            println!("--- {name}\n{text}");
        }
        for one in self.started.lock().unwrap().iter() {
            let _ = one.signal(Signal::SIGCONT);
            let _ = one.kill();
        }
        for guardian in traces::guardians(&self.runs_folder()) {
            let _ = guardian.kill();
        }
        let _ = interlock::lab::end(&self.lab_folder());
        for left in traces::survivors(&self.folder) {
            if let Ok(identity) = Identity::of(left.pid) {
                let _ = identity.kill();
            }
        }
    }
}
