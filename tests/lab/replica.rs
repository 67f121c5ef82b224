//! One replica by itself, as in a pod: it drains and ends under load without losing a request, and says what it holds.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use interlock::{
    lab::{
        http::{Answer, Ask, Client},
        load::{self, Report, Spec},
    },
    process::{Identity, Signal},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};
use tokio_util::sync::CancellationToken;

use crate::command::{Cli, PATIENCE, until};

struct Replica {
    cli: Option<Cli>,
    runtime: Runtime,
    business: SocketAddr,
    admin: SocketAddr,
    _dir: TempDir,
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Replica {
    fn start(more: &[&str], env: &[(&str, &str)]) -> Self {
        let (business, admin) = (free(), free());
        let dir = tempfile::tempdir().unwrap();
        let file = |name| dir.path().join(name);
        let child = Command::new(env!("CARGO_BIN_EXE_interlock"))
            .args(["lab", "serve", "tenant", "--listen", &business.to_string(), "--admin", &admin.to_string()])
            .args(more)
            .env_clear()
            .envs([("POD_NAME", "tenant-blue-x"), ("TENANT_SLOT", "blue"), ("TENANT_RELEASE", "1.2.0")])
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(fs::File::create(file("out")).unwrap())
            .stderr(fs::File::create(file("err")).unwrap())
            .spawn()
            .unwrap();
        let identity = Identity::of(i32::try_from(child.id()).unwrap()).unwrap();
        let cli = Some(Cli::new(child, identity, file("out"), file("err")));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let replica = Self { cli, runtime, business, admin, _dir: dir };
        until("the replica", || replica.try_ask(admin, Ask::get("/readyz")).is_ok_and(|answer| answer.status == 200));
        replica
    }

    fn try_ask(&self, at: SocketAddr, ask: Ask<'_>) -> Result<Answer, String> {
        self.runtime.block_on(Client::new(at, None).ask(ask, PATIENCE))
    }

    fn ask(&self, at: SocketAddr, ask: Ask<'_>) -> Answer {
        self.try_ask(at, ask).unwrap()
    }

    fn drain(&self, draining: bool) {
        let answer = self.ask(self.admin, Ask::put("/draining", json!({ "draining": draining })));
        assert_eq!((answer.status.as_u16(), answer.json()), (200, Ok(json!({ "draining": draining }))));
    }

    fn offer(&self, rate: f64, duration: Duration) -> tokio::task::JoinHandle<Report> {
        let spec = Spec::new(self.business, "/tenants/7", rate, duration);
        self.runtime.spawn(async { load::run(spec, CancellationToken::new(), |_| {}).await.unwrap() })
    }

    fn connect(&self) -> Kept<'_> {
        Kept { replica: self, stream: self.runtime.block_on(TcpStream::connect(self.business)).unwrap() }
    }

    /// The value of a sample of the page of metrics, by its name and the labels after the common ones.
    fn metric(&self, sample: &str) -> Option<f64> {
        let page = self.ask(self.admin, Ask::get("/metrics")).body;
        let common = r#"service="tenant",slot="blue",replica="tenant-blue-x""#;
        let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
        let comma = if labels == "}" { "" } else { "," };
        let start = format!("{name}{{{common}{comma}{labels} ");
        str::from_utf8(&page).unwrap().lines().find_map(|line| line.strip_prefix(&start)?.parse().ok())
    }

    fn end(&self) {
        self.cli.as_ref().unwrap().signal(Signal::SIGTERM);
        until("its end to be told", || {
            self.try_ask(self.admin, Ask::get("/readyz")).is_ok_and(|answer| answer.status == 503)
        });
    }

    fn ended(mut self) {
        let done = self.cli.take().unwrap().wait();
        assert_eq!(done.code, Some(0), "{done:?}");
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(cli) = self.cli.take() {
            cli.kill_group();
        }
    }
}

/// A connection whose client neither closes it nor tries again.
struct Kept<'a> {
    replica: &'a Replica,
    stream: TcpStream,
}

impl Kept<'_> {
    fn send(&mut self) {
        let text = b"GET /tenants/7 HTTP/1.1\r\nhost: tenant\r\n\r\n";
        self.replica.runtime.block_on(self.stream.write_all(text)).unwrap();
    }

    /// Sends a request; gives the head of its answer in small letters.
    fn get(&mut self) -> String {
        self.send();
        let mut text = String::new();
        while !text.contains("\r\n\r\n") || !text.ends_with('}') {
            let mut piece = [0; 1024];
            let n = self.replica.runtime.block_on(self.stream.read(&mut piece)).unwrap();
            assert!(n > 0, "closed in the middle of an answer: {text}");
            text += str::from_utf8(&piece[..n]).unwrap();
        }
        text.to_lowercase()
    }

    /// Waits until the other side has closed it in good order.
    fn closed(mut self) {
        let read = self.replica.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, self.stream.read(&mut [0; 64])).await.expect("it stays open")
        });
        assert_eq!(read.unwrap(), 0);
    }
}

fn says_close(answer: &str) -> bool {
    assert!(answer.starts_with("http/1.1 200 "), "{answer}");
    answer.contains("\r\nconnection: close\r\n")
}

