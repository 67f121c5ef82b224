//! The Leases of targets: read with what was seen of them before, and changed on condition that nobody else did.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};

use super::{
    lease::{self, Standing},
    silence::Silences,
    trouble::trouble,
};
use crate::{
    adapters::kube::{Cluster, MANAGER, lock_name},
    error::Error,
    journal::Lock,
    model::{Epoch, Target},
    ports::{Clock, PortError},
};

/// How often a change is tried against others who change the same Lease.
const TRIES: u32 = 20;

/// What to do with a Lease as it stands.
pub enum Change<T> {
    Write(Box<Standing>, T),
    /// Nothing: it is as it should be.
    Done(T),
}

/// The Leases of targets.
pub struct Locks {
    cluster: Cluster,
    clock: Arc<dyn Clock>,
    silences: Silences,
}

impl Locks {
    pub fn new(cluster: Cluster, clock: Arc<dyn Clock>) -> Self {
        Self { cluster, clock, silences: Silences::default() }
    }

    fn api(&self) -> Api<Lease> {
        self.cluster.api()
    }

    /// Reads a target's Lease.
    pub async fn standing(&self, target: &Target) -> Result<Option<Standing>, Error> {
        let (api, name) = (self.api(), lock_name(target));
        let found = self.cluster.outlast(&format!("get leases/{name}"), || api.get_opt(&name)).await;
        found.map_err(|e| trouble(&self.cluster, e))?.as_ref().map(Standing::read).transpose()
    }

    /// Reads a target's lock; `None` where it was never locked.
    pub async fn lock(&self, target: &Target) -> Result<Option<Lock>, Error> {
        let name = lock_name(target);
        let began = self.clock.now().boot;
        let found = self.standing(target).await;
        let now = self.clock.now().boot;
        match found {
            Err(e) => {
                self.silences.blind(&name, began, now);
                Err(e)
            }
            Ok(found) => Ok(found.filter(|standing| standing.epoch > Epoch(0)).map(|standing| {
                let beat = self.silences.seen(&name, standing.sign(), began, now);
                to_lock(target, standing, beat)
            })),
        }
    }

    /// Changes a Lease as `decide` says, which is asked again whenever someone else was faster, or whenever it is not
    /// known whether our own write went through; then its second argument is true.
    pub async fn change<T>(
        &self,
        target: &Target,
        mut decide: impl FnMut(Option<&Standing>, bool) -> Result<Change<T>, Error>,
    ) -> Result<T, Error> {
        let mut again = false;
        for _ in 0..TRIES {
            let found = self.standing(target).await?;
            let (wanted, value) = match decide(found.as_ref(), again)? {
                Change::Done(value) => return Ok(value),
                Change::Write(wanted, value) => (wanted, value),
            };
            let Some(found) = found else {
                self.create(target).await?;
                continue;
            };
            match self.apply(target, &Standing { version: found.version, ..*wanted }).await {
                Ok(()) => return Ok(value),
                Err(PortError::Conflict { .. } | PortError::NotFound { .. }) => again = true,
                Err(e) => return Err(trouble(&self.cluster, e)),
            }
        }
        let busy = PortError::unreachable(lock_name(target), "others write it all the time");
        Err(trouble(&self.cluster, busy))
    }

    async fn create(&self, target: &Target) -> Result<(), Error> {
        let (api, lease) = (self.api(), lease::new(target));
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        match self.cluster.outlast("create leases", || api.create(&params, &lease)).await {
            // Whoever was faster has made the same.
            Ok(_) | Err(PortError::Conflict { .. }) => Ok(()),
            Err(e) => Err(trouble(&self.cluster, e)),
        }
    }

    async fn apply(&self, target: &Target, wanted: &Standing) -> Result<(), PortError> {
        let (api, name) = (self.api(), lock_name(target));
        // Forced: a person who has edited the Lease does not own it for that. The version says whether it has changed.
        let params = PatchParams::apply(MANAGER).force();
        let patch = Patch::Apply(wanted.applied(target));
        self.cluster.outlast(&format!("patch leases/{name}"), || api.patch_metadata(&name, &params, &patch)).await?;
        Ok(())
    }
}

fn to_lock(target: &Target, standing: Standing, beat: Duration) -> Lock {
    let remote = standing.hold.as_ref().is_some_and(|hold| !hold.owner.is_here());
    let ended = standing.hold.as_ref().is_some_and(|hold| !remote && !hold.owner.process.is_alive());
    let (run, owner) = standing.hold.map(|hold| (hold.run, hold.owner)).unzip();
    Lock {
        target: target.clone(),
        epoch: standing.epoch,
        run,
        owner,
        beat,
        beat_at: standing.renewed,
        ttl: standing.ttl,
        remote,
        ended,
    }
}
