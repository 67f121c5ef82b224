//! What pods tell of themselves: their page of counters, what they have in flight, and who keeps connections to them.

use std::{sync::Arc, time::Duration};

use futures::future::try_join_all;
use http::{Method, Request};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::json;
use tokio::time::timeout;

use super::{
    Cluster,
    pods::{is_ready, is_running},
    workload::Workload,
};
use crate::{
    adapters::exposition::{self, Sample},
    model::HumanDuration,
    ports::{InFlight, PortError},
};

/// How long one pod may take to answer.
const WITHIN: Duration = Duration::from_secs(2);
/// How many examples are told.
const EXAMPLES: usize = 10;

/// Where a pod's page is, and what its metrics are called there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    pub port: u16,
    /// The path of the page.
    pub metrics: String,
    /// The gauge histogram of the ages of requests in flight, without `_bucket`.
    pub in_flight: Option<String>,
    /// The gauge of the ages of the oldest ones.
    pub examples: Option<String>,
    /// The gauge of open connections by client.
    pub connections: Option<String>,
    /// The path that takes `{"draining": true}`.
    pub draining: Option<String>,
}

/// Reads the pages of all pods of a workload that run.
///
/// # Errors
/// Where a pod that is ready does not answer; of one that is not, nothing is expected.
pub async fn pages(
    cluster: &Cluster,
    workload: &Workload,
    telling: &Telling,
) -> Result<Vec<(Arc<Pod>, Vec<Sample>)>, PortError> {
    let pods = workload.pods().await?;
    let running = pods.into_iter().filter(|pod| is_running(pod));
    let read = try_join_all(running.map(|pod| page(cluster, pod, telling))).await?;
    Ok(read.into_iter().flatten().collect())
}

async fn page(
    cluster: &Cluster,
    pod: Arc<Pod>,
    telling: &Telling,
) -> Result<Option<(Arc<Pod>, Vec<Sample>)>, PortError> {
    let name = pod.name_any();
    let asked = ask(cluster, &name, telling.port, Method::GET, &telling.metrics, Vec::new()).await;
    match asked {
        Ok(text) => {
            let samples =
                exposition::parse(&text).map_err(|why| PortError::unexpected(format!("the page of {name}"), why))?;
            Ok(Some((pod, samples)))
        }
        // It is gone, or on its way: a watch has this a moment later.
        Err(PortError::NotFound { .. }) => Ok(None),
        Err(e @ PortError::Forbidden { .. }) => Err(e),
        Err(_) if !is_ready(&pod) || pod.metadata.deletion_timestamp.is_some() => Ok(None),
        Err(e) => Err(e),
    }
}

/// Asks one pod through the API server's proxy.
async fn ask(
    cluster: &Cluster,
    pod: &str,
    port: u16,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<String, PortError> {
    let uri = format!("/api/v1/namespaces/{}/pods/{pod}:{port}/proxy{path}", cluster.namespace);
    let verb = format!("{} pods/proxy of {pod}", if method == Method::GET { "get" } else { "update" });
    let request = Request::builder().method(method).uri(uri).header("content-type", "application/json");
    let request = request.body(body).map_err(|e| PortError::unexpected(&verb, e))?;
    let answer = timeout(WITHIN, cluster.client.request_text(request)).await;
    let late = || PortError::unreachable(format!("pod {pod}"), format!("no answer within {WITHIN:?}"));
    answer.map_err(|_| late())?.map_err(|e| cluster.failure_behind(&format!("pod {pod}"), &verb, &e))
}

/// Tells every pod of a workload whether to end kept-alive connections after their next answer; what one pod does not
/// hear shows in the connections that stay, so a failure is none of the caller's.
pub async fn tell_draining(cluster: &Cluster, workload: &Workload, telling: &Telling, draining: bool) {
    let (Some(path), Ok(pods)) = (&telling.draining, workload.pods().await) else { return };
    let body = json!({ "draining": draining }).to_string().into_bytes();
    let told = pods.iter().filter(|pod| is_running(pod)).map(|pod| {
        let (name, body) = (pod.name_any(), body.clone());
        async move {
            if let Err(e) = ask(cluster, &name, telling.port, Method::PUT, path, body).await {
                tracing::warn!("{name} was not told to drain: {e}");
            }
        }
    });
    futures::future::join_all(told).await;
}

/// Adds up what the pods of a slot have in flight.
///
/// # Errors
/// Where the platform file does not say how pods tell, or they cannot be asked.
pub fn in_flight(
    telling: &Telling,
    pages: &[(Arc<Pod>, Vec<Sample>)],
    older_than: Duration,
) -> Result<InFlight, PortError> {
    let Some(ages) = &telling.in_flight else {
        return Err(PortError::NotFound { what: "`pods.inFlight` in the platform file".to_owned() });
    };
    let bucket = format!("{ages}_bucket");
    let mut sum = InFlight::default();
    let (mut examples, mut clients) = (Vec::new(), Vec::new());
    for (pod, samples) in pages {
        let (count, older) =
            counts(samples, &bucket, older_than).map_err(|why| PortError::unexpected(pod.name_any(), why))?;
        sum.count += count;
        sum.older += older;
        let of = |metric: &Option<String>| metric.clone().unwrap_or_default();
        let (shown, connections) = (of(&telling.examples), of(&telling.connections));
        examples.extend(samples.iter().filter(|s| s.metric == shown).map(|s| (s.value, request(s))));
        clients.extend(samples.iter().filter(|s| s.metric == connections).map(|s| (s.value, client(s))));
    }
    examples.sort_by(|a, b| b.0.total_cmp(&a.0));
    sum.oldest = examples.first().map(|(age, _)| seconds(*age)).unwrap_or_default();
    sum.connections = clients.iter().map(|(count, _)| *count as u64).sum();
    sum.examples = examples.into_iter().take(EXAMPLES).map(|(age, text)| told(&text, age)).collect();
    sum.clients = most(clients);
    Ok(sum)
}

/// How many are in flight on one page, and how many of them are older than an age.
///
/// Ages are known by buckets: the one whose edge is the next at or above the age decides, so that none is called older
/// than it is.
fn counts(samples: &[Sample], bucket: &str, older_than: Duration) -> Result<(u64, u64), String> {
    let edge = |s: &Sample| s.labels.get("le").and_then(|le| le.parse::<f64>().ok());
    let mut buckets: Vec<_> =
        samples.iter().filter(|s| s.metric == bucket).filter_map(|s| Some((edge(s)?, s.value))).collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = buckets.last().filter(|(edge, _)| edge.is_infinite());
    let all = all.ok_or_else(|| format!("its page has no `{bucket}` with le=\"+Inf\""))?.1;
    let younger = buckets.iter().find(|(edge, _)| *edge >= older_than.as_secs_f64()).map_or(all, |(_, count)| *count);
    let older = if older_than.is_zero() { all } else { all - younger };
    Ok((all as u64, older.max(0.0) as u64))
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}

fn label<'s>(sample: &'s Sample, name: &str) -> &'s str {
    sample.labels.get(name).map_or("", String::as_str)
}

