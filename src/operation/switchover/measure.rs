//! Reads the counters of both slots and folds what is new into the evidence.

use std::time::Duration;

use futures::future::try_join_all;

use super::{Evidence, Switch, evidence::Counted};
use crate::{
    model::HumanDuration,
    ports::{PortError, Series},
    slo::{Arms, Counts, ObserveContext, Tally, observe, observe_baseline},
};

/// What one reading of the counters is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// Time since the reading before.
    pub elapsed: Duration,
    /// Our probes to the old slot since then.
    pub control: Counts,
    /// The new slot gets live traffic.
    pub switched: bool,
    /// The old slot gets live traffic as well.
    pub both_live: bool,
}

/// What a reading brought.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Read {
    /// New counts, folded into the evidence; the requests per second at both slots together.
    Fresh {
        /// Requests per second.
        rate: f64,
    },
    /// Nothing new yet, which is normal between two scrapes.
    Pending,
    /// Nothing new for longer than the freshness deadline, or the source does not answer.
    Silent(String),
}

/// Reads and folds once. Missing data multiply nothing.
pub(super) async fn read(switch: &Switch, evidence: &mut Evidence, reading: Reading) -> Read {
    let spec = &switch.spec;
    let start = switch.ports.clock.now().wall;
    let counted = evidence.counted.get_or_insert_with(|| Counted::begin(spec, start));
    counted.pending += reading.elapsed;
    let failed = collect(switch, counted).await.err();
    let newest = counted.old.iter().chain(&counted.new).filter_map(Tally::newest).max();
    if newest > counted.newest {
        counted.newest = newest;
        let lasted = std::mem::take(&mut counted.pending);
        let look = take(counted, &reading, lasted);
        let requests = look.objectives.first().map_or(0, |arms| arms.candidate.total + arms.baseline.total);
        fold(switch, counted, &reading, &look);
        return Read::Fresh { rate: requests as f64 / lasted.as_secs_f64().max(0.001) };
    }
    if counted.pending <= spec.freshness.0 {
        return Read::Pending;
    }
    let lasted = std::mem::take(&mut counted.pending);
    let look =
        ObserveContext { elapsed: lasted, fresh: false, both_live: reading.both_live, ..ObserveContext::default() };
    fold(switch, counted, &reading, &look);
    Read::Silent(match failed {
        Some(e) => format!("{}: {e}", switch.ports.metrics.name()),
        None => silence(switch, counted),
    })
}

/// For how long the source has had nothing new.
pub(super) fn silence(switch: &Switch, counted: &Counted) -> String {
    let length = HumanDuration(counted.slo.blind() + counted.pending);
    format!("{} has had no newer sample for {length}", switch.ports.metrics.name())
}

fn fold(switch: &Switch, counted: &mut Counted, reading: &Reading, look: &ObserveContext) {
    if reading.switched {
        observe(&switch.spec.rules, &mut counted.slo, look);
    } else {
        observe_baseline(&switch.spec.rules, &mut counted.slo, look);
    }
}

fn take(counted: &mut Counted, reading: &Reading, elapsed: Duration) -> ObserveContext {
    let arms = |(old, new): (&mut Tally, &mut Tally)| Arms { candidate: new.take(), baseline: old.take() };
    let objectives = counted.old.iter_mut().zip(&mut counted.new).map(arms).collect();
    ObserveContext { elapsed, objectives, control: reading.control, both_live: reading.both_live, fresh: true }
}

/// Asks the source for everything that is newer, and adds it up.
async fn collect(switch: &Switch, counted: &mut Counted) -> Result<(), PortError> {
    let old = try_join_all(counted.old.iter().map(|tally| answers(switch, tally)));
    let new = try_join_all(counted.new.iter().map(|tally| answers(switch, tally)));
    let (old, new) = futures::future::try_join(old, new).await?;
    for ((old_tally, new_tally), (old, new)) in counted.old.iter_mut().zip(&mut counted.new).zip(old.iter().zip(&new)) {
        // A series of the new slot that is born where the old one is known counts from zero.
        old.iter().for_each(|series| new_tally.know(series));
        old_tally.look(old);
        new_tally.look(new);
    }
    if counted.old.iter().chain(&counted.new).any(Tally::overflowed) {
        return Err(PortError::unexpected(
            switch.ports.metrics.name(),
            "more series than can be counted; narrow the query",
        ));
    }
    Ok(())
}

async fn answers(switch: &Switch, tally: &Tally) -> Result<Vec<Vec<Series>>, PortError> {
    try_join_all(tally.selectors().map(|selector| switch.ports.metrics.samples(selector, tally.since()))).await
}
