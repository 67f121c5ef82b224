//! `lab demo` and `lab up`: whose folder they take, who may take it at a time, and what is left of what they began.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use interlock::{
    lab::{DEFAULT_FOLDER, Lab},
    process::{Identity, Signal},
};

use crate::{
    command::{Cli, Done, PATIENCE, within},
    stage::Place,
    traces,
};

/// A folder for what is tried; whatever is still at work there in the end is killed.
struct Scene {
    folder: PathBuf,
    _dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("interlock-demo-").tempdir().unwrap();
        Self { folder: dir.path().canonicalize().unwrap(), _dir: dir }
    }

    fn start(&self, args: &[&str]) -> Started {
        let number = fs::read_dir(&self.folder).unwrap().count();
        let file = |kind: &str| self.folder.join(format!("said-{number}.{kind}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_interlock"));
        for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("INTERLOCK_")) {
            command.env_remove(key);
        }
        let (out, err) = (fs::File::create(file("out")).unwrap(), fs::File::create(file("err")).unwrap());
        command.args(args).current_dir(&self.folder).stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        let child = command.spawn().unwrap();
        let identity = Identity::of(i32::try_from(child.id()).unwrap()).unwrap();
        Started { cli: Cli::new(child, identity, file("out"), file("err")), said: [file("out"), file("err")] }
    }

    fn ask(&self, args: &[&str]) -> Done {
        self.start(args).cli.wait()
    }

    fn nothing_is_left(&self) {
        let left = traces::survivors(&self.folder);
        assert!(left.is_empty(), "survivors: {left:#?}");
    }
}

/// A command that is looked at while it goes on.
struct Started {
    cli: Cli,
    /// What it prints, and what it complains of.
    said: [PathBuf; 2],
}

impl Started {
    /// Looks until it is so; a command that ends before shows what it said.
    fn until(&mut self, what: &str, mut so: impl FnMut() -> bool) {
        let came = within(PATIENCE, || so() || self.cli.has_ended()) && so();
        let said = || self.said.each_ref().map(|file| fs::read_to_string(file).unwrap()).join("\n");
        assert!(came, "waited in vain for {what}: {}", said());
    }

    fn until_says(&mut self, words: &str) {
        let out = self.said[0].clone();
        self.until(words, || fs::read_to_string(&out).unwrap().contains(words));
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for left in traces::survivors(&self.folder) {
            if let Ok(identity) = Identity::of(left.pid) {
                let _ = identity.kill();
            }
        }
    }
}

/// All files of a folder with what they hold.
fn held(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut all: Vec<_> =
        traces::files(folder).into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    all.sort();
    all
}

#[test]
fn a_folder_of_somebody_else_is_refused_and_stays_as_it_is() {
    let scene = Scene::new();
    let theirs = scene.folder.join("theirs");
    for path in ["interlock.yaml", "slo.yaml", "notes", ".interlock/runs/notes", "prometheus/rules.yml", "weights.json"]
    {
        let path = theirs.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "mine").unwrap();
    }
    let before = held(&theirs);
    for command in ["demo", "up"] {
        let done = scene.ask(&["lab", command, "--folder", "theirs"]);
        assert_eq!(done.code, Some(2), "{command}: {done:?}");
        assert!(done.err.contains("is not empty, and `interlock lab` did not make it"), "{done:?}");
        assert_eq!(held(&theirs), before, "{command}");
        scene.nothing_is_left();
    }
}

#[test]
fn an_interrupted_demo_ends_what_it_has_started() {
    let _place = Place::take();
    let scene = Scene::new();
    let lab = scene.folder.join("demo").join(DEFAULT_FOLDER);
    let (runs, mut aside) = (scene.folder.join("demo/.interlock/runs"), 0);
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut demo = scene.start(&["lab", "demo", "--folder", "demo"]);
        demo.until("its lab", || Lab::open(&lab).is_ok());
        fs::write(scene.folder.join("demo/notes"), "mine").unwrap();
        let second = scene.ask(&["lab", "demo", "--folder", "demo"]);
        assert_eq!(second.code, Some(2), "{second:?}");
        assert!(second.err.contains("a demo plays in demo already"), "{second:?}");
        // A machine that is busy may refuse its run; the demo goes on with its next act.
        demo.until_says("$ interlock switchover run");
        demo.cli.signal(signal);
        let done = demo.cli.wait();
        assert_eq!(done.code, Some(7), "{signal}: {done:?}");
        assert!(done.err.contains(&format!("{signal}: what was started is ended")), "{done:?}");
        scene.nothing_is_left();
        assert_eq!(fs::read_to_string(scene.folder.join("demo/notes")).unwrap(), "mine");
        // The journals of the demos before are still there.
        assert!((1..=aside).all(|n| runs.with_extension(n.to_string()).is_dir()), "{aside}");
        aside += u32::from(runs.is_dir());
    }
}

#[test]
fn a_demo_that_is_to_keep_its_platform_says_how_it_is_ended() {
    let _place = Place::take();
    let scene = Scene::new();
    let lab = scene.folder.join("demo").join(DEFAULT_FOLDER);
    // A demo of an earlier release has left its folder without a mark; its documents stay aside.
    fs::create_dir_all(lab.join("logs")).unwrap();
    fs::write(lab.join("logs").join("supervisor.lock"), "").unwrap();
    fs::write(scene.folder.join("demo").join("slo.yaml"), "# of an earlier release\n").unwrap();
    let mut demo = scene.start(&["lab", "demo", "--folder", "demo", "--act", "1", "--keep"]);
    demo.until_says("$ interlock switchover run");
    demo.cli.signal(Signal::SIGTERM);
    let done = demo.cli.wait();
    assert_eq!(done.code, Some(7), "{done:?}");
    let down = format!("interlock lab down --yes --folder {}", lab.display());
    assert!(done.err.contains(&format!("the platform stays up: `{down}` ends it")), "{done:?}");
    assert!(Lab::open(&lab).is_ok());
    assert!(scene.folder.join("demo").join("slo.yaml.1").is_file());
    assert_eq!(scene.ask(&down.split(' ').skip(1).collect::<Vec<_>>()).code, Some(0));
    scene.nothing_is_left();
}

#[test]
fn a_lab_that_does_not_come_up_is_ended_again() {
    let _place = Place::take();
    let scene = Scene::new();
    let up = ["lab", "up", "--database", "none", "--no-prometheus"];
    let late = scene.ask(&[&up[..], &["--timeout", "1ms"]].concat());
    assert_eq!(late.code, Some(4), "{late:?}");
    for named in ["waited for 1ms", "/.interlock/lab/logs/", "--timeout 2ms"] {
        assert!(late.err.contains(named), "{named}: {late:?}");
    }
    scene.nothing_is_left();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut begun = scene.start(&[&up[..], &["--replicas", "16", "--timeout", "10m"]].concat());
        begun.until("its supervisor", || Lab::open(&scene.folder.join(DEFAULT_FOLDER)).is_ok());
        begun.cli.signal(signal);
        let done = begun.cli.wait();
        assert_eq!(done.code, Some(7), "{signal}: {done:?}");
        assert!(done.err.contains("what was started is ended"), "{done:?}");
        scene.nothing_is_left();
    }
}
