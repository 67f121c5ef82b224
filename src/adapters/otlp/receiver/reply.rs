//! The answers of OTLP/HTTP, in the encoding of the request.

use http::{
    HeaderValue, Response, StatusCode,
    header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::Full;
use hyper::body::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use serde_json::json;

use crate::adapters::otlp::batch::Rejected;

/// The seconds after which a sender may try again.
const RETRY: HeaderValue = HeaderValue::from_static("1");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

/// `google.rpc.Status`, without its details.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Why a request is not answered with success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The body is not what it should be.
    Broken,
    /// The body is longer than is taken.
    TooLong,
    /// The sender was too slow.
    Slow,
    /// There is no room for its spans; worth another try.
    Full,
    /// Too much is going on; worth another try.
    Busy,
    /// Neither protobuf nor JSON, or compressed otherwise than by gzip.
    Unsupported,
    /// No such place.
    NotFound,
    /// The place takes other methods.
    Method,
    /// Our own fault.
    Internal,
}

impl Refusal {
    /// The HTTP status, and the code of `google.rpc.Code`.
    const fn codes(self) -> (StatusCode, i32) {
        match self {
            Self::Broken => (StatusCode::BAD_REQUEST, 3),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, 8),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, 4),
            Self::Full => (StatusCode::TOO_MANY_REQUESTS, 8),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, 14),
            Self::Unsupported => (StatusCode::UNSUPPORTED_MEDIA_TYPE, 3),
            Self::NotFound => (StatusCode::NOT_FOUND, 12),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, 12),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, 13),
        }
    }
}

impl Encoding {
    const fn content_type(self) -> HeaderValue {
        match self {
            Self::Protobuf => HeaderValue::from_static("application/x-protobuf"),
            Self::Json => HeaderValue::from_static("application/json"),
        }
    }

    fn response(self, status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, self.content_type());
        response
    }

    /// The spans were accepted, but for those that were rejected.
    pub(super) fn accepted(self, rejected: &Rejected) -> Response<Full<Bytes>> {
        let partial = (rejected.count > 0).then(|| ExportTracePartialSuccess {
            rejected_spans: i64::try_from(rejected.count).unwrap_or(i64::MAX),
            error_message: rejected.to_string(),
        });
        let body = match self {
            Self::Protobuf => ExportTraceServiceResponse { partial_success: partial }.encode_to_vec(),
            Self::Json => {
                let partial = partial.map(|partial| {
                    let rejected = partial.rejected_spans.to_string();
                    json!({ "rejectedSpans": rejected, "errorMessage": partial.error_message })
                });
                let body = partial.map_or_else(|| json!({}), |partial| json!({ "partialSuccess": partial }));
                body.to_string().into_bytes()
            }
        };
        self.response(StatusCode::OK, body)
    }

    /// The request is refused, as a `google.rpc.Status`.
    pub(super) fn refused(self, why: Refusal, message: String) -> Response<Full<Bytes>> {
        let (status, code) = why.codes();
        let body = match self {
            Self::Protobuf => Status { code, message }.encode_to_vec(),
            Self::Json => json!({ "code": code, "message": message }).to_string().into_bytes(),
        };
        let mut response = self.response(status, body);
        let headers = response.headers_mut();
        match why {
            Refusal::Full | Refusal::Busy => headers.insert(RETRY_AFTER, RETRY),
            Refusal::Method => headers.insert(ALLOW, HeaderValue::from_static("POST")),
            Refusal::Unsupported => headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, identity")),
            _ => None,
        };
        response
    }
}
