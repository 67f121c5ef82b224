//! Native histograms as counts: real servers that have scraped some, with exponential buckets and with custom ones.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum::{Router, http::header::CONTENT_TYPE, response::IntoResponse, routing::get};
use interlock::{
    adapters::{Prometheus, PrometheusServers, Scrape},
    app::check_edges,
    document::SloSet,
    model::Timestamp,
    ports::Metrics,
    slo::{Counts, Objective, Side, Tally},
};

use crate::{
    release::{Release, on_each_release},
    serve,
    servers::Server,
};

/// Observations of a service: those of at most 0.25 s, those up to 1 s, and those of more.
#[derive(Default)]
struct Observed([AtomicU64; 3]);

impl Observed {
    fn add(&self, counts: [u64; 3]) {
        for (counter, by) in self.0.iter().zip(counts) {
            counter.fetch_add(by, SeqCst);
        }
    }

    fn counts(&self) -> [u64; 3] {
        [0, 1, 2].map(|i| self.0[i].load(SeqCst))
    }

    /// What the service shows, by name: one histogram that grows, and one that rests.
    fn shown(&self) -> [(&'static str, [u64; 3]); 2] {
        [("seconds", self.counts()), ("idle_seconds", [5, 0, 1])]
    }

    /// Classic histograms as text.
    fn page(&self) -> String {
        let page = self.shown().map(|(name, [fast, slow, slower])| {
            format!(
                "# TYPE {name} histogram\n{name}_bucket{{le=\"0.25\"}} {fast}\n{name}_bucket{{le=\"1\"}} {}\n\
                 {name}_bucket{{le=\"+Inf\"}} {all}\n{name}_sum 7\n{name}_count {all}\n",
                fast + slow,
                all = fast + slow + slower
            )
        });
        page.concat()
    }

    /// Native histograms in the protobuf format.
    fn protobuf(&self) -> Vec<u8> {
        self.shown().map(|(name, counts)| family(name, counts)).concat()
    }
}

/// A native histogram in the protobuf format: schema 0, whose bucket i holds what is above 2^(i-1) and at most 2^i.
///
/// Format: <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>.
fn family(name: &str, counts: [u64; 3]) -> Vec<u8> {
    // Of the buckets -2, 0 and 3.
    let spans = [(-2_i64, 1_u64), (1, 1), (2, 1)];
    let mut histogram = Vec::new();
    number(&mut histogram, 1, counts.iter().sum());
    fixed(&mut histogram, 2, 7.0);
    number(&mut histogram, 5, zigzag(0));
    fixed(&mut histogram, 6, 1e-9);
    number(&mut histogram, 7, 0);
    let mut before = 0;
    for (offset, length) in spans {
        let mut span = Vec::new();
        number(&mut span, 1, zigzag(offset));
        number(&mut span, 2, length);
        bytes(&mut histogram, 12, &span);
    }
    for count in counts {
        number(&mut histogram, 13, zigzag(count as i64 - before));
        before = count as i64;
    }
    let (mut metric, mut family, mut page) = (Vec::new(), Vec::new(), Vec::new());
    bytes(&mut metric, 7, &histogram);
    bytes(&mut family, 1, name.as_bytes());
    number(&mut family, 3, 4);
    bytes(&mut family, 4, &metric);
    varint(&mut page, family.len() as u64);
    page.extend(family);
    page
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn number(to: &mut Vec<u8>, field: u64, value: u64) {
    varint(to, field << 3);
    varint(to, value);
}

fn fixed(to: &mut Vec<u8>, field: u64, value: f64) {
    varint(to, field << 3 | 1);
    to.extend(value.to_le_bytes());
}

fn bytes(to: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(to, field << 3 | 2);
    varint(to, value.len() as u64);
    to.extend(value);
}

/// One SLO that asks for a quantile, and one that counts.
fn objectives(threshold: &str) -> Vec<Objective> {
    let slo = |name: &str, value: &str, indicator: &str| {
        format!(
            "---\napiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: {name}}}\nspec:\n  service: shop\n  \
             budgetingMethod: Occurrences\n  timeWindow: [{{duration: 30d, isRolling: true}}]\n  objectives: [{{{value}}}]\n  \
             indicator:\n    metadata: {{name: {name}}}\n    spec:\n      {indicator}\n"
        )
    };
    let query = |promql: &str| format!("{{metricSource: {{type: Prometheus, spec: {{query: '{promql}'}}}}}}");
    let quantile = query("histogram_quantile(0.9, sum(rate(seconds[5m])))");
    let part = |name: &str| {
        format!("histogram_fraction(0, {threshold}, rate({name}[5m])) * histogram_count(rate({name}[5m]))")
    };
    let good = query(&format!("{} + {}", part("seconds"), part("idle_seconds")));
    let total = query("sum(histogram_count(rate(seconds[5m]))) + sum(histogram_count(rate(idle_seconds[5m])))");
    let text = [
        slo("quantile", &format!("op: lte, value: {threshold}"), &format!("thresholdMetric: {quantile}")),
        slo("counts", "target: 0.9", &format!("ratioMetric: {{counter: true, good: {good}, total: {total}}}")),
    ];
    let set = SloSet::read([("slo.yaml", text.concat().as_str())]).unwrap();
    set.objectives(&["quantile".to_owned(), "counts".to_owned()]).unwrap()
}

async fn until(tally: &mut Tally, source: &dyn Metrics, expected: Counts) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let mut answers = Vec::new();
        for selector in tally.selectors() {
            answers.push(source.samples(selector, tally.since()).await.unwrap());
        }
        tally.look(&answers);
        if tally.counts() == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{:?} were counted, and not {expected:?}", tally.counts());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Counts what comes, whatever the buckets; 0.25 and 1 are edges of them.
async fn count(server: &mut Server, observed: &Observed) {
    server.ready("/-/ready").await;
    let prometheus = || Prometheus::new(&server.url, None, Duration::from_secs(10)).unwrap();
    // It is a replica of itself.
    let sources = [vec![prometheus()], vec![prometheus(), prometheus()]].map(PrometheusServers::new);
    for source in &sources {
        until_scraped(source).await;
    }
    let objectives = objectives("0.25");
    let mut tallies = Vec::new();
    for (source, objective) in sources.iter().flat_map(|source| objectives.iter().map(move |one| (source, one))) {
        let mut tally = Tally::new(objective.counting.clone(), Timestamp::now());
        until(&mut tally, source, Counts::default()).await;
        tallies.push((source, objective, tally));
    }
    observed.add([100, 20, 3]);
    for (source, objective, tally) in &mut tallies {
        until(tally, *source, Counts { total: 123, bad: 23 }).await;
        let share = source.bad_share(&objective.counting, Duration::from_secs(60)).await.unwrap();
        assert!(share.is_some_and(|share| (0.01..0.5).contains(&share)), "{}: {share:?}", objective.name);
    }
    for source in &sources {
        check_edges(&objectives, source).await.unwrap();
        for threshold in ["0.3", "0.6"] {
            let refused = check_edges(&self::objectives(threshold), source).await.unwrap_err();
            assert!(refused.to_string().contains(&format!("the threshold {threshold} is no edge")), "{refused}");
        }
    }
}

async fn until_scraped(source: &dyn Metrics) {
    let objectives = objectives("0.25");
    let deadline = Instant::now() + Duration::from_secs(120);
    for total in objectives[1].counting.side(Side::Total) {
        while source.samples(total, Timestamp::now() - Duration::from_secs(60)).await.unwrap().is_empty() {
            assert!(Instant::now() < deadline, "it never scraped a native histogram");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

on_each_release!(exponential_buckets_are_counted);

async fn exponential_buckets_are_counted(release: Release) {
    let observed = Arc::new(Observed::default());
    observed.add([1000, 500, 10]);
    let shown = observed.clone();
    let page = move || async move {
        let kind = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
        ([(CONTENT_TYPE, kind)], shown.protobuf()).into_response()
    };
    let address = serve(Router::new().route("/metrics", get(page))).await;
    // Debian's release takes a flag, and today's an option.
    let mut server = match release {
        Release::Debian => release.start(&config(address, ""), &["--enable-feature=native-histograms".to_owned()]),
        Release::Today => release.start(&config(address, "scrape_native_histograms: true, "), &[]),
    };
    count(&mut server, &observed).await;
}

fn config(target: SocketAddr, more: &str) -> String {
    format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs: [{{job_name: shop, {more}static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
}

/// Today's release makes native histograms of classic ones, with the same buckets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_buckets_are_counted_on_todays_release() {
    let observed = Arc::new(Observed::default());
    observed.add([1000, 500, 10]);
    let shown = observed.clone();
    let page = move || async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], shown.page()).into_response() };
    let address = serve(Router::new().route("/metrics", get(page))).await;
    let more = "scrape_native_histograms: true, convert_classic_histograms_to_nhcb: true, ";
    count(&mut Release::Today.start(&config(address, more), &[]), &observed).await;

    let scrape = Scrape::new(&[format!("http://{address}/metrics")], Duration::from_secs(2)).unwrap();
    let total = objectives("0.25")[1].counting.side(Side::Total).next().unwrap().clone();
    let refused = scrape.samples(&total, Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert!(refused.to_string().contains("no native histograms such as"), "{refused}");
    // That is not the threshold's fault.
    check_edges(&objectives("0.3"), &scrape).await.unwrap();
}
