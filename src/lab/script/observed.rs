//! What a service has counted: its requests by route, and the metrics that its script names.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::declared::Metric;
use crate::{
    lab::{
        backing::Backing,
        page::{Kind, Page},
    },
    model::Slot,
};

/// The upper edges of the buckets of durations, in seconds, and of whatever a script observes.
const EDGES: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// How many series a metric of a script may have.
const SERIES: usize = 200;

/// What requests and calls are counted under that fit nothing.
pub const UNMATCHED: &str = "unmatched";

/// The labels of a series, by name.
pub type Labels = BTreeMap<String, String>;

#[derive(Default)]
struct Histogram {
    buckets: [u64; EDGES.len()],
    count: u64,
    sum: f64,
}

enum Series {
    Value(f64),
    Histogram(Histogram),
}

#[derive(Default)]
struct Tables {
    /// By method, route and status.
    requests: BTreeMap<(String, String, u16), Histogram>,
    /// By method and code.
    calls: BTreeMap<(String, &'static str), Histogram>,
    /// By where they came from, subscription and outcome.
    messages: BTreeMap<(Backing, String, Outcome), Histogram>,
    /// By receiver and what came of them.
    webhooks: BTreeMap<(String, &'static str), u64>,
    /// What was asked of cache, registry and vector search, by what came of it.
    asked: BTreeMap<(Backing, &'static str), u64>,
    own: BTreeMap<String, BTreeMap<Labels, Series>>,
}

/// All counts of a process. A series is born with its first count.
#[derive(Default)]
pub struct Observed {
    tables: Mutex<Tables>,
    active: AtomicUsize,
    /// Whether the script's file has changed to something that cannot run.
    pub reload_failed: AtomicBool,
}

/// A request that is being served.
pub struct Active<'a>(&'a AtomicUsize);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Observed {
    /// Notes that a request has begun, until that is dropped.
    pub fn begin(&self) -> Active<'_> {
        self.active.fetch_add(1, Ordering::Relaxed);
        Active(&self.active)
    }

    /// Counts an answered request.
    pub fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let mut tables = self.tables();
        let key = (method.to_owned(), route.to_owned(), status);
        tables.requests.entry(key).or_default().observe(took.as_secs_f64());
    }

    /// Counts an answered call.
    pub fn called(&self, method: &str, code: &'static str, took: Duration) {
        let mut tables = self.tables();
        tables.calls.entry((method.to_owned(), code)).or_default().observe(took.as_secs_f64());
    }

    /// Counts a message.
    pub fn handled(&self, from: Backing, subscription: &str, outcome: Outcome, took: Duration) {
        let mut tables = self.tables();
        let key = (from, subscription.to_owned(), outcome);
        tables.messages.entry(key).or_default().observe(took.as_secs_f64());
    }

    /// Counts a try to deliver a webhook.
    pub fn webhook(&self, receiver: &str, outcome: &'static str) {
        *self.tables().webhooks.entry((receiver.to_owned(), outcome)).or_default() += 1;
    }

    /// Counts something that was asked of cache, registry or vector search.
    pub fn asked(&self, of: Backing, outcome: &'static str) {
        *self.tables().asked.entry((of, outcome)).or_default() += 1;
    }

    /// Adds to a counter or a gauge, sets a gauge, or observes a value.
    ///
    /// # Errors
    /// Where the metric is of another kind, or has too many series.
    pub fn change(&self, name: &str, metric: &Metric, labels: Labels, change: Change) -> Result<(), String> {
        let mut tables = self.tables();
        let family = tables.own.entry(name.to_owned()).or_default();
        if family.len() >= SERIES && !family.contains_key(&labels) {
            return Err(format!("the metric {name} has {SERIES} series at most -> use labels with few values"));
        }
        let series = family.entry(labels);
        match (metric.kind, change) {
            (Kind::Counter, Change::Add(by)) if by >= 0.0 => series.or_insert(Series::Value(0.0)).add(by),
            (Kind::Gauge, Change::Add(by)) => series.or_insert(Series::Value(0.0)).add(by),
            (Kind::Gauge, Change::Set(to)) => *series.or_insert(Series::Value(to)) = Series::Value(to),
            (Kind::Histogram, Change::Observe(value)) => {
                series.or_insert_with(|| Series::Histogram(Histogram::default())).observe(value);
            }
            (Kind::Counter, _) => return Err(format!("{name} is a counter -> metric::add with 0 or more")),
            (Kind::Gauge, _) => return Err(format!("{name} is a gauge -> metric::set or metric::add")),
            (Kind::Histogram, _) => return Err(format!("{name} is a histogram -> metric::observe")),
        }
        Ok(())
    }

