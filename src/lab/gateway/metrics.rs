//! What the gateway has measured, in the Prometheus exposition format (version 0.0.4).

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::model::Slot;

/// The upper edges of the duration buckets, in seconds.
const EDGES: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How a request came to its slot; kept apart so that previews do not touch the figures of live traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// By the weights.
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
    /// By slot, way and status.
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

    /// Writes everything, with what is in flight by slot.
    pub fn expose(&self, service: &str, in_flight: [(Slot, usize); 2]) -> String {
        // Writing to a string cannot fail.
        let mut out = String::with_capacity(4096);
        let _ = self.write(&mut out, service, in_flight);
        out
    }

    fn write(&self, out: &mut String, service: &str, in_flight: [(Slot, usize); 2]) -> std::fmt::Result {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(out, "# HELP lab_requests_total Requests answered, by exact status.")?;
        writeln!(out, "# TYPE lab_requests_total counter")?;
        for ((slot, way, code), n) in &tables.requests {
            let path = way.name();
            writeln!(
                out,
                r#"lab_requests_total{{service="{service}",slot="{slot}",path="{path}",code="{code}"}} {n}"#
            )?;
        }
        writeln!(out, "# HELP lab_request_duration_seconds Time to the end of the answer.")?;
        writeln!(out, "# TYPE lab_request_duration_seconds histogram")?;
        for ((slot, way, error), histogram) in &tables.durations {
            let outcome = if *error { "error" } else { "ok" };
            let labels = format!(r#"service="{service}",slot="{slot}",path="{}",outcome="{outcome}""#, way.name());
            let mut below = 0;
            for (edge, n) in EDGES.iter().zip(histogram.buckets) {
                below += n;
                writeln!(out, r#"lab_request_duration_seconds_bucket{{{labels},le="{edge}"}} {below}"#)?;
            }
            let Histogram { count, sum, .. } = histogram;
            writeln!(out, r#"lab_request_duration_seconds_bucket{{{labels},le="+Inf"}} {count}"#)?;
            writeln!(out, "lab_request_duration_seconds_sum{{{labels}}} {sum}")?;
            writeln!(out, "lab_request_duration_seconds_count{{{labels}}} {count}")?;
        }
        writeln!(out, "# HELP lab_in_flight Requests accepted and not yet answered.")?;
        writeln!(out, "# TYPE lab_in_flight gauge")?;
        for (slot, n) in in_flight {
            writeln!(out, r#"lab_in_flight{{service="{service}",slot="{slot}"}} {n}"#)?;
        }
        Ok(())
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
        let text = metrics.expose("tenant", [(Slot::Blue, 1), (Slot::Green, 0)]);
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
