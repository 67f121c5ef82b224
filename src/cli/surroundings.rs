//! What the gates have to know of the world around the platform.

use std::sync::{Mutex, PoisonError};

use super::Global;
use crate::{
    app::{self, Place, Snapshot},
    document::Window,
    error::Error,
    guard::{Plan, Strength},
    journal::Lock,
    model::{RunId, Target},
    ops::around::{Credential, Freeze, Guardian, History, Surroundings},
    ports::PortError,
};

/// From where the gates learn about the world around the platform, each time that they are asked.
pub struct World {
    global: Global,
    snapshot: Snapshot,
    accept_local: bool,
    target: Target,
    freeze: Vec<Window>,
    /// What the plan counts on.
    strength: Strength,
    /// The guardian that the plan was made with, for the gates' first answer.
    guardian: Mutex<Option<Guardian>>,
}

impl World {
    /// The world around a plan; `freeze` holds the windows beside those of the whole platform.
    pub fn new(
        global: &Global,
        snapshot: Snapshot,
        plan: &Plan,
        freeze: &[Window],
        guardian: (Guardian, bool),
    ) -> Self {
        let (guardian, accept_local) = guardian;
        let (target, strength) = (plan.target.clone(), plan.guard);
        let (global, freeze, guardian) = (global.clone(), freeze.to_vec(), Mutex::new(Some(guardian)));
        Self { global, snapshot, accept_local, target, freeze, strength, guardian }
    }

    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub const fn global(&self) -> &Global {
        &self.global
    }

    /// Finds out what the gates have to know; a lock that `ours` holds is nobody else's.
    ///
    /// # Errors
    /// Where the run store cannot be reached.
    pub async fn around(&self, history: History, ours: Option<&RunId>) -> Result<Surroundings, Error> {
        let guardian = self.guardian().await?;
        let lock = lock(&self.global, &self.target).await?;
        let holder = lock.filter(|lock| lock.run.as_ref() != ours).and_then(|lock| {
            let (run, owner) = (lock.run?, lock.owner.map(|owner| owner.to_string()).unwrap_or_default());
            Some(format!("run {run} of {owner} holds it, last seen {:.0}", lock.beat_at))
        });
        let platform = &self.snapshot.platform;
        let freezes = platform.freeze.iter().chain(&self.freeze);
        Ok(Surroundings {
            now: app::clock().now().wall,
            holder,
            guardian,
            freezes: freezes.map(|w| Freeze { from: w.from, to: w.to, reason: w.reason.clone() }).collect(),
            credentials: platform.credentials.iter().map(credential).collect(),
            history,
            budget_floor: platform.defaults.budget_floor.fraction(),
        })
    }

    /// Who would put things back now. A plan that counts on the cluster's guardian is not carried out with a weaker one.
    async fn guardian(&self) -> Result<Guardian, Error> {
        let first = self.guardian.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(first) = first {
            return Ok(first);
        }
        let now = guardian(&self.snapshot, self.accept_local).await?;
        Ok(match (self.strength, now) {
            (Strength::InCluster, Guardian::Local | Guardian::LocalAccepted) => {
                Guardian::Missing("the one that the plan counts on has given no sign of life lately".to_owned())
            }
            (_, now) => now,
        })
    }
}

/// The target's lock. That we may not read it is the business of the gate that asks for permissions, which names all that
/// is missing at once.
async fn lock(global: &Global, target: &Target) -> Result<Option<Lock>, Error> {
    match global.store().await?.lock(target).await {
        Err(Error::Port { source: PortError::Forbidden { .. }, .. }) => Ok(None),
        other => other,
    }
}

/// Who would put things back: on this machine for a lab, in the cluster for a cluster.
///
/// # Errors
/// Where the cluster cannot be asked.
pub async fn guardian(snapshot: &Snapshot, accept_local: bool) -> Result<Guardian, Error> {
    let Place::Cluster(reach) = snapshot.place() else { return Ok(Guardian::Local) };
    match app::cluster_store(&reach).await?.guardian().await {
        Ok(Some(alive)) => Ok(Guardian::InCluster(alive.name)),
        _ if accept_local => Ok(Guardian::LocalAccepted),
        Ok(None) => Ok(Guardian::Missing("the Lease interlock-guardian has no holder that is alive".to_owned())),
        Err(Error::Port { source: e @ PortError::Forbidden { .. }, .. }) => Ok(Guardian::Missing(e.to_string())),
        Err(e) => Err(e),
    }
}

/// How strong a guardian is.
pub const fn strength(guardian: &Guardian) -> Strength {
    match guardian {
        Guardian::InCluster(_) => Strength::InCluster,
        Guardian::Local | Guardian::LocalAccepted => Strength::Local,
        Guardian::Missing(_) => Strength::None,
    }
}

/// Whether a credential is there and when it expires; its value is not looked at.
fn credential(document: &crate::document::Credential) -> Credential {
    let expires = document.expires_env.as_ref().and_then(|name| std::env::var(name).ok());
    Credential {
        name: document.env.clone(),
        present: std::env::var_os(&document.env).is_some_and(|value| !value.is_empty()),
        expires: expires.map(|text| text.parse().map_err(|_| text)),
    }
}
