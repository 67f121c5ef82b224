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
/// Where the journal is not what was written: then nothing is touched, for it cannot be known what was there before.
pub async fn keep_guard(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    rebuild: &dyn Rebuild,
    events: &Arc<dyn Events>,
    run: &RunId,
    stop: &StopSignal,
) -> Result<Outcome, Error> {
    loop {
        let stored = load(&**store, run).await?;
        let mode = stored.mode();
        match (&mode, &stored.lock) {
            (Mode::Finished(outcome), None) => return Ok(outcome.clone()),
            (Mode::Finished(outcome), Some(_)) if outcome.needs_person() => return Ok(outcome.clone()),
            (_, Some(lock)) if lock.is_abandoned(&clock.now()) => {
                let context = Context {
                    store: store.clone(),
                    operation: rebuild.operation(&stored.plan).await?,
                    clock: clock.clone(),
                    events: events.clone(),
                    notify: rebuild.notify(&stored.plan),
                    stop: stop.clone(),
                };
                match recover(&context, &stored, Role::Guardian).await {
                    // Someone was faster, or a person took a held run back: go on watching.
                    Err(Error::Superseded { .. } | Error::Refused { .. }) => {}
                    Err(e @ Error::Store { .. }) => events.event(&Event::Remark(&e.to_string())),
                    other => return other,
                }
            }
            _ => {}
        }
        clock.sleep(PATROL).await;
    }
}
