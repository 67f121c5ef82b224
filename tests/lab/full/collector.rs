//! A collector of traces: takes spans by OTLP over HTTP, and draws each trace as a tree.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost::Message as _;
use tokio::runtime::Runtime;

use crate::command::within;

/// A span, and the resource that made it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub resource: BTreeMap<String, String>,
    pub attributes: BTreeMap<String, String>,
    pub span: Span,
}

/// Holds what has come in.
#[derive(Clone)]
pub struct Collector {
    pub address: SocketAddr,
    spans: Arc<Mutex<Vec<Seen>>>,
}

impl Collector {
    pub fn start(runtime: &Runtime) -> Self {
        let spans = Arc::new(Mutex::new(Vec::new()));
        let taken = spans.clone();
        let take = async move |headers: HeaderMap, body: Bytes| {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            taken.lock().unwrap().extend(read(&body));
        };
        let address = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let router = Router::new().route("/v1/traces", post(take));
            tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
            address
        });
        Self { address, spans }
    }

    pub fn all(&self) -> Vec<Seen> {
        self.spans.lock().unwrap().clone()
    }

    /// The spans of a trace, in the order of their start.
    pub fn of(&self, trace: &str) -> Vec<Seen> {
        let mut spans = self.all();
        spans.retain(|seen| hex(&seen.span.trace_id) == trace);
        spans.sort_by_key(|seen| seen.span.start_time_unix_nano);
        spans
    }

    /// Compares a trace with a tree, once there are as many spans as that has lines.
    pub fn expect(&self, trace: &str, tree: &str) {
        let tree: Vec<_> = tree.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let wanted = tree.join("\n");
        within(crate::command::PATIENCE, || self.of(trace).len() >= tree.len());
        pretty(&drawn(&self.of(trace)), &wanted);
    }
}

#[track_caller]
fn pretty(found: &str, wanted: &str) {
    assert!(found == wanted, "found\n{found}\n\nwanted\n{wanted}");
}

fn read(body: &[u8]) -> Vec<Seen> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut all = Vec::new();
    for of_resource in request.resource_spans {
        let resource = named(&of_resource.resource.unwrap().attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            all.push(Seen { resource: resource.clone(), attributes: named(&span.attributes), span });
        }
    }
    all
}

fn named(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &AnyValue| match value.value.as_ref().unwrap() {
        any_value::Value::StringValue(text) => text.clone(),
        any_value::Value::BoolValue(truth) => truth.to_string(),
        any_value::Value::IntValue(number) => number.to_string(),
        other => panic!("an attribute of another type: {other:?}"),
    };
    let all: BTreeMap<_, _> =
        attributes.iter().map(|one| (one.key.clone(), text(one.value.as_ref().unwrap()))).collect();
    assert_eq!(all.len(), attributes.len(), "an attribute stands twice: {attributes:?}");
    all
}

pub fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A trace as a tree: service, kind, name, what it called, how it was answered, and whether that is an error.
fn drawn(spans: &[Seen]) -> String {
    let ids: BTreeSet<_> = spans.iter().map(|seen| &seen.span.span_id).collect();
    let mut lines = Vec::new();
    for root in spans.iter().filter(|seen| !ids.contains(&seen.span.parent_span_id)) {
        draw(spans, root, 0, &mut lines);
    }
    lines.join("\n")
}

fn draw(spans: &[Seen], seen: &Seen, depth: usize, lines: &mut Vec<String>) {
    let attribute = |name: &str, before: &str| {
        seen.attributes.get(name).map(|value| format!(" {before}{value}")).unwrap_or_default()
    };
    let kind = match seen.span.kind() {
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Internal => "internal",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        other => panic!("{other:?}"),
    };
    let error = seen.span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error);
    lines.push(format!(
        "{}{} {kind} {}{}{}{}{}{}",
        "  ".repeat(depth),
        seen.resource["service.name"],
        seen.span.name,
        attribute("peer.service", "-> "),
        attribute("retry.attempt", ""),
        attribute("http.response.status_code", ""),
        attribute("rpc.response.status_code", ""),
        if error { " error" } else { "" },
    ));
    for child in spans.iter().filter(|child| child.span.parent_span_id == seen.span.span_id) {
        draw(spans, child, depth + 1, lines);
    }
}
