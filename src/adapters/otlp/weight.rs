//! How much memory spans take, told well enough to bound it.

use crate::model::trace::{Attributes, Resource, Span, Value};

/// The bytes of a span, without its resource, which it shares with others.
pub(super) fn span(span: &Span) -> usize {
    let happened =
        span.events.iter().map(|event| size_of_val(event) + event.name.len() + attributes(&event.attributes));
    let linked = span.links.iter().map(|link| size_of_val(link) + attributes(&link.attributes));
    size_of::<Span>()
        + span.name.len()
        + attributes(&span.attributes)
        + happened.sum::<usize>()
        + linked.sum::<usize>()
        + match &span.status {
            crate::model::trace::Status::Error(why) => why.len(),
            _ => 0,
        }
}

pub(super) fn resource(resource: &Resource) -> usize {
    size_of::<Resource>() + resource.service.len() + attributes(&resource.attributes)
}

fn attributes(attributes: &Attributes) -> usize {
    named(&attributes.0)
}

fn named(values: &[(String, Value)]) -> usize {
    values.iter().map(|(key, of_key)| size_of::<(String, Value)>() + key.len() + value(of_key)).sum()
}

/// What a value has beside its own place.
fn value(of: &Value) -> usize {
    match of {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(values) => values.iter().map(|one| size_of::<Value>() + value(one)).sum(),
        Value::Map(values) => named(values),
        Value::Bool(_) | Value::Int(_) | Value::Double(_) => 0,
    }
}
