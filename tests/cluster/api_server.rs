//! The API server of the test cluster as something that can fail.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{PoisonError, RwLock},
    time::Duration,
};

use interlock::process::{Identity, Signal};

use crate::stage::{cluster, until};

/// Whoever makes the API server fail is alone with it; everybody else shares it.
static SHARED: RwLock<()> = RwLock::new(());

/// A place at the API server, beside others or alone.
pub type Use = Box<dyn std::any::Any>;

pub fn shared() -> Use {
    Box::new(SHARED.read().unwrap_or_else(PoisonError::into_inner))
}

/// Without others, whom its failing would hit as well.
pub fn alone() -> Use {
    Box::new(SHARED.write().unwrap_or_else(PoisonError::into_inner))
}

/// The running API server.
pub struct ApiServer {
    folder: PathBuf,
    identity: Identity,
}

impl ApiServer {
    /// The one that the cluster's own list names last.
    pub fn find() -> Self {
        let folder = cluster().unwrap();
        let identity = process(&folder, "kube-apiserver");
        Self { folder, identity }
    }

    /// Lets it be silent for a while: connections stay open, and nothing is answered.
    pub fn silent_for(&self, time: Duration) {
        assert!(self.identity.signal(Signal::SIGSTOP).unwrap());
        std::thread::sleep(time);
        assert!(self.identity.signal(Signal::SIGCONT).unwrap());
    }

    /// Ends it, does something, and starts it again as it was started before.
    pub fn restart(&self, meanwhile: impl FnOnce()) {
        let read = |file: &str| fs::read(format!("/proc/{}/{file}", self.identity.pid)).unwrap();
        let arguments = strings(&read("cmdline"));
        let environment = strings(&read("environ"));
        assert!(self.identity.end(Duration::from_secs(60)).unwrap());
        meanwhile();
        let log = fs::OpenOptions::new().append(true).create(true).open(self.folder.join("logs/kube-apiserver.log"));
        let log = log.unwrap();
        let recorded = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/lib/recorded");
        Command::new("setsid")
            .args(["--fork", recorded])
            .arg(&self.folder)
            .arg("kube-apiserver")
            .args(arguments)
            .env_clear()
            .envs(environment.iter().filter_map(|pair| pair.split_once('=')))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status()
            .unwrap();
        let kubeconfig = self.folder.join("kubeconfig");
        until("the API server to be ready again", || {
            let ready = Command::new(self.folder.join("bin/kubectl"))
                .env("KUBECONFIG", &kubeconfig)
                .args(["get", "--raw", "/readyz"])
                .output();
            ready.unwrap().status.success()
        });
    }

    /// Makes etcd forget everything but the present.
    pub fn compact_history(&self) {
        let etcd = process(&self.folder, "etcd");
        let arguments = strings(&fs::read(format!("/proc/{}/cmdline", etcd.pid)).unwrap());
        let named = arguments.iter().position(|argument| argument == "--listen-client-urls").unwrap();
        let url = &arguments[named + 1];
        let ask = |path: &str, body: &str| {
            let output = Command::new("curl").args(["-sSf", "-d", body, &format!("{url}{path}")]).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            output.stdout
        };
        let range: serde_json::Value = serde_json::from_slice(&ask("/v3/kv/range", r#"{"key":"AA=="}"#)).unwrap();
        let revision = range["header"]["revision"].as_str().unwrap();
        ask("/v3/kv/compaction", &format!(r#"{{"revision":"{revision}","physical":true}}"#));
    }
}

fn strings(bytes: &[u8]) -> Vec<String> {
    let parts = bytes.split(|byte| *byte == 0).filter(|part| !part.is_empty());
    parts.map(|part| String::from_utf8(part.to_vec()).unwrap()).collect()
}

/// A process of the cluster, by the list that it keeps; its start time has to fit.
fn process(folder: &std::path::Path, name: &str) -> Identity {
    let list = fs::read_to_string(folder.join("processes")).unwrap();
    let line = list.lines().rfind(|line| line.starts_with(&format!("{name} "))).unwrap();
    let mut words = line.split_whitespace().skip(1);
    let identity = Identity::of(words.next().unwrap().parse().unwrap()).unwrap();
    assert_eq!(identity.start_ticks, words.next().unwrap().parse::<u64>().unwrap(), "{line} is over");
    identity
}
