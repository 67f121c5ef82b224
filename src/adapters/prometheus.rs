//! Counters from a Prometheus server: its raw samples, and queries for burn rates.

mod native;
mod servers;

use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use reqwest::{Client, Url};
use serde::Deserialize;

use super::http;
use crate::{
    model::Timestamp,
    ports::{Labels, Metrics, Native, Point, PortError, Selector, Series},
    slo,
};

pub use servers::PrometheusServers;

/// The largest answer that is read.
const LARGEST: usize = 64 * 1024 * 1024;

/// By how much a window of raw samples is longer than needed: the clocks of two machines differ.
const MARGIN: u64 = 60;

/// The longest window of raw samples that is asked for, in seconds.
const LONGEST: u64 = 3600;

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
    histogram: Option<(f64, native::Histogram)>,
    #[serde(default)]
    histograms: Vec<(f64, native::Histogram)>,
}

impl Prometheus {
    /// A server at `url`, asked with a bearer token if one is given; every query takes `timeout` at most.
    ///
    /// # Errors
    /// Where the address is none, or TLS cannot be set up.
    pub fn new(url: &str, bearer: Option<&str>, timeout: Duration) -> Result<Self, PortError> {
        Self::known_by(url, &http::Access { bearer: bearer.map(str::to_owned), ..http::Access::default() }, timeout)
    }

    /// The same, for a server that wants to know us, or has a certificate of an authority of its own.
    ///
    /// # Errors
    /// Where the address is none, or TLS cannot be set up.
    pub fn known_by(url: &str, access: &http::Access, timeout: Duration) -> Result<Self, PortError> {
        let mut url = http::address("prometheus", url)?;
        let place = http::place(&url);
        let client = http::client_with(&url, timeout, access)?;
        if let Some((name, password)) = &access.basic {
            // What an address cannot hold is written in its own way there, and read back before it is sent.
            let set = url.set_username(name).and_then(|()| url.set_password(Some(password)));
            set.map_err(|()| PortError::unexpected(&place, "its address takes no user"))?;
        }
        Ok(Self { client, url, place, timeout })
    }

    /// Its address, without what is secret in it.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The value of a query now, series by series; NaN is kept.
    ///
    /// # Errors
    /// Where the server cannot be reached, refuses, or answers with something else than a vector or a scalar.
    pub async fn instant(&self, query: &str) -> Result<Vec<(Labels, f64)>, PortError> {
        let series = self.ask(query, None).await?;
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
        self.post("query_range", query, &when, None).await
    }

    async fn ask(&self, query: &str, native: Option<&Native>) -> Result<Vec<Series>, PortError> {
        self.post("query", query, &[], native).await
    }

    /// Sent as a form, since a query may be longer than an address; <https://prometheus.io/docs/prometheus/latest/querying/api/>.
    async fn post(
        &self,
        what: &str,
        query: &str,
        when: &[(&str, String)],
        native: Option<&Native>,
    ) -> Result<Vec<Series>, PortError> {
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
        // Releases 2.48 to 2.53 put into `warnings` what later ones have as `infos`: remarks on the query, not on the data.
        let is_remark = |warning: &&String| warning.starts_with("PromQL info:");
        let (_, warnings): (Vec<&String>, Vec<&String>) = envelope.warnings.iter().partition(is_remark);
        if !warnings.is_empty() {
            // A warning mostly says that a part of the data is missing. What is missing may be the errors.
            let told = warnings.into_iter().map(String::as_str).collect::<Vec<_>>().join("; ");
            let why = format!("the answer may be incomplete: {told}");
            tracing::warn!(source = %self.place, "{why}");
            return Err(PortError::unexpected(&name, why));
        }
        let data = envelope.data.ok_or_else(|| PortError::unexpected(&name, "there is no data in the answer"))?;
        series(data, native).map_err(|why| PortError::unexpected(&name, why))
    }
}

fn series(data: Data, native: Option<&Native>) -> Result<Vec<Series>, String> {
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
            let name = entry.metric.remove("__name__").unwrap_or_default();
            let mut histograms = entry.histograms.iter().chain(&entry.histogram).peekable();
            let points: Vec<Point> = match native {
                Some(native) => native::counted(native, &name, histograms)?,
                None if histograms.peek().is_some() => {
                    return Err(format!("a native histogram is no counter: {}", native::HINT));
                }
                None => entry.values.iter().chain(&entry.value).map(point).collect::<Result<_, _>>()?,
            };
            Ok(Series { labels: entry.metric, points })
        })
        .collect()
}

fn point((at, value): &(f64, String)) -> Result<Point, String> {
    Ok(Point { at: time(*at)?, value: number(value)? })
}

fn time(at: f64) -> Result<Timestamp, String> {
    Timestamp::from_millisecond((at * 1000.0).round() as i64).map_err(|e| e.to_string())
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("`{text}` is no value"))
}

impl Prometheus {
    /// When the newest sample was taken of the series that are alive; those that have ended say nothing of the server.
    async fn reached(&self, selector: &Selector) -> Result<Option<Timestamp>, PortError> {
        let newest = self.instant(&format!("max(timestamp({}))", slo::promql(selector))).await?;
        let at = newest.first().and_then(|(_, seconds)| Timestamp::from_millisecond((seconds * 1000.0) as i64).ok());
        Ok(at)
    }
}

#[async_trait]
impl Metrics for Prometheus {
    async fn samples(&self, selector: &Selector, since: Timestamp) -> Result<Vec<Series>, PortError> {
        let age = Timestamp::now().duration_since(since).max(SignedDuration::ZERO);
        let window = (age.as_secs().unsigned_abs() + 1).saturating_add(MARGIN).min(LONGEST);
        let mut all = self.ask(&format!("{}[{window}s]", slo::promql(selector)), selector.native.as_ref()).await?;
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