fn request(sample: &Sample) -> (String, String) {
    (label(sample, "request").to_owned(), label(sample, "client").to_owned())
}

fn told((request, client): &(String, String), age: f64) -> String {
    format!("{request} for {} from {client}", HumanDuration(Duration::from_millis(seconds(age).as_millis() as u64)))
}

fn client(sample: &Sample) -> String {
    label(sample, "client").to_owned()
}

/// The clients with most connections, over all pods.
fn most(clients: Vec<(f64, String)>) -> Vec<String> {
    let mut by_client = std::collections::BTreeMap::<String, u64>::new();
    for (count, client) in clients {
        *by_client.entry(client).or_default() += count as u64;
    }
    let mut all: Vec<_> = by_client.into_iter().filter(|(_, count)| *count > 0).collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all.into_iter().take(EXAMPLES).map(|(client, count)| format!("{client} ({count})")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telling() -> Telling {
        let named = |name: &str| Some(name.to_owned());
        Telling {
            port: 9090,
            metrics: "/metrics".to_owned(),
            in_flight: named("age_seconds"),
            examples: named("example_seconds"),
            connections: named("connections"),
            draining: None,
        }
    }

    fn pages(texts: &[&str]) -> Vec<(Arc<Pod>, Vec<Sample>)> {
        texts.iter().map(|text| (Arc::new(Pod::default()), exposition::parse(text).unwrap())).collect()
    }

    #[test]
    fn what_is_in_flight_adds_up_over_pods() {
        let one = "age_seconds_bucket{le=\"1\"} 3\nage_seconds_bucket{le=\"5\"} 4\nage_seconds_bucket{le=\"+Inf\"} 6\n\
                   example_seconds{request=\"GET /a\",client=\"10.0.0.9:41\"} 7.5\nconnections{client=\"10.0.0.9\"} 20\n";
        let two = "age_seconds_bucket{le=\"+Inf\"} 0\nconnections{client=\"10.0.0.9\"} 2\nconnections{client=\"10.0.0.7\"} 1\n";
        let sum = in_flight(&telling(), &pages(&[one, two]), Duration::from_secs(2)).unwrap();
        assert_eq!((sum.count, sum.older, sum.connections), (6, 2, 23));
        assert_eq!(sum.oldest, Duration::from_millis(7500));
        assert_eq!(sum.examples, ["GET /a for 7s 500ms from 10.0.0.9:41"]);
        assert_eq!(sum.clients, ["10.0.0.9 (22)", "10.0.0.7 (1)"]);
        assert_eq!(in_flight(&telling(), &pages(&[one]), Duration::ZERO).unwrap().older, 6);
        assert_eq!(in_flight(&telling(), &pages(&[one]), Duration::from_secs(60)).unwrap().older, 0);
    }

    #[test]
    fn a_page_without_the_metric_is_no_proof_of_rest() {
        assert!(in_flight(&telling(), &pages(&["up 1\n"]), Duration::ZERO).is_err());
        assert!(in_flight(&Telling { in_flight: None, ..telling() }, &[], Duration::ZERO).is_err());
    }
}
