//! The shapes of OTLP JSON. Every field may be missing or null, and fields that nobody knows are passed over.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::scalars::{Bytes, Coded, Real, Whole};
use crate::{
    adapters::otlp::{
        base64,
        batch::{Invalid, is_shallow},
        protobuf,
    },
    model::trace::{Attributes, Happening, Link, Resource, Span, SpanId, Status, TraceId, Value},
};

/// The names of `Span.SpanKind`.
const KINDS: &[&str] = &["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
/// The names of `Status.StatusCode`.
const STATUSES: &[&str] = &["UNSET", "OK", "ERROR"];

/// `ResourceSpans`, whose parts are read one after the other, the resource first wherever it stands.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceSpans<'a> {
    #[serde(borrow)]
    pub(super) resource: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) scope_spans: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) instrumentation_library_spans: Option<&'a RawValue>,
}

/// `ScopeSpans`; its scope tells nothing that is used.
#[derive(Deserialize)]
pub(super) struct ScopeSpans<'a> {
    #[serde(borrow)]
    pub(super) spans: Option<&'a RawValue>,
}

/// `Resource`.
#[derive(Deserialize)]
pub(super) struct JsonResource {
    attributes: Option<Vec<KeyValue>>,
}

/// `Span`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JsonSpan {
    trace_id: Option<String>,
    span_id: Option<String>,
    parent_span_id: Option<String>,
    name: Option<String>,
    kind: Option<Coded>,
    start_time_unix_nano: Option<Whole<u64>>,
    end_time_unix_nano: Option<Whole<u64>>,
    attributes: Option<Vec<KeyValue>>,
    events: Option<Vec<Event>>,
    links: Option<Vec<JsonLink>>,
    status: Option<JsonStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    time_unix_nano: Option<Whole<u64>>,
    name: Option<String>,
    attributes: Option<Vec<KeyValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonLink {
    trace_id: Option<String>,
    span_id: Option<String>,
    attributes: Option<Vec<KeyValue>>,
}

#[derive(Deserialize)]
struct JsonStatus {
    code: Option<Coded>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct KeyValue {
    key: Option<String>,
    value: Option<AnyValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyValue {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Whole<i64>>,
    double_value: Option<Real>,
    bytes_value: Option<Bytes>,
    array_value: Option<List<AnyValue>>,
    kvlist_value: Option<List<KeyValue>>,
}

#[derive(Deserialize)]
struct List<T> {
    // Written out, since a derive asks for a default of what is in the list otherwise.
    values: Option<Vec<T>>,
}

impl JsonResource {
    pub(super) fn attributes(self) -> Attributes {
        attributes(self.attributes)
    }
}

impl JsonSpan {
    pub(super) fn of(self, resource: &Arc<Resource>) -> Result<Span, Invalid> {
        let parent = self.parent_span_id.unwrap_or_default();
        let span = Span {
            trace: self.trace_id.and_then(|id| trace_id(&id)).ok_or(Invalid::Trace)?,
            id: self.span_id.and_then(|id| span_id(&id)).ok_or(Invalid::Id)?,
            parent: match span_id(&parent) {
                // Some write a root's parent as zeros.
                None if !parent.is_empty() && parent.bytes().any(|digit| !matches!(digit, b'0' | b'A' | b'=')) => {
                    return Err(Invalid::Parent);
                }
                parent => parent,
            },
            name: self.name.unwrap_or_default(),
            kind: protobuf::kind(self.kind.map_or(0, |kind| kind.number("SPAN_KIND_", KINDS))),
            start: self.start_time_unix_nano.map_or(0, |at| at.0),
            end: self.end_time_unix_nano.map_or(0, |at| at.0),
            status: self.status.map_or(Status::Unset, |status| {
                let code = status.code.map_or(0, |code| code.number("STATUS_CODE_", STATUSES));
                protobuf::status(code, status.message.unwrap_or_default())
            }),
            attributes: attributes(self.attributes),
            events: self.events.unwrap_or_default().into_iter().map(Event::of).collect(),
            links: self.links.unwrap_or_default().into_iter().filter_map(JsonLink::of).collect(),
            resource: resource.clone(),
        };
        if is_shallow(&span) { Ok(span) } else { Err(Invalid::Depth) }
    }
}

impl Event {
    fn of(self) -> Happening {
        Happening {
            name: self.name.unwrap_or_default(),
            at: self.time_unix_nano.map_or(0, |at| at.0),
            attributes: attributes(self.attributes),
        }
    }
}

impl JsonLink {
    /// The link; none where it names no span, as the specification allows it to.
    fn of(self) -> Option<Link> {
        Some(Link {
            trace: trace_id(&self.trace_id?)?,
            span: span_id(&self.span_id?)?,
            attributes: attributes(self.attributes),
        })
    }
}

/// An id in hexadecimal digits, or in base64, as the JSON mapping of Protocol Buffers writes bytes and Tempo answers.
fn trace_id(text: &str) -> Option<TraceId> {
    TraceId::parse(text).or_else(|| TraceId::from_bytes(&base64::decode(text)?))
}

fn span_id(text: &str) -> Option<SpanId> {
    SpanId::parse(text).or_else(|| SpanId::from_bytes(&base64::decode(text)?))
}

fn attributes(from: Option<Vec<KeyValue>>) -> Attributes {
    Attributes(named(from.unwrap_or_default()))
}

fn named(from: Vec<KeyValue>) -> Vec<(String, Value)> {
    from.into_iter().map(|pair| (pair.key.unwrap_or_default(), value(pair.value))).collect()
}

/// A value; one that is not set is an empty text. The reader has bounded the depth.
fn value(from: Option<AnyValue>) -> Value {
    let nothing = || Value::Text(String::new());
    let Some(any) = from else { return nothing() };
    let text = any.string_value.map(Value::Text);
    text.or_else(|| any.bool_value.map(Value::Bool))
        .or_else(|| any.int_value.map(|number| Value::Int(number.0)))
        .or_else(|| any.double_value.map(|number| Value::Double(number.0)))
        .or_else(|| any.bytes_value.map(|bytes| Value::Bytes(bytes.0)))
        .or_else(|| {
            let list = any.array_value?.values.unwrap_or_default();
            Some(Value::List(list.into_iter().map(|one| value(Some(one))).collect()))
        })
        .or_else(|| Some(Value::Map(named(any.kvlist_value?.values.unwrap_or_default()))))
        .unwrap_or_else(nothing)
}
