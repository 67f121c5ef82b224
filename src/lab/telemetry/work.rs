//! Spans as the lab's parts make them: a request served, a request made, a piece of work within.
//!
//! Names and attributes: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>. Headers:
//! <https://www.w3.org/TR/trace-context/>.

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use opentelemetry::{
    Context, KeyValue, Value,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::{SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracer};

const HEADERS: [HeaderName; 2] = [HeaderName::from_static("traceparent"), HeaderName::from_static("tracestate")];

/// Makes the spans of this process, or none.
#[derive(Debug, Clone)]
pub enum Tracing {
    /// None; the headers of a trace go on as they came.
    Pass,
    /// None; the headers of a trace end here.
    Silent,
    On(SdkTracer),
}

impl Tracing {
    /// Whether requests go through as they are.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Pass)
    }

    /// Begins the work on a request that came with `headers`; without a route where the path is none of ours.
    #[must_use]
    pub fn server(&self, headers: &HeaderMap, method: &Method, route: Option<&str>, path: &str) -> Work {
        let tracer = match self {
            Self::Silent => return Work(State::Silent),
            Self::Pass => return Work(State::Pass(carried(headers))),
            Self::On(tracer) => tracer,
        };
        let parent = remote(headers);
        let name = route.map_or_else(|| method.to_string(), |route| format!("{method} {route}"));
        let mut attributes = vec![
            KeyValue::new("http.request.method", method.to_string()),
            KeyValue::new("url.path", path.to_owned()),
            KeyValue::new("url.scheme", "http"),
        ];
        attributes.extend(route.map(|route| KeyValue::new("http.route", route.to_owned())));
        begin(tracer, &parent, name, SpanKind::Server, attributes)
    }

    /// Goes on with what has begun elsewhere and was put down in `headers`, where [`Work::inject`] has put it.
    #[must_use]
    pub fn carried(&self, headers: &HeaderMap) -> Work {
        match self {
            Self::Silent => Work(State::Silent),
            Self::Pass => Work(State::Pass(carried(headers))),
            Self::On(tracer) => Work(State::On(On {
                tracer: tracer.clone(),
                context: TraceContextPropagator::new().extract_with_context(&Context::new(), &Incoming(headers)),
                serves: false,
                ends: false,
                failed: AtomicBool::new(false),
            })),
        }
    }

    /// Begins something that no request has asked for.
    #[must_use]
    pub fn own(&self) -> Work {
        self.carried(&HeaderMap::new())
    }
}

/// A piece of work; its span ends with it.
#[derive(Debug)]
pub struct Work(pub(super) State);

#[derive(Debug)]
pub(super) enum State {
    Pass(HeaderMap),
    Silent,
    On(On),
}

#[derive(Debug)]
pub(super) struct On {
    pub(super) tracer: SdkTracer,
    pub(super) context: Context,
    /// Whether it answers a request of others.
    pub(super) serves: bool,
    ends: bool,
    /// Whether its type of error was told; a span keeps every attribute that it is given.
    failed: AtomicBool,
}

impl On {
    pub(super) fn error_type(&self, kind: impl Into<Value>) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            self.context.span().set_attribute(KeyValue::new("error.type", kind));
        }
    }
}

impl Drop for On {
    fn drop(&mut self) {
        if self.ends {
            self.context.span().end();
        }
    }
}

pub(super) fn begin(
    tracer: &SdkTracer,
    parent: &Context,
    name: impl Into<Cow<'static, str>>,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
) -> Work {
    begin_as(tracer, parent, tracer.span_builder(name).with_kind(kind).with_attributes(attributes))
}

/// Begins what a builder describes.
pub(super) fn begin_as(tracer: &SdkTracer, parent: &Context, builder: SpanBuilder) -> Work {
    let serves = builder.span_kind == Some(SpanKind::Server);
    let span = tracer.build_with_context(builder, parent);
    Work(State::On(On {
        tracer: tracer.clone(),
        context: parent.with_span(span),
        serves,
        ends: true,
        failed: AtomicBool::new(false),
    }))
}

impl Work {
    /// Begins a part of it that stays in this process.
    #[must_use]
    pub fn internal(&self, name: impl Into<Cow<'static, str>>) -> Self {
        match &self.0 {
            State::Pass(headers) => Self(State::Pass(headers.clone())),
            State::Silent => Self(State::Silent),
            State::On(on) => begin(&on.tracer, &on.context, name.into(), SpanKind::Internal, Vec::new()),
        }
    }

