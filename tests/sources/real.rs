//! A real Prometheus and a direct scrape have to count the same events.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use interlock::{
    adapters::{Prometheus, Scrape},
    document::SloSet,
    model::Timestamp,
    ports::{Labels, Metrics, PortError, Selector},
    slo::{Counts, Tally, check_edge},
};

use crate::{
    release::{Release, on_each_release},
    serve,
    servers::Server,
};

/// A Prometheus that scrapes `target` each second.
fn prometheus(release: Release, target: SocketAddr) -> Server {
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}
\
         scrape_configs: [{{job_name: lab, static_configs: [{{targets: ['{target}']}}]}}]
"
    );
    release.start(&config, &[])
}

/// What the service under test has counted.
#[derive(Default)]
struct Service {
    ok: AtomicU64,
    slow: AtomicU64,
    failed: AtomicU64,
}

impl Service {
    fn page(&self) -> String {
        let (ok, slow, failed) = (self.ok.load(SeqCst), self.slow.load(SeqCst), self.failed.load(SeqCst));
        let labels = "service=\"tenant\",slot=\"green\",path=\"live\"";
        let answered = ok + slow;
        let mut page = format!(
            "lab_requests_total{{{labels},code=\"200\"}} {answered}\n\
             lab_request_duration_seconds_bucket{{{labels},outcome=\"ok\",le=\"0.25\"}} {ok}\n\
             lab_request_duration_seconds_bucket{{{labels},outcome=\"ok\",le=\"+Inf\"}} {answered}\n\
             lab_request_duration_seconds_count{{{labels},outcome=\"ok\"}} {answered}\n\
             lab_requests_total{{service=\"tenant\",slot=\"blue\",path=\"live\",code=\"500\"}} 77\n"
        );
        // As with real programs, the series of errors are born with the first error.
        if failed > 0 {
            page.push_str(&format!(
                "lab_requests_total{{{labels},code=\"500\"}} {failed}\n\
                 lab_request_duration_seconds_bucket{{{labels},outcome=\"error\",le=\"0.25\"}} {failed}\n\
                 lab_request_duration_seconds_count{{{labels},outcome=\"error\"}} {failed}\n"
            ));
        }
        page
    }
}

async fn look(tally: &mut Tally, source: &dyn Metrics) {
    let since = tally.since();
    let selectors: Vec<Selector> = tally.selectors().cloned().collect();
    let mut answers = Vec::new();
    for selector in &selectors {
        answers.push(source.samples(selector, since).await.unwrap());
    }
    tally.look(&answers);
}

on_each_release!(prometheus_and_scrape_count_the_same);

async fn prometheus_and_scrape_count_the_same(release: Release) {
    let service = Arc::new(Service::default());
    service.ok.store(1000, SeqCst);
    let shown = service.clone();
    let router = Router::new().route("/metrics", get(move || async move { shown.page() }));
    let address = serve(router).await;
    let mut server = prometheus(release, address);
    server.ready("/-/ready").await;
    let prometheus = Prometheus::new(&server.url, None, Duration::from_secs(5)).unwrap();
    let scrape = Scrape::new(&[format!("http://{address}/metrics")], Duration::from_secs(2)).unwrap();

    let set = SloSet::read([("slo.yaml", include_str!("../../scenarios/lab/slo.yaml"))]).unwrap();
    let objectives = set.objectives(&set.names().map(str::to_owned).collect::<Vec<_>>()).unwrap();
    let labels = Labels::from([("slot".to_owned(), "green".to_owned())]).into();

    // The threshold is an edge of the buckets that are there, and 0.3 would be none.
    let buckets = objectives[1].counting.with(&labels).buckets().unwrap();
    let seen = scrape.samples(&buckets, Timestamp::UNIX_EPOCH).await.unwrap();
    let edges = || seen.iter().filter_map(|s| s.labels.get("le")).map(String::as_str);
    check_edge(objectives[1].counting.edge.unwrap(), edges()).unwrap();
    assert!(check_edge(0.3, edges()).is_err());

    // The first sample may take the server a while.
    let total = objectives[0].counting.with(&labels).selectors[1].1.clone();
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let since = Timestamp::now() - Duration::from_secs(60);
        if prometheus.samples(&total, since).await.is_ok_and(|found| !found.is_empty()) {
            break;
        }
        assert!(Instant::now() < deadline, "prometheus never scraped");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    let start = Timestamp::now();
    let sources: [&dyn Metrics; 2] = [&prometheus, &scrape];
    let fresh = || objectives.iter().map(|o| Tally::new(o.counting.with(&labels), start)).collect::<Vec<_>>();
    let mut tallies = [fresh(), fresh()];
    let mut taken = [[Counts::default(); 2]; 2];
    for round in 0..16 {
        for (source, tallies) in sources.iter().zip(&mut tallies) {
            for tally in tallies {
                look(tally, *source).await;
            }
        }
        for (i, tallies) in tallies.iter_mut().enumerate() {
            for (j, tally) in tallies.iter_mut().enumerate() {
                let counts = tally.take();
                taken[i][j].total += counts.total;
                taken[i][j].bad += counts.bad;
            }
        }
        if (1..8).contains(&round) {
            service.ok.fetch_add(50, SeqCst);
            service.slow.fetch_add(2, SeqCst);
        }
        if (4..8).contains(&round) {
            service.failed.fetch_add(3, SeqCst);
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
    }

    let expected = [Counts { total: 376, bad: 12 }, Counts { total: 376, bad: 26 }];
    for (tallies, taken) in tallies.iter().zip(taken) {
        let counts: Vec<Counts> = tallies.iter().map(Tally::counts).collect();
        assert_eq!(counts, expected);
        assert_eq!(taken, expected);
        let age = Timestamp::now().duration_since(tallies[0].newest().unwrap());
        assert!(age.as_secs() < 5, "the newest sample is {age:#} old");
    }

    // The same queries give burn rates.
    let share = prometheus.instant(&interlock::slo::bad_share(&objectives[0].counting, Duration::from_secs(60))).await;
    let share = share.unwrap()[0].1;
    assert!(share > 0.0 && share < 0.2, "{share}");
    let range = prometheus.range("up", start, Timestamp::now(), Duration::from_secs(1)).await.unwrap();
    assert!(range[0].points.len() >= 3);

    drop(server);
    let gone = prometheus.samples(&total, start).await.unwrap_err();
    assert!(matches!(gone, PortError::Unreachable { .. }), "{gone}");
}
