//! Counters from a Prometheus server: its raw samples, and queries for burn rates.

use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use reqwest::{Client, Url};
use serde::Deserialize;

use super::http;
use crate::{
    model::Timestamp,
    ports::{Labels, Metrics, Point, PortError, Selector, Series},
    slo,
};

/// The largest answer that is read.
const LARGEST: usize = 64 * 1024 * 1024;

/// By how much a window of raw samples is longer than needed: the clocks of two machines differ.
const MARGIN: u64 = 60;

/// The longest window of raw samples that is asked for, in seconds.
const LONGEST: u64 = 3600;

/// A Prometheus server.
#[derive(Clone)]
pub struct Prometheus {
    client: Client,
    url: Url,
    place: String,
    timeout: Duration,
}

#[derive(Deserialize)]
struct Envelope {
    status: String,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default, rename = "errorType")]
    error_type: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Entry {
    metric: Labels,
    #[serde(default)]
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
    #[serde(default)]
    histogram: Option<serde_json::Value>,
    #[serde(default)]
    histograms: Option<serde_json::Value>,
}

impl Prometheus {
    /// A server at `url`, asked with a bearer token if one is given; every query takes `timeout` at most.
    ///
    /// # Errors
    /// Where the address is none, or TLS cannot be set up.
    pub fn new(url: &str, bearer: Option<&str>, timeout: Duration) -> Result<Self, PortError> {
        let url = http::address("prometheus", url)?;
        let place = http::place(&url);
        let client = http::client(&url, timeout, bearer)?;
        Ok(Self { client, url, place, timeout })
    }

    /// The value of a query now, series by series; NaN is kept.
    ///
    /// # Errors
    /// Where the server cannot be reached, refuses, or answers with something else than a vector or a scalar.
    pub async fn instant(&self, query: &str) -> Result<Vec<(Labels, f64)>, PortError> {
        let series = self.ask(query).await?;
        Ok(series.into_iter().filter_map(|s| s.points.last().map(|p| (s.labels.clone(), p.value))).collect())
    }

    /// The values of a query over a time, series by series.
    ///
    /// # Errors
    /// Where the server cannot be reached, refuses, or answers nonsense.
    pub async fn range(
        &self,
        query: &str,
        start: Timestamp,
        end: Timestamp,
        step: Duration,
    ) -> Result<Vec<Series>, PortError> {
        let (start, end, step) = (start.as_second(), end.as_second(), step.as_secs_f64());
        let when = [("start", start.to_string()), ("end", end.to_string()), ("step", step.to_string())];
        self.post("query_range", query, &when).await
    }

    async fn ask(&self, query: &str) -> Result<Vec<Series>, PortError> {
        self.post("query", query, &[]).await
    }

    /// Sent as a form, since a query may be longer than an address; <https://prometheus.io/docs/prometheus/latest/querying/api/>.
    async fn post(&self, what: &str, query: &str, when: &[(&str, String)]) -> Result<Vec<Series>, PortError> {
        let name = self.name();
        let mut url = self.url.clone();
        url.set_path(&format!("{}/api/v1/{what}", self.url.path().trim_end_matches('/')));
        let timeout = format!("{}ms", self.timeout.as_millis());
        let form: Vec<(&str, &str)> = [("query", query), ("timeout", timeout.as_str())]
            .into_iter()
            .chain(when.iter().map(|(key, value)| (*key, value.as_str())))
            .collect();
        let answer = self.client.post(url).form(&form).send().await;
        let response = answer.map_err(|e| PortError::unreachable(&name, http::explain(&e, self.timeout)))?;
        let status = response.status();
        let body = http::body(&name, response, LARGEST, self.timeout).await?;
        let envelope: Result<Envelope, _> = serde_json::from_slice(&body);
        let words = match &envelope {
            Ok(e) => e.error.clone().unwrap_or_default(),
            Err(_) => http::excerpt(&body),
        };
        if let Some(error) = http::refused(&name, "ask", status, &words) {
            return Err(error);
        }
        let envelope =
            envelope.map_err(|e| PortError::unexpected(&name, format!("this is no answer of its API: {e}")))?;
        if envelope.status != "success" {
            let kind = envelope.error_type.unwrap_or_default();
            return Err(PortError::unexpected(&name, format!("{kind}: {words}")));
        }
        if !envelope.warnings.is_empty() {
            // A warning mostly says that a part of the data is missing. What is missing may be the errors.
            let why = format!("the answer may be incomplete: {}", envelope.warnings.join("; "));
            tracing::warn!(source = %self.place, "{why}");
            return Err(PortError::unexpected(&name, why));
        }
        let data = envelope.data.ok_or_else(|| PortError::unexpected(&name, "there is no data in the answer"))?;
        series(data).map_err(|why| PortError::unexpected(&name, why))
    }
}

fn series(data: Data) -> Result<Vec<Series>, String> {
    if data.kind == "scalar" {
        let pair: (f64, String) = serde_json::from_value(data.result).map_err(|e| e.to_string())?;
        return Ok(vec![Series { labels: Labels::new(), points: vec![point(&pair)?] }]);
    }
    if !["vector", "matrix"].contains(&data.kind.as_str()) {
        return Err(format!("a {} is no series", data.kind));
    }
    let entries: Vec<Entry> = serde_json::from_value(data.result).map_err(|e| e.to_string())?;
    entries
        .into_iter()
        .map(|mut entry| {
            if entry.histogram.is_some() || entry.histograms.is_some() {
                return Err("native histograms are not counted; use classic buckets".to_owned());
            }
            entry.metric.remove("__name__");
            let points: Vec<Point> = entry.values.iter().chain(&entry.value).map(point).collect::<Result<_, _>>()?;
            Ok(Series { labels: entry.metric, points })
        })
        .collect()
}

fn point((at, value): &(f64, String)) -> Result<Point, String> {
    let at = Timestamp::from_millisecond((at * 1000.0).round() as i64).map_err(|e| e.to_string())?;
    let value = value.parse().map_err(|_| format!("`{value}` is no value"))?;
    Ok(Point { at, value })
}

#[async_trait]
impl Metrics for Prometheus {
    async fn samples(&self, selector: &Selector, since: Timestamp) -> Result<Vec<Series>, PortError> {
        let age = Timestamp::now().duration_since(since).max(SignedDuration::ZERO);
        let window = (age.as_secs().unsigned_abs() + 1).saturating_add(MARGIN).min(LONGEST);
        let mut all = self.ask(&format!("{}[{window}s]", slo::promql(selector))).await?;
        for series in &mut all {
            series.points.retain(|p| p.at > since);
        }
        all.retain(|series| !series.points.is_empty());
        Ok(all)
    }

    fn name(&self) -> String {
        format!("prometheus {}", self.place)
    }
}
