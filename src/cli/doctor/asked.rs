//! Asking one part, for a bounded time and beside the others.

use std::{pin::Pin, time::Duration};

use tokio::time::timeout;

use crate::{
    error::{Error, Exit},
    model::HumanDuration,
    ports::PortError,
    report::{Finding, State},
};

/// How often a part may ask: so many times the wait for one answer is the wait for the part.
const QUESTIONS: u32 = 5;

/// How long one part may take.
pub fn patience(answer_within: Duration) -> Duration {
    answer_within * QUESTIONS
}

/// One part that is asked; what it will turn out to be.
pub struct Row {
    part: String,
    /// What is said where it does not answer in time, if not that it is unreachable.
    late: Option<Finding>,
    ask: Pin<Box<dyn Future<Output = Vec<Finding>> + Send>>,
}

pub fn asked(part: &str, ask: impl Future<Output = Vec<Finding>> + Send + 'static) -> Row {
    Row { part: part.to_owned(), late: None, ask: Box::pin(ask) }
}

/// Asks one part of which something else is said where it does not answer in time.
pub fn asked_or(late: Finding, ask: impl Future<Output = Vec<Finding>> + Send + 'static) -> Row {
    Row { part: late.part.clone(), late: Some(late), ask: Box::pin(ask) }
}

impl Row {
    /// It is a task of its own, so that one that blocks its thread holds nobody up.
    pub async fn answer(self, within: Duration) -> Vec<Finding> {
        let Self { part, late, ask } = self;
        let silent = || {
            let found = format!("no answer within {}", HumanDuration(within));
            Finding::not(part, State::Unreachable, found, "is it overloaded, or is a firewall in the way?")
        };
        match timeout(within, tokio::spawn(ask)).await {
            Ok(Ok(found)) => found,
            _ => vec![late.unwrap_or_else(silent)],
        }
    }
}

/// How a part stands that failed in this way.
pub const fn state(error: &PortError) -> State {
    match error {
        PortError::Forbidden { .. } => State::Forbidden,
        PortError::NotFound { .. } => State::Missing,
        _ => State::Unreachable,
    }
}

pub fn failed(part: &str, error: &Error) -> Finding {
    let state = match (error, error.exit()) {
        (Error::Port { source, .. }, _) => state(source),
        (_, Exit::Invalid) => State::Invalid,
        (_, Exit::Refused) => State::Forbidden,
        _ => State::Unreachable,
    };
    Finding::not(part, state, error, error.hint())
}
