//! The services behind a replica of a full lab: the store, asked again when it fails, and the sink of logs.

use std::{borrow::Cow, time::Duration};

use http::{Method, StatusCode};
use serde_json::json;

use crate::lab::{
    alerts::{Level, Log},
    http::Answer,
    services::{FullLab, Service},
    store::Tenant,
    telemetry::{Call, Peer, Work},
};

/// How long one call may take.
const WITHIN: Duration = Duration::from_secs(1);
/// How often a call that has failed is made again.
const RETRIES: u32 = 3;
/// The wait before the first retry; each further one is twice as long.
const BACK_OFF: Duration = Duration::from_millis(50);

/// The services behind a replica.
pub struct Upstream {
    store: Peer,
    identity: Peer,
    alerts: Peer,
}

/// The store did not answer as it should, however often it was asked; what happened each time.
#[derive(Debug)]
pub struct Outage(pub Vec<String>);

impl Upstream {
    /// Those at these addresses.
    pub const fn new(full: FullLab) -> Self {
        Self {
            store: Peer::new(Cow::Borrowed(Service::Store.name()), full.store),
            identity: Peer::new(Cow::Borrowed(Service::Identity.name()), full.identity),
            alerts: Peer::new(Cow::Borrowed(Service::Alerts.name()), full.alerts),
        }
    }

    /// The tenant with that id, as the store has it.
    ///
    /// # Errors
    /// Where the store fails all the time.
    pub async fn find(&self, work: &Work, id: &str) -> Result<Option<Tenant>, Outage> {
        let answer = persistent(&self.store, work, Method::GET, id, None).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => answer.json().map(Some).map_err(|e| Outage(vec![e])),
            status => Err(Outage(vec![status.to_string()])),
        }
    }

    /// Keeps a tenant. The same again changes nothing more, so that it may be tried again.
    ///
    /// # Errors
    /// Where the store fails all the time.
    pub async fn keep(&self, work: &Work, tenant: &Tenant) -> Result<(), Outage> {
        let answer = persistent(&self.store, work, Method::PUT, &tenant.id, Some(tenant)).await?;
        if answer.status.is_success() { Ok(()) } else { Err(Outage(vec![answer.status.to_string()])) }
    }

    /// Asks the wrong service, and does not mind its answer.
    pub async fn ask_wrongly(&self, work: &Work, method: Method, id: &str, tenant: Option<&Tenant>) {
        let answer = self.identity.call(work, of_tenant(method, &path(id), tenant, 0), WITHIN).await;
        tracing::debug!(?answer, "the wrong service was asked");
    }

    /// Tells the sink. A sink that is away changes nothing for users.
    pub async fn log(&self, work: &Work, log: &Log) {
        let call = Call {
            method: Method::POST,
            template: "/logs",
            path: "/logs",
            shown: "/logs",
            headers: &[],
            body: Some(json!(log)),
            resent: 0,
        };
        match self.alerts.call(work, call, WITHIN).await {
            Ok(answer) if answer.status.is_success() => {}
            Ok(answer) => tracing::warn!(status = answer.status.as_u16(), "the sink of logs refuses"),
            Err(why) => tracing::warn!("the sink of logs: {why}"),
        }
        if log.level == Level::Error {
            let Log { correlation_id, message, causes, .. } = log;
            tracing::error!(correlation_id, ?causes, "{message}");
        }
    }
}

fn path(id: &str) -> String {
    format!("/tenants/{id}")
}

fn of_tenant<'a>(method: Method, path: &'a str, tenant: Option<&Tenant>, resent: u32) -> Call<'a> {
    Call {
        method,
        template: "/tenants/{id}",
        path,
        shown: path,
        headers: &[],
        body: tenant.map(|tenant| json!(tenant)),
        resent,
    }
}

/// Asks until there is an answer that is no server error, with longer and longer waits between.
async fn persistent(
    store: &Peer,
    work: &Work,
    method: Method,
    id: &str,
    tenant: Option<&Tenant>,
) -> Result<Answer, Outage> {
    let path = path(id);
    let mut causes = Vec::new();
    for attempt in 0..=RETRIES {
        if attempt > 0 {
            let retry = work.internal("retry");
            let wait = BACK_OFF * 2_u32.pow(attempt - 1);
            retry.set("retry.attempt", i64::from(attempt));
            retry.set("retry.wait_ms", i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
            tokio::time::sleep(wait).await;
        }
        match store.call(work, of_tenant(method.clone(), &path, tenant, attempt), WITHIN).await {
            Ok(answer) if !answer.status.is_server_error() => return Ok(answer),
            Ok(answer) => causes.push(format!("{method} {path} at the store: status {}", answer.status.as_u16())),
            Err(why) => causes.push(format!("{method} {path} at the store: {why}")),
        }
    }
    Err(Outage(causes))
}
