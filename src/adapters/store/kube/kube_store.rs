//! The run store in a namespace of a cluster.
//!
//! ```text
//! Lease interlock-tenant                            who holds the target `tenant`, and the highest epoch ever given
//! ConfigMap interlock-run-20261121-093000-1f2e-000  the records, one key each, and how the run stands
//! ConfigMap interlock-run-20261121-093000-1f2e-001  more of them, from 256 KiB on
//! ConfigMap interlock-run-20261121-093000-1f2e-snapshot-1-0-0  where the series stand, as the last look says that names it
//! Lease interlock-guardian                          which guardian acts
//! ```
//!
//! Every write is conditioned on the version that was read before it, waits out an outage of the API server, and can be
//! told from one that was never made when its answer was lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;

use super::{
    chunk,
    guardian::{self, Guardian},
    journals::Journals,
    lease::{Hold, Standing},
    locks::{Change, Locks},
    names::LOCK,
    snapshots,
    status::EventRecorder,
    trouble::trouble,
};
use crate::{
    adapters::kube::{Cluster, PART, RUN},
    error::Error,
    journal::{Digest, Draft, Grant, Lock, Owner, Record, held, superseded},
    model::{Epoch, RunId, Target, Timestamp},
    ports::{Clock, Glance, Opening, Store},
};

/// How often an owner elsewhere is looked at who has not written a record yet.
const LOOK: Duration = Duration::from_secs(1);

/// A run store in a namespace of a cluster.
pub struct KubeStore {
    cluster: Cluster,
    clock: Arc<dyn Clock>,
    locks: Locks,
    journals: Journals,
    events: EventRecorder,
}

impl KubeStore {
    /// The store of a namespace.
    #[must_use]
    pub fn new(cluster: Cluster, clock: Arc<dyn Clock>) -> Self {
        Self {
            locks: Locks::new(cluster.clone(), clock.clone()),
            journals: Journals::new(cluster.clone()),
            events: EventRecorder::new(cluster.clone()),
            cluster,
            clock,
        }
    }

    /// The guardian that is alive in the cluster, if one is. Where its last sign of life looks old it is waited for
    /// another, since two machines' clocks may differ.
    ///
    /// # Errors
    /// Where the cluster cannot be asked.
    pub async fn guardian(&self) -> Result<Option<Guardian>, Error> {
        guardian::alive(&self.cluster, &*self.clock).await.map_err(|e| trouble(&self.cluster, e))
    }

    /// The lock as others are to see it: an owner that was gone before the first record has touched nothing and left
    /// nothing to recover, and does not hold the target.
    ///
    /// Of an owner elsewhere only silence tells that it is gone, so one that has written nothing yet is looked at until
    /// it writes, gives a sign of life, or has been silent for its time to live. Nobody could recover its run.
    async fn standing_lock(&self, target: &Target) -> Result<Option<Lock>, Error> {
        let mut first: Option<Lock> = None;
        loop {
            let Some(lock) = self.locks.lock(target).await? else { return Ok(None) };
            let Some(run) = &lock.run else { return Ok(Some(lock)) };
            let abandoned = lock.is_abandoned(&self.clock.now());
            let gives_signs =
                first.as_ref().is_some_and(|first| first.beat_at != lock.beat_at || first.run != lock.run);
            let alive = !abandoned && (!lock.remote || gives_signs);
            if alive || self.journals.has_begun(run).await? {
                return Ok(Some(lock));
            }
            if abandoned {
                return Ok(Some(Lock { run: None, owner: None, ..lock }));
            }
            first.get_or_insert(lock);
            self.clock.sleep(LOOK).await;
        }
    }

