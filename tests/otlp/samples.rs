//! Spans to test with, in the model's terms and as they go over the wire.

use std::sync::Arc;

use interlock::model::trace::{Attributes, Happening, Kind, Link, Resource, Span, SpanId, Status, TraceId, Value};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value},
    resource::v1::Resource as ProtoResource,
    trace::v1 as proto,
};
use proptest::{collection::vec, prelude::*};

/// A request of one resource.
pub fn request(service: &str, spans: Vec<proto::Span>) -> ExportTraceServiceRequest {
    let attributes = vec![pair("service.name", any_value::Value::StringValue(service.to_owned()))];
    ExportTraceServiceRequest {
        resource_spans: vec![proto::ResourceSpans {
            resource: Some(ProtoResource { attributes, ..Default::default() }),
            scope_spans: vec![proto::ScopeSpans { spans, ..Default::default() }],
            ..Default::default()
        }],
    }
}

/// So many valid spans, numbered from `first`.
pub fn numbered(first: u64, count: u64) -> Vec<proto::Span> {
    (first..first + count).map(wire_span).collect()
}

/// A valid span with a number of its own.
pub fn wire_span(number: u64) -> proto::Span {
    proto::Span {
        trace_id: (u128::from(number / 8) + 1).to_be_bytes().to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        name: format!("GET /orders/{number}"),
        kind: 2,
        start_time_unix_nano: 1_700_000_000_000_000_000 + number,
        end_time_unix_nano: 1_700_000_000_000_100_000 + number,
        attributes: vec![
            pair("http.request.method", any_value::Value::StringValue("GET".to_owned())),
            pair("http.response.status_code", any_value::Value::IntValue(200)),
        ],
        ..Default::default()
    }
}

/// A named value on the wire.
pub fn pair(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

/// The numbers of received spans, sorted.
pub fn numbers(spans: &[Span]) -> Vec<u64> {
    let mut numbers: Vec<_> = spans.iter().map(|span| u64::from_be_bytes(span.id.0) - 1).collect();
    numbers.sort_unstable();
    numbers
}

/// The request that carries these spans, neighbours of one resource together.
pub fn wire(spans: &[Span]) -> ExportTraceServiceRequest {
    let resource_spans = spans.chunk_by(|a, b| a.resource == b.resource).map(|some| proto::ResourceSpans {
        resource: Some(ProtoResource { attributes: pairs(&some[0].resource.attributes.0), ..Default::default() }),
        scope_spans: vec![proto::ScopeSpans { spans: some.iter().map(one).collect(), ..Default::default() }],
        ..Default::default()
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }
}

fn one(span: &Span) -> proto::Span {
    let (code, message) = match &span.status {
        Status::Unset => (0, String::new()),
        Status::Ok => (1, String::new()),
        Status::Error(why) => (2, why.clone()),
    };
    let happening = |event: &Happening| proto::span::Event {
        time_unix_nano: event.at,
        name: event.name.clone(),
        attributes: pairs(&event.attributes.0),
        ..Default::default()
    };
    let link = |link: &Link| proto::span::Link {
        trace_id: link.trace.0.to_vec(),
        span_id: link.span.0.to_vec(),
        attributes: pairs(&link.attributes.0),
        ..Default::default()
    };
    proto::Span {
        trace_id: span.trace.0.to_vec(),
        span_id: span.id.0.to_vec(),
        parent_span_id: span.parent.map(|id| id.0.to_vec()).unwrap_or_default(),
        name: span.name.clone(),
        kind: span.kind as i32,
        start_time_unix_nano: span.start,
        end_time_unix_nano: span.end,
        attributes: pairs(&span.attributes.0),
        events: span.events.iter().map(happening).collect(),
        links: span.links.iter().map(link).collect(),
        status: Some(proto::Status { message, code }),
        ..Default::default()
    }
}

fn pairs(values: &[(String, Value)]) -> Vec<KeyValue> {
    values.iter().map(|(key, value)| pair(key, of_value(value))).collect()
}

fn of_value(value: &Value) -> any_value::Value {
    match value {
        Value::Text(text) => any_value::Value::StringValue(text.clone()),
        Value::Bool(truth) => any_value::Value::BoolValue(*truth),
        Value::Int(number) => any_value::Value::IntValue(*number),
        Value::Double(number) => any_value::Value::DoubleValue(*number),
        Value::Bytes(bytes) => any_value::Value::BytesValue(bytes.clone()),
        Value::List(values) => any_value::Value::ArrayValue(ArrayValue {
            values: values.iter().map(|value| AnyValue { value: Some(of_value(value)) }).collect(),
        }),
        Value::Map(values) => any_value::Value::KvlistValue(KeyValueList { values: pairs(values) }),
    }
}

/// Any value that compares with itself, at most `depth` levels deep.
fn values(depth: u32) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("NaN is unlike itself", |n| !n.is_nan()).prop_map(Value::Double),
        vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(depth, 24, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::List),
            vec((any::<String>(), inner), 0..3).prop_map(Value::Map),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Attributes> {
    vec((any::<String>(), values(4)), 0..4).prop_map(Attributes)
}

fn span_ids() -> impl Strategy<Value = SpanId> {
    (1..=u64::MAX).prop_map(|id| SpanId(id.to_be_bytes()))
}

fn trace_ids() -> impl Strategy<Value = TraceId> {
    (1..=u128::MAX).prop_map(|id| TraceId(id.to_be_bytes()))
}

fn resources() -> impl Strategy<Value = Resource> {
    (any::<Option<String>>(), attributes()).prop_map(|(service, Attributes(mut rest))| {
        rest.retain(|(key, _)| key != "service.name");
        let name = service.clone().map(|name| ("service.name".to_owned(), Value::Text(name)));
        rest.splice(0..0, name);
        Resource { service: service.unwrap_or_default(), attributes: Attributes(rest) }
    })
}

prop_compose! {
    fn one_span()(
        (trace, id, parent) in (trace_ids(), span_ids(), prop::option::of(span_ids())),
        (name, start, end) in any::<(String, u64, u64)>(),
        kind in prop::sample::select(vec![
            Kind::Unspecified, Kind::Internal, Kind::Server, Kind::Client, Kind::Producer, Kind::Consumer,
        ]),
        status in prop_oneof![Just(Status::Unset), Just(Status::Ok), any::<String>().prop_map(Status::Error)],
        attributes in attributes(),
        events in vec((any::<String>(), any::<u64>(), attributes()), 0..3),
        links in vec((trace_ids(), span_ids(), attributes()), 0..3),
    ) -> Span {
        let event = |(name, at, attributes)| Happening { name, at, attributes };
        let link = |(trace, span, attributes)| Link { trace, span, attributes };
        Span {
            trace, id, parent, name, kind, start, end, status, attributes,
            events: events.into_iter().map(event).collect(),
            links: links.into_iter().map(link).collect(),
            resource: Arc::default(),
        }
    }
}

/// Any spans of any resources.
pub fn spans() -> impl Strategy<Value = Vec<Span>> {
    vec((resources(), vec(one_span(), 1..4)), 0..4).prop_map(|groups| {
        let group = |(resource, mut spans): (Resource, Vec<Span>)| {
            let resource = Arc::new(resource);
            spans.iter_mut().for_each(|span| span.resource = resource.clone());
            spans
        };
        groups.into_iter().flat_map(group).collect()
    })
}
