//! One request: picked a slot, sent to a replica, answered, counted.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::{
    HeaderMap, Request, Response, StatusCode, Version,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    header::{self, HeaderName, HeaderValue},
};

use tokio::time::Sleep;

use super::{
    backends::{Backends, Outgoing, Upstream},
    bearer::Bearer,
    metrics::{Metrics, Way},
    routing::Routing,
};
use crate::{
    lab::{
        SERVICE,
        flight::{Flights, Flying},
        http::{self, Lease, REQUEST_ID, SLOT},
        telemetry::{Tracing, Work},
    },
    model::Slot,
};

/// How many replicas are tried before a request is given up.
const TRIES: usize = 3;
/// How long a connection to a replica may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Everything that requests share.
pub struct Shared {
    /// The service behind the gateway, for labels.
    pub service: String,
    /// How long a replica may take to begin its answer.
    pub upstream_timeout: Duration,
    pub routing: Routing,
    pub backends: Backends,
    pub flights: Flights,
    pub metrics: Metrics,
    /// Checks tokens, where requests have to show one.
    pub bearer: Option<Bearer>,
    /// Makes spans.
    pub tracing: Tracing,
}

/// Answers one request; failures become answers of their own.
pub async fn answer(shared: Arc<Shared>, peer: SocketAddr, mut request: Request<Incoming>) -> Response<Answer> {
    let named = request.headers().get(SLOT).map(|value| value.to_str().unwrap_or_default().parse::<Slot>());
    let (slot, way) = match named {
        Some(Ok(slot)) => (slot, Way::Preview),
        None => (shared.routing.pick(), Way::Live),
        Some(Err(why)) => {
            // It reached no slot, so it counts for none.
            return problem(StatusCode::BAD_REQUEST, &why).map(|body| Answer::new(body, None, shared.upstream_timeout));
        }
    };
    let id = request_id(request.headers());
    let work = begin(&shared, &request);
    if let Some(bearer) = &shared.bearer
        && route(request.uri().path()).is_some()
        && let Err(why) = bearer.admit(request.headers_mut(), work.as_ref()).await
    {
        if let Some(work) = &work {
            work.answered(StatusCode::UNAUTHORIZED);
        }
        // It reached no slot either.
        return unauthorized(why, &id).map(|body| Answer::new(body, None, shared.upstream_timeout));
    }
    let mut ticket = Ticket::new(shared.clone(), slot, way, peer, &request);
    let deadline = shared.upstream_timeout;
    let forwarding = forward(&shared, slot, request, &id, work.as_ref());
    let (mut response, lease) = match tokio::time::timeout(deadline, forwarding).await {
        Ok(Ok((response, lease))) => (response.map(BodyExt::boxed), Some(lease)),
        Ok(Err((status, why))) => (problem(status, &why), None),
        Err(_) => {
            let why = format!("no replica of {slot} answered within {deadline:?}");
            (problem(StatusCode::GATEWAY_TIMEOUT, &why), None)
        }
    };
    ticket.status = response.status().as_u16();
    ticket.lease = lease;
    if let Some(work) = &work {
        work.answered(response.status());
    }
    ticket.work = work;
    let headers = response.headers_mut();
    strip(headers);
    headers.insert(SLOT, HeaderValue::from_static(slot.name()));
    headers.insert(REQUEST_ID, id);
    if response.body().is_end_stream() {
        // hyper does not ask an empty body for its end.
        ticket.whole();
    }
    response.map(|body| Answer::new(body, Some(ticket), deadline))
}

type Sent = (Response<Incoming>, (Arc<Upstream>, Lease<Outgoing>));

/// Sends a request to a ready replica of `slot`.
///
/// Another one is tried where nothing was sent; where the connection broke before the answer began, only a request that
/// may be repeated and has no body is sent again, and once.
async fn forward(
    shared: &Shared,
    slot: Slot,
    request: Request<Incoming>,
    id: &HeaderValue,
    work: Option<&Work>,
) -> Result<Sent, (StatusCode, String)> {
    let (mut head, body) = request.into_parts();
    strip(&mut head.headers);
    head.headers.remove(SLOT);
    head.headers.insert(REQUEST_ID, id.clone());
    let repeatable = body.is_end_stream() && head.method.is_idempotent();
    let mut body: Option<Outgoing> = Some(body.boxed());
    let (mut tried, mut stale) = (Vec::new(), None::<Arc<Upstream>>);
    let (mut status, mut why) = (StatusCode::SERVICE_UNAVAILABLE, format!("no replica of {slot} is ready"));
    let mut repeated = false;
    for _ in 0..TRIES {
        // A broken kept-alive connection says little about its replica: it gets a new one once no other is left.
        let (upstream, lease) = match shared.backends.next(slot, &tried) {
            Some(upstream) => (upstream.clone(), upstream.pool.lease(CONNECT_WITHIN).await),
            None => match stale.take() {
                Some(upstream) => (Arc::clone(&upstream), upstream.pool.connect(CONNECT_WITHIN).await),
                None => break,
            },
        };
        tried.push(upstream.clone());
        let mut lease = match lease {
            Ok(lease) => lease,
            Err(e) => {
                upstream.out();
                why = format!("{}: {e}", upstream.backend.name);
                continue;
            }
        };
        let Some(full) = body.take() else { break };
        let mut request = Request::from_parts(head.clone(), full);
        *request.version_mut() = Version::HTTP_11;
        let calling = work.map(|work| call(work, &shared.service, &upstream, &mut request));
        match lease.sender.try_send_request(request).await {
            Ok(response) => {
                if let Some(calling) = &calling {
                    calling.answered(response.status());
                }
                return Ok((response, (upstream, lease)));
            }
            Err(mut e) => {
                why = format!("{}: {}", upstream.backend.name, e.error());
                if let Some(calling) = &calling {
                    calling.fail("no answer", why.clone());
                }
                if let Some(unsent) = e.take_message() {
                    body = Some(unsent.into_body());
                } else {
                    status = StatusCode::BAD_GATEWAY;
                    if !repeatable || repeated {
                        break;
                    }
                    repeated = true;
                    body = Some(empty());
                }
                if lease.reused {
                    stale = Some(upstream);
                }
            }
        }
    }
    Err((status, why))
}

