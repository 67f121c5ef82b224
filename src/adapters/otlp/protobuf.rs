//! OTLP in Protocol Buffers: the envelope is walked by hand, and each span in it decoded by itself.
//!
//! So a body never grows to more than one span of encoded structures beside what is taken of it: two bytes of an empty
//! message would otherwise become a hundred.

use std::sync::Arc;

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value},
    resource::v1::Resource as ProtoResource,
    trace::v1 as proto,
};
use prost::Message;

use super::batch::{Batch, Broken, Invalid, LONGEST, is_shallow, shallow};
use crate::model::trace::{Attributes, Happening, Kind, Link, Resource, Span, SpanId, Status, TraceId, Value};

/// Decodes an `ExportTraceServiceRequest` or `TracesData`; their encodings are the same.
///
/// # Errors
/// Where the bytes are no such message.
pub(super) fn read(bytes: &[u8], batch: &mut Batch<'_>) -> Result<(), Broken> {
    let mut request = Fields { bytes, base: 0, at: 0 };
    while let Some((number, part)) = request.next()? {
        if let (1, Some(part)) = (number, part) {
            resource_spans(part, batch)?;
        }
    }
    Ok(())
}

fn resource_spans(part: Fields<'_>, batch: &mut Batch<'_>) -> Result<(), Broken> {
    // The resource may come behind its spans, and in parts.
    let mut resource = ProtoResource::default();
    let mut length = 0;
    let mut fields = part.clone();
    while let Some((number, inner)) = fields.next()? {
        if let (1, Some(inner)) = (number, inner) {
            length += inner.bytes.len();
            if length > LONGEST {
                return Err(Broken::new(format!("the resource is longer than {} KiB", LONGEST >> 10), inner.base));
            }
            resource.merge(inner.bytes).map_err(|e| broken("Resource", &e, inner.base))?;
        }
    }
    let attributes = attributes(resource.attributes);
    if !shallow(&attributes.0, 0) {
        return Err(Broken::new("the values of the resource are nested too deeply", part.base));
    }
    let mut shared: Option<Arc<Resource>> = None;
    let at = part.base;
    let mut fields = part;
    while let Some((number, scope)) = fields.next()? {
        // The second was its number before OTLP 0.19.
        if let (2 | 1000, Some(mut scope)) = (number, scope) {
            let at = scope.base;
            let mut spans = 0;
            while let Some((number, span)) = scope.next()? {
                if let (2, Some(span)) = (number, span) {
                    let resource = shared.get_or_insert_with(|| batch.share(attributes.clone()));
                    one(&span, resource, batch)?;
                    spans += 1;
                }
            }
            if spans == 0 {
                batch.empty(at)?;
            }
        }
    }
    if shared.is_none() { batch.empty(at) } else { Ok(()) }
}

fn one(part: &Fields<'_>, resource: &Arc<Resource>, batch: &mut Batch<'_>) -> Result<(), Broken> {
    if part.bytes.len() > LONGEST {
        batch.reject(Invalid::Length);
        return batch.empty(part.base);
    }
    match proto::Span::decode(part.bytes) {
        Ok(decoded) => match span(decoded, resource) {
            Ok(span) => {
                batch.push(span);
                return Ok(());
            }
            Err(why) => batch.reject(why),
        },
        // The decoder gives no kind of its errors.
        Err(e) if e.to_string().contains("recursion limit reached") => batch.reject(Invalid::Depth),
        Err(e) => return Err(broken("Span", &e, part.base)),
    }
    batch.empty(part.base)
}

fn broken(of: &str, error: &prost::DecodeError, at: usize) -> Broken {
    let words = error.to_string();
    let words = words.strip_prefix("failed to decode Protobuf message: ").unwrap_or(&words);
    Broken::new(format!("no {of}: {words}"), at)
}

fn span(from: proto::Span, resource: &Arc<Resource>) -> Result<Span, Invalid> {
    let span = Span {
        trace: TraceId::from_bytes(&from.trace_id).ok_or(Invalid::Trace)?,
        id: SpanId::from_bytes(&from.span_id).ok_or(Invalid::Id)?,
        parent: match from.parent_span_id.len() {
            // Some write a root's parent as zeros.
            0 | 8 => SpanId::from_bytes(&from.parent_span_id),
            _ => return Err(Invalid::Parent),
        },
        name: from.name,
        kind: kind(from.kind.into()),
        start: from.start_time_unix_nano,
        end: from.end_time_unix_nano,
        status: from.status.map_or(Status::Unset, |status| self::status(status.code.into(), status.message)),
        attributes: attributes(from.attributes),
        events: from.events.into_iter().map(happening).collect(),
        links: from.links.into_iter().filter_map(link).collect(),
        resource: resource.clone(),
    };
    if is_shallow(&span) { Ok(span) } else { Err(Invalid::Depth) }
}

