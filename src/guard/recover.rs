//! How a run gets an owner: begun, taken over, resumed, aborted, settled. All of them end in the one loop.

use std::time::Duration;

use super::{Context, Entry, Event, Gate, Mode, Operation, Outcome, Override, Plan, Role, drive, entries, fold};
use crate::{
    error::Error,
    journal::{Grant, Lock, Owner},
    model::{Epoch, RunId},
    ports::{Opening, Store},
};

/// How often a person's word is tried against owners who come at the same time.
const SEIZE_TRIES: u32 = 5;

/// The first epoch that is none of ours: a Lease counts no further.
const HIGHEST: u64 = 0x7fff_ffff;

/// How often another id is drawn for a run whose id is taken.
const DRAWS: u32 = 100;

/// How often an owner elsewhere is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How much longer than its time to live it is looked at, so that a look falls behind its end.
const MARGIN: Duration = Duration::from_secs(5);

/// A run as it stands in its store.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its name.
    pub run: RunId,
    /// Its plan.
    pub plan: Plan,
    /// All that happened.
    pub entries: Vec<Entry>,
    /// Its target's lock, if the run still holds it.
    pub lock: Option<Lock>,
}

impl Stored {
    /// Which way the run goes.
    #[must_use]
    pub fn mode(&self) -> Mode {
        fold(&self.plan, &self.entries).mode
    }
}

/// Reads a run.
///
/// # Errors
/// Where there is no such run, or its journal is not what was written.
pub async fn load(store: &dyn Store, run: &RunId) -> Result<Stored, Error> {
    let entries = entries(&store.load(run).await?)?;
    if let Some(Entry::Pruned { ended, outcome, .. }) = entries.first() {
        let what = format!("run {run} ended {ended:.0} as {}, and its records are pruned", outcome.word());
        return Err(Error::usage(what, format!("`interlock runs show {run}` tells what is left")));
    }
    let Some(Entry::Planned { plan }) = entries.first() else {
        return Err(Error::usage(format!("run {run} has no plan"), "it never began; nothing was touched"));
    };
    let plan = (**plan).clone();
    let lock = store.lock(&plan.target).await?.filter(|lock| lock.run.as_ref() == Some(run));
    Ok(Stored { run: run.clone(), plan, entries, lock })
}

/// What a run begins with, found before its target is locked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Start<'a> {
    /// The answers of its gates.
    pub gates: &'a [Gate],
    /// The gates that are gone past.
    pub overrides: &'a [Override],
    /// The highest epoch that its objects bear, see [`least_epoch`].
    pub least: Epoch,
}

/// The highest epoch that the objects at these keys bear: they may remember terms of a lock that was lost since, and a run has to
/// begin above them.
///
/// # Errors
/// Where an object cannot be asked; [`Error::Refused`] where one is ahead of the target's lock while other runs are at work, since
/// it may be one of them that has marked it.
pub async fn least_epoch(
    (store, operation): (&dyn Store, &dyn Operation),
    keys: impl Iterator<Item = &str> + Send,
    plan: &Plan,
) -> Result<Epoch, Error> {
    let mut highest = Epoch(0);
    for key in keys {
        let found = operation.epoch(key).await;
        let found = found.map_err(|e| Error::port(e, "nothing was touched; the gates say what has to answer first"))?;
        highest = highest.max(found);
    }
    let known = store.lock(&plan.target).await?.map_or(Epoch(0), |lock| lock.epoch);
    if highest > known {
        is_left_behind(store, plan, highest).await?;
    }
    Ok(highest)
}

/// Makes sure that an epoch is no other run's that is at work now.
async fn is_left_behind(store: &dyn Store, plan: &Plan, found: Epoch) -> Result<(), Error> {
    let what = || format!("lock: {} bears epoch {found}, which its lock has never given", plan.target);
    if found.0 >= HIGHEST {
        return Err(Error::Refused { what: what(), hint: "take the annotation interlock/epoch from it".to_owned() });
    }
    for run in store.holding().await? {
        let Ok(Stored { lock: Some(_), plan: other, .. }) = load(store, &run).await else { continue };
        if other.target != plan.target {
            return Err(Error::Refused {
                what: format!("{}, and run {run} ({}) is at work", what(), other.title),
                hint: format!("it may be that run's: wait for it, or end it: `interlock runs abort {run}`"),
            });
        }
    }
    Ok(())
}

/// Locks the target and writes the plan and the gates' answers, so that from here on the journal tells all. Where another
/// run has the id this one gets another, which is in the grant.
///
/// # Errors
/// [`Error::Refused`] names the holder where the target is locked; store errors leave nothing locked.
pub async fn begin(store: &dyn Store, run: &RunId, plan: &Plan, start: &Start<'_>) -> Result<Grant, Error> {
    let Start { gates, overrides, least } = *start;
    let owner = store.owner()?;
    let grant = open(store, run, plan, &owner, least).await?;
    let gated = gates.iter().map(|gate| Entry::gated(gate, overrides));
    let opening = std::iter::once(Entry::Planned { plan: Box::new(plan.clone()) })
        .chain(gated)
        .chain([Entry::Owned { owner, role: Role::Operator }]);
    for entry in opening {
        if let Err(e) = append(store, &grant, &entry).await {
            let _ = store.release(&grant).await;
            return Err(e);
        }
    }
    Ok(grant)
}

