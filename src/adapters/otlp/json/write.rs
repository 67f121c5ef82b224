//! Writes spans as OTLP JSON, an object on each line, as the OpenTelemetry collector's file exporter does.

use std::io::{self, Write};

use serde_json::{Map, Value as Json, json};

use crate::{
    adapters::otlp::base64,
    model::trace::{Attributes, Kind, Span, Status, Value},
};

/// The most spans on a line.
const MOST: usize = 512;

/// Writes spans, in their order; neighbours of one resource share a line.
///
/// What is read back is equal, for a resource whose `service` is its attribute `service.name`.
///
/// # Errors
/// Where the target cannot be written.
pub fn write(spans: &[Span], target: &mut impl Write) -> io::Result<()> {
    for neighbours in spans.chunk_by(|a, b| a.resource == b.resource) {
        for some in neighbours.chunks(MOST) {
            let attributes = some.first().map(|span| pairs(&span.resource.attributes.0)).unwrap_or_default();
            let spans: Vec<_> = some.iter().map(span).collect();
            let line = json!({
                "resourceSpans": [{ "resource": { "attributes": attributes }, "scopeSpans": [{ "spans": spans }] }]
            });
            serde_json::to_writer(&mut *target, &line)?;
            target.write_all(b"\n")?;
        }
    }
    Ok(())
}

fn span(span: &Span) -> Json {
    let mut object = Map::new();
    let mut set = |key: &str, value: Json| object.insert(key.to_owned(), value);
    set("traceId", span.trace.to_string().into());
    set("spanId", span.id.to_string().into());
    if let Some(parent) = span.parent {
        set("parentSpanId", parent.to_string().into());
    }
    set("name", span.name.as_str().into());
    set("kind", kind(span.kind).into());
    set("startTimeUnixNano", span.start.to_string().into());
    set("endTimeUnixNano", span.end.to_string().into());
    set_attributes(&mut set, &span.attributes);
    if !span.events.is_empty() {
        let events = span.events.iter().map(|event| {
            let (at, name) = (event.at.to_string(), &event.name);
            json!({ "timeUnixNano": at, "name": name, "attributes": pairs(&event.attributes.0) })
        });
        set("events", events.collect());
    }
    if !span.links.is_empty() {
        let links = span.links.iter().map(|link| {
            let (trace, id) = (link.trace.to_string(), link.span.to_string());
            json!({ "traceId": trace, "spanId": id, "attributes": pairs(&link.attributes.0) })
        });
        set("links", links.collect());
    }
    match &span.status {
        Status::Unset => None,
        Status::Ok => set("status", json!({ "code": 1 })),
        Status::Error(why) => set("status", json!({ "code": 2, "message": why })),
    };
    Json::Object(object)
}

fn set_attributes(set: &mut impl FnMut(&str, Json) -> Option<Json>, attributes: &Attributes) {
    if !attributes.0.is_empty() {
        set("attributes", pairs(&attributes.0));
    }
}

fn pairs(values: &[(String, Value)]) -> Json {
    values.iter().map(|(key, of_key)| json!({ "key": key, "value": value(of_key) })).collect()
}

fn value(of: &Value) -> Json {
    match of {
        Value::Text(text) => json!({ "stringValue": text }),
        Value::Bool(truth) => json!({ "boolValue": truth }),
        Value::Int(number) => json!({ "intValue": number.to_string() }),
        Value::Double(number) if number.is_finite() => json!({ "doubleValue": number }),
        Value::Double(number) if number.is_nan() => json!({ "doubleValue": "NaN" }),
        Value::Double(number) => json!({ "doubleValue": if *number > 0.0 { "Infinity" } else { "-Infinity" } }),
        Value::Bytes(bytes) => json!({ "bytesValue": base64::encode(bytes) }),
        Value::List(values) => json!({ "arrayValue": { "values": values.iter().map(value).collect::<Json>() } }),
        Value::Map(values) => json!({ "kvlistValue": { "values": pairs(values) } }),
    }
}

const fn kind(kind: Kind) -> i32 {
    match kind {
        Kind::Unspecified => 0,
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
        Kind::Producer => 4,
        Kind::Consumer => 5,
    }
}
