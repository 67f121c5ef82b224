//! Spans of distributed traces, in OpenTelemetry's terms, whatever they came by.
//!
//! Source: the OpenTelemetry trace data model, `opentelemetry/proto/trace/v1/trace.proto`.

use std::{fmt, sync::Arc};

/// The id of a trace: 16 bytes, not all of them zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TraceId(pub [u8; 16]);

/// The id of a span in its trace: 8 bytes, not all of them zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SpanId(pub [u8; 8]);

/// What a span says of its part in an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Kind {
    /// Nothing was said.
    #[default]
    Unspecified,
    /// Work within one service.
    Internal,
    /// A request that is served.
    Server,
    /// A request that is made.
    Client,
    /// A message that is sent.
    Producer,
    /// A message that is received.
    Consumer,
}

/// How the work of a span ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Status {
    /// Nothing was said; not an error.
    #[default]
    Unset,
    /// Said to be well.
    Ok,
    /// An error, with its description, which may be empty.
    Error(String),
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Self>),
    /// Named values.
    Map(Vec<(String, Self)>),
}

/// Named values, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attributes(pub Vec<(String, Value)>);

/// Who made spans: a process and the service that it belongs to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resource {
    /// `service.name`; empty where it was not said.
    pub service: String,
    /// All that was said of it.
    pub attributes: Attributes,
}

/// Something that happened at one time within a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// What.
    pub name: String,
    /// When, in nanoseconds since 1970 by the clock of the process.
    pub at: u64,
    /// More about it.
    pub attributes: Attributes,
}

/// A span that this one goes back to, beside its parent; mostly in another trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The trace.
    pub trace: TraceId,
    /// The span in it.
    pub span: SpanId,
    /// More about it.
    pub attributes: Attributes,
}

/// A piece of work of one process, from its start to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The trace that it belongs to.
    pub trace: TraceId,
    /// Its id in the trace.
    pub id: SpanId,
    /// The span that caused it; none for the root of a trace.
    pub parent: Option<SpanId>,
    /// What the work is, such as `GET /tenants/{id}`.
    pub name: String,
    /// Its part in an exchange.
    pub kind: Kind,
    /// The start, in nanoseconds since 1970 by the clock of the process.
    pub start: u64,
    /// The end by the same clock; before `start` where the process lies.
    pub end: u64,
    /// How it ended.
    pub status: Status,
    /// More about it.
    pub attributes: Attributes,
    /// What happened within it.
    pub events: Vec<Happening>,
    /// The spans that it goes back to beside its parent.
    pub links: Vec<Link>,
    /// Who made it.
    pub resource: Arc<Resource>,
}

impl Attributes {
    /// The value of that name; the first, where a careless library gave two.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The value of that name, where it is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of that name, where it is a whole number, or a text that is one.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Int(number) => Some(*number),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Double(number) => write!(f, "{number}"),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::List(values) => write!(f, "{} values", values.len()),
            Self::Map(values) => write!(f, "{} named values", values.len()),
        }
    }
}

macro_rules! hexadecimal {
    ($id:ident, $bytes:literal) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl $id {
            /// Reads bytes as they go over the wire; none where there are too few or too many, or all are zero.
            #[must_use]
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let id: [u8; $bytes] = bytes.try_into().ok()?;
                id.iter().any(|byte| *byte != 0).then_some(Self(id))
            }

            /// Reads hexadecimal digits, in either case; none where it is not an id.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                if text.len() != 2 * $bytes || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return None;
                }
                let mut id = [0; $bytes];
                for (i, byte) in id.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
                }
                Self::from_bytes(&id)
            }
        }
    };
}

hexadecimal!(TraceId, 16);
hexadecimal!(SpanId, 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = TraceId::parse("4BF92f3577b34da6a3ce929d0e0e4736").unwrap();
        assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(
            SpanId::parse("00f067aa0ba902b7").map(|id| SpanId::from_bytes(&id.0)),
            Some(SpanId::parse("00f067aa0ba902b7"))
        );
        for wrong in
            ["", "00f067aa0ba902b", "0000000000000000", "00f067aa0ba902bg", "+0f067aa0ba902b7", "é0f067aa0ba902b"]
        {
            assert_eq!(SpanId::parse(wrong), None, "{wrong}");
        }
    }
}
