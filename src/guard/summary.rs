//! How runs stand, one line of each: of a run that is over its first and its last records suffice.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt as _, stream};
use serde::Deserialize;

use super::{Entry, Mode, Outcome, load};
use crate::{
    error::Error,
    journal::{Lock, Record},
    model::{RunId, Target, Timestamp},
    ports::{Ends, Glance, Store},
};

/// How many runs are read together, and how many such lots at a time.
const TOGETHER: usize = 8;
const AT_A_TIME: usize = 8;

/// How one run stands. A list has one of each run, so that it holds no more than a line needs.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its name.
    pub run: RunId,
    /// What it does.
    pub title: String,
    /// What it changes.
    pub target: Target,
    /// When it began, by the wall clock.
    pub began: Timestamp,
    /// When it last wrote something down, by the wall clock.
    pub last: Timestamp,
    /// Which way it goes.
    pub mode: Mode,
    /// Its target's lock, if it still holds it.
    pub lock: Option<Box<Lock>>,
    /// Its records were pruned.
    pub pruned: bool,
}

/// What a list needs of a plan.
#[derive(Deserialize)]
struct Planned {
    planned: Named,
}

#[derive(Deserialize)]
struct Named {
    plan: Title,
}

#[derive(Deserialize)]
struct Title {
    title: String,
    target: Target,
}

/// Sums up all runs of a store, oldest first. One whose journal cannot be read is told with its error.
///
/// # Errors
/// Where the store cannot be read.
pub async fn summaries(store: &dyn Store) -> Result<Vec<Result<Summary, (RunId, Error)>>, Error> {
    let mut all: Vec<_> = store.glance().await?.into_iter().filter_map(of_glance).map(Ok).collect();
    let known: HashSet<&RunId> = all.iter().flatten().map(|summary: &Summary| &summary.run).collect();
    let runs: Vec<RunId> = store.runs().await?.into_iter().filter(|run| !known.contains(run)).collect();
    // Records are let go of where they are read: what waits for its turn here is a line of each run.
    let read = |runs: Vec<RunId>| async move {
        let ends = store.ends(&runs, tells_how_it_ended).await;
        let lines = runs.into_iter().zip(ends).map(|(run, ends)| match ends.and_then(|ends| of_ends(&run, ends)) {
            Ok(line) => Ok(line),
            Err(e) => Err((run, e)),
        });
        lines.collect::<Vec<_>>()
    };
    let lots = stream::iter(runs.chunks(TOGETHER).map(<[RunId]>::to_vec).collect::<Vec<_>>()).map(read);
    let mut lots = std::pin::pin!(lots.buffered(AT_A_TIME));
    let mut locks = HashMap::new();
    while let Some(lines) = lots.next().await {
        for line in lines {
            all.push(match line {
                Ok(line) => {
                    let run = line.0.run.clone();
                    whole(store, line, &mut locks).await.map_err(|e| (run, e))
                }
                Err(failed) => Err(failed),
            });
        }
    }
    all.sort_by(|a, b| named(a).cmp(named(b)));
    Ok(all)
}

/// Sums up one run.
///
/// # Errors
/// Where its journal cannot be read.
pub async fn summary(store: &dyn Store, run: &RunId) -> Result<Summary, Error> {
    let ends = store.ends(std::slice::from_ref(run), tells_how_it_ended).await.into_iter().next();
    let line = of_ends(run, ends.unwrap_or_else(|| Err(never(run)))?)?;
    whole(store, line, &mut HashMap::new()).await
}

fn named(summed: &Result<Summary, (RunId, Error)>) -> &RunId {
    match summed {
        Ok(summary) => &summary.run,
        Err((run, _)) => run,
    }
}

fn of_glance(Glance { run, title, target, began, ended, word, why, pruned }: Glance) -> Option<Summary> {
    let mode = Mode::Finished(Outcome::of_word(&word, why)?);
    Some(Summary { run, title, target, began, last: ended, mode, lock: None, pruned })
}

fn never(run: &RunId) -> Error {
    Error::usage(format!("run {run} has no plan"), "it never began; nothing was touched")
}

/// Whether a record tells of a run that is over how it has ended; none before it says more. A notice only says who was told.
fn tells_how_it_ended(record: &Record) -> bool {
    record.entry.get("notified").is_none()
}

/// What the ends of a journal tell, and whether that is how the run stands: of one that is not over only all of it tells.
fn of_ends(run: &RunId, Ends { first, last }: Ends) -> Result<(Summary, bool), Error> {
    let first = first.ok_or_else(|| never(run))?;
    let run = run.clone();
    if first.entry.get("pruned").is_some()
        && let Ok(Entry::Pruned { title, target, began, ended, outcome }) = Entry::deserialize(&first.entry)
    {
        let mode = Mode::Finished(outcome);
        return Ok((Summary { run, title, target, began, last: ended, mode, lock: None, pruned: true }, true));
    }
    let (began, at) = (first.at, last.last().map_or(first.at, |record| record.at));
    let planned = Planned::deserialize(&first.entry).map_err(|_| never(&run))?;
    let Title { title, target } = planned.planned.plan;
    let over = over(&last);
    let (is_over, mode) = (over.is_some(), over.unwrap_or(Mode::Forward));
    Ok((Summary { run, title, target, began, last: at, mode, lock: None, pruned: false }, is_over))
}

/// Adds what the ends of a journal do not tell.
async fn whole(
    store: &dyn Store,
    (mut summary, is_over): (Summary, bool),
    locks: &mut HashMap<Target, Option<Lock>>,
) -> Result<Summary, Error> {
    if summary.pruned {
        return Ok(summary);
    }
    if !locks.contains_key(&summary.target) {
        locks.insert(summary.target.clone(), store.lock(&summary.target).await?);
    }
    let lock = locks.get(&summary.target).and_then(Option::as_ref);
    summary.lock = lock.filter(|lock| lock.run.as_ref() == Some(&summary.run)).cloned().map(Box::new);
    if !is_over {
        summary.mode = load(store, &summary.run).await?.mode();
    }
    Ok(summary)
}

/// Whether a run is over, by the end of its journal.
pub(super) async fn is_over(store: &dyn Store, run: &RunId) -> Result<bool, Error> {
    let ends = store.ends(std::slice::from_ref(run), tells_how_it_ended).await.pop();
    ends.map_or(Ok(false), |ends| Ok(over(&ends?.last).is_some()))
}

/// The end that the last records tell of, but for notices of it; `None` where the run is not over, or was taken up again.
fn over(last: &[Record]) -> Option<Mode> {
    let mut entries = last.iter().rev().map(|record| Entry::deserialize(&record.entry));
    match entries.find(|entry| !matches!(entry, Ok(Entry::Notified { .. }))) {
        Some(Ok(Entry::Finished { outcome })) => Some(Mode::Finished(outcome)),
        _ => None,
    }
}