async fn open(store: &dyn Store, run: &RunId, plan: &Plan, owner: &Owner, least: Epoch) -> Result<Grant, Error> {
    let mut opening = Opening { least, ..Opening::new(run, &plan.target, owner, plan.ttl.0) };
    for _ in 1..DRAWS {
        match store.open(&opening).await {
            Err(Error::Taken { .. }) => opening.run = opening.run.another(),
            opened => return opened,
        }
    }
    store.open(&opening).await
}

/// Ends a run that cannot begin after all, with nothing touched, and gives its target free.
///
/// # Errors
/// Where the journal cannot be written.
pub async fn give_up(store: &dyn Store, grant: &Grant, outcome: Outcome) -> Result<(), Error> {
    append(store, grant, &Entry::Finished { outcome }).await?;
    store.release(grant).await
}

/// Takes over a run whose owner is gone, and puts things back.
///
/// # Errors
/// [`Error::Refused`] where the owner is alive and well.
pub async fn recover(context: &Context, stored: &Stored, role: Role) -> Result<Outcome, Error> {
    if let (Mode::Held { why, .. }, Role::Recover) = (stored.mode(), role) {
        return Err(Error::Refused {
            what: format!("run {} is held: {why}", stored.run),
            hint: format!("decide: `interlock runs resume {} --keep`, `--undo` or `--watch`", stored.run),
        });
    }
    let grant = take(context, stored, role).await?;
    drive(context, &grant).await
}

/// Ends a run, whether its owner is alive or not, and puts things back. Never gated.
///
/// # Errors
/// [`Error::Usage`] where the run is over.
pub async fn abort(context: &Context, stored: &Stored) -> Result<Outcome, Error> {
    let grant = seize(&*context.store, stored, Role::Abort).await?;
    drive(context, &grant).await
}

/// Takes over from an owner who is gone.
pub(super) async fn take(context: &Context, stored: &Stored, role: Role) -> Result<Grant, Error> {
    let mut lock = held_lock(stored)?.clone();
    let waits = matches!(stored.mode(), Mode::Finished(_));
    if !waits && lock.remote {
        lock = until_silent(context, stored, lock).await?;
    }
    if !waits && !lock.is_abandoned(&context.clock.now()) {
        return Err(is_alive(stored, &lock));
    }
    take_from(&*context.store, &lock, role).await
}

/// Looks at an owner on another machine until it has been silent for its time to live, since nothing else shows that it is
/// gone; its first sign of life ends the wait.
async fn until_silent(context: &Context, stored: &Stored, first: Lock) -> Result<Lock, Error> {
    let Context { store, clock, events, .. } = context;
    let begun = clock.now();
    let mut lock = first.clone();
    if !lock.is_abandoned(&begun) {
        let owner = lock.owner.as_ref().map(ToString::to_string).unwrap_or_default();
        let told = format!(
            "{owner} is on another machine: waiting {} s for a sign of life, last seen {:.0}",
            lock.ttl.as_secs(),
            lock.beat_at
        );
        events.event(&Event::Remark(&told));
    }
    while !lock.is_abandoned(&clock.now()) && clock.now().since(&begun) < lock.ttl + MARGIN {
        clock.sleep(LOOK).await;
        let standing = store.lock(&lock.target).await?;
        lock = standing.filter(|now| now.run == first.run).ok_or_else(|| is_over(&stored.run))?;
        if (lock.beat_at, lock.epoch) != (first.beat_at, first.epoch) {
            return Err(is_alive(stored, &lock));
        }
    }
    Ok(lock)
}

fn is_alive(stored: &Stored, lock: &Lock) -> Error {
    let owner = lock.owner.as_ref().map(ToString::to_string).unwrap_or_default();
    Error::Refused {
        what: format!("run {} belongs to {owner}, who is alive", stored.run),
        hint: format!("wait for it, or end it: `interlock runs abort {}`", stored.run),
    }
}

/// Takes a run from its owner for a person, also where another owner takes it at the very same time: right after a run
/// was held its guardian does.
pub(super) async fn seize(store: &dyn Store, stored: &Stored, role: Role) -> Result<Grant, Error> {
    let mut lock = held_lock(stored)?.clone();
    for _ in 1..SEIZE_TRIES {
        match take_from(store, &lock, role).await {
            // Its owner was taken for gone, and is not.
            Err(Error::Superseded { .. } | Error::Refused { .. }) => {
                let standing = store.lock(&lock.target).await?;
                lock = standing.filter(|now| now.run == lock.run).ok_or_else(|| is_over(&stored.run))?;
            }
            other => return other,
        }
    }
    take_from(store, &lock, role).await
}

async fn take_from(store: &dyn Store, lock: &Lock, role: Role) -> Result<Grant, Error> {
    let owner = store.owner()?;
    let grant = store.take_over(lock, &owner).await?;
    append(store, &grant, &Entry::Owned { owner, role }).await?;
    Ok(grant)
}

fn held_lock(stored: &Stored) -> Result<&Lock, Error> {
    stored.lock.as_ref().ok_or_else(|| is_over(&stored.run))
}

fn is_over(run: &RunId) -> Error {
    Error::usage(format!("run {run} is over"), format!("`interlock runs show {run}` tells how"))
}

pub(super) async fn append(store: &dyn Store, grant: &Grant, entry: &Entry) -> Result<(), Error> {
    let draft = entry.draft()?;
    super::cut::before_record();
    store.append(grant, draft).await?;
    super::cut::after_record();
    Ok(())
}
