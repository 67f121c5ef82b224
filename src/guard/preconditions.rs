//! The gates a second time: under the lock, right before anything is touched.

use std::future::Future;

use async_trait::async_trait;

use super::{
    Entry, Event, Events, Gate, Outcome, Override,
    recover::{append, give_up},
    refusal,
};
use crate::{
    error::{Error, Exit},
    journal::Grant,
    model::RunId,
    ports::{Clock, Store},
};

/// The gates of one operation, which can be asked more than once.
#[async_trait]
pub trait Preconditions: Send + Sync {
    /// Asks all gates and changes nothing; the lock of `ours` is not in its own way.
    ///
    /// # Errors
    /// Where what the gates have to know cannot be found out.
    async fn ask(&self, ours: Option<&RunId>) -> Result<Vec<Gate>, Error>;
}

/// Asks the gates again under the lock: since `before` was answered, a person may have been asked for minutes. What has
/// changed is told and recorded.
///
/// # Errors
/// Where a gate is shut now, or cannot be asked any more: the run is given up then, with nothing touched.
pub async fn ask_again(
    (store, clock): (&dyn Store, &dyn Clock),
    grant: &Grant,
    preconditions: &dyn Preconditions,
    (before, overrides): (&[Gate], &[Override]),
    events: &dyn Events,
) -> Result<(), Error> {
    let verdict = match hold((store, clock), grant, preconditions.ask(Some(&grant.run))).await? {
        Ok(now) => {
            for (gate, change) in changes(before, &now) {
                events.event(&Event::Remark(&change));
                append(store, grant, &Entry::gated(gate, overrides)).await?;
            }
            refusal(&now, overrides)
        }
        Err(e) => Err(e),
    };
    if let Err(e) = &verdict {
        let why = e.to_string();
        let outcome = if e.exit() == Exit::Refused { Outcome::Refused { why } } else { Outcome::Unreachable { why } };
        give_up(store, grant, outcome).await?;
    }
    verdict
}

/// Gives signs of life while something is done under the lock before the run is driven.
///
/// # Errors
/// [`Error::Superseded`] where another owner has taken the run over meanwhile.
pub async fn hold<T>(
    (store, clock): (&dyn Store, &dyn Clock),
    grant: &Grant,
    work: impl Future<Output = T>,
) -> Result<T, Error> {
    let lost = async {
        loop {
            // A store that does not answer for once is no loss of the run.
            if let Err(lost @ Error::Superseded { .. }) = store.beat(grant).await {
                return lost;
            }
            clock.pause(grant.ttl / 5).await;
        }
    };
    tokio::select! {
        biased;
        lost = lost => Err(lost),
        done = work => Ok(done),
    }
}

/// The gates that answer otherwise than before, with both answers for people.
fn changes<'g>(before: &'g [Gate], now: &'g [Gate]) -> impl Iterator<Item = (&'g Gate, String)> {
    now.iter().filter_map(|gate| {
        let was = before.iter().find(|was| was.name == gate.name).map(|was| &was.answer);
        (was != Some(&gate.answer)).then(|| {
            let was = was.map_or_else(|| "not there".to_owned(), ToString::to_string);
            (gate, format!("gate {} has changed: it was {was}; now it is {}", gate.name, gate.answer))
        })
    })
}
