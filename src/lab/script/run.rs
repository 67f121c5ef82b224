//! A handler from its request to its answer, on a thread of its own; nothing that it does ends the process.

use std::{rc::Rc, sync::Arc, time::Duration};

use axum::body::Bytes;
use http::StatusCode;
use rhai::{EvalAltResult, FnPtr, Map, Position};

use super::{
    doors::{MessageKey, handled_once},
    host::Host,
    program::Program,
    reply::{Reply, thrown},
    turn::{self, Asker, Turn},
};
use crate::{error::Fault, lab::telemetry::Work};

/// How long after its deadline a handler may take to notice it.
pub const NOTICE: Duration = Duration::from_secs(2);

/// What a handler is called for.
pub struct Call {
    pub handler: FnPtr,
    /// Where it is declared.
    pub at: Position,
    /// The request or the message; a schedule has none.
    pub request: Option<Map>,
    /// What is handled only once, where it is a message.
    pub message: Option<MessageKey>,
    /// The request's body, as it came.
    pub body: Bytes,
    /// How long whoever asks will wait, where they say so.
    pub within: Option<Duration>,
    pub asker: Asker,
    pub work: Arc<Work>,
}

/// Calls a handler, and gives its answer.
pub async fn run(host: &Arc<Host>, program: Arc<Program>, call: Call) -> Reply {
    let deadline = program.declared.deadline.min(call.within.unwrap_or(Duration::MAX));
    let Ok(Ok(place)) = tokio::time::timeout(deadline, host.places.clone().acquire_owned()).await else {
        return Reply::later(StatusCode::SERVICE_UNAVAILABLE, 1, "too many requests at a time");
    };
    let host = host.clone();
    let called = tokio::task::spawn_blocking(move || {
        let _place = place;
        answer(host, program, call, deadline)
    });
    match tokio::time::timeout(deadline + NOTICE, called).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(e)) => broken(&format!("the thread of a handler has ended: {e}")),
        Err(_) => broken("a handler has not noticed its deadline"),
    }
}

fn broken(why: &str) -> Reply {
    tracing::error!("{why}");
    internal()
}

/// What a client is told of an error; the log has the rest, under the same id.
fn internal() -> Reply {
    Reply::problem(StatusCode::INTERNAL_SERVER_ERROR, "the handler failed; the service's log has the place")
}

fn answer(host: Arc<Host>, program: Arc<Program>, call: Call, deadline: Duration) -> Reply {
    let Call { handler, at, request, body, message, asker, work, within: _ } = call;
    let turn = Rc::new(Turn::new(host, program, (asker, body), message, work, deadline));
    let reply = turn::at(turn.clone(), || match &turn.message {
        Some(message) => handled_once(&turn, message, || handled(&turn, &handler, at, request)),
        None => handled(&turn, &handler, at, request),
    });
    if turn.sent.get() {
        turn.host.sent.notify_one();
    }
    if turn.dropped.get() {
        turn.host.dropped.notify_one();
    }
    reply
}

fn handled(turn: &Turn, handler: &FnPtr, at: Position, request: Option<Map>) -> Reply {
    let program = &turn.program;
    let done = match request {
        Some(request) => program.call(handler, (request,)),
        None => program.call(handler, ()),
    };
    match done {
        Ok(value) => Reply::of(value).unwrap_or_else(|why| {
            let hint = "a handler gives a value that JSON has, reply(...) or problem(...)";
            tell(turn, &program.source.fault(at, why, hint));
            internal()
        }),
        Err(error) => ended(turn, &program.failed(&error, at), &error),
    }
}

fn ended(turn: &Turn, fault: &Fault, error: &EvalAltResult) -> Reply {
    match thrown(error) {
        Some(reply) if reply.status.is_server_error() => {
            tell(
                turn,
                &Fault { what: reply.detail(), hint: "catch it, or leave it to the client".into(), ..fault.clone() },
            );
            reply
        }
        Some(reply) => reply,
        None => {
            turn.work().fail("script error", "the script failed");
            tell(turn, fault);
            internal()
        }
    }
}

fn tell(turn: &Turn, fault: &Fault) {
    let Fault { place, what, hint, .. } = fault;
    tracing::error!(
        service = turn.host.service,
        trace_id = turn.work().trace_id(),
        correlation_id = turn.asker.correlation_id,
        file = place.file,
        line = place.line,
        column = place.column,
        hint,
        "{what}"
    );
}