    /// A claim to a target, which no other claim of this process is the same as: whoever finds it in the Lease after an
    /// answer was lost knows that it was this very one that went through.
    fn claim(&self, run: &RunId, owner: &Owner) -> Hold {
        static LAST: AtomicI64 = AtomicI64::new(0);
        let now = self.clock.now().wall.as_microsecond();
        let last = LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(now.max(last + 1)));
        let acquired = Timestamp::from_microsecond(last.map_or(now, |last| now.max(last + 1)));
        Hold { run: run.clone(), owner: owner.clone(), acquired: acquired.unwrap_or_default() }
    }

    /// Takes a free target, or one whose owner never began, at the epoch that it was seen with.
    async fn lock_for(&self, opening: &Opening, seen: Epoch) -> Result<Epoch, Error> {
        let Opening { run, target, owner, ttl, least } = opening;
        let claim = self.claim(run, owner);
        self.locks
            .change(target, |found, again| {
                let before = found.map_or(Epoch(0), |standing| standing.epoch);
                if let Some(standing) = found
                    && let Some(hold) = &standing.hold
                {
                    if again && *hold == claim {
                        return Ok(Change::Done(standing.epoch));
                    }
                    if standing.epoch != seen {
                        return Err(held(&as_lock(target, standing, hold), &hold.run));
                    }
                }
                let epoch = before.max(*least).next();
                let hold = Some(claim.clone());
                let renewed = self.clock.now().wall;
                Ok(Change::Write(Box::new(Standing { version: String::new(), epoch, hold, renewed, ttl: *ttl }), epoch))
            })
            .await
    }

    async fn unlock(&self, grant: &Grant) -> Result<(), Error> {
        self.locks
            .change(&grant.target, |found, again| match found {
                Some(standing) if standing.is(&grant.run, grant.epoch) => {
                    Ok(Change::Write(Box::new(Standing { hold: None, ..standing.clone() }), ()))
                }
                Some(standing) if again && standing.epoch == grant.epoch && standing.hold.is_none() => {
                    Ok(Change::Done(()))
                }
                other => Err(superseded(grant, other.map_or(Epoch(0), |standing| standing.epoch))),
            })
            .await
    }
}

fn as_lock(target: &Target, standing: &Standing, hold: &Hold) -> Lock {
    Lock {
        target: target.clone(),
        epoch: standing.epoch,
        run: Some(hold.run.clone()),
        owner: Some(hold.owner.clone()),
        beat: Duration::ZERO,
        beat_at: standing.renewed,
        ttl: standing.ttl,
        remote: !hold.owner.is_here(),
        ended: hold.owner.is_here() && !hold.owner.process.is_alive(),
    }
}

fn no_run(run: &RunId, cluster: &Cluster) -> Error {
    Error::usage(
        format!("no run {run} in namespace {} of {}", cluster.namespace, cluster.place()),
        "`interlock runs list` names them",
    )
}

#[async_trait]
impl Store for KubeStore {
    fn owner(&self) -> Result<Owner, Error> {
        Owner::current()
    }

    async fn open(&self, opening: &Opening) -> Result<Grant, Error> {
        let before = self.standing_lock(&opening.target).await?;
        if let Some(lock) = &before
            && let Some(holder) = &lock.run
        {
            return Err(held(lock, holder));
        }
        let seen = before.map_or(Epoch(0), |lock| lock.epoch);
        let epoch = self.lock_for(opening, seen).await?;
        let Opening { run, target, ttl, .. } = opening.clone();
        let grant = Grant { run, target, epoch, ttl };
        if let Err(e) = self.journals.open(&grant.run, &grant.target, epoch).await {
            let _ = self.unlock(&grant).await;
            return Err(e);
        }
        Ok(grant)
    }

    async fn take_over(&self, seen: &Lock, owner: &Owner) -> Result<Grant, Error> {
        let run = seen.run.clone();
        let lost = |theirs: Epoch| Error::Superseded {
            run: seen.run.as_ref().map(ToString::to_string).unwrap_or_default(),
            ours: seen.epoch.0,
            theirs: theirs.0,
        };
        let Some(run) = run else { return Err(lost(seen.epoch)) };
        let (epoch, claim) = (seen.epoch.next(), self.claim(&run, owner));
        let ttl = self
            .locks
            .change(&seen.target, |found, again| match found {
                None => {
                    Err(Error::usage(format!("{} is not locked", seen.target), "`interlock runs list` shows the runs"))
                }
                Some(standing) if standing.is(&run, seen.epoch) => {
                    let hold = Some(claim.clone());
                    let renewed = self.clock.now().wall;
                    let wanted = Standing { epoch, hold, renewed, ..standing.clone() };
                    Ok(Change::Write(Box::new(wanted), standing.ttl))
                }
                Some(standing) if again && standing.epoch == epoch && standing.hold.as_ref() == Some(&claim) => {
                    Ok(Change::Done(standing.ttl))
                }
                Some(standing) => Err(lost(standing.epoch)),
            })
            .await?;
        self.journals.fence(&run, &seen.target, epoch).await?;
        let before = seen.owner.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
        self.events.taken_over(&seen.target, &run, &before).await;
        Ok(Grant { run, target: seen.target.clone(), epoch, ttl })
    }

    async fn beat(&self, grant: &Grant) -> Result<(), Error> {
        self.locks
            .change(&grant.target, |found, _| match found {
                Some(standing) if standing.is(&grant.run, grant.epoch) => {
                    let renewed = self.clock.now().wall;
                    Ok(Change::Write(Box::new(Standing { renewed, ..standing.clone() }), ()))
                }
                other => Err(superseded(grant, other.map_or(Epoch(0), |standing| standing.epoch))),
            })
            .await
    }

