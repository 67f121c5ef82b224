//! Our own requests to a service: by the address that users take, or through the API server's proxy to a Service.

use std::time::{Duration, Instant};

use http::{HeaderMap, Request, StatusCode, header::CONNECTION};
use http_body_util::{BodyExt as _, Limited};
use k8s_openapi::api::core::v1::Service;
use kube::client::Body;
use reqwest::Url;
use tokio::{sync::OnceCell, time::timeout};

use super::Cluster;
use crate::{
    adapters::http as web,
    ports::{PortError, Reply},
};

/// The most that is read of an answer, in bytes; who serves stands in its headers.
const LONGEST: usize = 1 << 20;
/// How long an answer may take, whatever the caller allows.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// One way to a service.
pub struct Way {
    through: Through,
    /// The header of answers that names the slot.
    header: String,
}

enum Through {
    /// Over the network, as users go, with a header of ours if previews are told by one.
    Address { url: Url, client: reqwest::Client, preview: Option<(String, String)> },
    /// By the API server's proxy to a Service.
    Proxy { cluster: Cluster, service: String, port: OnceCell<i32> },
}

impl Way {
    /// Over the network to `address`; with `preview`, a header and its value go with each request.
    ///
    /// # Errors
    /// Where the address is none.
    pub fn address(address: &str, preview: Option<(String, String)>, header: &str) -> Result<Self, PortError> {
        let url = web::address("the service", address)?;
        let client = web::client(&url, LONGEST_WAIT, None)?;
        Ok(Self { through: Through::Address { url, client, preview }, header: header.to_owned() })
    }

    /// By the API server's proxy to a Service.
    pub fn proxy(cluster: &Cluster, service: &str, header: &str) -> Self {
        let through = Through::Proxy { cluster: cluster.clone(), service: service.to_owned(), port: OnceCell::new() };
        Self { through, header: header.to_owned() }
    }

    /// Sends one GET and waits at most `within`.
    ///
    /// # Errors
    /// Where no answer came in time.
    pub async fn get(&self, path: &str, within: Duration) -> Result<Reply, PortError> {
        let begun = Instant::now();
        let answer = timeout(within, self.send(path)).await;
        let (status, headers) =
            answer.map_err(|_| PortError::unreachable(self.name(), format!("no answer within {within:?}")))??;
        let named = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Reply {
            status: status.as_u16(),
            slot: named(&self.header).and_then(|slot| slot.parse().ok()),
            version: named("x-lab-version"),
            took: begun.elapsed(),
        })
    }

    fn name(&self) -> String {
        match &self.through {
            Through::Address { url, .. } => web::place(url),
            Through::Proxy { service, .. } => format!("the Service {service}"),
        }
    }

    async fn send(&self, path: &str) -> Result<(StatusCode, HeaderMap), PortError> {
        match &self.through {
            Through::Address { url, client, preview } => {
                let to = url.join(path).map_err(|e| PortError::unexpected(self.name(), e))?;
                // A connection that was kept would lead to where it led before.
                let mut request = client.get(to).header(CONNECTION, "close");
                if let Some((header, value)) = preview {
                    request = request.header(header, value);
                }
                let answer = request.send().await;
                let answer = answer.map_err(|e| PortError::unreachable(self.name(), web::explain(&e, LONGEST_WAIT)))?;
                Ok((answer.status(), answer.headers().clone()))
            }
            Through::Proxy { cluster, service, port } => {
                let port = port.get_or_try_init(|| first_port(cluster, service)).await?;
                by_proxy(cluster, service, *port, path).await
            }
        }
    }
}

/// The first port of a Service, by which it is asked through the API server.
///
/// # Errors
/// Where it cannot be read, or has none.
pub async fn first_port(cluster: &Cluster, service: &str) -> Result<i32, PortError> {
    let found = cluster.api::<Service>().get(service).await;
    let found = found.map_err(|e| cluster.failure(&format!("get services/{service}"), &e))?;
    let port = found.spec.and_then(|spec| spec.ports?.first().map(|port| port.port));
    port.ok_or_else(|| PortError::unexpected(format!("the Service {service}"), "it has no port"))
}

async fn by_proxy(
    cluster: &Cluster,
    service: &str,
    port: i32,
    path: &str,
) -> Result<(StatusCode, HeaderMap), PortError> {
    let verb = format!("get services/proxy of {service}");
    let uri = format!("/api/v1/namespaces/{}/services/{service}:{port}/proxy{path}", cluster.namespace);
    let request = Request::get(uri).body(Body::empty()).map_err(|e| PortError::unexpected(&verb, e))?;
    let answer = cluster.client.send(request).await.map_err(|e| cluster.failure(&verb, &e))?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, LONGEST)
        .collect()
        .await
        .map_err(|e| PortError::unreachable(format!("the Service {service}"), e))?;
    // The server answers for itself where it reaches nobody, and where it lets us reach nobody.
    match serde_json::from_slice::<kube::core::Status>(&body.to_bytes()) {
        Ok(status) if status.code == parts.status.as_u16() && !parts.status.is_success() => {
            let behind = format!("the Service {service}");
            Err(cluster.failure_behind(&behind, &verb, &kube::Error::Api(Box::new(status))))
        }
        _ => Ok((parts.status, parts.headers)),
    }
}
