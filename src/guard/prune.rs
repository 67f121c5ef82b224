//! Pruning: which runs have been over for long, and what takes the place of their records.

use std::collections::HashSet;

use super::{Entry, Mode, Outcome, Summary, entries, load, summaries};
use crate::{
    error::Error,
    journal::Record,
    model::{RunId, Timestamp},
    ports::Store,
};

/// Names the runs that were over before a time and whose records are still there, oldest first, and those whose pruning was cut
/// short. None that is held, stuck or at work is among them, nor one that holds its target or cannot be read.
///
/// # Errors
/// Where the store cannot be read.
pub async fn prunable(store: &dyn Store, before: Timestamp) -> Result<Vec<Summary>, Error> {
    let half: HashSet<RunId> = store.half_pruned().await?.into_iter().collect();
    let is_prunable = |run: &Summary| match run.pruned {
        true => half.contains(&run.run),
        false => run.lock.is_none() && run.last < before && is_over(&run.mode),
    };
    Ok(summaries(store).await?.into_iter().flatten().filter(is_prunable).collect())
}

fn is_over(mode: &Mode) -> bool {
    matches!(mode, Mode::Finished(outcome) if !outcome.needs_person())
}

/// Puts one record in the place of all records of a run that was over before a time. All of it is read and checked first. Where
/// the record is there already, what it stands for is removed.
///
/// # Errors
/// [`Error::Tampered`] where it is not what was written; [`Error::Refused`] where it is not over, or was not before that time.
pub async fn prune(store: &dyn Store, run: &RunId, before: Timestamp) -> Result<Record, Error> {
    let records = store.load(run).await?;
    if let ([record], Some(_)) = (records.as_slice(), pruned(&records)) {
        return store.prune(run, record.entry.clone().into()).await;
    }
    let stored = load(store, run).await?;
    let (first, last) = (records.first(), records.last());
    let (Mode::Finished(outcome), Some(began), Some(ended)) =
        (stored.mode(), first.map(|first| first.at), last.map(|last| last.at))
    else {
        return Err(refused(run, "it is not over"));
    };
    if outcome.needs_person() || stored.lock.is_some() {
        return Err(refused(run, "it still holds its target"));
    }
    if ended >= before {
        return Err(refused(run, "it ended later"));
    }
    let (title, target) = (stored.plan.title, stored.plan.target);
    store.prune(run, Entry::Pruned { title, target, began, ended, outcome }.draft()?).await
}

fn refused(run: &RunId, why: &str) -> Error {
    Error::Refused { what: format!("run {run} is not pruned: {why}"), hint: format!("`interlock runs show {run}`") }
}

/// What is left of a run whose records were pruned: its title, when it ended, and how.
#[must_use]
pub fn pruned(records: &[Record]) -> Option<(String, Timestamp, Outcome)> {
    let [record] = records else { return None };
    match entries(std::slice::from_ref(record)).ok()?.pop()? {
        Entry::Pruned { title, ended, outcome, .. } => Some((title, ended, outcome)),
        _ => None,
    }
}
