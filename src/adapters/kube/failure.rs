//! What an error of the client means to the domain.

use std::error::Error as _;

use kube::{Error, core::Status};
use serde_json::Value;

use crate::ports::PortError;

/// Turns a client's error into a port's; `verb` says what was asked for, such as `patch services/tenant`.
pub fn failure(place: &str, verb: &str, error: &Error) -> PortError {
    match error {
        Error::Api(status) => answer(place, verb, status),
        Error::SerdeError(e) => PortError::unexpected(place, format!("{verb}: {e}")),
        other => PortError::unreachable(place, root(other)),
    }
}

/// The same of a request that the API server passes on to a Service or a pod, `behind`. What it answers where it reaches
/// nobody there, such as 503 "no endpoints available", is said of what is behind it: the server itself was reached.
pub fn failure_behind(place: &str, behind: &str, verb: &str, error: &Error) -> PortError {
    match error {
        Error::Api(status) if is_no_answer(status.code) => {
            PortError::unreachable(behind, format!("{place} answers in its name: {} {}", status.code, status.message))
        }
        other => failure(place, verb, other),
    }
}

/// Codes by which a server says that it cannot now, or that whom it asked cannot.
const fn is_no_answer(code: u16) -> bool {
    matches!(code, 408 | 429 | 500..)
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
        code if is_no_answer(code) => PortError::unreachable(place, format!("{verb}: {} {message}", status.code)),
        _ => PortError::unexpected(place, format!("{verb}: {} {message}", status.code)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_answers_for_another_is_not_said_of_the_proxy() {
        let failed = |code: u16| {
            let status = Status { code, message: "no endpoints available".to_owned(), ..Status::default() };
            failure_behind("the API server", "the Service tenant", "get services/proxy", &Error::Api(Box::new(status)))
        };
        for code in [408, 429, 500, 502, 503, 504] {
            let told = failed(code).to_string();
            assert!(told.starts_with("cannot reach the Service tenant: "), "{told}");
            assert!(told.ends_with(&format!("{code} no endpoints available")), "{told}");
        }
        // What it answers for itself.
        assert!(matches!(failed(403), PortError::Forbidden { .. }));
        assert!(matches!(failed(404), PortError::NotFound { .. }));
        assert!(matches!(failed(400), PortError::UnexpectedResponse { .. }));
        let expired = failed(401).to_string();
        assert!(expired.starts_with("cannot reach the API server: it does not know us"), "{expired}");
    }
}
