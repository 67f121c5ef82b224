//! A real API server for a test: shared by those that leave it alone, and ended with the last of them, also when it fails.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use interlock::{
    adapters::{Cluster, Reach, SystemClock, store::KubeStore},
    process::{Identity, Signal},
};

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

/// What keeps the suite from running here, if anything does.
fn missing() -> Option<String> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let assets = variable("KUBEBUILDER_ASSETS").is_some_and(|at| at.join("kube-apiserver").is_file());
    let release = std::env::var("INTERLOCK_KUBERNETES").unwrap_or_else(|_| "kubernetes".to_owned());
    let kept = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/build"))
        .args(["--where", &release, "etcd"])
        .output();
    let built = kept.is_ok_and(|kept| {
        kept.status.success() && String::from_utf8_lossy(&kept.stdout).lines().all(|folder| Path::new(folder).is_dir())
    });
    let installs = nix::unistd::geteuid().is_root() && Path::new("/etc/debian_version").is_file();
    (!assets && !built && !installs).then(|| {
        "no kube-apiserver: `tests/cluster/build --api-only` builds one, or KUBEBUILDER_ASSETS names a folder \
         with kube-apiserver and etcd"
            .to_owned()
    })
}

/// etcd and the API server, with everything of theirs in a folder.
pub struct Server {
    folder: PathBuf,
    _dir: tempfile::TempDir,
}

impl Server {
    /// One that is shared; `None` where the system has none and `INTERLOCK_NO_CLUSTER` says that this is known.
    pub fn shared() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Self::own()?;
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// One of the test's own, for what others must not see.
    pub fn own() -> Option<Arc<Self>> {
        if let Some(why) = missing() {
            let told = format!("NOT RUN: the run store in a cluster: {why}");
            // Nobody is to take this for a test that ran, unless they know.
            assert!(std::env::var_os("INTERLOCK_NO_CLUSTER").is_some(), "{told}; INTERLOCK_NO_CLUSTER=1 leaves it out");
            let _ = writeln!(std::io::stderr(), "{told}");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("interlock-api-").tempdir().unwrap();
        let server = Self { folder: dir.path().join("cluster"), _dir: dir };
        let up = script("up").arg(&server.folder).arg("--api-only").output().unwrap();
        assert!(up.status.success(), "{}{}", String::from_utf8_lossy(&up.stdout), String::from_utf8_lossy(&up.stderr));
        Some(Arc::new(server))
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    pub fn kubectl_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.folder.join("bin/kubectl"));
        command.arg(format!("--kubeconfig={}", self.kubeconfig().display())).args(args).stdin(Stdio::null());
        command
    }

    /// Runs kubectl and returns what it says.
    pub fn kubectl(&self, args: &[&str]) -> String {
        let output = self.kubectl_command(args).output().unwrap();
        assert!(output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Makes a namespace of the test's own.
    pub fn namespace(&self, name: &str) {
        self.kubectl(&["create", "namespace", name]);
    }

    pub fn reach(&self, namespace: &str) -> Reach {
        Reach {
            kubeconfig: Some(self.kubeconfig()),
            context: None,
            namespace: namespace.to_owned(),
            outage: Duration::from_secs(120),
        }
    }

    pub async fn cluster(&self, namespace: &str) -> Cluster {
        Cluster::connect(&self.reach(namespace)).await.unwrap()
    }

    /// A store that has a connection and a memory of its own, as another process would.
    pub async fn store(&self, namespace: &str) -> KubeStore {
        KubeStore::new(self.cluster(namespace).await, Arc::new(SystemClock))
    }

    /// The API server's process, by what the scripts have written down of it.
    fn process(&self) -> Identity {
        let processes = fs::read_to_string(self.folder.join("processes")).unwrap();
        let fields: Vec<_> = processes
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .find(|f| f[0] == "kube-apiserver")
            .unwrap();
        let (pid, started): (i32, u64) = (fields[1].parse().unwrap(), fields[2].parse().unwrap());
        let identity = Identity::of(pid).unwrap();
        assert_eq!(identity.start_ticks, started, "another process has its pid");
        identity
    }

    /// Stops it, as a machine that hangs would, until what is returned is dropped.
    pub fn pause(&self) -> Paused {
        let process = self.process();
        assert!(process.signal(Signal::SIGSTOP).unwrap());
        Paused(process)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let down = script("down").arg(&self.folder).output();
        if !down.is_ok_and(|down| down.status.success()) {
            let _ = writeln!(std::io::stderr(), "{} is not wholly down", self.folder.display());
        }
    }
}

/// An API server that is stopped.
pub struct Paused(Identity);

impl Drop for Paused {
    fn drop(&mut self) {
        let _ = self.0.signal(Signal::SIGCONT);
    }
}

fn script(name: &str) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster").join(name));
    command.stdin(Stdio::null());
    command
}
