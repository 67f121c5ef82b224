//! What the gates have to know of the world around the platform, found out each time that they are asked.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{Location, Session, Snapshot, clock, cluster_store, history};
use crate::{
    document::{self, Window},
    error::Error,
    guard::{Gate, Mode, Plan, Preconditions, Strength, load, summary},
    journal::Lock,
    model::{RunId, Target},
    operation::{
        Kind,
        preconditions::{Credential, Facts, Freeze, Guardian, History, Holder},
    },
    ports::{PortError, Store},
};

/// The gates of one operation, with all that they have to know.
pub(super) struct Gates<K> {
    session: Arc<Session>,
    kind: Arc<K>,
    accept_local: bool,
    target: Target,
    freeze: Vec<Window>,
    /// What the plan counts on.
    strength: Strength,
    /// The guardian that the plan was made with, for the gates' first answer.
    guardian: Mutex<Option<Guardian>>,
}

#[async_trait]
impl<K: Kind> Preconditions for Gates<K> {
    async fn ask(&self, ours: Option<&RunId>) -> Result<Vec<Gate>, Error> {
        Ok(self.kind.gates(&self.facts(ours).await?).await)
    }
}

impl<K: Kind> Gates<K> {
    /// The gates of what is planned; `freeze` holds the windows beside those of the whole platform.
    pub fn new(
        session: &Arc<Session>,
        kind: &Arc<K>,
        plan: &Plan,
        freeze: Vec<Window>,
        (guardian, accept_local): (Guardian, bool),
    ) -> Self {
        let (session, kind, guardian) = (session.clone(), kind.clone(), Mutex::new(Some(guardian)));
        Self { session, kind, accept_local, target: plan.target.clone(), freeze, strength: plan.guard, guardian }
    }

    /// Finds out what the gates have to know; a lock that `ours` holds is nobody else's.
    async fn facts(&self, ours: Option<&RunId>) -> Result<Facts, Error> {
        let (platform, store) = (&self.session.snapshot.platform, &*self.session.store);
        let guardian = self.guardian().await?;
        let lock = lock(store, &self.target).await?;
        let holder = match lock.filter(|lock| lock.run.as_ref() != ours) {
            Some(lock) => holder(store, &lock).await,
            None => None,
        };
        let freezes = platform.freeze.iter().chain(&self.freeze);
        Ok(Facts {
            now: clock().now().wall,
            holder,
            last_ended: if K::RESTS { last_ended(store, &self.target).await? } else { None },
            guardian,
            freezes: freezes.map(|w| Freeze { from: w.from, to: w.to, reason: w.reason.clone() }).collect(),
            credentials: credentials(platform, &*self.kind),
            history: self.history().await?,
            budget_floor: platform.defaults.budget_floor.fraction(),
        })
    }

    /// Who would put things back now. A plan that counts on the cluster's guardian is not carried out with a weaker one.
    async fn guardian(&self) -> Result<Guardian, Error> {
        let first = self.guardian.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(first) = first {
            return Ok(first);
        }
        let now = guardian(&self.session.snapshot, self.accept_local).await?;
        Ok(match (self.strength, now) {
            (Strength::InCluster, Guardian::Local | Guardian::LocalAccepted) => {
                Guardian::Missing("the one that the plan counts on has given no sign of life lately".to_owned())
            }
            (_, now) => now,
        })
    }

    async fn history(&self) -> Result<History, Error> {
        let Some(remembered) = self.kind.remembered() else { return Ok(History::None) };
        Ok(match self.session.snapshot.prometheus()? {
            Some(prometheus) => history::past(&remembered, &prometheus).await,
            None => History::None,
        })
    }
}