    /// Begins a request to another service; `template` is the path with its variable parts named.
    #[must_use]
    pub fn client(&self, to: (&str, SocketAddr), method: &Method, template: &str, path: &str) -> Self {
        let on = match &self.0 {
            State::Pass(headers) => return Self(State::Pass(headers.clone())),
            State::Silent => return Self(State::Silent),
            State::On(on) => on,
        };
        let (service, address) = to;
        let attributes = vec![
            KeyValue::new("http.request.method", method.to_string()),
            KeyValue::new("url.full", format!("http://{address}{path}")),
            KeyValue::new("url.template", template.to_owned()),
            KeyValue::new("server.address", address.ip().to_string()),
            KeyValue::new("server.port", i64::from(address.port())),
            KeyValue::new("peer.service", service.to_owned()),
        ];
        begin(&on.tracer, &on.context, format!("{method} {template}"), SpanKind::Client, attributes)
    }

    /// The trace that it belongs to, where that is known.
    #[must_use]
    pub fn trace_id(&self) -> Option<String> {
        match &self.0 {
            State::Silent => None,
            State::Pass(carried) => {
                let mut parts = carried.get("traceparent")?.to_str().ok()?.split('-');
                parts.nth(1).map(str::to_owned)
            }
            State::On(on) => Some(on.context.span().span_context().trace_id().to_string()),
        }
    }

    /// Says more about it.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        if let State::On(on) = &self.0 {
            on.context.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Notes how the request was answered.
    pub fn answered(&self, status: StatusCode) {
        if let State::On(on) = &self.0 {
            let span = on.context.span();
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
            // A client's mistake is none of the server's.
            if status.is_server_error() || (status.is_client_error() && !on.serves) {
                // The status says why; a description would only repeat it.
                on.error_type(status.as_str().to_owned());
                span.set_status(Status::error(""));
            }
        }
    }

    /// Notes that it failed, and how. No secret may be in `why`.
    pub fn fail(&self, kind: &'static str, why: impl Into<Cow<'static, str>>) {
        if let State::On(on) = &self.0 {
            let (span, why) = (on.context.span(), why.into());
            on.error_type(kind);
            span.add_event(
                "exception",
                vec![
                    KeyValue::new("exception.type", kind),
                    KeyValue::new("exception.message", why.clone().into_owned()),
                ],
            );
            span.set_status(Status::error(why));
        }
    }

    /// Makes the headers of a request those of this work; what came with a request before is taken away.
    pub fn inject(&self, headers: &mut HeaderMap) {
        for name in HEADERS {
            headers.remove(name);
        }
        match &self.0 {
            State::Silent => {}
            State::Pass(carried) => headers.extend(carried.clone()),
            State::On(on) => TraceContextPropagator::new().inject_context(&on.context, &mut Outgoing(headers)),
        }
    }
}

pub(super) fn carried(headers: &HeaderMap) -> HeaderMap {
    let mut carried = HeaderMap::new();
    for name in HEADERS {
        if let Some(value) = headers.get(&name) {
            carried.insert(name, value.clone());
        }
    }
    carried
}

/// The work of another process that headers name.
pub(super) fn remote(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Incoming(headers))
}

struct Incoming<'a>(&'a HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct Outgoing<'a>(&'a mut HeaderMap);

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        if value.is_empty() {
            return;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::from_str(&value)) {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    /// The `traceparent` that a call carries which such a process makes for a request that came with one.
    fn passed_on(tracing: &Tracing) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01").parse().unwrap());
        headers.insert("tracestate", "vendor=1".parse().unwrap());
        let served = tracing.server(&headers, &Method::GET, Some("/tenants/{id}"), "/tenants/7");
        let part = served.internal("check authorization");
        let call = part.client(("store", "127.0.0.1:1".parse().unwrap()), &Method::GET, "/tenants/{id}", "/tenants/7");
        call.inject(&mut headers);
        assert_eq!(headers.contains_key("tracestate"), headers.contains_key("traceparent"));
        Some(headers.get("traceparent")?.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_trace_goes_on_with_a_new_parent_or_as_it_was_or_not_at_all() {
        let provider = SdkTracerProvider::builder().build();
        let own = passed_on(&Tracing::On(provider.tracer("test"))).unwrap();
        assert!(own.starts_with(&format!("00-{TRACE}-")) && !own.contains("00f067aa0ba902b7"), "{own}");
        assert_eq!(passed_on(&Tracing::Pass), Some(format!("00-{TRACE}-00f067aa0ba902b7-01")));
        assert_eq!(passed_on(&Tracing::Silent), None);
    }
}