#[test]
fn a_replica_that_drains_closes_each_connection_with_an_answer_and_loses_nothing() {
    let replica = Replica::start(&[], &[]);
    let load = replica.offer(300.0, Duration::from_secs(3));
    let (mut kept, mut idle) = (replica.connect(), replica.connect());
    assert!(!says_close(&kept.get()) && !says_close(&idle.get()));
    until("load", || replica.metric(r#"tenant_requests_total{outcome="ok"}"#).is_some_and(|n| n > 100.0));

    replica.drain(true);
    assert!(says_close(&kept.get()));
    kept.closed();
    let mut new = replica.connect();
    assert!(says_close(&new.get()), "new connections are served, each for one answer");
    new.closed();
    let ready = replica.ask(replica.admin, Ask::get("/readyz"));
    assert_eq!(ready.status, 200, "draining takes no replica out");

    replica.drain(false);
    assert!(!says_close(&idle.get()), "an idle connection was not touched");
    let report = replica.runtime.block_on(load).unwrap();
    assert_eq!((report.offered, report.failed), (900, 0), "{report:?}");
}

#[test]
fn draining_is_asked_for_on_the_admin_listener_alone_and_in_one_way() {
    let replica = Replica::start(&[], &[]);
    for body in [json!({ "draining": "yes" }), json!({ "draining": true, "for": "1m" }), json!(true)] {
        let answer = replica.ask(replica.admin, Ask::put("/draining", body));
        assert_eq!(answer.status, 400);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    let answer = replica.ask(replica.admin, Ask::get("/draining"));
    assert_eq!(answer.json(), Ok(json!({ "draining": false })));
    for path in ["/metrics", "/draining"] {
        let answer = replica.ask(replica.business, Ask::get(path));
        assert_eq!(answer.status, 404, "{path} is not for users");
        assert_eq!(answer.headers["x-lab-slot"], "blue");
        assert_eq!(answer.headers["x-lab-version"], "1.2.0");
    }
    for path in ["/healthz", "/readyz", "/version"] {
        assert_eq!(replica.ask(replica.business, Ask::get(path)).status, 200, "{path}");
    }
}

#[test]
fn a_replica_that_is_told_to_end_under_load_fails_no_request() {
    let replica = Replica::start(&["--drain", "60s"], &[]);
    let load = replica.offer(300.0, Duration::from_secs(4));
    until("load", || replica.metric(r#"tenant_requests_total{outcome="ok"}"#).is_some_and(|n| n > 100.0));
    replica.end();
    assert_eq!(replica.ask(replica.business, Ask::get("/readyz")).status, 503);
    let undrain = replica.ask(replica.admin, Ask::put("/draining", json!({ "draining": false })));
    assert_eq!(undrain.json(), Ok(json!({ "draining": true })));
    // The client knows of no other replica: it comes back with a new connection for each request.
    let report = replica.runtime.block_on(load).unwrap();
    assert_eq!((report.offered, report.failed), (1200, 0), "{report:?}");
    replica.ended();
}

#[test]
fn an_idle_connection_is_not_cut_before_the_deadline() {
    let drain = Duration::from_secs(8);
    let replica = Replica::start(&["--drain", "8s"], &[]);
    let (mut used, mut unused) = (replica.connect(), replica.connect());
    assert!(!says_close(&used.get()) && !says_close(&unused.get()));
    let told = Instant::now();
    replica.end();
    // Longer than the replica waits for new clients: it is the idle connections that keep it.
    std::thread::sleep(Duration::from_secs(3));
    assert!(says_close(&used.get()), "a client that was just sending gets its answer");
    used.closed();
    unused.closed();
    assert!(told.elapsed() >= drain);
    replica.ended();
}

#[test]
fn a_request_that_hangs_shows_in_the_metrics_until_its_client_leaves() {
    let replica = Replica::start(&[], &[("TENANT_FAULTS", "hang=after:1,share:100%")]);
    assert_eq!(replica.metric(r#"tenant_in_flight_age_seconds_bucket{le="+Inf"}"#), Some(0.0));
    let (mut hangs, mut waits) = (replica.connect(), replica.connect());
    waits.get();
    hangs.send();
    let client = hangs.stream.local_addr().unwrap();
    let example = format!(r#"tenant_in_flight_example_seconds{{request="GET /tenants/7",client="{client}"}}"#);
    until("the request to be old", || replica.metric(&example).is_some_and(|age| age > 0.1));
    let count = |le: &str| replica.metric(&format!(r#"tenant_in_flight_age_seconds_bucket{{le="{le}"}}"#));
    assert_eq!((count("0.1"), count("60"), count("+Inf")), (Some(0.0), Some(1.0), Some(1.0)));
    assert_eq!(replica.metric("tenant_in_flight_age_seconds_gcount"), Some(1.0));
    assert!(replica.metric("tenant_in_flight_oldest_seconds").unwrap() > 0.1);
    assert_eq!(replica.metric(r#"tenant_requests_total{outcome="ok"}"#), Some(1.0));
    assert_eq!(replica.metric(r#"tenant_connections{client="127.0.0.1"}"#), Some(2.0));
    assert_eq!(replica.metric("tenant_open_connections"), Some(2.0));

    drop(hangs);
    until("the request to be forgotten", || replica.metric("tenant_in_flight_age_seconds_gcount") == Some(0.0));
    assert_eq!((replica.metric(&example), replica.metric("tenant_in_flight_oldest_seconds")), (None, Some(0.0)));
    until("its connection as well", || replica.metric("tenant_open_connections") == Some(1.0));
}
