//! The guardian: `runs recover` in a loop over the run store, nothing more.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Context, Event, Events, Mode, Outcome, Plan, Role, StopSignal, load, recover};
use crate::{
    error::Error,
    journal::Store,
    model::RunId,
    ports::{Clock, Notify},
};

/// How often the guardian looks whether an owner is gone.
const PATROL: Duration = Duration::from_millis(250);

/// How long the guardian tries to act for a run whose platform, or store, does not let it.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

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

/// Watches over one run until it is over: acts when its owner is gone, and looks after it while it is held.
///
/// # Errors
/// Where the journal is not what was written (nothing is touched then, for it cannot be known what was there before),
/// or where the platform or the store have not let it act for a quarter of an hour.
pub async fn keep_guard(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    rebuild: &dyn Rebuild,
    events: &Arc<dyn Events>,
    run: &RunId,
    stop: &StopSignal,
) -> Result<Outcome, Error> {
    let mut failing_since = None;
    loop {
        match patrol(store, clock, rebuild, events, run, stop).await {
            Ok(Some(outcome)) => return Ok(outcome),
            Ok(None) => failing_since = None,
            Err(e @ Error::Tampered { .. }) => return Err(e),
            Err(e) => {
                let since = *failing_since.get_or_insert_with(|| clock.now());
                events.event(&Event::Remark(&e.to_string()));
                if clock.now().since(&since) > PATIENCE {
                    return Err(e);
                }
                clock.sleep(PATROL * 4).await;
            }
        }
        clock.sleep(PATROL).await;
    }
}

/// Looks once at the run, and acts where its owner is gone; says how it ended, if it did.
async fn patrol(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    rebuild: &dyn Rebuild,
    events: &Arc<dyn Events>,
    run: &RunId,
    stop: &StopSignal,
) -> Result<Option<Outcome>, Error> {
    let stored = load(&**store, run).await?;
    match (stored.mode(), &stored.lock) {
        (Mode::Finished(outcome), None) => return Ok(Some(outcome)),
        (Mode::Finished(outcome), Some(_)) if outcome.needs_person() => return Ok(Some(outcome)),
        (_, Some(lock)) if lock.is_abandoned(&clock.now()) => {}
        _ => return Ok(None),
    }
    let context = Context {
        store: store.clone(),
        operation: rebuild.operation(&stored.plan).await?,
        clock: clock.clone(),
        events: events.clone(),
        notify: rebuild.notify(&stored.plan),
        stop: stop.clone(),
    };
    match recover(&context, &stored, Role::Guardian).await {
        Ok(outcome) => Ok(Some(outcome)),
        // Someone was faster, or a person took a held run back: go on watching.
        Err(Error::Superseded { .. } | Error::Refused { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}
