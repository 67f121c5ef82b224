//! Sends what transactions have left in the outbox, until it is accepted.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    backings::{Unsent, send},
    doors::{Database, Outgoing},
    host::Host,
};
use crate::lab::backing::messages::now;

/// How often the outbox is looked at, should nobody tell: another replica may have died with a transaction just committed.
const ROUND: Duration = Duration::from_millis(500);
/// How long sending one message may take.
const WITHIN: Duration = Duration::from_secs(2);
/// How long one waits that was refused, in milliseconds.
const REFUSED: i64 = 5_000;

/// What is known of the outbox beside what is in it.
#[derive(Default)]
pub struct Outbox {
    /// Somebody has committed a transaction with messages.
    pub posted: Notify,
    /// How many messages were there last.
    pub waiting: AtomicI64,
}

/// Sends messages until `stop`.
pub async fn keep(host: Arc<Host>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let is_more = round(&host).await.unwrap_or_else(|why| {
            tracing::warn!("the outbox: {why}");
            false
        });
        if is_more {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = host.outbox.posted.notified() => {}
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}

/// Sends what can be claimed; says whether all of it was accepted, so that there may be more.
async fn round(host: &Arc<Host>) -> Result<bool, String> {
    let (outgoing, mut left) = on_thread(host, |database| database.claim(now())).await?;
    host.outbox.waiting.store(left, Ordering::Relaxed);
    let mut all = !outgoing.is_empty();
    let mut away = BTreeSet::new();
    for Outgoing { number, backing, message } in outgoing {
        let answer = match away.contains(&backing) {
            true => Err(Unsent::Away("as before".to_owned())),
            false => send(host, backing, &message, WITHIN).await,
        };
        match answer {
            Ok(()) => {
                on_thread(host, move |database| database.sent(number)).await?;
                left -= 1;
                host.outbox.waiting.store(left, Ordering::Relaxed);
                continue;
            }
            Err(Unsent::Away(why)) => {
                if away.insert(backing) {
                    tracing::warn!(backing = backing.name(), "messages stay in the outbox: {why}");
                }
                on_thread(host, move |database| database.unsent(number, 0)).await?;
            }
            Err(Unsent::Refused(why)) => {
                tracing::error!(
                    backing = backing.name(),
                    topic = message.topic,
                    "a message stays in the outbox: {why}"
                );
                on_thread(host, move |database| database.unsent(number, now() + REFUSED)).await?;
            }
        }
        all = false;
    }
    Ok(all)
}

pub(super) async fn on_thread<T: Send + 'static>(
    host: &Arc<Host>,
    work: impl FnOnce(&Database) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let host = host.clone();
    tokio::task::spawn_blocking(move || work(&host.database)).await.map_err(|e| e.to_string())?
}
