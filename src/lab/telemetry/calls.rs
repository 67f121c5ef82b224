//! Spans of remote procedure calls.
//!
//! Names and attributes: <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>.

use std::net::SocketAddr;

use http::HeaderMap;
use opentelemetry::{
    KeyValue,
    trace::{SpanKind, Status, TraceContextExt as _},
};
use tonic::Code;

use super::work::{State, Tracing, Work, begin, carried, remote};
use crate::lab::grpc;

/// What a call is about, such as `orders.Orders/Get`.
fn attributes(method: &str) -> Vec<KeyValue> {
    let (service, name) = method.split_once('/').unwrap_or(("", method));
    vec![
        KeyValue::new("rpc.system", "grpc"),
        KeyValue::new("rpc.service", service.to_owned()),
        KeyValue::new("rpc.method", name.to_owned()),
    ]
}

impl Tracing {
    /// Begins the work on a call of a method that came with `headers`; without one where there is none by its name.
    #[must_use]
    pub fn called(&self, headers: &HeaderMap, method: Option<&str>) -> Work {
        let tracer = match self {
            Self::Silent => return Work(State::Silent),
            Self::Pass => return Work(State::Pass(carried(headers))),
            Self::On(tracer) => tracer,
        };
        let name = method.unwrap_or("grpc").to_owned();
        let attributes = method.map_or_else(|| vec![KeyValue::new("rpc.system", "grpc")], attributes);
        begin(tracer, &remote(headers), name, SpanKind::Server, attributes)
    }
}

impl Work {
    /// Begins a call of another service's method.
    #[must_use]
    pub fn call(&self, (service, address): (&str, SocketAddr), method: &str) -> Self {
        let on = match &self.0 {
            State::Pass(headers) => return Self(State::Pass(headers.clone())),
            State::Silent => return Self(State::Silent),
            State::On(on) => on,
        };
        let peer = [
            KeyValue::new("server.address", address.ip().to_string()),
            KeyValue::new("server.port", i64::from(address.port())),
            KeyValue::new("peer.service", service.to_owned()),
        ];
        let attributes = attributes(method).into_iter().chain(peer).collect();
        begin(&on.tracer, &on.context, method.to_owned(), SpanKind::Client, attributes)
    }

    /// Notes by which code the call was answered.
    pub fn ended(&self, code: Code) {
        let State::On(on) = &self.0 else { return };
        let span = on.context.span();
        span.set_attribute(KeyValue::new("rpc.response.status_code", grpc::name(code)));
        let is_error = match code {
            Code::Ok => false,
            // A caller's mistake is none of the server's.
            Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => true,
            _ => !on.serves,
        };
        if is_error {
            on.error_type(grpc::name(code));
            span.set_status(Status::error(""));
        }
    }
}