fn happening(event: proto::span::Event) -> Happening {
    Happening { name: event.name, at: event.time_unix_nano, attributes: attributes(event.attributes) }
}

/// A link; none where it names no span, as the specification allows it to.
fn link(link: proto::span::Link) -> Option<Link> {
    Some(Link {
        trace: TraceId::from_bytes(&link.trace_id)?,
        span: SpanId::from_bytes(&link.span_id)?,
        attributes: attributes(link.attributes),
    })
}

fn attributes(from: Vec<KeyValue>) -> Attributes {
    Attributes(named(from))
}

fn named(from: Vec<KeyValue>) -> Vec<(String, Value)> {
    from.into_iter().map(|pair| (pair.key, value(pair.value))).collect()
}

/// A value; one that is not set is an empty text. The decoder has bounded the depth.
fn value(from: Option<AnyValue>) -> Value {
    match from.and_then(|any| any.value) {
        Some(any_value::Value::StringValue(text)) => Value::Text(text),
        Some(any_value::Value::BoolValue(truth)) => Value::Bool(truth),
        Some(any_value::Value::IntValue(number)) => Value::Int(number),
        Some(any_value::Value::DoubleValue(number)) => Value::Double(number),
        Some(any_value::Value::BytesValue(bytes)) => Value::Bytes(bytes),
        Some(any_value::Value::ArrayValue(list)) => {
            Value::List(list.values.into_iter().map(|one| value(Some(one))).collect())
        }
        Some(any_value::Value::KvlistValue(list)) => Value::Map(named(list.values)),
        // Belongs to profiles; the specification has it taken for nothing here.
        Some(any_value::Value::StringValueStrindex(_)) | None => Value::Text(String::new()),
    }
}

/// The kind with that number; one that nobody knows yet says nothing.
pub(super) const fn kind(number: i64) -> Kind {
    match number {
        1 => Kind::Internal,
        2 => Kind::Server,
        3 => Kind::Client,
        4 => Kind::Producer,
        5 => Kind::Consumer,
        _ => Kind::Unspecified,
    }
}

pub(super) fn status(number: i64, why: String) -> Status {
    match number {
        1 => Status::Ok,
        2 => Status::Error(why),
        _ => Status::Unset,
    }
}

/// The fields of an encoded message, one after the other.
#[derive(Debug, Clone)]
struct Fields<'b> {
    bytes: &'b [u8],
    /// Where the message begins in the whole body.
    base: usize,
    at: usize,
}

impl<'b> Fields<'b> {
    /// The next field's number, and its content where it is delimited by its length.
    fn next(&mut self) -> Result<Option<(u64, Option<Self>)>, Broken> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let begin = self.at;
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 {
            return Err(Broken::new("a field has the number 0", self.base + begin));
        }
        let content = match key & 7 {
            0 => {
                self.varint()?;
                None
            }
            1 => {
                self.skip(8)?;
                None
            }
            2 => {
                let length = self.varint()?;
                let begin = self.at;
                self.skip(length)?;
                Some(Self { bytes: &self.bytes[begin..self.at], base: self.base + begin, at: 0 })
            }
            5 => {
                self.skip(4)?;
                None
            }
            other => return Err(Broken::new(format!("wire type {other} is not used in OTLP"), self.base + begin)),
        };
        Ok(Some((number, content)))
    }

    fn skip(&mut self, length: u64) -> Result<(), Broken> {
        let left = self.bytes.len() - self.at;
        match usize::try_from(length).ok().filter(|length| *length <= left) {
            Some(length) => {
                self.at += length;
                Ok(())
            }
            None => Err(Broken::new(format!("a field of {length} bytes is cut off after {left}"), self.base + self.at)),
        }
    }

    fn varint(&mut self) -> Result<u64, Broken> {
        let begin = self.at;
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let Some(byte) = self.bytes.get(self.at) else {
                return Err(Broken::new("the end comes within a number", self.base + begin));
            };
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Broken::new("a number is longer than 64 bits", self.base + begin))
    }
}
