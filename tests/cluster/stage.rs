//! A namespace for one test, with the tenant service in it, and nothing left of it in the end.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use interlock::{
    adapters::{Cluster, KubePlatform, Reach, Routing, ServiceInCluster, Telling, WorkloadName},
    document::{
        Traffic,
        traffic::{Backends, SelectorTraffic},
    },
    ports::Field,
    process::{Identity, Signal},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::api_server::{Use, alone, shared};
use crate::command::within;
pub use crate::command::{Cli, Done, until};

const INTERLOCK: &str = env!("CARGO_BIN_EXE_interlock");

/// The folder of the cluster that is up; `None` where there is none and `INTERLOCK_NO_CLUSTER` says that this is known.
pub fn cluster() -> Option<PathBuf> {
    let folder = std::env::var_os("INTERLOCK_TEST_CLUSTER").map(PathBuf::from);
    if folder.is_none() {
        let told = "NOT RUN on a cluster: INTERLOCK_TEST_CLUSTER names none; `tests/run cluster` brings one up, as root on Debian";
        // Nobody is to take this for a test that ran, unless they know.
        assert!(std::env::var_os("INTERLOCK_NO_CLUSTER").is_some(), "{told}; INTERLOCK_NO_CLUSTER=1 leaves it out");
        // Past the capture of the test runner.
        let _ = writeln!(fs::OpenOptions::new().write(true).open("/dev/stderr").unwrap(), "{told}");
    }
    folder
}

/// The Services that reach one slot each.
pub fn backends() -> Backends {
    Backends { blue: "tenant-blue".to_owned(), green: "tenant-green".to_owned() }
}

/// Traffic by the selector of the Service, which is reached at `address`, or through the API server.
pub fn selector(address: Option<String>) -> Routing {
    let (service, label) = ("tenant".to_owned(), "slot".to_owned());
    Routing::of(&Traffic::Selector(SelectorTraffic { service, label, preview: backends(), address }))
}

/// What differs between namespaces.
#[derive(Default)]
pub struct Setup {
    /// What is wrong with green's release.
    pub faults: &'static str,
    /// Green's image.
    pub image: Option<&'static str>,
    /// No other test may use the API server meanwhile.
    pub alone: bool,
}

/// A namespace with the tenant service.
pub struct Stage {
    pub namespace: String,
    pub runtime: Runtime,
    pub kubeconfig: PathBuf,
    folder: TempDir,
    outputs: AtomicUsize,
    _use: Use,
}

impl Stage {
    /// A namespace with two slots that are ready; `None` where there is no cluster.
    pub fn up(name: &str) -> Option<Self> {
        Self::with(name, &Setup::default())
    }

    /// The same, while no other test uses the API server, so that it can be made to fail.
    pub fn up_alone(name: &str) -> Option<Self> {
        Self::with(name, &Setup { alone: true, ..Setup::default() })
    }

    pub fn with(name: &str, setup: &Setup) -> Option<Self> {
        let stage = Self::bare(name, if setup.alone { alone } else { shared })?;
        stage.apply(&stage.manifests(setup));
        stage.kubectl(&["rollout", "status", "deployment/tenant-blue", "--timeout=300s"]);
        if setup.image.is_none() {
            stage.kubectl(&["rollout", "status", "deployment/tenant-green", "--timeout=300s"]);
        }
        Some(stage)
    }

    /// A namespace with nothing in it.
    pub fn bare(name: &str, take: impl FnOnce() -> Use) -> Option<Self> {
        let kubeconfig = cluster()?.join("kubeconfig");
        let taken = take();
        let folder = tempfile::Builder::new().prefix("interlock-cluster-test-").tempdir().unwrap();
        let chance: u32 = rand::random();
        let stage = Self {
            namespace: format!("{name}-{chance:08x}"),
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
            kubeconfig,
            folder,
            outputs: AtomicUsize::new(0),
            _use: taken,
        };
        stage.kubectl(&["create", "namespace", &stage.namespace]);
        let text = include_str!("../../scenarios/cluster/interlock.yaml");
        let text = text.replace("namespace: shop", &format!("namespace: {}, outage: 15s", stage.namespace));
        // Tests share a machine that may be busy; what they ask of a slot is not how fast it is.
        let text = text.replace("defaults:\n", "defaults:\n  answerWithin: 10s\n");
        assert!(text.contains("answerWithin"));
        fs::write(stage.folder.path().join("interlock.yaml"), text).unwrap();
        let slo = include_str!("../../scenarios/cluster/slo.yaml");
        fs::write(stage.folder.path().join("slo.yaml"), slo).unwrap();
        Some(stage)
    }