/// The run that holds a target, how it stands, and what a person does about it.
async fn holder(store: &dyn Store, lock: &Lock) -> Option<Holder> {
    let (run, owner) = (lock.run.as_ref()?, lock.owner.as_ref().map(ToString::to_string).unwrap_or_default());
    let (found, hint) = match load(store, run).await.map(|stored| stored.mode()) {
        Ok(Mode::Held { why, .. }) => (
            format!("run {run} is held and waits for a person: {why}"),
            format!("decide: `interlock runs resume {run} --keep`, `--undo` or `--watch`"),
        ),
        Ok(Mode::Finished(outcome)) if outcome.needs_person() => (
            format!("run {run} is {}: {}", outcome.word(), outcome.why()),
            format!(
                "`interlock runs show {run}` tells more; `interlock runs recover {run}` tries again, \
                 `interlock runs resolve {run}` settles it by hand"
            ),
        ),
        Ok(_) if lock.is_abandoned(&clock().now()) => (
            format!("run {run} is abandoned: {owner} is gone, last seen {:.0}", lock.beat_at),
            format!("`interlock runs recover {run}` puts things back, `interlock runs resume {run}` goes on"),
        ),
        Ok(_) => (
            format!("run {run} of {owner} is at work on it, last seen {:.0}", lock.beat_at),
            format!("wait for it, or end it: `interlock runs abort {run}`"),
        ),
        Err(e) => (
            format!("run {run} of {owner} holds it, and its journal cannot be read: {e}"),
            format!("see where things stand; `interlock runs resolve {run}` gives its target free"),
        ),
    };
    Some(Holder { found, hint })
}

/// How long ago the last run on a target ended.
async fn last_ended(store: &dyn Store, target: &Target) -> Result<Option<Duration>, Error> {
    for run in store.runs().await?.into_iter().rev() {
        let Ok(found) = summary(store, &run).await else { continue };
        if found.target == *target && matches!(found.mode, Mode::Finished(_)) {
            return Ok(Some(Duration::try_from(clock().now().wall.duration_since(found.last)).unwrap_or_default()));
        }
    }
    Ok(None)
}

/// The target's lock. That we may not read it is the business of the gate that asks for permissions, which names all that
/// is missing at once.
async fn lock(store: &dyn Store, target: &Target) -> Result<Option<Lock>, Error> {
    match store.lock(target).await {
        Err(Error::Port { source: PortError::Forbidden { .. }, .. }) => Ok(None),
        other => other,
    }
}

/// Who would put things back: on this machine for a lab, in the cluster for a cluster.
///
/// # Errors
/// Where the cluster cannot be asked.
pub(super) async fn guardian(snapshot: &Snapshot, accept_local: bool) -> Result<Guardian, Error> {
    let Location::Cluster(reach) = snapshot.place() else { return Ok(Guardian::Local) };
    match cluster_store(&reach).await?.guardian().await {
        Ok(Some(alive)) => Ok(Guardian::InCluster(alive.name)),
        _ if accept_local => Ok(Guardian::LocalAccepted),
        Ok(None) => Ok(Guardian::Missing("the Lease interlock-guardian has no holder that is alive".to_owned())),
        Err(Error::Port { source: e @ PortError::Forbidden { .. }, .. }) => Ok(Guardian::Missing(e.to_string())),
        Err(e) => Err(e),
    }
}

pub(super) const fn strength(guardian: &Guardian) -> Strength {
    match guardian {
        Guardian::InCluster(_) => Strength::InCluster,
        Guardian::Local | Guardian::LocalAccepted => Strength::Local,
        Guardian::Missing(_) => Strength::None,
    }
}

/// The credentials that the platform file lists, and each secret beside them that is read for this operation.
fn credentials<K: Kind>(platform: &document::Platform, kind: &K) -> Vec<Credential> {
    let listed = &platform.credentials;
    let read = platform.secrets(kind.database(), kind.remembered().is_some());
    let beside = read.into_iter().filter(|name| listed.iter().all(|one| one.env != *name));
    let beside = beside.map(|name| document::Credential { env: name.to_owned(), expires_env: None });
    listed.iter().cloned().chain(beside).map(|one| credential(&one)).collect()
}

/// Whether a credential is there and when it expires; its value is not looked at.
fn credential(document: &document::Credential) -> Credential {
    let expires = document.expires_env.as_ref().and_then(|name| std::env::var(name).ok());
    Credential {
        name: document.env.clone(),
        present: std::env::var_os(&document.env).is_some_and(|value| !value.is_empty()),
        expires: expires.map(|text| text.parse().map_err(|_| text)),
    }
}
