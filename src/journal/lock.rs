//! Who may change a target: one run at a time, one owner of it at a time, each with its epoch.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    model::{Epoch, Moment, RunId, Target, Timestamp},
    process::{Identity, host, pid_namespace},
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

impl Owner {
    /// This process.
    ///
    /// # Errors
    /// Where the system does not say when it started, so that nobody could tell it from a later one.
    pub fn current() -> Result<Self, Error> {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid())
            .ok()
            .flatten()
            .map_or_else(|| nix::unistd::geteuid().to_string(), |user| user.name);
        let process = Identity::current().map_err(|e| Error::Store {
            place: "/proc/self".to_owned(),
            why: e.to_string(),
            mend: "interlock needs /proc to tell whether an owner is alive".to_owned(),
        })?;
        Ok(Self { host: host(), process, user, pid_namespace: pid_namespace() })
    }

    /// Whether its process can be asked from here: on this machine, since this boot, and among the processes that we see.
    #[must_use]
    pub fn is_here(&self) -> bool {
        let namespace = pid_namespace();
        self.is_of_this_host() && namespace.is_some() && self.pid_namespace == namespace && self.is_of_this_boot()
    }

    /// Whether its boot clock is ours.
    pub(super) fn is_of_this_boot(&self) -> bool {
        Identity::current().is_ok_and(|own| own.boot_id == self.process.boot_id)
    }

    /// Whether its machine has our name.
    pub(super) fn is_of_this_host(&self) -> bool {
        self.host == host()
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
pub(super) fn alive(lock: &Lock) -> Error {
    let owner = lock.owner.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    let run = lock.run.as_ref().map(ToString::to_string).unwrap_or_default();
    Error::Refused {
        what: format!("run {run} belongs to {owner}, who is alive"),
        mend: format!("wait for it, or end it: `interlock runs abort {run}`"),
    }
}

/// A run has the target.
pub fn held(lock: &Lock, run: &RunId) -> Error {
    let owner = lock.owner.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    Error::Refused {
        what: format!("{} is locked by run {run} of {owner}, last seen {}", lock.target, lock.beat_at),
        mend: format!("wait for it, or end it: `interlock runs show {run}`, `interlock runs recover {run}`"),
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

    #[test]
    fn of_an_owner_elsewhere_only_silence_counts() {
        let owner = Owner::current().unwrap();
        assert!(lock(owner.clone(), false, true).is_abandoned(&at(100)), "its process is gone, as anyone here can see");
        assert!(!lock(owner.clone(), true, false).is_abandoned(&at(110)));
        assert!(lock(owner, true, false).is_abandoned(&at(111)));
    }

    #[test]
    fn here_is_this_machine_this_boot_and_these_processes() {
        let own = Owner::current().unwrap();
        assert!(own.is_here());
        assert!(!Owner { host: "another".to_owned(), ..own.clone() }.is_here());
        assert!(!Owner { pid_namespace: Some("pid:[1]".to_owned()), ..own.clone() }.is_here());
        let rebooted = Identity { boot_id: "another".to_owned(), ..own.process.clone() };
        assert!(!Owner { process: rebooted, ..own.clone() }.is_here());
    }

    #[test]
    fn locks_of_older_releases_still_read() {
        let own = Owner::current().unwrap();
        let mut old = serde_json::to_value(&own).unwrap();
        old.as_object_mut().unwrap().remove("pid_namespace");
        let old: Owner = serde_json::from_value(old).unwrap();
        assert_eq!((old.pid_namespace.as_ref(), old.is_here()), (None, false));
    }
}
