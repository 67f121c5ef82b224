//! What the gates have to know of the world around the platform.

use super::Global;
use crate::{
    app::{self, Place, Snapshot},
    document::Window,
    error::Error,
    guard::Strength,
    journal::Lock,
    model::Target,
    ops::around::{Credential, Freeze, Guardian, History, Surroundings},
    ports::PortError,
};

/// Finds out what the gates have to know; `freeze` holds the windows beside those of the whole platform.
///
/// # Errors
/// Where the run store cannot be reached.
pub async fn surroundings(
    global: &Global,
    snapshot: &Snapshot,
    target: &Target,
    freeze: &[Window],
    guardian: Guardian,
    history: History,
) -> Result<Surroundings, Error> {
    let holder = lock(global, target).await?.and_then(|lock| {
        let (run, owner) = (lock.run?, lock.owner.map(|owner| owner.to_string()).unwrap_or_default());
        Some(format!("run {run} of {owner} holds it, last seen {:.0}", lock.beat_at))
    });
    let platform = &snapshot.platform;
    let freezes = platform.freeze.iter().chain(freeze);
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
        Ok(Some(alive)) => Ok(Guardian::InCluster(format!("{}, last seen {:.0}", alive.name, alive.renewed))),
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
