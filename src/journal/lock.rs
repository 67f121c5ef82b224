//! Who may change a target: one run at a time, one owner of it at a time, each with its epoch.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    model::{Epoch, Moment, RunId, Target, Timestamp},
    process::Identity,
};

/// The process that acts for a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The machine's name.
    pub host: String,
    /// The process.
    pub process: Identity,
    /// The user, for people.
    pub user: String,
}

impl Owner {
    /// This process.
    ///
    /// # Errors
    /// Where the system does not say when it started, so that nobody could tell it from a later one.
    pub fn current() -> Result<Self, Error> {
        let host = nix::unistd::gethostname().map_or_else(|_| "unknown".into(), |h| h.to_string_lossy().into_owned());
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid())
            .ok()
            .flatten()
            .map_or_else(|| nix::unistd::geteuid().to_string(), |user| user.name);
        let process = Identity::current().map_err(|e| Error::Store {
            place: "/proc/self".to_owned(),
            why: e.to_string(),
            mend: "interlock needs /proc to tell whether an owner is alive".to_owned(),
        })?;
        Ok(Self { host, process, user })
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{} (pid {})", self.user, self.host, self.process.pid)
    }
}

/// The state of one target's lock, as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// What is locked.
    pub target: Target,
    /// The highest epoch that was ever given out; it outlives every run.
    pub epoch: Epoch,
    /// The run that holds the target, if one does.
    pub run: Option<RunId>,
    /// Who acts for it.
    pub owner: Option<Owner>,
    /// The owner's last sign of life, by the boot clock.
    pub beat: Duration,
    /// The same by the wall clock, for people.
    pub beat_at: Timestamp,
    /// How long after its last sign of life an owner counts as gone.
    pub ttl: Duration,
}

impl Lock {
    /// Whether the owner is gone: its process ended, or it gave no sign of life for the time to live.
    #[must_use]
    pub fn is_abandoned(&self, now: &Moment) -> bool {
        let Some(owner) = &self.owner else { return true };
        !owner.process.is_alive() || now.boot.saturating_sub(self.beat) > self.ttl
    }
}

/// Proof that this process owned a target's lock at an epoch; the store checks it at every write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The run.
    pub run: RunId,
    /// The locked target.
    pub target: Target,
    /// Our term.
    pub epoch: Epoch,
    /// How long we may be silent.
    pub ttl: Duration,
}
