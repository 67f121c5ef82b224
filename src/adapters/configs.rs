//! What instances say of the configuration that they run on: as JSON, as a metric, or as Prometheus tells of its own.

use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use reqwest::{Client, Url};
use serde_json::Value;

use super::{exposition, http};
use crate::ports::{Configs, Instance, Look, PortError, RunsOn};

/// The longest answer that is read.
const LONGEST: usize = 16 << 20;
/// How many instances are asked at a time.
const AT_A_TIME: usize = 32;

/// How an instance tells what it runs on.
#[derive(Debug, Clone)]
pub enum Evidence {
    /// In a document of JSON; each is a pointer into it.
    Json { generation: String, since: Option<String>, rejected: Option<String> },
    /// As the value of a label of a metric; without one as the metric's own value.
    Metric { name: String, label: Option<String> },
    /// As Prometheus tells when it has read its own configuration last.
    Prometheus,
}

/// Instances that tell what they run on at addresses of theirs.
pub struct ConfigPages {
    instances: Vec<(String, Url, Client)>,
    evidence: Evidence,
    timeout: Duration,
}

impl ConfigPages {
    /// Instances by name and address; each is waited for so long.
    ///
    /// # Errors
    /// Where an address is none.
    pub fn new(
        instances: impl IntoIterator<Item = (String, String)>,
        evidence: Evidence,
        timeout: Duration,
    ) -> Result<Self, PortError> {
        let built = instances.into_iter().map(|(name, address)| {
            let url = http::address(&name, &address)?;
            let client = http::client(&url, timeout, None)?;
            Ok((name, url, client))
        });
        Ok(Self { instances: built.collect::<Result<_, PortError>>()?, evidence, timeout })
    }

    async fn ask(&self, (name, url, client): &(String, Url, Client)) -> Instance {
        let known_by = self.evidence.known_by(url);
        let (runs_on, trouble) = match self.page(url, client).await {
            Ok(page) => self.evidence.read(&page).unwrap_or_else(|why| (RunsOn::Unclear { why }, None)),
            Err(e @ PortError::Unreachable { .. }) => (RunsOn::Silent { why: e.to_string() }, None),
            Err(e) => (RunsOn::Unclear { why: e.to_string() }, None),
        };
        Instance { name: name.clone(), runs_on, trouble, known_by }
    }

    async fn page(&self, url: &Url, client: &Client) -> Result<String, PortError> {
        let what = http::place(url);
        let sent = client.get(url.clone()).send().await;
        let response = sent.map_err(|e| PortError::unreachable(&*what, http::explain(&e, self.timeout)))?;
        let status = response.status();
        let body = http::body(&what, response, LONGEST, self.timeout).await?;
        match http::refused(&what, "read", status, &http::excerpt(&body)) {
            Some(e) => Err(e),
            None => String::from_utf8(body).map_err(|_| PortError::unexpected(what, "an answer that is no text")),
        }
    }
}

#[async_trait]
impl Configs for ConfigPages {
    async fn look(&self) -> Result<Look, PortError> {
        let asked: Vec<_> = self.instances.iter().map(|one| self.ask(one)).collect();
        let instances = stream::iter(asked).buffered(AT_A_TIME).collect().await;
        Ok(Look { desired: None, instances })
    }
}

type Read = (RunsOn, Option<String>);

impl Evidence {
    fn known_by(&self, url: &Url) -> String {
        match self {
            Self::Json { generation, .. } => format!("{generation} of GET {}", url.path()),
            Self::Metric { name, .. } => name.clone(),
            Self::Prometheus => LOADED.to_owned(),
        }
    }

    fn read(&self, page: &str) -> Result<Read, String> {
        match self {
            Self::Json { generation, since, rejected } => json(page, generation, since.as_deref(), rejected.as_deref()),
            Self::Metric { name, label } => metric(page, name, label.as_deref()).map(|generation| {
                let since = None;
                (RunsOn::Generation { generation, since }, None)
            }),
            Self::Prometheus => prometheus(page),
        }
    }
}

fn json(page: &str, generation: &str, since: Option<&str>, rejected: Option<&str>) -> Result<Read, String> {
    let document: Value = serde_json::from_str(page).map_err(|e| format!("its answer is no JSON: {e}"))?;
    let at = |pointer: Option<&str>| pointer.and_then(|pointer| document.pointer(pointer));
    let generation = match at(Some(generation)) {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(format!("its answer has neither a text nor a number at `{generation}`")),
    };
    let rejected = match at(rejected) {
        None | Some(Value::Null | Value::Bool(false)) => None,
        Some(Value::String(why)) => Some(why.clone()).filter(|why| !why.is_empty()),
        Some(other) => Some(other.to_string()),
    };
    Ok((RunsOn::Generation { generation, since: at(since).and_then(time) }, rejected.map(|why| refused(&why))))
}

