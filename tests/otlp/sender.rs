//! A sender over real HTTP, and what it is answered.

use std::{io::Write, net::SocketAddr, time::Duration};

use flate2::{Compression, write::GzEncoder};
use interlock::adapters::otlp::{Limits, Receiver};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use reqwest::{Client, header::HeaderMap};
use serde_json::Value;

pub const PROTOBUF: &str = "application/x-protobuf";
pub const JSON: &str = "application/json";

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}

/// What a request was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The rejected spans and the message of a success in protobuf.
    pub fn partial(&self) -> Option<(i64, String)> {
        assert_eq!((self.status, self.header("content-type")), (200, PROTOBUF), "{self:?}");
        let partial = ExportTraceServiceResponse::decode(&*self.body).unwrap().partial_success?;
        Some((partial.rejected_spans, partial.error_message))
    }

    /// The code and message of a refusal in protobuf.
    pub fn refusal(&self) -> Status {
        assert_eq!(self.header("content-type"), PROTOBUF, "{self:?}");
        Status::decode(&*self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), JSON, "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A client of a receiver.
#[derive(Clone)]
pub struct Sender {
    client: Client,
    url: String,
}

impl Sender {
    pub fn new(address: SocketAddr) -> Self {
        interlock::adapters::install_crypto();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(120)).build().unwrap();
        Self { client, url: format!("http://{address}/v1/traces") }
    }

    pub async fn post(&self, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Answer {
        self.tried(headers, body).await.unwrap()
    }

    /// Posts, where the receiver may be gone.
    pub async fn tried(&self, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> reqwest::Result<Answer> {
        let mut request = self.client.post(&self.url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answered(request).await
    }

    pub async fn send(&self, request: &ExportTraceServiceRequest) -> Answer {
        self.post(&[("content-type", PROTOBUF)], request.encode_to_vec()).await
    }

    pub async fn send_json(&self, request: &ExportTraceServiceRequest) -> Answer {
        self.post(&[("content-type", JSON)], serde_json::to_vec(request).unwrap()).await
    }

    /// Asks for another path by another method.
    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let url = self.url.replace("/v1/traces", path);
        let mut request = self.client.request(method.parse().unwrap(), url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answered(request).await.unwrap()
    }
}

async fn answered(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
}

/// A receiver on a free port, and a sender for it.
pub async fn receiver(limits: Limits) -> (Receiver, Sender) {
    let receiver = Receiver::start("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
    let sender = Sender::new(receiver.address());
    (receiver, sender)
}

/// Bytes under gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
