//! What a Lease says of a lock, and how a lock is written as one.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};

use super::{
    names::{LOCK, MANAGED_BY, OWNER, TARGET},
    silence::Sign,
};
use crate::{
    adapters::kube::{MANAGER, PART, RUN, lock_name, slug},
    error::Error,
    journal::Owner,
    model::{Epoch, RunId, Target, Timestamp},
};

/// A run's hold on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub run: RunId,
    /// Who acts for it.
    pub owner: Owner,
    /// Since when this owner does, by its own clock.
    pub acquired: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The version that a write is conditioned on.
    pub version: String,
    /// The highest epoch that was ever given out; 0 where none was.
    pub epoch: Epoch,
    /// Who holds the target, if anybody does.
    pub hold: Option<Hold>,
    /// The last sign of life, by the clock of whoever gave it.
    pub renewed: Timestamp,
    /// The time to live.
    pub ttl: Duration,
}

impl Standing {
    /// Reads a Lease. It is free as soon as it has no holder, whatever else people have left in it.
    pub fn read(lease: &Lease) -> Result<Self, Error> {
        let spec = lease.spec.clone().unwrap_or_default();
        let meta = &lease.metadata;
        let renewed = spec.renew_time.map_or(Timestamp::UNIX_EPOCH, |time| time.0);
        let acquired = spec.acquire_time.map_or(renewed, |time| time.0);
        let held = spec.holder_identity.is_some_and(|holder| !holder.is_empty());
        Ok(Self {
            version: meta.resource_version.clone().unwrap_or_default(),
            epoch: Epoch(spec.lease_transitions.and_then(|n| u64::try_from(n).ok()).unwrap_or(0)),
            hold: held.then(|| hold(meta, acquired)).transpose()?,
            renewed,
            ttl: Duration::from_secs(spec.lease_duration_seconds.and_then(|n| u64::try_from(n).ok()).unwrap_or(0)),
        })
    }

    /// What changes when the owner gives a sign of life.
    pub fn sign(&self) -> Sign {
        let holder = self.hold.as_ref().map(|hold| hold.owner.to_string()).unwrap_or_default();
        Sign { renewed: self.renewed, holder, epoch: self.epoch }
    }

    /// Whether `run` holds it at `epoch`.
    pub fn is(&self, run: &RunId, epoch: Epoch) -> bool {
        self.epoch == epoch && self.hold.as_ref().is_some_and(|hold| hold.run == *run)
    }

    /// The Lease to apply, on condition that the version has not changed. What it leaves out is taken away.
    pub fn applied(&self, target: &Target) -> Lease {
        let annotations = self.hold.as_ref().map(|hold| {
            let owner = serde_json::to_string(&hold.owner).unwrap_or_default();
            BTreeMap::from([(RUN.to_owned(), hold.run.to_string()), (OWNER.to_owned(), owner)])
        });
        Lease {
            metadata: ObjectMeta {
                resource_version: Some(self.version.clone()),
                annotations,
                managed_fields: None,
                ..new_meta(target)
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.hold.as_ref().map(|hold| hold.owner.to_string()).unwrap_or_default()),
                acquire_time: self.hold.as_ref().map(|hold| MicroTime(hold.acquired)),
                renew_time: Some(MicroTime(self.renewed)),
                // Whole seconds, rounded up, and never 0, which the server refuses.
                lease_duration_seconds: Some(i32::try_from(seconds(self.ttl)).unwrap_or(i32::MAX)),
                lease_transitions: Some(i32::try_from(self.epoch.0).unwrap_or(i32::MAX)),
                ..LeaseSpec::default()
            }),
        }
    }
}

fn seconds(ttl: Duration) -> u64 {
    (ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0)).max(1)
}

/// A Lease that nobody has held yet. It is made with hardly anything in it: what is applied later belongs to that
/// application alone, and goes when it is left out.
pub fn new(target: &Target) -> Lease {
    Lease { metadata: new_meta(target), spec: None }
}

fn new_meta(target: &Target) -> ObjectMeta {
    let labels = [(MANAGED_BY, MANAGER.to_owned()), (PART, LOCK.to_owned()), (TARGET, slug(target))];
    ObjectMeta {
        name: Some(lock_name(target)),
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
        ..ObjectMeta::default()
    }
}

fn hold(meta: &ObjectMeta, acquired: Timestamp) -> Result<Hold, Error> {
    let said = |key: &str| meta.annotations.as_ref().and_then(|all| all.get(key)).map_or("", String::as_str);
    let odd = |why: String| {
        let name = meta.name.as_deref().unwrap_or_default();
        Error::Tampered {
            what: format!("the Lease {name} is no lock: {why}"),
            hint: format!(
                "`interlock runs list` shows unfinished runs; recover them, then free it: \
                 kubectl patch lease {name} --type merge -p '{{\"spec\":{{\"holderIdentity\":\"\"}}}}'"
            ),
        }
    };
    Ok(Hold {
        run: RunId::parse(said(RUN)).map_err(|why| odd(format!("{RUN}: {why}")))?,
        owner: serde_json::from_str(said(OWNER)).map_err(|why| odd(format!("{OWNER}: {why}")))?,
        acquired,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_applied_reads_back() {
        let target = Target::parse("tenant").unwrap();
        let at = "2026-11-21T09:30:00.123456Z".parse().unwrap();
        let hold =
            Hold { run: RunId::parse("20261121-093000-1f2e").unwrap(), owner: Owner::current().unwrap(), acquired: at };
        let held = Standing {
            version: "7".to_owned(),
            epoch: Epoch(3),
            hold: Some(hold),
            renewed: at,
            ttl: Duration::from_secs(10),
        };
        assert_eq!(Standing::read(&held.applied(&target)).unwrap(), held);
        let freed = Standing { hold: None, ..held.clone() };
        assert_eq!(Standing::read(&freed.applied(&target)).unwrap(), freed);

        let mut by_hand = held.applied(&target);
        by_hand.metadata.annotations.as_mut().unwrap().remove(RUN);
        assert!(matches!(Standing::read(&by_hand), Err(Error::Tampered { .. })));
        by_hand.spec.as_mut().unwrap().holder_identity = Some(String::new());
        assert_eq!(Standing::read(&by_hand).unwrap().hold, None);
    }

    #[test]
    fn a_time_to_live_is_never_cut_short() {
        assert_eq!(seconds(Duration::ZERO), 1);
        assert_eq!(seconds(Duration::from_millis(1500)), 2);
        assert_eq!(seconds(Duration::from_secs(10)), 10);
    }
}
