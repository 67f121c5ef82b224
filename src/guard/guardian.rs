//! The guardian: `runs recover` in a loop over the run store, nothing more.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::watch, task::JoinSet};

use super::{Context, Event, Events, Mode, Outcome, Plan, Role, StopSignal, load, recover};
use crate::{
    error::Error,
    model::{Epoch, RunId, Target},
    ports::{Clock, Notify, Store},
};

/// How long the guardian of one run looks for a journal that is gone.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How many different complaints it makes in a row; each may name something else of an endless number.
const COMPLAINTS: usize = 64;

/// Builds an operation and its receivers of notices from what a journal says.
#[async_trait]
pub trait Rebuild: Send + Sync {
    /// Binds the plan's operation to the platform that the plan names.
    ///
    /// # Errors
    /// Where this release does not know the operation or its platform.
    async fn operation(&self, plan: &Plan) -> Result<Arc<dyn super::Operation>, Error>;
    /// Binds the receivers of notices that the plan's platform names.
    fn notify(&self, plan: &Plan) -> Vec<Arc<dyn Notify>>;
}

/// What a guardian needs to look after runs.
#[derive(Clone)]
pub struct Guard {
    /// Where the runs are kept.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What their plans mean.
    pub rebuild: Arc<dyn Rebuild>,
    /// How often it looks whether an owner is gone.
    pub pace: Duration,
}

/// Makes the renderer of one run's events.
pub type EventsOf = dyn Fn(&RunId) -> Arc<dyn Events> + Send + Sync;

/// Watches over one run until it is over: acts when its owner is gone, and looks after it while it is held. It never tires
/// of a platform or a store that does not let it act, and complains once of each thing that is in its way.
///
/// # Errors
/// Where the journal is not what was written (nothing is touched then, for it cannot be known what was there before),
/// or where there has been none for a quarter of an hour, such as when its folder was removed.
pub async fn keep_guard(guard: &Guard, events: &Arc<dyn Events>, run: &RunId) -> Result<Outcome, Error> {
    let mut patrol = Patrol::of(guard, events, run);
    let mut complaints = HashSet::new();
    let mut gone_since = None;
    loop {
        match patrol.look().await {
            Ok(Some(outcome)) => return Ok(outcome),
            Ok(None) => complaints.clear(),
            Err(e @ Error::Tampered { .. }) => return Err(e),
            Err(e) => {
                let said = e.to_string();
                if complaints.len() < COMPLAINTS && complaints.insert(said.clone()) {
                    events.event(&Event::Remark(&said));
                }
                if patrol.journal_is_gone
                    && guard.clock.now().since(gone_since.get_or_insert_with(|| guard.clock.now())) > PATIENCE
                {
                    return Err(e);
                }
                guard.clock.sleep(guard.pace * 4).await;
            }
        }
        if !patrol.journal_is_gone {
            gone_since = None;
        }
        guard.clock.sleep(guard.pace).await;
    }
}

/// Watches over all runs of a store, several at once, as long as it is this guardian that acts, until `stop` has a reason.
///
/// When another one is to act, or at the end, it drops what it does at once: a run that it was putting back has an owner
/// that is gone, and whoever acts next goes on with it.
///
/// What concerns no single run, such as a store that does not answer, is told to `general`.
pub async fn keep_all(
    guard: &Guard,
    general: &Arc<dyn Events>,
    events: &EventsOf,
    mut leading: watch::Receiver<bool>,
    mut stop: StopSignal,
) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            Ok(_) = leading.wait_for(|leads| *leads) => {}
            _ = stop.wait_for(Option::is_some) => return,
        }
        tokio::select! {
            () = lead(guard, general, events, &mut tasks) => {}
            _ = leading.wait_for(|leads| !*leads) => {}
            _ = stop.wait_for(Option::is_some) => {}
        }
        tasks.shutdown().await;
    }
}

/// How a run was left that needs no guardian for now: its target, and its term there.
type Settled = Option<(Target, Epoch)>;

