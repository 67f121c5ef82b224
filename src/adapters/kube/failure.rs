//! What an error of the client means to the domain.

use std::error::Error as _;

use kube::{Error, core::Status};
use serde_json::Value;

use crate::ports::PortError;

/// Turns a client's error into a port's; `verb` says what was asked for, such as `patch services/tenant`.
pub fn failure(place: &str, verb: &str, error: &Error) -> PortError {
    match error {
        Error::Api(status) => answer(place, verb, status),
        Error::SerdeError(e) => PortError::odd(place, format!("{verb}: {e}")),
        other => PortError::unreachable(place, root(other)),
    }
}

fn answer(place: &str, verb: &str, status: &Status) -> PortError {
    let message = status.message.clone();
    match status.code {
        401 => {
            PortError::unreachable(place, "it does not know us: the credentials have expired, or are those of another")
        }
        403 => PortError::Forbidden { what: verb.to_owned(), why: message },
        404 => PortError::NotFound { what: format!("{}: {message}", verb.strip_prefix("get ").unwrap_or(verb)) },
        409 => PortError::Conflict { found: Value::String(message), expected: Value::String(verb.to_owned()) },
        408 | 429 | 500.. => PortError::unreachable(place, format!("{verb}: {} {message}", status.code)),
        _ => PortError::odd(place, format!("{verb}: {} {message}", status.code)),
    }
}

/// The innermost cause, which is the one that tells; the outer ones only say which library passed it on.
fn root(error: &Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.pop().unwrap_or_default()
}
