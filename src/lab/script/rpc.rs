//! Remote procedure calls of a service: names of methods, codes as statuses, and the way of a call to its handler.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    response::Response,
};
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use tonic::{Code, Status, metadata::MetadataValue, server::Grpc};

use super::{
    admission::admit,
    host::Host,
    observed::UNMATCHED,
    program::Program,
    reply::{Content, Reply},
    request,
    run::{Call, run},
};
use crate::lab::{
    grpc::{Json, MESSAGE, name, timeout},
    telemetry::Work,
};

/// After how many milliseconds a call may be made again:
/// <https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback>.
pub const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The codes and the statuses that stand for each other, for the caller and for the one who is called. A status that is not among
/// them is `INVALID_ARGUMENT` below 500, and `INTERNAL` from there on; a code that is not is 500.
const CODES: [(Code, StatusCode); 14] = [
    (Code::InvalidArgument, StatusCode::BAD_REQUEST),
    (Code::Unauthenticated, StatusCode::UNAUTHORIZED),
    (Code::PermissionDenied, StatusCode::FORBIDDEN),
    (Code::NotFound, StatusCode::NOT_FOUND),
    (Code::Aborted, StatusCode::CONFLICT),
    (Code::AlreadyExists, StatusCode::CONFLICT),
    (Code::FailedPrecondition, StatusCode::PRECONDITION_FAILED),
    (Code::OutOfRange, StatusCode::RANGE_NOT_SATISFIABLE),
    (Code::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS),
    (Code::Internal, StatusCode::INTERNAL_SERVER_ERROR),
    (Code::Unimplemented, StatusCode::NOT_IMPLEMENTED),
    (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
    (Code::Unavailable, StatusCode::BAD_GATEWAY),
    (Code::DeadlineExceeded, StatusCode::GATEWAY_TIMEOUT),
];

/// The code that an answer with an error has.
#[must_use]
pub fn code(status: StatusCode) -> Code {
    let found = CODES.iter().find(|(_, known)| *known == status).map(|(code, _)| *code);
    found.unwrap_or(if status.is_server_error() { Code::Internal } else { Code::InvalidArgument })
}

/// The status that a code stands for.
#[must_use]
pub fn status(code: Code) -> StatusCode {
    let found = CODES.iter().find(|(known, _)| *known == code).map(|(_, status)| *status);
    found.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Whether that names a method, such as `orders.Orders/Get`.
///
/// # Errors
/// That it does not.
pub fn check_name(method: &str) -> Result<(), String> {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let fits = method.len() <= 128
        && method.split_once('/').is_some_and(|(service, name)| service.split('.').all(is_word) && is_word(name));
    if fits { Ok(()) } else { Err(format!("`{method}` names no method; one is such as \"orders.Orders/Get\"")) }
}

/// Answers a call.
pub async fn answer(host: &Arc<Host>, program: Arc<Program>, is_started: bool, request: Request) -> Response {
    let begun = Instant::now();
    let _active = host.observed.begin();
    let method = request.uri().path().trim_start_matches('/').to_owned();
    let known = program.declared.rpcs.contains_key(&method).then_some(&*method);
    let headers = request.headers().clone();
    let work = Arc::new(host.tracing.called(&headers, known));
    let service = tower::service_fn(|message: tonic::Request<Value>| {
        let (program, work, message) = (program.clone(), work.clone(), message.into_inner());
        let (headers, method) = (&headers, &*method);
        async move {
            let reply = match is_started {
                true => handled(host, program, method, (headers, message), work).await,
                false => Reply::later(StatusCode::SERVICE_UNAVAILABLE, 1, "the migrations are not applied yet"),
            };
            answered(reply, timeout(headers).is_some_and(|within| begun.elapsed() >= within))
        }
    });
    let response = Grpc::new(Json).max_decoding_message_size(MESSAGE).unary(service, request).await;
    // An answer without a message has its code in its head.
    let code = response.headers().get(Status::GRPC_STATUS).map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()));
    work.ended(code);
    let (code, took) = (name(code), begun.elapsed());
    host.observed.called(known.unwrap_or(UNMATCHED), code, took);
    tracing::debug!(method, trace_id = work.trace_id(), code, ?took, "call");
    response.map(Body::new)
}

