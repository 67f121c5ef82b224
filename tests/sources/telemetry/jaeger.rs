//! A real Jaeger that holds traces in memory, and a trace as it tells it.

use std::time::Duration;

use serde_json::Value;

use crate::{
    programs::program,
    servers::{Server, free_address},
};

/// A Jaeger of one test.
pub struct Jaeger {
    server: Server,
    /// Where spans are sent, by OTLP over HTTP.
    pub otlp: String,
    client: reqwest::Client,
}

/// A span, and the service that has made it.
#[derive(Debug, Clone)]
pub struct Span {
    pub service: String,
    pub id: String,
    pub parent: String,
    pub name: String,
    kind: &'static str,
    status: Option<String>,
    pub links: Vec<(String, String)>,
}

impl Jaeger {
    pub async fn start() -> Self {
        let (otlp, grpc) = (free_address(), free_address());
        let program = program("jaeger", "jaeger");
        let mut server = Server::start(&program, "", |file, ui| {
            std::fs::write(file, config(ui, &grpc, &otlp)).unwrap();
            vec![format!("--config=file:{}", file.display())]
        });
        server.ready("/api/v3/services").await;
        let client = interlock::adapters::client(&server.url.parse().unwrap(), Duration::from_secs(10), None).unwrap();
        Self { server, otlp: format!("http://{otlp}"), client }
    }

    /// All that it tells of a trace; nothing while it knows none.
    pub async fn text(&self, trace: &str) -> Option<String> {
        let answer = self.client.get(format!("{}/api/v3/traces/{trace}", self.server.url)).send().await.unwrap();
        answer.status().is_success().then_some(answer.text().await.unwrap())
    }

    /// The spans of a trace, in the order of their start.
    pub async fn spans(&self, trace: &str) -> Vec<Span> {
        let text = self.text(trace).await.unwrap_or_default();
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let mut spans = Vec::new();
        for resource in list(&answer["result"]["resourceSpans"]) {
            let service = attribute(&resource["resource"], "service.name").unwrap();
            for span in list(&resource["scopeSpans"]).iter().flat_map(|scope| list(&scope["spans"])) {
                spans.push((text_of(span, "startTimeUnixNano"), read(&service, span)));
            }
        }
        spans.sort_by(|(a, _), (b, _)| a.cmp(b));
        spans.into_iter().map(|(_, span)| span).collect()
    }
}

fn config(ui: &str, grpc: &str, otlp: &str) -> String {
    format!(
        "service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines: {{traces: {{receivers: [otlp], exporters: [jaeger_storage_exporter]}}}}
  telemetry: {{logs: {{level: warn}}, metrics: {{level: none}}}}
extensions:
  jaeger_storage: {{backends: {{held: {{memory: {{max_traces: 10000}}}}}}}}
  jaeger_query: {{storage: {{traces: held}}, http: {{endpoint: '{ui}'}}, grpc: {{endpoint: '{grpc}'}}}}
receivers: {{otlp: {{protocols: {{http: {{endpoint: '{otlp}'}}}}}}}}
exporters: {{jaeger_storage_exporter: {{trace_storage: held}}}}
"
    )
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text_of(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// An attribute of a span or a resource, as a text.
fn attribute(of: &Value, key: &str) -> Option<String> {
    let found = list(&of["attributes"]).iter().find(|one| one["key"] == key)?;
    let (_, value) = found["value"].as_object()?.iter().next()?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn read(service: &str, span: &Value) -> Span {
    const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
    Span {
        service: service.to_owned(),
        id: text_of(span, "spanId"),
        parent: text_of(span, "parentSpanId"),
        name: text_of(span, "name"),
        kind: KINDS[usize::try_from(span["kind"].as_u64().unwrap()).unwrap()],
        status: attribute(span, "http.response.status_code"),
        links: list(&span["links"]).iter().map(|link| (text_of(link, "traceId"), text_of(link, "spanId"))).collect(),
    }
}

/// A trace as a tree: the service, the kind, the name, and how it was answered.
pub fn drawn(spans: &[Span]) -> String {
    let is_root = |span: &&Span| spans.iter().all(|other| other.id != span.parent);
    let mut lines = Vec::new();
    spans.iter().filter(is_root).for_each(|root| draw(spans, root, 0, &mut lines));
    lines.join("\n")
}

fn draw(spans: &[Span], span: &Span, depth: usize, lines: &mut Vec<String>) {
    let Span { service, kind, name, status, .. } = span;
    let status = status.as_ref().map(|status| format!(" {status}")).unwrap_or_default();
    lines.push(format!("{}{service} {kind} {name}{status}", "  ".repeat(depth)));
    spans.iter().filter(|child| child.parent == span.id).for_each(|child| draw(spans, child, depth + 1, lines));
}
