//! Leave to act for one step: what an effect intends goes through the loop into the journal before it begins.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::{Context, Entry};
use crate::{
    error::Error,
    journal::Grant,
    model::Epoch,
    ports::{Means, Permit, PortError, Store},
};

/// What an effect wants recorded; it goes on once the record will outlast a power cut.
pub(super) struct Note {
    pub entry: Entry,
    pub durable: oneshot::Sender<()>,
}

/// Leave to act for one step, as long as the run is its owner's.
pub(super) struct StepPermit {
    step: usize,
    store: Arc<dyn Store>,
    grant: Grant,
    notes: mpsc::Sender<Note>,
    intended: Mutex<Vec<Means>>,
}

impl StepPermit {
    pub(super) fn new(context: &Context, grant: &Grant, step: usize) -> (Self, mpsc::Receiver<Note>) {
        let (notes, asked) = mpsc::channel(1);
        let (store, grant, intended) = (context.store.clone(), grant.clone(), Mutex::default());
        (Self { step, store, grant, notes, intended }, asked)
    }

    /// What was intended with this permit and is not known to be over; it is the caller's to settle from here on.
    pub(super) fn take_intended(&self) -> Vec<Means> {
        std::mem::take(&mut *self.intended.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn record(&self, entry: Entry) -> Result<(), PortError> {
        let (durable, heard) = oneshot::channel();
        let unheard = || PortError::unreachable("the run's journal", "nobody records what is intended");
        self.notes.send(Note { entry, durable }).await.map_err(|_| unheard())?;
        heard.await.map_err(|_| unheard())
    }
}

#[async_trait]
impl Permit for StepPermit {
    fn epoch(&self) -> Epoch {
        self.grant.epoch
    }

    async fn check(&self) -> Result<(), PortError> {
        self.store.check(&self.grant).await.map_err(|e| match e {
            Error::Superseded { ours, theirs, .. } => PortError::Superseded { ours, theirs },
            other => PortError::unreachable("the run's store", other),
        })
    }

    async fn intend(&self, means: Means) -> Result<(), PortError> {
        self.intended.lock().unwrap_or_else(PoisonError::into_inner).push(means.clone());
        self.record(Entry::Intended { step: self.step, means }).await?;
        // Somebody may have come while it was written.
        self.check().await
    }

    async fn capture(&self, key: &str, prior: &Value, to: &Value) -> Result<(), PortError> {
        let (key, prior, to) = (key.to_owned(), prior.clone(), to.clone());
        self.record(Entry::Prepared { step: self.step, key, prior, to }).await?;
        self.check().await
    }

    async fn over(&self, means: Means) -> Result<(), PortError> {
        self.intended.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| *known != means);
        self.record(Entry::Over { step: self.step, means }).await
    }
}

/// What was intended and is not known to be over, with its step, in the order of the journal.
pub(super) fn open(entries: &[Entry]) -> Vec<(usize, Means)> {
    let mut open: Vec<(usize, &Means)> = Vec::new();
    for entry in entries {
        match entry {
            Entry::Intended { step, means } => open.push((*step, means)),
            Entry::Over { step, means } => open.retain(|known| *known != (*step, means)),
            // An effect that has succeeded has seen the end of all that it began.
            Entry::Applied { step } | Entry::Undone { step } => open.retain(|(known, _)| known != step),
            _ => {}
        }
    }
    open.into_iter().map(|(step, means)| (step, means.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_known_to_be_over_is_open() {
        let means = |what: &str| Means::Request { what: what.to_owned(), primary: "b".to_owned() };
        let intended = |step, what| Entry::Intended { step, means: means(what) };
        let history = [
            intended(1, "a"),
            Entry::Applied { step: 1 },
            intended(2, "b"),
            intended(2, "c"),
            Entry::Over { step: 2, means: means("b") },
            Entry::Failed { step: 2, why: "no answer".to_owned() },
        ];
        assert_eq!(open(&history), [(2, means("c"))]);
    }
}
