//! The way of a replica to the processes behind its doors.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{directory::Directory, host::Host};
use crate::lab::{
    backing::{Backing, messages::Message},
    http::{Ask, Client},
    store::Outage,
    telemetry::Work,
};

/// How long one request may take.
const WITHIN: Duration = Duration::from_secs(2);
/// How often something is sent before its sender is told that it is not accepted, and the wait before the second time.
const SENDS: (u32, Duration) = (4, Duration::from_millis(50));

/// The connections to all backing processes.
pub struct Backings {
    /// The lab's, which they ask for.
    token: Option<String>,
    clients: Mutex<BTreeMap<SocketAddr, Arc<Client>>>,
}

/// Why something was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsent {
    /// Nobody answers, or it is out of order: it may be otherwise in a moment.
    Away(String),
    /// It will be refused again.
    Refused(String),
}

impl Backings {
    /// Connections that show the lab's token.
    #[must_use]
    pub fn new(token: Option<String>) -> Self {
        Self { token, clients: Mutex::default() }
    }

    /// Asks once, and waits for the answer that long beside what the request itself waits.
    ///
    /// # Errors
    /// Where it was not accepted.
    pub async fn ask(
        &self,
        directory: &Directory,
        backing: Backing,
        (method, path): (Method, &str),
        body: Value,
        waits: Duration,
    ) -> Result<Value, Unsent> {
        let known = directory.next(backing.name());
        let known =
            known.ok_or_else(|| Unsent::Away("this lab has none; it is started by the next `lab up`".to_owned()))?;
        let client = self.client(known.instance.address);
        let ask = Ask { method, path, headers: &[], body: Some(body) };
        let answer = client.ask(ask, WITHIN + waits).await.map_err(Unsent::Away)?;
        let detail = || answer.json::<Value>().ok().and_then(|body| Some(body.get("detail")?.as_str()?.to_owned()));
        let why = || detail().unwrap_or_else(|| answer.status.to_string());
        match answer.status {
            StatusCode::NO_CONTENT => Ok(Value::Null),
            status if status.is_success() => answer.json().map_err(Unsent::Away),
            status if status.is_client_error() => Err(Unsent::Refused(why())),
            _ => Err(Unsent::Away(why())),
        }
    }

    /// Whether one is there and in order.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn probe(&self, directory: &Directory, backing: Backing) -> Result<(), String> {
        let known = directory.next(backing.name()).ok_or("this lab has none; it is started by the next `lab up`")?;
        let answer = self.client(known.instance.address).ask(Ask::get("/outage"), WITHIN).await?;
        match answer.json::<Outage>() {
            Ok(Outage { out: false }) => Ok(()),
            Ok(Outage { out: true }) => Err("it is out of order".to_owned()),
            Err(_) => Err(answer.status.to_string()),
        }
    }

    fn client(&self, address: SocketAddr) -> Arc<Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Client::new(address, self.token.clone()));
        clients.entry(address).or_insert_with(new).clone()
    }
}

/// Asks for something, and reads the answer.
///
/// # Errors
/// Where it was not accepted, or answered with something else.
pub async fn ask<T: DeserializeOwned>(
    host: &Host,
    backing: Backing,
    at: (Method, &str),
    body: Value,
    waits: Duration,
) -> Result<T, Unsent> {
    let answer = host.backings.ask(&host.directory, backing, at, body, waits).await?;
    serde_json::from_value(answer).map_err(|e| Unsent::Away(e.to_string()))
}

/// Asks once as a part of some work, and waits no longer than `within`.
///
/// # Errors
/// Where it was not accepted in time, or was answered with something else.
pub async fn call<T: DeserializeOwned>(
    host: &Host,
    work: &Work,
    backing: Backing,
    (path, body): (&str, Value),
    within: Duration,
) -> Result<T, Unsent> {
    let known = host.directory.next(backing.name());
    let to = known.as_ref().map(|known| (backing.name(), known.instance.address));
    let client = to.map(|to| work.client(to, &Method::POST, path, path));
    let asked = ask(host, backing, (Method::POST, path), body, Duration::ZERO);
    let asked = tokio::time::timeout(within, asked).await.unwrap_or_else(|_| Err(late()));
    match (&client, &asked) {
        (Some(client), Ok(_)) => client.answered(StatusCode::OK),
        (Some(client), Err(_)) => client.fail("not answered", "it was not accepted"),
        (None, _) => {}
    }
    asked
}

fn late() -> Unsent {
    Unsent::Away("no answer in time".to_owned())
}

/// Sends a message until it is accepted, for a moment; what is sent twice is taken in once.
///
/// # Errors
/// Where it is not accepted.
pub async fn send(host: &Host, backing: Backing, message: &Message, within: Duration) -> Result<(), Unsent> {
    let message = json!(message);
    let once = || ask::<Value>(host, backing, (Method::POST, "/messages"), message.clone(), Duration::ZERO);
    insist(once, within).await.map(drop)
}

/// Does something that may be done twice until it is accepted, for a moment.
///
/// # Errors
/// Where it is not accepted.
pub async fn insist<T, F: Future<Output = Result<T, Unsent>>>(
    once: impl Fn() -> F,
    within: Duration,
) -> Result<T, Unsent> {
    let until = Instant::now() + within;
    let (most, mut wait) = SENDS;
    let mut sent = 1;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let answer = tokio::time::timeout(left, once()).await;
        match answer.unwrap_or_else(|_| Err(late())) {
            Err(Unsent::Away(_)) if sent < most && Instant::now() + wait < until => tokio::time::sleep(wait).await,
            answered => return answered,
        }
        sent += 1;
        wait *= 2;
    }
}
