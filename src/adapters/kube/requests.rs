//! Our own requests to a service: by the address that users take, or through the API server's proxy to a Service.

use std::time::{Duration, Instant};

use http::{HeaderMap, Request, StatusCode, header::CONNECTION};
use http_body_util::{BodyExt as _, Limited};
use k8s_openapi::api::core::v1::Service;
use kube::client::Body;
use reqwest::Url;
use serde_json::Value;
use tokio::{sync::OnceCell, time::timeout};

use super::Cluster;
use crate::{
    adapters::http as web,
    ports::{Field, PortError, Reply},
};

/// The most that is read of an answer, in bytes.
const LONGEST: usize = 1 << 20;
/// The most that is taken of what an answer says of who gave it, in characters.
const LONGEST_NAME: usize = 100;
/// How long an answer may take, whatever the caller allows.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

pub struct Way {
    through: Through,
    /// Where answers say who gave them.
    field: Field,
}

/// An answer; its body only where that was asked for.
type Answer = (StatusCode, HeaderMap, Vec<u8>);

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
    pub fn address(address: &str, preview: Option<(String, String)>, field: &Field) -> Result<Self, PortError> {
        let url = web::address("the service", address)?;
        let client = web::client(&url, LONGEST_WAIT, None)?;
        Ok(Self { through: Through::Address { url, client, preview }, field: field.clone() })
    }

    /// By the API server's proxy to a Service.
    pub fn proxy(cluster: &Cluster, service: &str, field: &Field) -> Self {
        let through = Through::Proxy { cluster: cluster.clone(), service: service.to_owned(), port: OnceCell::new() };
        Self { through, field: field.clone() }
    }

    /// Sends one GET and waits at most `within`.
    ///
    /// # Errors
    /// Where no answer came in time.
    pub async fn get(&self, path: &str, within: Duration) -> Result<Reply, PortError> {
        let begun = Instant::now();
        let answer = timeout(within, self.send(path)).await;
        let (status, headers, body) =
            answer.map_err(|_| PortError::unreachable(self.name(), format!("no answer within {within:?}")))??;
        Ok(Reply { status: status.as_u16(), by: said(&self.field, &headers, &body), took: begun.elapsed() })
    }

    /// Where answers say who gave them.
    pub const fn field(&self) -> &Field {
        &self.field
    }

    fn name(&self) -> String {
        match &self.through {
            Through::Address { url, .. } => web::place(url),
            Through::Proxy { service, .. } => format!("the Service {service}"),
        }
    }

    async fn send(&self, path: &str) -> Result<Answer, PortError> {
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
                let (status, headers) = (answer.status(), answer.headers().clone());
                let body = match &self.field {
                    Field::Body(_) => web::body(&self.name(), answer, LONGEST, LONGEST_WAIT).await?,
                    Field::Header(_) => Vec::new(),
                };
                Ok((status, headers, body))
            }
            Through::Proxy { cluster, service, port } => {
                let port = port.get_or_try_init(|| first_port(cluster, service)).await?;
                by_proxy(cluster, service, *port, path).await
            }
        }
    }
}

/// What an answer says of who gave it, as far as that fits into a line.
fn said(field: &Field, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let said = match field {
        Field::Header(name) => headers.get(name)?.to_str().ok()?.to_owned(),
        Field::Body(pointer) => match serde_json::from_slice::<Value>(body).ok()?.pointer(pointer)? {
            Value::String(text) => text.clone(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
            plain => plain.to_string(),
        },
    };
    let said = said.trim();
    (!said.is_empty()).then(|| said.chars().take(LONGEST_NAME).collect())
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

async fn by_proxy(cluster: &Cluster, service: &str, port: i32, path: &str) -> Result<Answer, PortError> {
    let verb = format!("get services/proxy of {service}");
    let uri = format!("/api/v1/namespaces/{}/services/{service}:{port}/proxy{path}", cluster.namespace);
    let request = Request::get(uri).body(Body::empty()).map_err(|e| PortError::unexpected(&verb, e))?;
    let answer = cluster.client.send(request).await.map_err(|e| cluster.failure(&verb, &e))?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, LONGEST)
        .collect()
        .await
        .map_err(|e| PortError::unreachable(format!("the Service {service}"), e))?;
    let body = body.to_bytes();
    // The server answers for itself where it reaches nobody, and where it lets us reach nobody.
    match serde_json::from_slice::<kube::core::Status>(&body) {
        Ok(status) if status.code == parts.status.as_u16() && !parts.status.is_success() => {
            let behind = format!("the Service {service}");
            Err(cluster.failure_behind(&behind, &verb, &kube::Error::Api(Box::new(status))))
        }
        _ => Ok((parts.status, parts.headers, body.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gave_an_answer_stands_in_a_header_or_in_its_body() {
        let mut headers = HeaderMap::new();
        headers.insert("x-slot", http::HeaderValue::from_static(" blue "));
        let body = br#"{"app": {"release": "1.4.2", "build/no": 7, "tags": ["a"]}, "slot": ""}"#;
        let header = |name: &str| said(&Field::Header(name.to_owned()), &headers, body);
        let pointer = |at: &str| said(&Field::Body(at.to_owned()), &headers, body);
        assert_eq!((header("X-Slot").as_deref(), header("x-other")), (Some("blue"), None));
        assert_eq!(pointer("/app/release").as_deref(), Some("1.4.2"));
        assert_eq!(pointer("/app/build~1no").as_deref(), Some("7"));
        assert_eq!([pointer("/app/tags"), pointer("/slot"), pointer("/none")], [None, None, None]);
        // What is no JSON says nothing, and is no error: the answer came.
        assert_eq!(said(&Field::Body("/app".to_owned()), &headers, b"<html>"), None);
    }
}
