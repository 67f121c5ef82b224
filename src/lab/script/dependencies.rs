//! What a service depends on, asked beside its requests, and told by its readiness.
//!
//! Only what is a replica's own makes it unready: then another replica may do better. What all of them share is shown and no more.
//! Were a caller unready because a service that it calls is, one service that is away would take all of its callers with it, and
//! theirs, although each can still answer what needs no call, and tells of the rest when to ask again.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures::future::join_all;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{directory::Instance, host::Host, program::Program, reload::Running};
use crate::lab::{
    Service,
    backing::Backing,
    http::{Ask, Client},
    page::{Kind as Metric, Page},
};

/// How often everything is asked.
const ROUND: Duration = Duration::from_millis(500);
/// How long each may take to answer.
const WITHIN: Duration = Duration::from_secs(1);
/// What is said of a dependency before it was asked.
const UNKNOWN: &str = "it was not asked yet";

/// What a service needs to do its work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needed {
    /// The file that its replicas keep their rows in.
    Database,
    /// The lab's PostgreSQL.
    #[cfg(feature = "sql")]
    Postgres,
    Backing(Backing),
    /// Whose keys tokens are checked with.
    Identity,
    /// Another scripted service, by its name.
    Service(String),
}

/// How it stands with something that a service needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dependency {
    pub name: String,
    /// Whether the replica is unready without it.
    pub required: bool,
    pub ok: bool,
    /// Why it is not, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How it stood with everything when it was asked last.
#[derive(Default)]
pub struct Dependencies(RwLock<Vec<Dependency>>);

impl Needed {
    fn name(&self) -> &str {
        match self {
            Self::Database => "database",
            #[cfg(feature = "sql")]
            Self::Postgres => "postgres",
            Self::Backing(backing) => backing.name(),
            Self::Identity => Service::Identity.name(),
            Self::Service(name) => name,
        }
    }

    const fn is_required(&self) -> bool {
        matches!(self, Self::Database)
    }

    fn found(&self, answer: Result<(), String>) -> Dependency {
        let (name, required) = (self.name().to_owned(), self.is_required());
        Dependency { name, required, ok: answer.is_ok(), why: answer.err() }
    }
}

impl Dependencies {
    /// How it stands with everything that a program needs.
    #[must_use]
    pub fn of(&self, program: &Program) -> Vec<Dependency> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = |one: &Needed| known.iter().find(|known| known.name == one.name()).cloned();
        let unknown = |one: &Needed| one.found(Err(UNKNOWN.to_owned()));
        program.needs().iter().map(|one| found(one).unwrap_or_else(|| unknown(one))).collect()
    }

    /// The same as metrics.
    pub fn expose(&self, program: &Program, page: &mut Page) {
        let up = "script_dependency_up";
        page.family(up, Metric::Gauge, "Whether what the service needs was there when it was asked last.");
        for Dependency { name, ok, .. } in self.of(program) {
            page.sample(up, &[("dependency", &name)], u8::from(ok));
        }
    }

    fn take(&self, found: Vec<Dependency>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for Dependency { name, ok, why, .. } in &found {
            let before = known.iter().find(|before| before.name == *name).is_none_or(|before| before.ok);
            match why {
                Some(why) if before => tracing::warn!(dependency = name, "it is away: {why}"),
                None if *ok && !before => tracing::info!(dependency = name, "it is back"),
                _ => {}
            }
        }
        *known = found;
    }
}

/// Asks all that the running program needs, again and again until `stop`.
pub async fn follow(host: &Arc<Host>, running: &Running, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let needed = running.program().needs();
        let asked = needed.iter().map(|one| async move {
            let answer = tokio::time::timeout(WITHIN, ask(host, one)).await;
            one.found(answer.unwrap_or_else(|_| Err(format!("no answer within {WITHIN:?}"))))
        });
        host.dependencies.take(join_all(asked).await);
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}

async fn ask(host: &Arc<Host>, needed: &Needed) -> Result<(), String> {
    match needed {
        Needed::Database => {
            let host = host.clone();
            tokio::task::spawn_blocking(move || host.database.probe()).await.map_err(|e| e.to_string())?
        }
        #[cfg(feature = "sql")]
        Needed::Postgres => match &host.primary {
            Some(primary) => primary.probe().await,
            None => Err("this lab has none".to_owned()),
        },
        Needed::Backing(backing) => host.backings.probe(&host.directory, *backing).await,
        Needed::Identity => match &host.verifier {
            Some(verifier) => is_ready(&Client::new(verifier.address(), None)).await,
            None => Err("this lab has none".to_owned()),
        },
        Needed::Service(name) => one_of(host, name).await,
    }
}

/// One replica that is ready will do.
async fn one_of(host: &Host, service: &str) -> Result<(), String> {
    let all = host.directory.all(service);
    if all.is_empty() {
        return Err("it has no replica".to_owned());
    }
    let asked = all.iter().map(|known| async {
        let Instance { name, address, .. } = &known.instance;
        // A request to a service in slots would count as one of its users'.
        let answer = match name == Service::Gateway.name() {
            true => TcpStream::connect(address).await.map(drop).map_err(|e| e.to_string()),
            false => is_ready(&Client::new(*address, None)).await,
        };
        answer.map_err(|why| format!("{name}: {why}"))
    });
    let answers: Vec<_> = join_all(asked).await;
    match answers.iter().any(Result::is_ok) {
        true => Ok(()),
        false => Err(answers.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("; ")),
    }
}

/// No span is made: nobody asked for this.
async fn is_ready(client: &Client) -> Result<(), String> {
    let answer = client.ask(Ask::get("/readyz"), WITHIN).await?;
    if answer.status.is_success() { Ok(()) } else { Err(answer.status.to_string()) }
}

/// What a program needs, in the order of names as they are told.
#[must_use]
pub fn needed(program: &Program) -> BTreeSet<Needed> {
    let (declared, uses) = (&program.declared, &program.uses);
    let mut all: BTreeSet<_> = uses.backings().into_iter().map(Needed::Backing).collect();
    all.extend(uses.calls.iter().map(|call| Needed::Service(call.service.clone())));
    all.extend(uses.rpcs.iter().map(|call| Needed::Service(call.service.clone())));
    all.extend(program.requires_tokens().then_some(Needed::Identity));
    #[cfg(feature = "sql")]
    if declared.postgres.is_some() {
        all.insert(Needed::Postgres);
        return all;
    }
    let keeps_rows = uses.sql || !declared.migrations.is_empty() || !super::doors::own_migrations(uses).is_empty();
    all.extend(keeps_rows.then_some(Needed::Database));
    all
}