    /// Shows everything.
    pub fn page(&self, who: (&str, Option<Slot>, &str), declared: &BTreeMap<String, Metric>) -> Page {
        let (service, slot, replica) = who;
        let slot = slot.map(|slot| ("slot", slot.name()));
        let labels: Vec<_> = [("service", service)].into_iter().chain(slot).chain([("replica", replica)]).collect();
        let mut page = Page::new(&labels);
        let tables = self.tables();
        let durations = "http_server_request_duration_seconds";
        page.family(durations, Kind::Histogram, "Requests answered, by route and status.");
        for ((method, route, status), histogram) in &tables.requests {
            let status = status.to_string();
            histogram.expose(&mut page, durations, &[("method", method), ("route", route), ("status", &status)]);
        }
        let durations = "rpc_server_call_duration_seconds";
        page.family(durations, Kind::Histogram, "Calls answered, by method and code.");
        for ((method, code), histogram) in &tables.calls {
            histogram.expose(&mut page, durations, &[("method", method), ("code", code)]);
        }
        let durations = "messaging_process_duration_seconds";
        page.family(durations, Kind::Histogram, "Messages handled, by subscription and outcome.");
        for ((from, subscription, outcome), histogram) in &tables.messages {
            let labels = [("source", from.name()), ("subscription", subscription), ("outcome", outcome.name())];
            histogram.expose(&mut page, durations, &labels);
        }
        page.family("http_server_active_requests", Kind::Gauge, "Requests being served now.");
        page.sample("http_server_active_requests", &[], self.active.load(Ordering::Relaxed));
        page.family(
            "script_reload_failed",
            Kind::Gauge,
            "Whether the script's file has changed to one that cannot run.",
        );
        page.sample("script_reload_failed", &[], u8::from(self.reload_failed.load(Ordering::Relaxed)));
        if !tables.webhooks.is_empty() {
            page.family("script_webhooks_total", Kind::Counter, "Tries to deliver a webhook, by receiver and outcome.");
        }
        for ((receiver, outcome), count) in &tables.webhooks {
            page.sample("script_webhooks_total", &[("receiver", receiver), ("outcome", outcome)], count);
        }
        if !tables.asked.is_empty() {
            let help = "What was asked of cache, registry and vector search, by outcome.";
            page.family("script_asked_total", Kind::Counter, help);
        }
        for ((of, outcome), count) in &tables.asked {
            page.sample("script_asked_total", &[("of", of.name()), ("outcome", outcome)], count);
        }
        for (name, family) in &tables.own {
            if let Some(metric) = declared.get(name) {
                page.family(name, metric.kind, &metric.help);
                family.iter().for_each(|(labels, series)| series.expose(&mut page, name, labels));
            }
        }
        page
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Handled,
    /// It was handled before.
    Repeated,
    Failed,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Repeated => "repeated",
            Self::Failed => "failed",
        }
    }
}

/// What is to become of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    Add(f64),
    Set(f64),
    Observe(f64),
}

impl Series {
    fn add(&mut self, by: f64) {
        if let Self::Value(value) = self {
            *value += by;
        }
    }

    fn observe(&mut self, value: f64) {
        if let Self::Histogram(histogram) = self {
            histogram.observe(value);
        }
    }

    fn expose(&self, page: &mut Page, name: &str, labels: &Labels) {
        let labels: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match self {
            Self::Value(value) => page.sample(name, &labels, value),
            Self::Histogram(histogram) => histogram.expose(page, name, &labels),
        }
    }
}

impl Histogram {
    fn observe(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        if let Some(at) = EDGES.iter().position(|edge| value <= *edge) {
            self.buckets[at] += 1;
        }
    }

    fn expose(&self, page: &mut Page, name: &str, labels: &[(&str, &str)]) {
        let bucket = format!("{name}_bucket");
        let mut below = 0;
        for (edge, count) in EDGES.iter().zip(self.buckets) {
            below += count;
            page.sample(&bucket, &[labels, &[("le", &edge.to_string())]].concat(), below);
        }
        page.sample(&bucket, &[labels, &[("le", "+Inf")]].concat(), self.count);
        page.sample(&format!("{name}_sum"), labels, self.sum);
        page.sample(&format!("{name}_count"), labels, self.count);
    }
}