async fn lead(guard: &Guard, general: &Arc<dyn Events>, events: &EventsOf, tasks: &mut JoinSet<(RunId, Settled)>) {
    let mut complaint = String::new();
    let mut kept: HashSet<RunId> = HashSet::new();
    let mut settled: HashMap<RunId, Settled> = HashMap::new();
    loop {
        while let Some(done) = tasks.try_join_next() {
            let Ok((run, how)) = done else { continue };
            kept.remove(&run);
            settled.insert(run, how);
        }
        let runs = match guard.store.holding().await {
            Ok(runs) => runs,
            Err(e) => {
                let said = format!("{e}; {}", e.hint());
                if said != complaint {
                    general.event(&Event::Remark(&said));
                    complaint = said;
                }
                guard.clock.sleep(guard.pace * 4).await;
                continue;
            }
        };
        complaint.clear();
        settled.retain(|run, _| runs.contains(run));
        for run in runs {
            if kept.contains(&run) || stays_settled(guard, &run, &settled).await {
                continue;
            }
            settled.remove(&run);
            kept.insert(run.clone());
            tasks.spawn(keep_one(guard.clone(), events(&run), run));
        }
        guard.clock.sleep(guard.pace).await;
    }
}

/// Whether nobody has taken the run up again since it was left.
async fn stays_settled(guard: &Guard, run: &RunId, settled: &HashMap<RunId, Settled>) -> bool {
    match settled.get(run) {
        None => false,
        Some(None) => true,
        Some(Some((target, epoch))) => {
            guard.store.lock(target).await.map_or(true, |lock| lock.is_none_or(|lock| lock.epoch == *epoch))
        }
    }
}

/// Watches over one run of many: never tires of it, and complains once of what is in its way.
async fn keep_one(guard: Guard, events: Arc<dyn Events>, run: RunId) -> (RunId, Settled) {
    let mut patrol = Patrol::of(&guard, &events, &run);
    let mut complaints = (String::new(), 0);
    loop {
        match patrol.look().await {
            Ok(Some(_)) => break,
            Ok(None) => complaints = (String::new(), 0),
            Err(e) => {
                let said = e.to_string();
                complaints = if complaints.0 == said { (said, complaints.1 + 1) } else { (said, 1) };
                // Once may be a run that is just about to write its plan.
                if complaints.1 == 2 {
                    events.event(&Event::Remark(&complaints.0));
                }
                if matches!(e, Error::Tampered { .. }) {
                    events.event(&Event::Remark(e.hint()));
                    break;
                }
                guard.clock.sleep(guard.pace * 4).await;
            }
        }
        guard.clock.sleep(guard.pace).await;
    }
    let target = patrol.target;
    let lock = match &target {
        Some(target) => guard.store.lock(target).await.ok().flatten(),
        None => None,
    };
    let settled = target.zip(lock.map(|lock| lock.epoch));
    (run, settled)
}

/// One run that is looked after.
struct Patrol<'a> {
    guard: &'a Guard,
    events: &'a Arc<dyn Events>,
    run: &'a RunId,
    /// What it locks, once its plan was read.
    target: Option<Target>,
    /// Whether there was no journal at the last look, or none that has a plan.
    journal_is_gone: bool,
}

impl<'a> Patrol<'a> {
    const fn of(guard: &'a Guard, events: &'a Arc<dyn Events>, run: &'a RunId) -> Self {
        Self { guard, events, run, target: None, journal_is_gone: false }
    }

    /// Looks once at the run, and acts where its owner is gone; says how it ended, if it did.
    async fn look(&mut self) -> Result<Option<Outcome>, Error> {
        let Guard { store, clock, rebuild, .. } = self.guard;
        if let Some(target) = &self.target {
            // The lock alone tells that all is well; the journal may be long.
            let lock = store.lock(target).await?;
            if lock.is_some_and(|lock| lock.run.as_ref() == Some(self.run) && !lock.is_abandoned(&clock.now())) {
                return Ok(None);
            }
        }
        let loaded = load(&**store, self.run).await;
        self.journal_is_gone = matches!(loaded, Err(Error::Usage { .. }));
        let stored = loaded?;
        self.target = Some(stored.plan.target.clone());
        match (stored.mode(), &stored.lock) {
            (Mode::Finished(outcome), None) => return Ok(Some(outcome)),
            (Mode::Finished(outcome), Some(_)) if outcome.needs_person() => return Ok(Some(outcome)),
            (_, Some(lock)) if lock.is_abandoned(&clock.now()) => {}
            _ => return Ok(None),
        }
        let (_, never) = watch::channel(None);
        let context = Context {
            store: store.clone(),
            operation: rebuild.operation(&stored.plan).await?,
            clock: clock.clone(),
            events: self.events.clone(),
            notify: rebuild.notify(&stored.plan),
            // Nothing but the end of the run ends what a guardian has begun, or its own death.
            stop: never,
        };
        match recover(&context, &stored, Role::Guardian).await {
            Ok(outcome) => Ok(Some(outcome)),
            // Someone was faster, or a person took a held run back: go on watching.
            Err(Error::Superseded { .. } | Error::Refused { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }
}