    async fn check(&self, grant: &Grant) -> Result<(), Error> {
        match self.locks.standing(&grant.target).await? {
            Some(standing) if standing.is(&grant.run, grant.epoch) => Ok(()),
            other => Err(superseded(grant, other.map_or(Epoch(0), |standing| standing.epoch))),
        }
    }

    async fn release(&self, grant: &Grant) -> Result<(), Error> {
        self.journals.forget(&grant.run);
        self.unlock(grant).await
    }

    async fn free(&self, seen: &Lock, _: &Owner, _: &str) -> Result<(), Error> {
        let epoch = seen.epoch.next();
        self.locks
            .change(&seen.target, |found, again| match found {
                None => Ok(Change::Done(())),
                Some(standing)
                    if standing.epoch == seen.epoch
                        && standing.hold.as_ref().map(|hold| &hold.run) == seen.run.as_ref() =>
                {
                    Ok(Change::Write(Box::new(Standing { epoch, hold: None, ..standing.clone() }), ()))
                }
                Some(standing) if again && standing.epoch == epoch && standing.hold.is_none() => Ok(Change::Done(())),
                Some(standing) => Err(Error::Superseded {
                    run: seen.run.as_ref().map(ToString::to_string).unwrap_or_default(),
                    ours: seen.epoch.0,
                    theirs: standing.epoch.0,
                }),
            })
            .await
    }

    async fn append(&self, grant: &Grant, draft: Draft) -> Result<Record, Error> {
        // The newest part of the journal is fenced, so that what we have last written there ourselves is enough to know.
        let tail = match self.journals.known_tail(&grant.run) {
            Some(tail) => tail,
            None => {
                self.check(grant).await?;
                let found = self.journals.read(&grant.run).await?;
                found.ok_or_else(|| no_run(&grant.run, &self.cluster))?.1
            }
        };
        let record = self.journals.append(grant, tail, self.clock.now().wall, &draft).await?;
        if let Some(milestone) = &draft.milestone {
            self.events.milestone(&grant.target, &grant.run, milestone).await;
        }
        Ok(record)
    }

    async fn save_snapshot(&self, grant: &Grant, turn: u8, text: &str) -> Result<(), Error> {
        self.check(grant).await?;
        let saved = snapshots::save(&self.cluster, &grant.run, (grant.epoch, turn), text).await;
        saved.map_err(|e| trouble(&self.cluster, e))
    }

    async fn snapshot(&self, run: &RunId, term: Epoch, turn: u8) -> Result<Option<String>, Error> {
        snapshots::read(&self.cluster, run, (term, turn)).await.map_err(|e| trouble(&self.cluster, e))
    }

    async fn load(&self, run: &RunId) -> Result<Vec<Record>, Error> {
        let found = self.journals.read(run).await?;
        found.map(|(records, _)| records).ok_or_else(|| no_run(run, &self.cluster))
    }

    async fn head(&self, run: &RunId) -> Result<Digest, Error> {
        let found = self.journals.read(run).await?;
        found.map(|(_, tail)| tail.chain.hash).ok_or_else(|| no_run(run, &self.cluster))
    }

    async fn runs(&self) -> Result<Vec<RunId>, Error> {
        self.journals.runs().await
    }

    async fn glance(&self) -> Result<Vec<Glance>, Error> {
        self.journals.glance().await
    }

    async fn prune(&self, run: &RunId, checkpoint: Draft) -> Result<Record, Error> {
        self.journals.prune(run, self.clock.now().wall, checkpoint.entry).await
    }

    async fn half_pruned(&self) -> Result<Vec<RunId>, Error> {
        self.journals.half_pruned().await
    }

    async fn holding(&self) -> Result<Vec<RunId>, Error> {
        let api = self.cluster.api::<Lease>();
        let params = ListParams::default().labels(&format!("{PART}={LOCK}"));
        let found = self.cluster.outlast("list leases", || api.list(&params)).await;
        let leases = found.map_err(|e| trouble(&self.cluster, e))?;
        let held = |lease: &&Lease| {
            let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
            holder.is_some_and(|holder| !holder.is_empty())
        };
        let run = |lease: &Lease| RunId::parse(lease.metadata.annotations.as_ref()?.get(RUN)?).ok();
        let mut runs: Vec<_> = leases.items.iter().filter(held).filter_map(run).collect();
        runs.sort();
        Ok(runs)
    }

    async fn lock(&self, target: &Target) -> Result<Option<Lock>, Error> {
        self.standing_lock(target).await
    }

    fn room(&self) -> Option<u64> {
        Some(chunk::ROOM)
    }

    fn is_exhausted(&self, run: &RunId) -> bool {
        self.journals.is_exhausted(run)
    }
}
