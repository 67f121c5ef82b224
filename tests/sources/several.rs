//! Several real Prometheus servers as one source: zones of their own, and a replica of one of them.

use std::{
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum::{Router, http::StatusCode, response::IntoResponse, routing::get};
use interlock::{
    adapters::{Prometheus, PrometheusServers},
    document::SloSet,
    model::Timestamp,
    ports::{Metrics, PortError},
    slo::{Counting, Counts, Tally},
};

use crate::{
    release::{Release, on_each_release},
    serve,
    servers::Server,
};

const SLO: &str = "\
apiVersion: openslo/v1
kind: SLO
metadata: {name: shop}
spec:
  service: shop
  budgetingMethod: Occurrences
  timeWindow: [{duration: 30d, isRolling: true}]
  objectives: [{target: 0.99}]
  indicator:
    metadata: {name: shop}
    spec:
      ratioMetric:
        counter: true
        bad: {metricSource: {type: Prometheus, spec: {query: 'requests_total{code=\"500\"}'}}}
        total: {metricSource: {type: Prometheus, spec: {query: requests_total}}}
";

/// A service of one zone: what it has counted, and whether it answers.
#[derive(Default)]
struct Zone {
    good: AtomicU64,
    bad: AtomicU64,
    gone: AtomicBool,
}

impl Zone {
    async fn serve() -> (Arc<Self>, SocketAddr) {
        let zone = Arc::new(Self::default());
        let shown = zone.clone();
        let page = move || async move {
            if shown.gone.load(SeqCst) {
                return StatusCode::SERVICE_UNAVAILABLE.into_response();
            }
            let (good, bad) = (shown.good.load(SeqCst), shown.bad.load(SeqCst));
            format!("requests_total{{code=\"200\"}} {good}\nrequests_total{{code=\"500\"}} {bad}\n").into_response()
        };
        let address = serve(Router::new().route("/metrics", get(page))).await;
        (zone, address)
    }
}

fn prometheus(release: Release, target: SocketAddr) -> Server {
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs: [{{job_name: shop, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    release.start(&config, &[])
}

fn joined(servers: &[&Server]) -> PrometheusServers {
    let source = |server: &&Server| Prometheus::new(&server.url, None, Duration::from_secs(10)).unwrap();
    PrometheusServers::new(servers.iter().map(source).collect())
}

fn counting() -> Counting {
    SloSet::read([("slo.yaml", SLO)]).unwrap().objectives(&["shop".to_owned()]).unwrap()[0].counting.clone()
}

async fn look(tally: &mut Tally, source: &PrometheusServers) -> Result<(), PortError> {
    let mut answers = Vec::new();
    for selector in tally.selectors() {
        answers.push(source.samples(selector, tally.since()).await?);
    }
    tally.look(&answers);
    Ok(())
}

/// Looks until so many were counted.
async fn until(tally: &mut Tally, source: &PrometheusServers, expected: Counts) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        look(tally, source).await.unwrap();
        if tally.counts() == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{:?} were counted, and not {expected:?}", tally.counts());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until each server alone has samples of two scrapes.
async fn scraped(server: &mut Server) {
    server.ready("/-/ready").await;
    let deadline = Instant::now() + Duration::from_secs(120);
    let alone = joined(&[server]);
    loop {
        let since = Timestamp::now() - Duration::from_secs(60);
        let found = alone.samples(counting().side(interlock::slo::Side::Total).next().unwrap(), since).await.unwrap();
        if found.len() == 2 && found.iter().all(|one| one.points.len() >= 2) {
            return;
        }
        assert!(Instant::now() < deadline, "it never scraped");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What `doctor` says of each server, and its exit code.
fn doctor(folder: &Path) -> (Option<i32>, Vec<(String, String)>) {
    let asked = Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(["doctor", "-o", "json"])
        .current_dir(folder)
        .output()
        .unwrap();
    let said: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let findings = said["findings"].as_array().unwrap().iter().map(|one| (text(&one["part"]), text(&one["state"])));
    let servers = findings.filter_map(|(part, state)| Some((part.strip_prefix("metrics of ")?.to_owned(), state)));
    (asked.status.code(), servers.collect())
}

on_each_release!(zones_add_up_and_replicas_do_not);

async fn zones_add_up_and_replicas_do_not(release: Release) {
    let ((a, at_a), (b, at_b)) = (Zone::serve().await, Zone::serve().await);
    a.good.store(1000, SeqCst);
    let mut servers = [prometheus(release, at_a), prometheus(release, at_b), prometheus(release, at_a)];
    for server in &mut servers {
        scraped(server).await;
    }
    let [of_a, of_b, replica] = &servers;
    let all = joined(&[of_a, of_b, replica]);
    let mut tally = Tally::new(counting(), Timestamp::now());
    look(&mut tally, &all).await.unwrap();
    a.good.fetch_add(300, SeqCst);
    a.bad.fetch_add(7, SeqCst);
    b.good.fetch_add(90, SeqCst);
    b.bad.fetch_add(3, SeqCst);
    until(&mut tally, &all, Counts { total: 400, bad: 10 }).await;

    // The same as a whole, by a command: replicas weigh double in a share, so they are left out here.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("slo.yaml"), SLO).unwrap();
    let platform = format!(
        "apiVersion: interlock/v1alpha1\nkind: Platform\nmetadata: {{name: shop}}\nslos: [slo.yaml]\n\
         metrics: {{prometheus: [{{url: \"{}\"}}, {{url: \"{}\"}}]}}\n",
        of_a.url, of_b.url
    );
    std::fs::write(folder.path().join("interlock.yaml"), platform).unwrap();
    let asked = Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(["slo", "status", "--output", "json"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said: serde_json::Value = serde_json::from_slice(&asked.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&asked.stderr)));
    let bad = 1.0 - said[0]["now"].as_f64().unwrap();
    // Each zone's share differs: 7 of 307 and 3 of 93. The rates that Prometheus gives are extrapolated.
    assert!((0.01..0.05).contains(&bad), "{bad}");

    let of_each =
        |state: &str| [(&of_a.url, "fine"), (&of_b.url, state)].map(|(url, state)| (url.clone(), state.to_owned()));
    let (exit, well) = doctor(folder.path());
    assert_eq!((exit, well.as_slice()), (Some(0), of_each("fine").as_slice()));

    // A zone whose targets are gone is no missing source: the others go on.
    b.gone.store(true, SeqCst);
    tokio::time::sleep(Duration::from_secs(3)).await;
    a.good.fetch_add(50, SeqCst);
    until(&mut tally, &all, Counts { total: 450, bad: 10 }).await;
    assert!(Timestamp::now().duration_since(tally.newest().unwrap()).as_secs() < 30);

    // A server that does not answer is.
    let of_each = of_each("unreachable");
    let [of_a, of_b, replica] = servers;
    let gone = of_b.url.clone();
    drop(of_b);
    let (exit, ill) = doctor(folder.path());
    assert_eq!((exit, ill.as_slice()), (Some(4), of_each.as_slice()));
    a.good.fetch_add(50, SeqCst);
    let error = look(&mut tally, &all).await.unwrap_err();
    assert!(matches!(error, PortError::Unreachable { .. }) && error.to_string().contains(&gone), "{error}");
    assert_eq!(tally.counts(), Counts { total: 450, bad: 10 });
    drop((of_a, replica));
}

on_each_release!(zones_whose_series_cannot_be_told_apart_are_refused);

/// As with private networks: the instances of two zones have one name.
async fn zones_whose_series_cannot_be_told_apart_are_refused(release: Release) {
    let ((a, at_a), (b, at_b)) = (Zone::serve().await, Zone::serve().await);
    a.good.store(1_000_000, SeqCst);
    b.good.store(10, SeqCst);
    let server = |target: SocketAddr| {
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs: [{{job_name: shop, static_configs: \
             [{{targets: ['{target}'], labels: {{instance: '10.0.0.1:80'}}}}]}}]\n"
        );
        release.start(&config, &[])
    };
    let mut servers = [server(at_a), server(at_b)];
    for server in &mut servers {
        scraped(server).await;
    }
    let [of_a, of_b] = &servers;
    let (all, counting) = (joined(&[of_a, of_b]), counting());
    let total = counting.side(interlock::slo::Side::Total).next().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        match all.samples(total, Timestamp::now() - Duration::from_secs(60)).await {
            Err(error) => break assert!(error.to_string().contains("a label of its own"), "{error}"),
            Ok(_) => assert!(Instant::now() < deadline, "they were taken for replicas"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
