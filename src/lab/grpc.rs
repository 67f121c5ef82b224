//! gRPC as scripted services speak it: one message there and one back, each as JSON, over HTTP/2 without TLS.
//!
//! On the wire: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use std::{error::Error as _, net::SocketAddr, time::Duration};

use http::{HeaderMap, Uri, header, uri::PathAndQuery};
use hyper::{
    body::Buf as _,
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde_json::Value;
use tokio::{net::TcpStream, sync::Mutex};
use tokio_util::bytes::BufMut as _;
use tonic::{
    Code, Request, Status,
    body::Body,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
};

/// The longest message, in bytes.
pub const MESSAGE: usize = 256 << 10;
/// How long a connection on which calls wait may be silent, and then take to answer a ping.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// The names of the codes as others know them: <https://grpc.io/docs/guides/status-codes/>.
#[must_use]
pub const fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Whether a request is a call.
#[must_use]
pub fn is_call(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}

/// How long the caller waits, where it says so.
#[must_use]
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// Messages as JSON.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl Codec for Json {
    type Encode = Value;
    type Decode = Value;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Json {
    type Item = Value;
    type Error = Status;

    fn encode(&mut self, message: Value, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        serde_json::to_writer(buffer.writer(), &message).map_err(|e| Status::internal(e.to_string()))
    }
}

impl Decoder for Json {
    type Item = Value;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Value>, Status> {
        let read = serde_json::from_reader(buffer.reader());
        read.map(Some).map_err(|e| Status::invalid_argument(format!("the message is no JSON: {e}")))
    }
}

/// A connection to one replica, made with the first call, and anew once it has ended.
pub struct Channel {
    address: SocketAddr,
    sender: Mutex<Option<SendRequest<Body>>>,
}

/// Why a call has no answer.
#[derive(Debug)]
pub enum Failed {
    /// The other side said so.
    Answered(Box<Status>),
    /// Nobody answered.
    Unanswered(String),
    /// Nobody answered in time.
    Late,
}

impl Channel {
    /// Not connected yet.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, sender: Mutex::const_new(None) }
    }

    /// Calls a method, such as `orders.Orders/Get`, and tells how long it waits.
    ///
    /// # Errors
    /// What was answered instead of a message, or why nothing was.
    pub async fn call(
        &self,
        method: &str,
        metadata: HeaderMap,
        message: Value,
        within: Duration,
    ) -> Result<Value, Failed> {
        let mut request = Request::new(message);
        *request.metadata_mut() = MetadataMap::from_headers(metadata);
        request.set_timeout(within);
        tokio::time::timeout(within, self.send(method, request)).await.unwrap_or(Err(Failed::Late))
    }

    async fn send(&self, method: &str, request: Request<Value>) -> Result<Value, Failed> {
        let unanswered = |why: String| Failed::Unanswered(why);
        let path = PathAndQuery::try_from(format!("/{method}")).map_err(|e| unanswered(e.to_string()))?;
        let origin = Uri::try_from(format!("http://{}", self.address)).map_err(|e| unanswered(e.to_string()))?;
        let sender = self.sender().await.map_err(unanswered)?;
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let mut sender = sender.clone();
            async move { sender.send_request(request).await }
        });
        let mut client = Grpc::with_origin(service, origin).max_decoding_message_size(MESSAGE);
        let answer: Result<tonic::Response<Value>, Status> = client.unary(request, path, Json).await;
        // Only what has failed on the way has a cause.
        answer.map(tonic::Response::into_inner).map_err(|status| match status.source() {
            Some(cause) => unanswered(cause.to_string()),
            None => Failed::Answered(Box::new(status)),
        })
    }

    async fn sender(&self) -> Result<SendRequest<Body>, String> {
        let mut sender = self.sender.lock().await;
        if let Some(open) = sender.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        let stream = TcpStream::connect(self.address).await.map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let mut builder = Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(KEEP_ALIVE);
        let handshake = builder.handshake::<_, Body>(TokioIo::new(stream)).await;
        let (open, connection) = handshake.map_err(|e| e.to_string())?;
        tokio::spawn(async move {
            // Whoever calls is told as well, and it is they who report.
            let _ = connection.await;
        });
        Ok(sender.insert(open).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_they_are_written() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            timeout(&headers)
        };
        assert_eq!(read("2S"), Some(Duration::from_secs(2)));
        assert_eq!(read("500m"), Some(Duration::from_millis(500)));
        assert_eq!(read("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for text in ["", "S", "5", "-1S", "123456789S", "1x"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
