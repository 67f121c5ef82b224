//! Functions without a door's name: answers, defects, named work, time.

use http::StatusCode;
use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext, Position};

use super::{Given, refused};
use crate::lab::script::{arguments::duration, reply::Reply, turn, value};

/// Everything that a script may call without a door's name, declarations included.
pub const NAMES: [&str; 36] = [
    "slots",
    "postgres",
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "rpc",
    "every",
    "on",
    "job",
    "cron",
    "defect",
    "replicas",
    "deadline",
    "calls",
    "limit",
    "migration",
    "states",
    "guard",
    "redact",
    "requires",
    "setting",
    "counter",
    "gauge",
    "histogram",
    "reply",
    "problem",
    "span",
    "pause",
    "now",
    "new_id",
    "header",
    "print",
    "debug",
    "type_of",
];

/// Makes them known to an engine.
pub fn register(engine: &mut Engine) {
    answers(engine);
    engine.register_fn("defect", is_on);
    engine.register_fn("span", span);
    engine.register_fn("pause", pause);
    // Those of the language know no deadline.
    engine.register_fn("sleep", |seconds: i64| pause(&format!("{seconds}s")));
    engine.register_fn("sleep", |seconds: f64| pause(&format!("{}ms", seconds * 1000.0)));
    engine.register_fn("now", || jiff::Timestamp::now().to_string());
    engine.register_fn("new_id", || format!("{:016x}", rand::random::<u64>()));
}

fn answers(engine: &mut Engine) {
    engine.register_type_with_name::<Reply>("reply");
    engine.register_get("status", |reply: &mut Reply| i64::from(reply.status.as_u16()));
    engine.register_get("ok", |reply: &mut Reply| reply.status.is_success());
    engine.register_get("body", |reply: &mut Reply| reply.body());
    engine.register_get("detail", |reply: &mut Reply| reply.detail());
    engine.register_fn("header", |reply: &mut Reply, name: &str| reply.header(name));
    engine.register_fn("to_string", |reply: &mut Reply| format!("{} {}", reply.status, reply.detail()));
    engine.register_fn("header", |reply: Reply, name: &str, value: &str| -> Given<Reply> {
        reply.with_header(name, value).map_err(refused)
    });
    engine.register_fn("reply", |code: i64| -> Given<Reply> {
        Ok(Reply { status: status(code)?, ..Reply::of(Dynamic::UNIT).map_err(refused)? })
    });
    engine.register_fn("reply", |code: i64, body: Dynamic| -> Given<Reply> {
        Ok(Reply::json(status(code)?, value::json(&body).map_err(refused)?))
    });
    engine.register_fn("problem", |code: i64, why: &str| -> Given<Reply> { Ok(Reply::problem(status(code)?, why)) });
}

fn status(code: i64) -> Given<StatusCode> {
    let status = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.filter(|status| (200..600).contains(&status.as_u16()));
    status.ok_or_else(|| refused(format!("{code} is no status of an answer -> it is from 200 to 599")))
}

/// Whether a declared defect is switched on.
fn is_on(name: &str) -> Given<bool> {
    let turn = turn::current().map_err(refused)?;
    match turn.program.declared.defects.contains_key(name) {
        true => Ok(turn.host.faults.has(name)),
        false => {
            Err(refused(format!("there is no defect `{name}` -> declare it: defect(\"{name}\", \"what goes wrong\")")))
        }
    }
}

/// Does something as a piece of work with a name of its own in the trace.
fn span(context: NativeCallContext<'_>, name: &str, inside: FnPtr) -> Given<Dynamic> {
    let turn = turn::current().map_err(refused)?;
    turn.within(name, || inside.call_within_context::<Dynamic>(&context, ()))
}

/// Does nothing for a while, such as another's work would take.
fn pause(time: &str) -> Given<()> {
    let turn = turn::current().map_err(refused)?;
    let time = duration(time).map_err(refused)?;
    turn::pause(&turn, time);
    if turn::is_over() { Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into()) } else { Ok(()) }
}
