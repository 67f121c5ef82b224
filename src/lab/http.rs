//! HTTP as the lab's own parts speak it: kept-alive connections to one place, and small JSON calls.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router, extract,
    http::HeaderMap,
    middleware::{self, Next},
    response::IntoResponse,
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Bytes},
    client::conn::http1::{self, SendRequest},
    header::{self, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use super::state::broken;
use crate::error::Error;

/// How many idle connections to one place are kept.
const IDLE: usize = 256;
/// The longest answer of one of the lab's own interfaces, in bytes.
const ANSWER: usize = 8 << 20;

/// The header that names a slot: on a request to reach it, on an answer to say who served.
pub const SLOT: HeaderName = HeaderName::from_static("x-lab-slot");
/// The header that names a request in logs and alerts.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The headers in which the gateway says whose token it has checked: who, in which role, and with which scope.
pub const CLAIMS: [HeaderName; 3] = [
    HeaderName::from_static("x-claim-subject"),
    HeaderName::from_static("x-claim-role"),
    HeaderName::from_static("x-claim-scope"),
];
/// The header of an answer that says which release gave it.
pub const VERSION: HeaderName = HeaderName::from_static("x-lab-version");

/// A connection, and whether it has served before.
pub struct Lease<B> {
    pub sender: SendRequest<B>,
    /// Whether it has served before; the other side may have closed it meanwhile.
    pub reused: bool,
}

/// Kept-alive connections to one address.
pub struct Pool<B> {
    address: SocketAddr,
    idle: Mutex<Vec<SendRequest<B>>>,
}

impl<B> Pool<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// A pool without connections.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::new(Vec::new()) }
    }

    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes the connection that was used last, or makes one within `within`.
    ///
    /// # Errors
    /// Where no connection comes about in time.
    pub async fn lease(&self, within: Duration) -> Result<Lease<B>, String> {
        while let Some(mut sender) = self.pop() {
            // One that was given back a moment ago becomes ready as soon as its task has run.
            if !sender.is_closed() && matches!(tokio::time::timeout(within, sender.ready()).await, Ok(Ok(()))) {
                return Ok(Lease { sender, reused: true });
            }
        }
        self.connect(within).await
    }

    /// Makes a connection of its own.
    ///
    /// # Errors
    /// Where no connection comes about in time.
    pub async fn connect(&self, within: Duration) -> Result<Lease<B>, String> {
        let connect = async {
            let stream = TcpStream::connect(self.address).await.map_err(|e| e.to_string())?;
            stream.set_nodelay(true).map_err(|e| e.to_string())?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
            tokio::spawn(async move {
                // The sender's side is told as well, and it is the one that reports.
                let _ = connection.await;
            });
            Ok(Lease { sender, reused: false })
        };
        let timed = tokio::time::timeout(within, connect).await;
        timed.unwrap_or_else(|_| Err(format!("no connection to {} within {within:?}", self.address)))
    }

    /// Gives a connection back once its answer has been read to the end.
    pub fn put(&self, sender: SendRequest<B>) {
        if !sender.is_closed()
            && let Ok(mut idle) = self.idle.lock()
            && idle.len() < IDLE
        {
            idle.push(sender);
        }
    }

    fn pop(&self) -> Option<SendRequest<B>> {
        self.idle.lock().ok()?.pop()
    }
}

/// What one of the lab's interfaces answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// Where it is none of that type.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|e| e.to_string())
    }
}

/// A client of one of the lab's interfaces.
pub struct Client {
    pool: Pool<Full<Bytes>>,
    token: Option<String>,
}

impl Client {
    /// A client that shows `token`, if there is one.
    #[must_use]
    pub const fn new(address: SocketAddr, token: Option<String>) -> Self {
        Self { pool: Pool::new(address), token }
    }