    /// Waits until controllers, the node and kube-proxy follow the API server again after a restart. Each of them tries
    /// anew after a time of its own, which grows to a minute, and one works on what the other has done.
    pub fn until_all_follow() {
        let Some(stage) = Self::bare("following", || Box::new(())) else { return };
        let patience = Duration::from_secs(600);
        let follows = |what: &str, so: &dyn Fn() -> bool| assert!(within(patience, so), "waited in vain for {what}");
        follows("an account", &|| {
            !stage.kubectl(&["get", "serviceaccount", "--ignore-not-found", "-o", "name"]).is_empty()
        });
        stage.apply(&stage.manifests(&Setup::default()));
        for slot in ["blue", "green"] {
            stage.kubectl(&["rollout", "status", &format!("deployment/tenant-{slot}"), "--timeout=600s"]);
        }
        let address = stage.address("tenant");
        follows("the Service's address", &|| is_served(&address));
        let healthy = ["get", "pdb", "tenant-blue", "tenant-green", "-o", "jsonpath={.items[*].status.currentHealthy}"];
        follows("the budgets", &|| stage.kubectl(&healthy) == "2 2");
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs kubectl in the namespace, and returns what it printed.
    pub fn kubectl(&self, args: &[&str]) -> String {
        let output = self.kubectl_command(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "kubectl {args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    pub fn kubectl_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.kubeconfig.with_file_name("bin").join("kubectl"));
        command.env("KUBECONFIG", &self.kubeconfig).args(["--namespace", &self.namespace]).args(args);
        command
    }

    pub fn apply(&self, manifests: &str) {
        let mut kubectl =
            self.kubectl_command(&["apply", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let kubectl = kubectl.as_mut().unwrap();
        kubectl.stdin.take().unwrap().write_all(manifests.as_bytes()).unwrap();
        assert!(kubectl.wait().unwrap().success());
    }

    /// The lab's manifests, with a release of its own in the green slot.
    fn manifests(&self, setup: &Setup) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/lab");
        let built = self.kubectl_command(&["kustomize"]).arg(folder).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let text = String::from_utf8(built.stdout).unwrap();
        let green = |document: &str| document.contains("kind: Deployment") && document.contains("name: tenant-green");
        let documents = text.split("\n---\n").map(|document| {
            if !green(document) {
                return document.to_owned();
            }
            let mut document = document.replace("app.kubernetes.io/version: 1.0.0", "app.kubernetes.io/version: 1.1.0");
            let faults = "name: TENANT_FAULTS\n          value: \"\"";
            assert!(document.contains(faults), "{document}");
            document = document.replace(faults, &format!("name: TENANT_FAULTS\n          value: \"{}\"", setup.faults));
            if let Some(image) = setup.image {
                document = document.replace("image: interlock/interlock:1", &format!("image: {image}"));
                document = document.replace("imagePullPolicy: IfNotPresent", "imagePullPolicy: Never");
            }
            document
        });
        documents.collect::<Vec<_>>().join("\n---\n")
    }

    /// Puts the guardian into the namespace, with its role, and waits until it acts.
    pub fn guardian(&self) {
        for part in ["rbac/guardian", "guardian"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(part);
            self.kubectl(&["apply", "-k", folder.to_str().unwrap()]);
        }
        until("the guardian to act", || {
            let lease =
                ["get", "lease", "interlock-guardian", "--ignore-not-found", "-o", "jsonpath={.spec.holderIdentity}"];
            !self.kubectl(&lease).is_empty()
        });
    }

    /// The address of a Service.
    pub fn address(&self, service: &str) -> String {
        let ip = self.kubectl(&["get", "service", service, "-o", "jsonpath={.spec.clusterIP}"]);
        format!("{ip}:8080")
    }

    /// The slot that the Service selects.
    pub fn serving(&self) -> String {
        self.kubectl(&["get", "service", "tenant", "-o", "jsonpath={.spec.selector.slot}"])
    }

    /// A token for a service account, made for it now.
    pub fn token(&self, account: &str) -> String {
        self.kubectl(&["create", "token", account])
    }

    /// Starts interlock in the stage's folder.
    pub fn start(&self, args: &[&str]) -> Cli {
        self.start_from(self.folder.path(), args)
    }

    /// Starts it from another home, as another machine would.
    pub fn start_from(&self, home: &Path, args: &[&str]) -> Cli {
        use std::os::unix::process::CommandExt as _;
        let number = self.outputs.fetch_add(1, Ordering::Relaxed);
        let place = |name: &str| self.folder.path().join(format!("{number}.{name}"));
        let (out, err) = (place("out"), place("err"));
        let child = Command::new(INTERLOCK)
            .args(args)
            .current_dir(home)
            .env("KUBECONFIG", &self.kubeconfig)
            .env_remove("INTERLOCK_PLATFORM")
            .env_remove("INTERLOCK_STORE")
            .stdin(Stdio::null())
            .stdout(fs::File::create(&out).unwrap())
            .stderr(fs::File::create(&err).unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        let identity = Identity::of(i32::try_from(child.id()).unwrap()).unwrap();
        Cli::new(child, identity, out, err)
    }

    /// Runs interlock to its end.
    pub fn ask(&self, args: &[&str]) -> Done {
        self.start(args).wait()
    }

    /// Begins to offer load until it is told to end: `rate` requests a second over kept-alive connections, or over new ones
    /// each. As many may be in flight as are due within an answer's 10 s, so that a stall delays requests and loses none.
    pub fn offer(&self, rate: u32, new: bool) -> Load {
        let address = self.address("tenant");
        // kube-proxy follows a new Service in its own time, and refuses what comes before.
        until("the Service's address to be served", || is_served(&address));
        self.offer_at(&address, rate, if new { &["--new-connections"] } else { &[] })
    }

    /// The same at any address, with further arguments.
    pub fn offer_at(&self, address: &str, rate: u32, more: &[&str]) -> Load {
        let (rate, in_flight) = (rate.to_string(), (rate * 10).to_string());
        let args = ["lab", "load", "--address", address, "--rate", &rate, "--duration", "1h"];
        Load(self.start(&[&args[..], &["--in-flight", &in_flight, "-o", "json"], more].concat()))
    }

    /// The service as the adapter takes it.
    pub fn platform(&self) -> KubePlatform {
        let workload = |name: &str| WorkloadName::parse(name).unwrap();
        let service = ServiceInCluster {
            name: "tenant".to_owned(),
            workloads: [workload("deployment/tenant-blue"), workload("deployment/tenant-green")],
            routing: selector(Some(format!("http://{}", self.address("tenant")))),
            identity: ("/version".to_owned(), Field::Header("x-lab-slot".to_owned())),
            telling: Some(telling()),
        };
        let cluster = self.runtime.block_on(Cluster::connect(&self.reach())).unwrap();
        // Watches begin on the runtime that will use them.
        let _entered = self.runtime.enter();
        KubePlatform::new(&cluster, service).unwrap()
    }

    pub fn reach(&self) -> Reach {
        Reach {
            kubeconfig: Some(self.kubeconfig.clone()),
            context: None,
            namespace: self.namespace.clone(),
            outage: Duration::from_secs(15),
        }
    }
}

/// Users of a service, until they are told to end.
#[must_use]
pub struct Load(Cli);

/// What became of the requests of a load.
#[derive(Debug)]
pub struct Requests {
    pub ok: u64,
    pub failed: u64,
    /// Those of the failed ones that a busy machine was too late to offer, which no platform has lost.
    pub unsent: u64,
    /// Some of those that failed.
    pub examples: Value,
}

impl Load {
    /// Ends it, and gives what it has counted.
    pub fn end(self) -> Requests {
        self.0.signal(Signal::SIGINT);
        let told = self.0.wait();
        assert_eq!(told.code, Some(7), "{told:?}");
        let report: Value = serde_json::from_str(&told.out).unwrap();
        let [ok, failed, unsent] =
            [&report["ok"], &report["failed"], &report["failures"]["not_sent"]].map(|count| count.as_u64().unwrap());
        Requests { ok, failed, unsent, examples: report["examples"].clone() }
    }
}

impl Requests {
    /// All that were sent were answered well, and most of them were sent.
    pub fn none_lost(&self) {
        assert_eq!(self.failed, self.unsent, "such as {}", self.examples);
        assert!(self.ok > self.unsent, "{self:?}");
    }
}

/// Whether somebody accepts connections at an address. What nobody routes yet is lost without a word, and the system would
/// go on trying for two minutes.
pub fn is_served(address: &str) -> bool {
    std::net::TcpStream::connect_timeout(&address.parse().unwrap(), Duration::from_secs(1)).is_ok()
}

impl Drop for Stage {
    fn drop(&mut self) {
        let args = ["delete", "namespace", &self.namespace, "--wait=false", "--ignore-not-found"];
        let deleted = self.kubectl_command(&args).stdout(Stdio::null()).status();
        if !std::thread::panicking() {
            assert!(deleted.unwrap().success());
        }
    }
}

pub fn telling() -> Telling {
    let named = |name: &str| Some(name.to_owned());
    Telling {
        port: 9090,
        metrics: "/metrics".to_owned(),
        in_flight: named("tenant_in_flight_age_seconds"),
        examples: named("tenant_in_flight_example_seconds"),
        connections: named("tenant_connections"),
        draining: named("/draining"),
    }
}
