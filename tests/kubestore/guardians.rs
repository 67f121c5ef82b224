//! Guardians in a cluster: one acts, the others stand by, and whoever acts puts back what was left, of several runs at once.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use interlock::{
    adapters::{SystemClock, store::KubeStore},
    error::Error,
    guard::{
        Context, Event, Events, Guard, Mode, Operation, Outcome, Plan, Rebuild, Silent, Start, begin, drive, keep_all,
        load,
    },
    model::{HumanDuration, RunId, Target},
    ports::{Notify, Store},
};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    server::Server,
    shelf::{Shelf, plan, start},
    store::run,
    told::told,
};

/// A guardian as a Deployment would start it, killed when dropped.
struct Process(Child, PathBuf);

impl Process {
    fn start(kubeconfig: &Path, namespace: &str, folder: &Path, name: &str) -> Self {
        let log = folder.join(name);
        let file = fs::File::create(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_interlock"))
            .args(["guardian", "--cluster", "--namespace", namespace])
            .env("KUBECONFIG", kubeconfig)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self(child, log)
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.1).unwrap()
    }

    fn acts(&self) -> bool {
        self.log()
            .lines()
            .rev()
            .find(|line| line.ends_with("acts now") || line.ends_with("stands by"))
            .is_some_and(|line| line.ends_with("acts now"))
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- {}\n{}", self.1.display(), self.log());
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How long anything may take on a machine that is busy with other suites.
const PATIENCE: Duration = Duration::from_secs(300);

fn until(what: &str, mut check: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !check() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
    begun.elapsed()
}

#[test]
fn one_guardian_acts_and_another_follows_whether_it_leaves_or_dies() {
    use nix::sys::signal::Signal;
    let Some(server) = Server::own() else { return };
    server.namespace("guardians");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let seen = || runtime.block_on(async { server.store("guardians").await.guardian().await.unwrap() });
    assert!(seen().is_none());
    let folder = tempfile::tempdir().unwrap();
    let mut all: Vec<_> = (0..2)
        .map(|n| Process::start(&server.kubeconfig(), "guardians", folder.path(), &format!("guardian-{n}.log")))
        .collect();
    until("one acts", || all.iter().any(Process::acts));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(all.iter().filter(|one| one.acts()).count(), 1);
    assert!(seen().is_some());

    // An API server that is away ends no guardian; who acted stops, and one acts again when it is back.
    let paused = server.pause();
    until("nobody acts who cannot renew", || !all.iter().any(Process::acts));
    std::thread::sleep(Duration::from_secs(5));
    drop(paused);
    until("one acts again", || all.iter().any(Process::acts));
    assert_eq!(all.iter().filter(|one| one.acts()).count(), 1);

    // It is told to go, as when its pod is replaced: the other one follows at once.
    let first = all.iter().position(Process::acts).unwrap();
    all[first].signal(Signal::SIGTERM);
    let code = all[first].0.wait().unwrap().code();
    assert_eq!(code, Some(0), "{}", all[first].log());
    let told = until("the other one acts", || all[1 - first].acts());
    all.push(Process::start(&server.kubeconfig(), "guardians", folder.path(), "guardian-2.log"));

    // It dies: the next one waits for its silence.
    all[1 - first].signal(Signal::SIGKILL);
    let silent = until("the third one acts", || all[2].acts());
    assert!(silent > Duration::from_secs(8) && told < silent, "{told:?} {silent:?}");
    let name = seen().unwrap().name;
    assert!(server.kubectl(&["get", "lease", "-n", "guardians"]).contains(&name));
    drop(all);
    std::thread::sleep(Duration::from_secs(6));
    assert!(seen().is_none(), "whoever died is not taken for alive");
}

#[test]
fn a_guardian_that_may_nothing_says_which_role_it_lacks() {
    let Some(server) = Server::shared() else { return };
    server.namespace("powerless");
    let folder = tempfile::tempdir().unwrap();
    let nobody = fs::read_to_string(server.kubeconfig()).unwrap().replace("    token:", "    as: nobody\n    token:");
    fs::write(folder.path().join("kubeconfig"), nobody).unwrap();
    let guardian = Process::start(&folder.path().join("kubeconfig"), "powerless", folder.path(), "guardian.log");
    until("it complains", || guardian.log().contains("manifests/rbac"));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(guardian.log().matches("not allowed to").count(), 1, "once: {}", guardian.log());
}

/// Builds the operation from a shelf for each target.
struct Shelves(Vec<(Target, Arc<Shelf>)>);

#[async_trait]
impl Rebuild for Shelves {
    async fn operation(&self, plan: &Plan) -> Result<Arc<dyn Operation>, Error> {
        Ok(self.0.iter().find(|(target, _)| *target == plan.target).unwrap().1.clone())
    }

    fn notify(&self, _: &Plan) -> Vec<Arc<dyn Notify>> {
        Vec::new()
    }
}

struct Until(tokio::sync::Notify);

impl Events for Until {
    fn event(&self, event: &Event<'_>) {
        if let Event::Recorded(entry) = event
            && told(entry).starts_with("3 applied")
        {
            self.0.notify_one();
        }
    }
}

/// Begins a run and is gone in the middle of it.
async fn abandon(store: Arc<KubeStore>, run: &RunId, target: &Target, shelf: &Arc<Shelf>) {
    let plan = Plan { target: target.clone(), ttl: HumanDuration::secs(3), ..plan() };
    let grant = begin(&*store, run, &plan, &Start::default()).await.unwrap();
    let events = Arc::new(Until(tokio::sync::Notify::new()));
    let (_, stop) = watch::channel(None);
    let operation = shelf.clone();
    let clock = Arc::new(SystemClock);
    let context = Context { store, operation, clock, events: events.clone(), notify: Vec::new(), stop };
    tokio::select! {
        outcome = drive(&context, &grant) => panic!("{outcome:?}"),
        () = events.0.notified() => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_acts_puts_back_what_several_owners_have_left() {
    let Some(server) = Server::shared() else { return };
    server.namespace("several");
    let shelves: Vec<_> = (0..3).map(|n| (Target::parse(&format!("shelf-{n}")).unwrap(), start())).collect();
    let store = Arc::new(server.store("several").await);
    for (number, (target, shelf)) in shelves.iter().enumerate() {
        abandon(store.clone(), &run(u32::try_from(number).unwrap()), target, shelf).await;
        assert_eq!(shelf.values()["weights"], json!(100));
    }
    // One that a person is needed for: its journal is not what was written.
    let broken = format!("interlock-run-{}-000", run(2));
    server.kubectl(&["patch", "cm", &broken, "-n", "several", "--type", "merge", "-p", r#"{"data":{"000003":"x"}}"#]);

    let guard = Guard {
        store: Arc::new(server.store("several").await),
        clock: Arc::new(SystemClock),
        rebuild: Arc::new(Shelves(shelves.clone())),
        pace: Duration::from_millis(200),
    };
    let (leading, leads) = watch::channel(false);
    let (end, stop) = watch::channel(None);
    let silent: Arc<dyn Events> = Arc::new(Silent);
    let keeping = tokio::spawn(async move { keep_all(&guard, &silent, &|_| Arc::new(Silent) as _, leads, stop).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(shelves.iter().all(|(_, shelf)| shelf.values()["weights"] == json!(100)), "it only stands by");

    leading.send_replace(true);
    for (number, (_, shelf)) in shelves.iter().enumerate().take(2) {
        let run = run(u32::try_from(number).unwrap());
        let begun = Instant::now();
        loop {
            let stored = load(&*store, &run).await.unwrap();
            if let (Mode::Finished(outcome), None) = (stored.mode(), &stored.lock) {
                assert!(matches!(outcome, Outcome::Interrupted { .. }), "{outcome}");
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{:?}", stored.mode());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(shelf.values(), start().values());
    }
    assert_eq!(shelves[2].1.values()["weights"], json!(100), "nobody acts on a journal that was tampered with");
    assert_eq!(store.holding().await.unwrap(), [run(2)]);
    end.send_replace(Some("SIGTERM".to_owned()));
    keeping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guardian_of_one_run_looks_into_the_cluster_as_well() {
    let Some(server) = Server::shared() else { return };
    server.namespace("local");
    let (shelf, target) = (start(), Target::parse("shelf").unwrap());
    let store = Arc::new(server.store("local").await);
    abandon(store.clone(), &run(0), &target, &shelf).await;
    let folder = tempfile::tempdir().unwrap();
    let sign = folder.path().to_str().unwrap();
    // The plan is for an operation that the binary does not know, so it complains; it is there, and it has found the run.
    let mut child = Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(["guardian", "--cluster", "--namespace", "local", "--run", run(0).as_str(), "--sign", sign])
        .env("KUBECONFIG", server.kubeconfig())
        .current_dir(folder.path())
        .stderr(fs::File::create(folder.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    let said = || fs::read_to_string(folder.path().join("log")).unwrap();
    let found = (0..3_000).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        said().contains("the plan is for `shelf`")
    });
    let _ = child.kill();
    let _ = child.wait();
    assert!(found, "{}", said());
    assert!(folder.path().join("guardian.json").is_file());
}
