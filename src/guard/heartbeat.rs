//! An owner's signs of life, and the first to notice that the run is no longer its own.

use tokio::{sync::watch, task::JoinHandle};

use super::Context;
use crate::{
    error::Error,
    journal::Grant,
    ports::{Clock, Store},
};

/// Gives signs of life as long as this process can, and notices when the run is no longer ours. What the run does is bounded in
/// time by itself, so that an effect that takes long is no reason to be taken for dead.
pub(super) struct Heartbeat {
    task: JoinHandle<()>,
    lost: watch::Receiver<Option<(u64, u64)>>,
    run: String,
}

impl Heartbeat {
    pub(super) fn start(context: &Context, grant: &Grant) -> Self {
        let (lose, lost) = watch::channel(None);
        let (store, clock, grant) = (context.store.clone(), context.clock.clone(), grant.clone());
        let run = grant.run.to_string();
        let task = tokio::spawn(async move { beat(&*store, &*clock, &grant, lose).await });
        Self { task, lost, run }
    }

    /// Waits until the run is no longer ours; `None` where the heart has stopped for another reason.
    pub(super) async fn stopped(&self) -> Option<Error> {
        let mut lost = self.lost.clone();
        let (ours, theirs) = (*lost.wait_for(Option::is_some).await.ok()?)?;
        Some(Error::Superseded { run: self.run.clone(), ours, theirs })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn beat(store: &dyn Store, clock: &dyn Clock, grant: &Grant, lose: watch::Sender<Option<(u64, u64)>>) {
    loop {
        if let Err(Error::Superseded { ours, theirs, .. }) = store.beat(grant).await {
            lose.send_replace(Some((ours, theirs)));
            return;
        }
        clock.pause(grant.ttl / 5).await;
    }
}
