//! An owner's signs of life: given while its run makes progress, and the first to notice that the run is no longer its own.

use std::time::Duration;

use tokio::{sync::watch, task::JoinHandle};

use super::Context;
use crate::{
    error::Error,
    journal::{Grant, Store},
    ports::Clock,
};

/// After this long without progress the owner stops giving signs of life, so that its guardian acts.
const STALL: Duration = Duration::from_secs(120);

/// Gives signs of life while the run makes progress, and notices when it is no longer ours.
pub(super) struct Heart {
    task: JoinHandle<()>,
    lost: watch::Receiver<Option<(u64, u64)>>,
    run: String,
}

impl Heart {
    pub(super) fn start(context: &Context, grant: &Grant) -> (watch::Sender<()>, Self) {
        let (progress, seen) = watch::channel(());
        let (lose, lost) = watch::channel(None);
        let (store, clock, grant) = (context.store.clone(), context.clock.clone(), grant.clone());
        let run = grant.run.to_string();
        let task = tokio::spawn(async move { beat(&*store, &*clock, &grant, seen, lose).await });
        (progress, Self { task, lost, run })
    }

    /// Waits until the run is no longer ours; `None` where the heart has stopped for another reason.
    pub(super) async fn stopped(&self) -> Option<Error> {
        let mut lost = self.lost.clone();
        let (ours, theirs) = (*lost.wait_for(Option::is_some).await.ok()?)?;
        Some(Error::Superseded { run: self.run.clone(), ours, theirs })
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn beat(
    store: &dyn Store,
    clock: &dyn Clock,
    grant: &Grant,
    mut progress: watch::Receiver<()>,
    lose: watch::Sender<Option<(u64, u64)>>,
) {
    let mut last_progress = clock.now();
    // Real time, not the clock port's: a test's clock that never waits must not beat a thousand times a second.
    let mut ticks = tokio::time::interval(grant.ttl / 5);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = clock.now();
        if progress.has_changed().unwrap_or(false) {
            progress.mark_unchanged();
            last_progress = now;
        }
        if now.since(&last_progress) > STALL.max(grant.ttl) {
            continue;
        }
        if let Err(Error::Superseded { ours, theirs, .. }) = store.beat(grant).await {
            lose.send_replace(Some((ours, theirs)));
            return;
        }
    }
}
