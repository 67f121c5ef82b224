//! Tells the cache what is good no longer, until it has heard it. Meanwhile no replica of the service reads that from the cache.

use std::{sync::Arc, time::Duration};

use http::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{backings::ask, host::Host, relay::on_thread};
use crate::lab::backing::{Backing, cache::Drops};

/// How often it is looked for, should nobody tell: another replica may have died with a change just committed.
const ROUND: Duration = Duration::from_millis(250);

/// Tells it until `stop`.
pub async fn keep(host: Arc<Host>, stop: CancellationToken) {
    let mut is_heard = true;
    while !stop.is_cancelled() {
        let told = round(&host).await;
        if let (true, Err(why)) = (is_heard, &told) {
            tracing::warn!("the cache does not hear what is good no longer: {why}");
        }
        is_heard = told.is_ok();
        tokio::select! {
            () = stop.cancelled() => return,
            () = host.dropped.notified() => {}
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}

async fn round(host: &Arc<Host>) -> Result<(), String> {
    let (numbers, drops): (Vec<_>, Vec<_>) = on_thread(host, |database| database.dropped()).await?.into_iter().unzip();
    if drops.is_empty() {
        return Ok(());
    }
    let drops = json!(Drops { service: host.service.clone(), drops });
    let told = ask::<Value>(host, Backing::Cache, (Method::POST, "/drops"), drops, Duration::ZERO).await;
    told.map_err(|why| format!("{why:?}"))?;
    on_thread(host, move |database| database.heard(&numbers)).await
}
