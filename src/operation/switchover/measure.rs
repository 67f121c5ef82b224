//! Reads the counters of both slots and folds what is new into the evidence.

use std::time::Duration;

use futures::future::try_join_all;

use super::{Evidence, Switch, evidence::Counted};
use crate::{
    model::{HumanDuration, Slot, Timestamp},
    ports::{PortError, Series},
    slo::{Counts, ObserveContext, Tally, observe, observe_baseline},
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
    /// When the present watch began; what was sampled before serves no bake.
    pub watched_since: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Read {
    /// New counts, folded into the evidence; the requests per second at both slots together.
    Fresh {
        /// Requests per second.
        rate: f64,
        /// The time that they are of.
        lasted: Duration,
    },
    /// Nothing new yet, which is normal between two scrapes.
    Pending,
    /// Nothing new for longer than the freshness deadline, or the source does not answer.
    Silent(String),
    /// The source answers, and has never had any of these series.
    Absent(String),
}

/// Reads and folds once. Missing data multiply nothing.
pub(super) async fn read(switch: &Switch, evidence: &mut Evidence, reading: Reading) -> Read {
    let spec = &switch.spec;
    let start = switch.ports.clock.now().wall;
    let counted = evidence.counted.get_or_insert_with(|| Counted::begin(spec, start));
    counted.pending += reading.elapsed;
    counted.restore();
    let failed = collect(switch, counted).await.err();
    let newest = counted.old.iter().chain(&counted.new).filter_map(Tally::newest).max();
    if newest > counted.newest {
        counted.newest = newest;
        counted.first = counted.first.or(newest);
        let lasted = std::mem::take(&mut counted.pending);
        let look = take(counted, &reading, lasted);
        let requests = look.objectives.first().map_or(0, |arms| arms.candidate.total + arms.baseline.total);
        fold(switch, counted, &reading, &look);
        return Read::Fresh { rate: requests as f64 / lasted.as_secs_f64().max(0.001), lasted };
    }
    if counted.pending <= spec.freshness.0 {
        return Read::Pending;
    }
    let silent = silence(switch, counted);
    let lasted = std::mem::take(&mut counted.pending);
    let look =
        ObserveContext { elapsed: lasted, fresh: false, both_live: reading.both_live, ..ObserveContext::default() };
    fold(switch, counted, &reading, &look);
    match failed {
        Some(e) => Read::Silent(format!("{}: {e}", switch.ports.metrics.name())),
        None if counted.newest.is_none() => Read::Absent(silent),
        None => Read::Silent(silent),
    }
}

/// For how long the source has had nothing new, or that it never had anything of these series.
pub(super) fn silence(switch: &Switch, counted: &Counted) -> String {
    let source = switch.ports.metrics.name();
    let Some(newest) = counted.newest else {
        return format!("{source} has had no sample of these series so far");
    };
    let age = Duration::try_from(switch.steady_now().duration_since(newest)).unwrap_or_default();
    // While nothing is judged only the samples themselves tell how long that is.
    let length = Some(counted.slo.blind() + counted.pending).filter(|length| *length > Duration::ZERO).unwrap_or(age);
    format!("{source} has had no newer sample for {}", HumanDuration(Duration::from_secs(length.as_secs())))
}

fn fold(switch: &Switch, counted: &mut Counted, reading: &Reading, look: &ObserveContext) {
    if reading.switched {
        observe(&switch.spec.rules, &mut counted.slo, look);
    } else {
        observe_baseline(&switch.spec.rules, &mut counted.slo, look);
    }
}

/// How old the newest samples of a slot are, where that is more than may be: then they say nothing of now.
///
/// Late samples count as evidence all the same; they only show no health.
pub(super) fn late(switch: &Switch, counted: &Counted, slot: Slot) -> Option<String> {
    let tallies = if slot == switch.spec.to { &counted.new } else { &counted.old };
    let newest = newest_of_all(tallies)?;
    let age = Duration::try_from(switch.steady_now().duration_since(newest)).unwrap_or_default();
    (age > switch.spec.freshness.0).then(|| {
        let (age, most) = (HumanDuration(Duration::from_secs(age.as_secs())), switch.spec.freshness);
        let source = switch.ports.metrics.name();
        format!("the newest samples of {slot} that {source} has are {age} old, and may be {most} (`freshness`)")
    })
}

/// Up to when the samples of all objectives have come.
fn newest_of_all(tallies: &[Tally]) -> Option<Timestamp> {
    tallies.iter().map(Tally::newest).min().flatten()
}

/// The time since the bake began that is covered by samples of the new slot that came with this look.
fn served(counted: &mut Counted, reading: &Reading, elapsed: Duration) -> Duration {
    let (Some(until), Some(begun)) = (newest_of_all(&counted.new), reading.watched_since) else {
        return Duration::ZERO;
    };
    let from = counted.served_until.map_or(begun, |served| served.max(begun));
    counted.served_until = Some(until.max(from));
    Duration::try_from(until.duration_since(from)).unwrap_or_default().min(elapsed)
}

fn take(counted: &mut Counted, reading: &Reading, elapsed: Duration) -> ObserveContext {
    let served = served(counted, reading, elapsed);
    let objectives = counted.take();
    ObserveContext { elapsed, served, objectives, control: reading.control, both_live: reading.both_live, fresh: true }
}

/// Asks the source for everything that is newer, and adds it up.
async fn collect(switch: &Switch, counted: &mut Counted) -> Result<(), PortError> {
    let old = try_join_all(counted.old.iter().map(|tally| answers(switch, tally))).await?;
    // Read after the old slot's, so that what the old slot's show of a target is no newer than this.
    let new = try_join_all(counted.new.iter().map(|tally| answers(switch, tally))).await?;
    for ((old_tally, new_tally), (old, new)) in counted.old.iter_mut().zip(&mut counted.new).zip(old.iter().zip(&new)) {
        old_tally.look(old);
        // A series of the new slot that is born where the old one was seen before counts from zero.
        new_tally.look_beside(new, old);
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
