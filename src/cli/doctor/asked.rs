//! Asking one part, for a bounded time and beside the others.

use std::{pin::Pin, time::Duration};

use tokio::time::timeout;

use crate::{
    error::{Error, Exit},
    ports::PortError,
    report::{Finding, State},
};

/// How long one part may take to answer.
pub const WITHIN: Duration = Duration::from_secs(5);

/// What a part will turn out to be.
pub type Row = Pin<Box<dyn Future<Output = Vec<Finding>> + Send>>;

/// Asks one part; one that does not answer in time is unreachable.
///
/// It is a task of its own, so that one that blocks its thread holds nobody up.
pub fn asked(part: &str, ask: impl Future<Output = Vec<Finding>> + Send + 'static) -> Row {
    let late = Finding::not(
        part,
        State::Unreachable,
        format!("no answer within {}s", WITHIN.as_secs()),
        "is it overloaded, or is a firewall in the way?",
    );
    asked_or(late, ask)
}

/// Asks one part, and says `late` where it does not answer in time.
pub fn asked_or(late: Finding, ask: impl Future<Output = Vec<Finding>> + Send + 'static) -> Row {
    Box::pin(async move {
        match timeout(WITHIN, tokio::spawn(ask)).await {
            Ok(Ok(found)) => found,
            _ => vec![late],
        }
    })
}

/// How a part stands that failed in this way.
pub const fn state(error: &PortError) -> State {
    match error {
        PortError::Forbidden { .. } => State::Forbidden,
        PortError::NotFound { .. } => State::Missing,
        _ => State::Unreachable,
    }
}

/// A part that failed, with its mend.
pub fn failed(part: &str, error: &Error) -> Finding {
    let state = match (error, error.exit()) {
        (Error::Port { source, .. }, _) => state(source),
        (_, Exit::Invalid) => State::Invalid,
        (_, Exit::Refused) => State::Forbidden,
        _ => State::Unreachable,
    };
    Finding::not(part, state, error, error.hint())
}