async fn handled(
    host: &Arc<Host>,
    program: Arc<Program>,
    method: &str,
    (headers, message): (&HeaderMap, Value),
    work: Arc<Work>,
) -> Reply {
    let Some(rpc) = program.declared.rpcs.get(method).cloned() else {
        return Reply::problem(StatusCode::NOT_IMPLEMENTED, format!("{} has no method {method}", host.service));
    };
    if host.faults.common.act().await {
        return Reply::problem(StatusCode::INTERNAL_SERVER_ERROR, "the release is faulty");
    }
    let asker = request::asker(headers);
    let asker = match &rpc.requires {
        Some(required) => match admit(host, required, (headers, &Default::default()), asker, &work).await {
            Ok(asker) => asker,
            Err(reply) => return reply,
        },
        None => asker,
    };
    let request = Some(request::of_call(method, headers, message, &asker));
    let within = timeout(headers);
    let (handler, at) = (rpc.handler, rpc.at);
    run(host, program, Call { handler, at, request, body: Bytes::new(), message: None, within, asker, work }).await
}

/// What a handler's answer is on the wire. What has failed once the caller waits no longer has failed for want of time.
fn answered(reply: Reply, is_late: bool) -> Result<tonic::Response<Value>, Status> {
    if reply.status.as_u16() < 400 {
        let message = match reply.content {
            Content::Json(value) => value,
            Content::Nothing | Content::Problem(_) => Value::Null,
        };
        return Ok(tonic::Response::new(message));
    }
    let code = if is_late && reply.status.is_server_error() { Code::DeadlineExceeded } else { code(reply.status) };
    let mut status = Status::new(code, reply.detail());
    let seconds = reply.header(header::RETRY_AFTER.as_str()).into_string().ok().and_then(|text| text.parse().ok());
    if let Some(wait) = seconds.map(Duration::from_secs) {
        status.metadata_mut().insert(PUSHBACK, MetadataValue::from(wait.as_millis() as u64));
    }
    Err(status)
}

/// The answer that a code from another service stands for.
#[must_use]
pub fn reply(answer: &Status) -> Reply {
    let (status, why) = (status(answer.code()), answer.message().to_owned());
    let pushback = answer.metadata().get(PUSHBACK).and_then(|wait| wait.to_str().ok()?.parse::<u64>().ok());
    match pushback {
        Some(wait) => Reply::later(status, wait.div_ceil(1000), why),
        None => Reply::problem(status, why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_comes_back_as_it_was() {
        for (_, status) in CODES.iter().filter(|(_, status)| *status != StatusCode::BAD_GATEWAY) {
            let sent = answered(Reply::later(*status, 2, "busy"), false).unwrap_err();
            let back = reply(&sent);
            assert_eq!((back.status, back.detail()), (*status, "busy".to_owned()));
            assert_eq!(back.header("retry-after").into_string().unwrap(), "2");
        }
        assert_eq!(code(StatusCode::UNPROCESSABLE_ENTITY), Code::InvalidArgument);
        assert_eq!(code(StatusCode::INSUFFICIENT_STORAGE), Code::Internal);
        let late = answered(Reply::problem(StatusCode::INTERNAL_SERVER_ERROR, ""), true).unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded);
    }

    #[test]
    fn methods_have_a_service_and_a_name() {
        assert!(["orders.Orders/Get", "Orders/Get", "a.b_1.C/D2"].into_iter().all(|name| check_name(name).is_ok()));
        for name in ["", "Get", "/Get", "orders/", "orders..Orders/Get", "a/b/c", "orders.Orders/get all"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
