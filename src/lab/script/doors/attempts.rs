//! Calls to other services, over HTTP or gRPC: each with a time limit, again where that can do no harm, and not at all while a
//! circuit is open.

use std::time::{Duration, Instant};

use http::{HeaderName, StatusCode, header};

use super::Given;
use crate::lab::{
    http::{CLAIMS, REQUEST_ID},
    script::{
        declared::Policy,
        reply::Reply,
        request::SITE,
        turn::{self, Asker, Turn},
    },
};

/// The header that makes doing something twice as good as once.
pub const KEY: &str = "idempotency-key";

/// Makes a call of a service until it is answered well, or another try makes no sense; `once` is given the number of tries before.
pub fn call(
    turn: &Turn,
    service: &str,
    may_repeat: bool,
    once: impl Fn(&Policy, u32) -> Result<Reply, String>,
) -> Given<Reply> {
    let policy = turn.program.declared.policies.get(service).copied().unwrap_or_default();
    let mut attempt = 0;
    loop {
        admit(turn, service, &policy)?;
        let answer = once(&policy, attempt);
        turn.host.circuits.note(service, !has_failed(&answer), &policy, Instant::now());
        let wait = wait(&policy, attempt, answer.as_ref().ok());
        let again = is_passing(&answer) && may_repeat && attempt < policy.retries && wait < turn.left();
        match answer {
            _ if again => turn::pause(turn, wait),
            Ok(reply) => return Ok(reply),
            Err(why) => return Err(outage(format!("{service} does not answer: {why}"), 1)),
        }
        attempt += 1;
    }
}

fn outage(why: String, seconds: u64) -> Box<rhai::EvalAltResult> {
    Reply::later(StatusCode::SERVICE_UNAVAILABLE, seconds, why).into()
}

fn admit(turn: &Turn, service: &str, policy: &Policy) -> Given<()> {
    turn.host.circuits.admit(service, policy, Instant::now()).map_err(|left| {
        turn.work().internal("circuit open").set("peer.service", service.to_owned());
        outage(format!("{service} has failed too often and is left alone for a while"), left.as_secs() + 1)
    })
}

/// What other services are told of who asks, and what makes a call one.
pub fn headers<'a>(asker: &'a Asker, key: Option<&'a str>) -> Vec<(HeaderName, &'a str)> {
    let bearer = asker.bearer.as_deref().map(|bearer| (header::AUTHORIZATION, bearer));
    let key = key.map(|key| (HeaderName::from_static(KEY), key));
    asker_headers(asker).into_iter().chain(bearer).chain(key).collect()
}

/// The same without the token.
pub fn asker_headers(asker: &Asker) -> Vec<(HeaderName, &str)> {
    let Asker { correlation_id, actor, role, scope, site, bearer: _ } = asker;
    let [subject_name, role_name, scope_name] = CLAIMS;
    let headers = [
        (REQUEST_ID, Some(correlation_id)),
        (subject_name, actor.as_ref()),
        (role_name, role.as_ref()),
        (scope_name, scope.as_ref()),
        (HeaderName::from_static(SITE), site.as_ref()),
    ];
    headers.into_iter().filter_map(|(name, value)| Some((name, value?.as_str()))).collect()
}

/// Whether that counts as a failure of the service. That it has no such method says nothing of how it is.
fn has_failed(answer: &Result<Reply, String>) -> bool {
    let is_outage = |status: StatusCode| status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
    answer.as_ref().map_or(true, |reply| is_outage(reply.status))
}

/// Whether it may be otherwise in a moment.
fn is_passing(answer: &Result<Reply, String>) -> bool {
    const PASSING: [StatusCode; 4] = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ];
    answer.as_ref().map_or(true, |reply| PASSING.contains(&reply.status))
}

/// The wait before the next try: what the other side asks for, else up to twice as long each time, so that callers who
/// failed together do not come back together.
fn wait(policy: &Policy, attempt: u32, answer: Option<&Reply>) -> Duration {
    let asked = answer.and_then(|reply| reply.header(header::RETRY_AFTER.as_str()).into_string().ok()?.parse().ok());
    match asked {
        Some(seconds) => Duration::from_secs(seconds),
        None => policy.back_off.saturating_mul(2_u32.saturating_pow(attempt)).mul_f64(rand::random()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_unless_the_other_side_names_one() {
        let policy = Policy { back_off: Duration::from_millis(100), ..Policy::default() };
        for attempt in 0..4 {
            assert!(wait(&policy, attempt, None) <= policy.back_off * 2_u32.pow(attempt));
        }
        let busy = Reply::later(StatusCode::TOO_MANY_REQUESTS, 3, "busy");
        assert_eq!(wait(&policy, 0, Some(&busy)), Duration::from_secs(3));
    }

    #[test]
    fn a_method_that_there_is_not_is_no_failure_of_the_service() {
        let answer = |status| Ok(Reply::problem(status, ""));
        assert!(has_failed(&answer(StatusCode::INTERNAL_SERVER_ERROR)) && has_failed(&Err(String::new())));
        assert!(!has_failed(&answer(StatusCode::NOT_IMPLEMENTED)) && !has_failed(&answer(StatusCode::CONFLICT)));
    }
}