    /// Asks once, and waits `within` for the whole answer. Only what was not sent is sent again, on a new connection.
    ///
    /// # Errors
    /// Where no whole answer came in time. An HTTP error status is an answer.
    pub async fn ask(&self, ask: Ask<'_>, within: Duration) -> Result<Answer, String> {
        let timed = tokio::time::timeout(within, self.ask_unbounded(ask, within)).await;
        timed.unwrap_or_else(|_| Err(format!("no answer within {within:?}")))
    }

    async fn ask_unbounded(&self, ask: Ask<'_>, within: Duration) -> Result<Answer, String> {
        let mut request = self.request(&ask)?;
        let mut lease = self.pool.lease(within).await?;
        let response = loop {
            match lease.sender.try_send_request(request).await {
                Ok(response) => break response,
                Err(mut e) => match e.take_message() {
                    Some(unsent) if lease.reused => {
                        request = unsent;
                        lease = self.pool.connect(within).await?;
                    }
                    _ => return Err(e.into_error().to_string()),
                },
            }
        };
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER).collect().await.map_err(|e| e.to_string())?.to_bytes();
        self.pool.put(lease.sender);
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    fn request(&self, ask: &Ask<'_>) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder()
            .method(&ask.method)
            .uri(ask.path)
            .header(header::HOST, self.pool.address().to_string())
            .header(header::USER_AGENT, concat!("interlock/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        let body = match &ask.body {
            Some(value) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(value.to_string())
            }
            None => Bytes::new(),
        };
        request.body(Full::new(body)).map_err(|e| e.to_string())
    }
}

pub struct Ask<'a> {
    pub method: Method,
    pub path: &'a str,
    /// Headers beside those that every request has.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: Option<serde_json::Value>,
}

impl<'a> Ask<'a> {
    #[must_use]
    pub const fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, headers: &[], body: None }
    }

    #[must_use]
    pub const fn post(path: &'a str, body: serde_json::Value) -> Self {
        Self { method: Method::POST, path, headers: &[], body: Some(body) }
    }

    #[must_use]
    pub const fn put(path: &'a str, body: serde_json::Value) -> Self {
        Self { method: Method::PUT, path, headers: &[], body: Some(body) }
    }
}

/// An answer that says what went wrong, as RFC 9457 shapes it.
#[must_use]
pub fn problem(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    problem_with(status, why, json!({}))
}

/// The same with further members of an object.
#[must_use]
pub fn problem_with(status: StatusCode, why: &str, mut members: serde_json::Value) -> Response<Full<Bytes>> {
    members["title"] = json!(status.canonical_reason());
    members["status"] = json!(status.as_u16());
    members["detail"] = json!(why);
    let mut response = Response::new(Full::from(members.to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The same with the id by which logs and alerts know the request, and nothing else of what is in them.
#[must_use]
pub fn problem_of(status: StatusCode, why: &str, correlation_id: &str) -> Response<Full<Bytes>> {
    problem_with(status, why, json!({ "correlation_id": correlation_id }))
}

/// Lets only requests that show the token reach a router's routes.
pub fn guarded<S: Clone + Send + Sync + 'static>(router: Router<S>, token: String) -> Router<S> {
    let token: Arc<str> = token.into();
    router.layer(middleware::from_fn(move |headers: HeaderMap, request: extract::Request, next: Next| {
        let token = token.clone();
        async move {
            if shows_token(&headers, &token) {
                return next.run(request).await;
            }
            (StatusCode::UNAUTHORIZED, Json(json!({ "why": "the token of the lab is asked for" }))).into_response()
        }
    }))
}

/// Whether a request shows the token; compared in constant time.
fn shows_token(headers: &HeaderMap, token: &str) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|v| v.as_bytes().strip_prefix(b"Bearer "));
    shown.is_some_and(|shown| {
        shown.len() == token.len() && shown.iter().zip(token.as_bytes()).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
    })
}

/// Listens on an address that the supervisor has chosen; a few tries, since a connection may hold the port briefly.
///
/// # Errors
/// Where the port stays taken for a second.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let mut tries = 0;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(_) if tries < 20 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(e) => return Err(broken(&address.to_string(), e)),
        }
    }
}