fn refused(why: &str) -> String {
    format!("a later one was rejected, and the one before goes on: {why}")
}

/// As text, or in seconds since 1970.
fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => seconds(other.as_f64()?),
    }
}

fn seconds(since_1970: f64) -> Option<Timestamp> {
    Timestamp::from_microsecond((since_1970 * 1e6).round() as i64).ok()
}

fn metric(page: &str, name: &str, label: Option<&str>) -> Result<String, String> {
    let samples = exposition::parse(page).map_err(|why| format!("its metrics cannot be read: {why}"))?;
    // Of an info metric the sample of a generation before may stay at zero.
    let mut found = samples.iter().filter(|sample| sample.metric == name && (label.is_none() || sample.value != 0.0));
    let sample = found.next().ok_or_else(|| format!("it has no metric `{name}`"))?;
    if found.next().is_some() {
        return Err(format!("it has `{name}` more than once"));
    }
    match label {
        None => Ok(sample.value.to_string()),
        Some(label) => {
            sample.labels.get(label).cloned().ok_or_else(|| format!("its metric `{name}` has no label `{label}`"))
        }
    }
}

const LOADED: &str = "prometheus_config_last_reload_success_timestamp_seconds";
const SUCCESSFUL: &str = "prometheus_config_last_reload_successful";

fn prometheus(page: &str) -> Result<Read, String> {
    let samples = exposition::parse(page).map_err(|why| format!("its metrics cannot be read: {why}"))?;
    let value = |name: &str| samples.iter().find(|sample| sample.metric == name).map(|sample| sample.value);
    let at = value(LOADED).and_then(seconds).ok_or_else(|| format!("it has no metric `{LOADED}`"))?;
    let failed = value(SUCCESSFUL) == Some(0.0);
    Ok((RunsOn::LoadedAt { at, why: None }, failed.then(|| refused(&format!("{SUCCESSFUL} is 0; its log says why")))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(evidence: &Evidence, page: &str) -> String {
        match evidence.read(page) {
            Ok((RunsOn::Generation { generation, since }, rejected)) => format!("{generation} {since:?} {rejected:?}"),
            Ok((RunsOn::LoadedAt { at, .. }, rejected)) => format!("loaded at {at} {rejected:?}"),
            Ok((other, _)) => panic!("{other:?}"),
            Err(why) => why,
        }
    }

    #[test]
    fn documents_are_read_by_pointers() {
        let pointer = |text: &str| Some(text.to_owned());
        let evidence = Evidence::Json {
            generation: "/config/hash".into(),
            since: pointer("/since"),
            rejected: pointer("/rejected"),
        };
        let pages = [
            r#"{"config": {"hash": "ab12"}, "since": "2026-11-30T12:00:00Z", "rejected": null}"#,
            r#"{"config": {"hash": 7}, "since": 1796040000.5, "rejected": "limit is a number"}"#,
            r#"{"config": {"hash": "ab12"}, "since": "yesterday", "rejected": false}"#,
            r#"{"config": {"hash": ["ab12"]}}"#,
            "<html>",
        ];
        insta::assert_snapshot!(pages.map(|page| told(&evidence, page)).join("\n"));
    }

    #[test]
    fn metrics_tell_by_a_label_or_by_their_value() {
        let info = Evidence::Metric { name: "app_config_info".into(), label: Some("hash".into()) };
        let value = Evidence::Metric { name: "alertmanager_config_hash".into(), label: None };
        let pages = [
            (&info, "app_config_info{hash=\"old\"} 0\napp_config_info{hash=\"new\"} 1\n"),
            (&info, "app_config_info{hash=\"a\"} 1\napp_config_info{hash=\"b\"} 1\n"),
            (&info, "app_config_info{version=\"a\"} 1\n"),
            (&info, "up 1\n"),
            (&info, "<html>"),
            (&value, "alertmanager_config_hash 1.5e+13\n"),
        ];
        insta::assert_snapshot!(pages.map(|(evidence, page)| told(evidence, page)).join("\n"));
    }

    #[test]
    fn prometheus_tells_when_it_has_read_its_configuration_last() {
        let page = |successful: u8| format!("{SUCCESSFUL} {successful}\n{LOADED} 1.7960400001234567e+09\n");
        let pages = [page(1), page(0), "up 1\n".to_owned()];
        insta::assert_snapshot!(pages.map(|page| told(&Evidence::Prometheus, &page)).join("\n"));
    }
}
