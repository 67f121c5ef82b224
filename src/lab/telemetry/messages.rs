//! Spans of messages: one where a message is made, and one where it is handled, which belongs to the same trace.
//!
//! Names and attributes: <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>.

use http::HeaderMap;
use opentelemetry::{
    KeyValue,
    trace::{Link, SpanKind, TraceContextExt as _, Tracer as _},
};

use super::work::{State, Tracing, Work, begin, begin_as, carried, remote};

/// A message as spans tell of it.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'a> {
    /// What carries it.
    pub system: &'static str,
    /// Its topic, or the name of the job.
    pub destination: &'a str,
    pub id: &'a str,
    /// The request that it belongs to.
    pub correlation_id: &'a str,
}

impl Parcel<'_> {
    fn attributes(&self, operation: &'static str) -> Vec<KeyValue> {
        vec![
            KeyValue::new("messaging.system", self.system),
            KeyValue::new("messaging.operation.name", operation),
            KeyValue::new("messaging.operation.type", operation),
            KeyValue::new("messaging.destination.name", self.destination.to_owned()),
            KeyValue::new("messaging.message.id", self.id.to_owned()),
            KeyValue::new("messaging.message.conversation_id", self.correlation_id.to_owned()),
        ]
    }

    fn name(&self, operation: &str) -> String {
        format!("{operation} {}", self.destination)
    }
}

impl Work {
    /// Begins to make a message, which is sent at once or kept to be sent later.
    #[must_use]
    pub fn producer(&self, parcel: &Parcel<'_>, at_once: bool) -> Self {
        let on = match &self.0 {
            State::Pass(headers) => return Self(State::Pass(headers.clone())),
            State::Silent => return Self(State::Silent),
            State::On(on) => on,
        };
        let operation = if at_once { "send" } else { "create" };
        begin(&on.tracer, &on.context, parcel.name(operation), SpanKind::Producer, parcel.attributes(operation))
    }
}

impl Tracing {
    /// Begins to handle a message for a subscription of a service. It was made by the work that `headers` name: that is its
    /// parent, so that both are one trace, and its link, by which messages are followed.
    #[must_use]
    pub fn consumer(&self, headers: &HeaderMap, parcel: &Parcel<'_>, service: &str, subscription: &str) -> Work {
        let tracer = match self {
            Self::Silent => return Work(State::Silent),
            Self::Pass => return Work(State::Pass(carried(headers))),
            Self::On(tracer) => tracer,
        };
        let parent = remote(headers);
        let origin = parent.span().span_context().clone();
        let mut attributes = parcel.attributes("process");
        attributes.push(KeyValue::new("messaging.consumer.group.name", service.to_owned()));
        attributes.push(KeyValue::new("messaging.destination.subscription.name", subscription.to_owned()));
        let links = if origin.is_valid() { vec![Link::with_context(origin)] } else { Vec::new() };
        let builder = tracer.span_builder(parcel.name("process"));
        let builder = builder.with_kind(SpanKind::Consumer).with_attributes(attributes).with_links(links);
        begin_as(tracer, &parent, builder)
    }
}
