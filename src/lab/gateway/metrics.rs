//! What the gateway has measured.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    lab::page::{Kind, Page},
    model::Slot,
};

/// The upper edges of the duration buckets, in seconds.
const EDGES: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How a request came to its slot; kept apart so that previews do not touch the figures of live traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Live,
    /// By naming the slot.
    Preview,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Preview => "preview",
        }
    }
}

#[derive(Default)]
struct Histogram {
    buckets: [u64; EDGES.len()],
    count: u64,
    sum: f64,
}

#[derive(Default)]
struct Tables {
    requests: BTreeMap<(Slot, Way, u16), u64>,
    /// By slot, way and whether it was an error.
    durations: BTreeMap<(Slot, Way, bool), Histogram>,
}

/// Counters and histograms of one service; a series is born with its first count.
#[derive(Default)]
pub struct Metrics(Mutex<Tables>);

impl Metrics {
    /// Counts one answered request. Statuses from 500 on, and 499 (the client left first), count as errors.
    pub fn count(&self, slot: Slot, way: Way, status: u16, took: Duration) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *tables.requests.entry((slot, way, status)).or_default() += 1;
        let histogram = tables.durations.entry((slot, way, status >= 499)).or_default();
        let seconds = took.as_secs_f64();
        histogram.count += 1;
        histogram.sum += seconds;
        if let Some(at) = EDGES.iter().position(|edge| seconds <= *edge) {
            histogram.buckets[at] += 1;
        }
    }

    /// Shows everything, with what is in flight by slot.
    pub fn expose(&self, service: &str, in_flight: [(Slot, usize); 2]) -> Page {
        let mut page = Page::new(&[("service", service)]);
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        page.family("lab_requests_total", Kind::Counter, "Requests answered, by exact status.");
        for ((slot, way, code), n) in &tables.requests {
            let labels = [("slot", slot.name()), ("path", way.name()), ("code", &code.to_string())];
            page.sample("lab_requests_total", &labels, n);
        }
        page.family("lab_request_duration_seconds", Kind::Histogram, "Time to the end of the answer.");
        for ((slot, way, error), histogram) in &tables.durations {
            let outcome = if *error { "error" } else { "ok" };
            let labels = [("slot", slot.name()), ("path", way.name()), ("outcome", outcome)];
            let [slot, way, outcome] = labels;
            let mut bucket = |edge: &str, n| {
                page.sample("lab_request_duration_seconds_bucket", &[slot, way, outcome, ("le", edge)], n);
            };
            let mut below = 0;
            for (edge, n) in EDGES.iter().zip(histogram.buckets) {
                below += n;
                bucket(&edge.to_string(), below);
            }
            bucket("+Inf", histogram.count);
            page.sample("lab_request_duration_seconds_sum", &labels, histogram.sum);
            page.sample("lab_request_duration_seconds_count", &labels, histogram.count);
        }
        page.family("lab_in_flight", Kind::Gauge, "Requests accepted and not yet answered.");
        for (slot, n) in in_flight {
            page.sample("lab_in_flight", &[("slot", slot.name())], n);
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exposition_counts_up_to_each_edge() {
        let metrics = Metrics::default();
        metrics.count(Slot::Blue, Way::Live, 200, Duration::from_millis(7));
        metrics.count(Slot::Blue, Way::Live, 200, Duration::from_secs(20));
        metrics.count(Slot::Green, Way::Preview, 503, Duration::from_millis(1));
        let text = metrics.expose("tenant", [(Slot::Blue, 1), (Slot::Green, 0)]).text();
        let shown: Vec<_> = text.lines().filter(|line| !line.contains("le=\"0.") && !line.contains("le=\"2")).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
# HELP lab_requests_total Requests answered, by exact status.
# TYPE lab_requests_total counter
lab_requests_total{service="tenant",slot="blue",path="live",code="200"} 2
lab_requests_total{service="tenant",slot="green",path="preview",code="503"} 1
# HELP lab_request_duration_seconds Time to the end of the answer.
# TYPE lab_request_duration_seconds histogram
lab_request_duration_seconds_bucket{service="tenant",slot="blue",path="live",outcome="ok",le="1"} 1
lab_request_duration_seconds_bucket{service="tenant",slot="blue",path="live",outcome="ok",le="5"} 1
lab_request_duration_seconds_bucket{service="tenant",slot="blue",path="live",outcome="ok",le="10"} 1
lab_request_duration_seconds_bucket{service="tenant",slot="blue",path="live",outcome="ok",le="+Inf"} 2
lab_request_duration_seconds_sum{service="tenant",slot="blue",path="live",outcome="ok"} 20.007
lab_request_duration_seconds_count{service="tenant",slot="blue",path="live",outcome="ok"} 2
lab_request_duration_seconds_bucket{service="tenant",slot="green",path="preview",outcome="error",le="1"} 1
lab_request_duration_seconds_bucket{service="tenant",slot="green",path="preview",outcome="error",le="5"} 1
lab_request_duration_seconds_bucket{service="tenant",slot="green",path="preview",outcome="error",le="10"} 1
lab_request_duration_seconds_bucket{service="tenant",slot="green",path="preview",outcome="error",le="+Inf"} 1
lab_request_duration_seconds_sum{service="tenant",slot="green",path="preview",outcome="error"} 0.001
lab_request_duration_seconds_count{service="tenant",slot="green",path="preview",outcome="error"} 1
# HELP lab_in_flight Requests accepted and not yet answered.
# TYPE lab_in_flight gauge
lab_in_flight{service="tenant",slot="blue"} 1
lab_in_flight{service="tenant",slot="green"} 0
"#);
    }
}
