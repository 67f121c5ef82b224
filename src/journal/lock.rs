//! Who may change a target: one run at a time, one owner of it at a time, each with its epoch.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    model::{Epoch, Identity, Moment, RunId, Target, Timestamp},
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
    /// The pid namespace that the process has its number in, such as `pid:[4026531836]`; locks of older releases lack it.
    #[serde(default)]
    pub pid_namespace: Option<String>,
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
    /// The owner's last sign of life, by this machine's boot clock. Of a store that several machines share: when this
    /// process first saw the present sign of life, for two machines' clocks cannot be compared.
    pub beat: Duration,
    /// The same by the wall clock, for people.
    pub beat_at: Timestamp,
    /// How long after its last sign of life an owner counts as gone.
    pub ttl: Duration,
    /// The owner is on another machine, in a pod, or in another pid namespace: whether it is gone shows by its silence
    /// alone.
    #[serde(skip)]
    pub remote: bool,
    /// The owner's process was looked for when this was read, and had ended.
    #[serde(skip)]
    pub ended: bool,
}

impl Lock {
    /// Whether the owner is gone: its process ended, or it gave no sign of life for the time to live.
    #[must_use]
    pub fn is_abandoned(&self, now: &Moment) -> bool {
        self.owner.is_none() || self.ended || now.boot.saturating_sub(self.beat) > self.ttl
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

/// Another owner has the run.
pub fn superseded(grant: &Grant, theirs: Epoch) -> Error {
    Error::Superseded { run: grant.run.to_string(), ours: grant.epoch.0, theirs: theirs.0 }
}

/// The run has an owner who is alive.
pub fn alive(lock: &Lock) -> Error {
    let owner = lock.owner.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    let run = lock.run.as_ref().map(ToString::to_string).unwrap_or_default();
    Error::Refused {
        what: format!("run {run} belongs to {owner}, who is alive"),
        hint: format!("wait for it, or end it: `interlock runs abort {run}`"),
    }
}

/// A run has the target.
pub fn held(lock: &Lock, run: &RunId) -> Error {
    let owner = lock.owner.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    Error::Refused {
        what: format!("{} is locked by run {run} of {owner}, last seen {}", lock.target, lock.beat_at),
        hint: format!("wait for it, or end it: `interlock runs show {run}`, `interlock runs recover {run}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(owner: Owner, remote: bool, ended: bool) -> Lock {
        Lock {
            target: Target::parse("tenant").unwrap(),
            epoch: Epoch(1),
            run: None,
            owner: Some(owner),
            beat: Duration::from_secs(100),
            beat_at: "2026-11-21T09:30:00Z".parse().unwrap(),
            ttl: Duration::from_secs(10),
            remote,
            ended,
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment { wall: "2026-11-21T09:30:00Z".parse().unwrap(), boot: Duration::from_secs(seconds) }
    }

    fn owner() -> Owner {
        let process = Identity { pid: 7, start_ticks: 4242, boot_id: "this one".to_owned() };
        let pid_namespace = Some("pid:[4026531836]".to_owned());
        Owner { host: "laptop".to_owned(), process, user: "sre".to_owned(), pid_namespace }
    }

    #[test]
    fn of_an_owner_elsewhere_only_silence_counts() {
        assert!(lock(owner(), false, true).is_abandoned(&at(100)), "its process is gone, as anyone here can see");
        assert!(!lock(owner(), true, false).is_abandoned(&at(110)));
        assert!(lock(owner(), true, false).is_abandoned(&at(111)));
    }

    #[test]
    fn locks_of_older_releases_still_read() {
        let mut old = serde_json::to_value(owner()).unwrap();
        old.as_object_mut().unwrap().remove("pid_namespace");
        let old: Owner = serde_json::from_value(old).unwrap();
        assert_eq!(old, Owner { pid_namespace: None, ..owner() });
    }
}
