//! Sends what waits in a service's outbox, again and again until it is taken or too many tries have failed.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use rusqlite::Connection;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    outbox::{self, Sent},
    signature::{ID, SIGNATURE, TIMESTAMP},
};
use crate::lab::{
    http::Answer,
    identity::now,
    script::{declared::Policy, host::Host, program::Program, reload::Running},
    telemetry::Call,
};

/// How often the outbox is looked into when nothing was put there, for what is due again and what other replicas have left.
const ROUND: Duration = Duration::from_millis(100);
/// How many are on their way at a time, so that a receiver that does not answer holds up few others.
const AT_A_TIME: usize = 4;
/// How often a webhook is sent at most.
const TRIES: u32 = 20;
/// The longest wait between two tries.
const LONGEST: Duration = Duration::from_secs(10);
/// How long a connection to the database is waited for.
const CONNECTION: Duration = Duration::from_secs(1);
/// How much longer than its try a webhook is left to whoever has taken it.
const GRACE: Duration = Duration::from_secs(5);

/// What came of a try.
enum After {
    Delivered,
    Again { why: String, wait: Duration },
    Failed { why: String },
}

/// Delivers a service's webhooks until `stop`.
pub async fn deliver(host: &Arc<Host>, running: &Running, stop: &CancellationToken) {
    join_all((0..AT_A_TIME).map(|_| work(host, running, stop))).await;
}

async fn work(host: &Arc<Host>, running: &Running, stop: &CancellationToken) {
    loop {
        let program = running.program();
        while program.uses.webhooks.sends && !stop.is_cancelled() && deliver_one(host, &program).await {}
        tokio::select! {
            () = stop.cancelled() => return,
            () = host.sent.notified() => {}
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}

/// Sends the webhook that is due first; says whether there was one.
async fn deliver_one(host: &Arc<Host>, program: &Program) -> bool {
    let policies = &program.declared.policies;
    // Whose it is will be known once it is taken, so the longest time counts.
    let timeout = policies.values().map(|policy| policy.timeout).max().unwrap_or_default();
    let lease = millis(timeout.max(Policy::default().timeout) + GRACE);
    let Some(Some(sent)) = on_database(host, move |connection| outbox::take(connection, lease)).await else {
        return false;
    };
    let policy = policies.get(&sent.service).copied().unwrap_or_default();
    let after = after(&policy, sent.attempts, send(host, &sent, &policy).await);
    host.observed.webhook(&sent.service, after.name());
    tell(host, &sent, &after);
    // Where that cannot be noted, it is sent again: its receiver handles it once.
    let _ = on_database(host, move |connection| match after {
        After::Delivered => outbox::delivered(connection, &sent.id),
        After::Again { wait, .. } => outbox::postpone(connection, &sent.id, millis(wait)),
        After::Failed { why } => outbox::give_up(connection, &sent.id, &why),
    })
    .await;
    true
}

async fn send(host: &Host, sent: &Sent, policy: &Policy) -> Result<Answer, String> {
    let Sent { id, service, path, body, headers, attempts } = sent;
    let known = host.directory.next(service).ok_or_else(|| format!("no service has the name {service}"))?;
    let secret = host.secrets.of(service).ok_or_else(|| format!("{service} has no secret"))?;
    let body: Value = serde_json::from_str(body).map_err(|e| e.to_string())?;
    let at = now();
    // The bytes that are signed are those that are sent.
    let (timestamp, signature) = (at.to_string(), secret.sign(id, at, body.to_string().as_bytes()));
    let carried = carried(headers);
    let own = carried.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let own = own.chain([(ID, id.as_str()), (TIMESTAMP, &timestamp), (SIGNATURE, &signature)]);
    let headers: Vec<_> = own.collect();
    let (method, resent) = (Method::POST, attempts.saturating_sub(1));
    let call = Call { method, template: path, path, shown: path, headers: &headers, body: Some(body), resent };
    known.peer.call(&host.tracing.carried(&carried), call, policy.timeout).await
}

/// The headers that a webhook was given when it was sent.
fn carried(json: &str) -> HeaderMap {
    let pairs: Vec<(String, String)> = serde_json::from_str(json).unwrap_or_default();
    let pair = |(name, value)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?));
    pairs.into_iter().filter_map(pair).collect()
}

fn after(policy: &Policy, attempts: u32, answer: Result<Answer, String>) -> After {
    let (why, asked) = match answer {
        Ok(answer) if answer.status.is_success() => return After::Delivered,
        Ok(answer) => (answer.status.to_string(), retry_after(&answer)),
        Err(why) => (why, None),
    };
    if attempts >= TRIES {
        return After::Failed { why };
    }
    let grown = policy.back_off.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
    let wait = asked.unwrap_or_else(|| grown.min(LONGEST).mul_f64(rand::random_range(0.5..1.0)));
    After::Again { why, wait: wait.min(LONGEST) }
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

impl After {
    const fn name(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Again { .. } => "retried",
            Self::Failed { .. } => "failed",
        }
    }
}

fn tell(host: &Host, sent: &Sent, after: &After) {
    let Sent { id, service: receiver, path, attempts, .. } = sent;
    let service = &host.service;
    match after {
        After::Delivered => tracing::debug!(service, receiver, path, webhook = id, attempts, "webhook delivered"),
        After::Again { why, .. } => {
            tracing::debug!(service, receiver, path, webhook = id, attempts, "sent again: {why}")
        }
        After::Failed { why } => {
            tracing::error!(service, receiver, path, webhook = id, attempts, "webhook given up: {why}");
        }
    }
}

/// Does something on the service's database; nothing where that does not work, which the log tells.
async fn on_database<T: Send + 'static>(
    host: &Arc<Host>,
    run: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
) -> Option<T> {
    let host = host.clone();
    let done = tokio::task::spawn_blocking(move || {
        let mut lease = host.database.lease(CONNECTION)?;
        let connection = lease.connection().map_err(|e| e.to_string())?;
        run(connection).map_err(|e| e.to_string())
    });
    match done.await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(why)) => {
            tracing::warn!("the webhooks that wait: {why}");
            None
        }
        Err(e) => {
            tracing::error!("the webhooks that wait: {e}");
            None
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn answer(status: StatusCode, headers: HeaderMap) -> Result<Answer, String> {
        Ok(Answer { status, headers, body: Vec::new().into() })
    }

    #[test]
    fn waits_grow_up_to_a_bound_and_tries_end() {
        let policy = Policy { back_off: Duration::from_millis(100), ..Policy::default() };
        let wait = |attempts, answer| match after(&policy, attempts, answer) {
            After::Again { wait, .. } => Some(wait),
            After::Delivered | After::Failed { .. } => None,
        };
        for attempts in 1..TRIES {
            let most = policy.back_off.saturating_mul(2_u32.saturating_pow(attempts - 1)).min(LONGEST);
            let found = wait(attempts, Err("no answer".into())).unwrap();
            assert!(found >= most / 2 && found <= most, "{attempts}: {found:?}");
        }
        assert_eq!(wait(TRIES, Err("no answer".into())), None);
        assert_eq!(wait(1, answer(StatusCode::NO_CONTENT, HeaderMap::new())), None);
        let asked = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static("3"))]);
        assert_eq!(wait(1, answer(StatusCode::SERVICE_UNAVAILABLE, asked)), Some(Duration::from_secs(3)));
        assert!(wait(1, answer(StatusCode::UNAUTHORIZED, HeaderMap::new())).is_some());
    }
}