/// The route of a path of users; none for what is asked by those who operate the lab.
fn route(path: &str) -> Option<&'static str> {
    match path.strip_prefix("/tenants") {
        Some("" | "/") => Some("/tenants"),
        Some(id) if id.starts_with('/') => Some("/tenants/{id}"),
        _ => None,
    }
}

/// Begins the work on a request of users, where spans are made or traces end here.
fn begin(shared: &Shared, request: &Request<Incoming>) -> Option<Work> {
    if shared.tracing.passes() {
        return None;
    }
    let path = request.uri().path();
    let route = route(path);
    // The routes of a script are known to its own process.
    let is_of_users = route.is_some() || shared.service != SERVICE;
    is_of_users.then(|| shared.tracing.server(request.headers(), request.method(), route, path))
}

/// Begins one try at a replica.
fn call<B>(work: &Work, service: &str, upstream: &Upstream, request: &mut Request<B>) -> Work {
    let path = request.uri().path();
    let to = (service, upstream.backend.address);
    let calling = work.client(to, request.method(), route(path).unwrap_or_default(), path);
    calling.inject(request.headers_mut());
    calling
}

fn empty() -> Outgoing {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// Removes what belongs to one connection only (RFC 9110, section 7.6.1).
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [header::CONNECTION, header::TE, header::TRAILER, header::TRANSFER_ENCODING, header::UPGRADE] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}

/// The caller's correlation id if it is harmless, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let harmless = |value: &&HeaderValue| {
        (8..=64).contains(&value.len()) && value.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
    };
    headers.get(REQUEST_ID).filter(harmless).cloned().unwrap_or_else(|| {
        let id = format!("{:016x}", rand::random::<u64>());
        HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("none"))
    })
}

/// The answer to a request without a valid token (RFC 6750, section 3).
fn unauthorized(why: &str, id: &HeaderValue) -> Response<BoxBody<Bytes, hyper::Error>> {
    let body = http::problem_of(StatusCode::UNAUTHORIZED, why, id.to_str().unwrap_or_default());
    let mut response = body.map(|body| body.map_err(|never| match never {}).boxed());
    let challenge = HeaderValue::from_static(r#"Bearer realm="tenants", error="invalid_token""#);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response.headers_mut().insert(REQUEST_ID, id.clone());
    response
}

/// An answer of our own.
fn problem(status: StatusCode, why: &str) -> Response<BoxBody<Bytes, hyper::Error>> {
    http::problem(status, why).map(|body| body.map_err(|never| match never {}).boxed())
}

/// Counts a request when it is over, however it ended.
struct Ticket {
    shared: Arc<Shared>,
    slot: Slot,
    way: Way,
    since: Instant,
    status: u16,
    over: bool,
    lease: Option<(Arc<Upstream>, Lease<Outgoing>)>,
    /// Ends with the request.
    work: Option<Work>,
    _flying: Flying,
}

impl Ticket {
    fn new(shared: Arc<Shared>, slot: Slot, way: Way, peer: SocketAddr, request: &Request<Incoming>) -> Self {
        let flying = shared.flights.begin(slot, request.method().clone(), request.uri().path(), peer);
        // Until there is an answer, the only way to end is that the client leaves.
        let since = Instant::now();
        Self { shared, slot, way, since, status: 499, over: false, lease: None, work: None, _flying: flying }
    }

    /// The answer was read to its end: the connection can serve again.
    fn whole(&mut self) {
        self.over = true;
        if let Some((upstream, lease)) = self.lease.take() {
            upstream.pool.put(lease.sender);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let status = if self.over || self.status >= 500 { self.status } else { 499 };
        if status != self.status
            && let Some(work) = &self.work
        {
            work.fail("client left", "the client left before the end of its answer");
        }
        self.shared.metrics.count(self.slot, self.way, status, self.since.elapsed());
    }
}

/// The body of an answer, with the ticket that ends with it.
pub struct Answer {
    body: BoxBody<Bytes, hyper::Error>,
    ticket: Option<Ticket>,
    /// How long the replica may be silent in the middle of an answer.
    silence: Duration,
    silent_until: Option<Pin<Box<Sleep>>>,
}

impl Answer {
    const fn new(body: BoxBody<Bytes, hyper::Error>, ticket: Option<Ticket>, silence: Duration) -> Self {
        Self { body, ticket, silence, silent_until: None }
    }

    /// The status went out already, but the answer is broken.
    fn broken(&mut self) {
        if let Some(mut ticket) = self.ticket.take() {
            ticket.status = 502;
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            let silence = self.silence;
            let sleep = self.silent_until.get_or_insert_with(|| Box::pin(tokio::time::sleep(silence)));
            ready!(sleep.as_mut().poll(cx));
            self.broken();
            return Poll::Ready(Some(Err("the replica fell silent in the middle of its answer".into())));
        };
        self.silent_until = None;
        let over = match &frame {
            None => true,
            Some(Ok(_)) => self.body.is_end_stream(),
            Some(Err(_)) => {
                self.broken();
                false
            }
        };
        if over && let Some(mut ticket) = self.ticket.take() {
            ticket.whole();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
