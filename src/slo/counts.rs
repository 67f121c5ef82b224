//! Counts of events for one objective on one slot, folded from raw series.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Counting, Counts, Increments, Side, increments::target};
use crate::{
    model::Timestamp,
    ports::{Selector, Series},
};

/// How far back a look reads again at most, for targets that come later than others.
const REACH: SignedDuration = SignedDuration::from_secs(120);

/// How many targets are remembered.
const MOST_TARGETS: usize = 20_000;

/// Folds the answers of a source into counts, look by look; can be stored between looks.
///
/// The sides of an objective are read one after the other, so the later answer may hold samples that the earlier one
/// does not. Each target therefore counts only up to the time that all of its sides have reached; what is newer is
/// read again at the next look. Without this, requests between two queries would look like failures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    counting: Counting,
    start: Timestamp,
    sums: Vec<Increments>,
    /// Up to when each known target was counted.
    targets: BTreeMap<String, Timestamp>,
    taken: Counts,
    /// Whether there was a look before: only then is a series that appears known to be new.
    looked: bool,
}

impl Tally {
    /// Begins to count events after `start`.
    #[must_use]
    pub fn new(counting: Counting, start: Timestamp) -> Self {
        let sums = vec![Increments::default(); counting.selectors.len()];
        Self { counting, start, sums, targets: BTreeMap::new(), taken: Counts::default(), looked: false }
    }

    /// What has to be read for a look, in the order in which [`Tally::look`] wants the answers.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        self.counting.selectors.iter().map(|(_, selector)| selector)
    }

    /// Since when samples have to be read for the next look.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        let Some(newest) = self.targets.values().max() else { return self.start - REACH };
        // A target that has gone must not make every later look read more and more.
        let reach = newest.checked_sub(REACH).unwrap_or(*newest);
        let since = self.targets.values().filter(|at| **at >= reach).min().copied().unwrap_or(*newest);
        // The last sample that was counted is read again: it shows that a side is there, though it has nothing newer.
        since.checked_sub(SignedDuration::from_millis(1)).unwrap_or(since)
    }

    /// Makes targets known by series that are not counted, such as those of the other slot: a series of this slot that
    /// is born on such a target counts from zero, once there was a look without it.
    pub fn know(&mut self, series: &[Series]) {
        for one in series {
            if let Some(at) = newest(one) {
                self.reached(target(&one.labels), at);
            }
        }
    }

    /// Folds one look: the answers to [`Tally::selectors`], all of them, and all read since [`Tally::since`]. A look
    /// that could not read every selector must not be folded: the side that is missing would be counted as none.
    pub fn look(&mut self, answers: &[Vec<Series>]) {
        let mut seen: BTreeMap<String, Progress> = BTreeMap::new();
        for ((side, _), series) in self.counting.selectors.iter().zip(answers) {
            for one in series {
                seen.entry(target(&one.labels)).or_default().add(*side, one);
            }
        }
        let until: BTreeMap<String, Timestamp> =
            seen.into_iter().filter_map(|(target, progress)| Some((target, progress.reached()?))).collect();
        for (sum, series) in self.sums.iter_mut().zip(answers) {
            let mut seen = BTreeSet::new();
            for one in series {
                let target = target(&one.labels);
                let Some(limit) = until.get(&target) else { continue };
                // A source that gives a series twice in one answer would let the second be no birth; it adds nothing.
                if !seen.insert(&one.labels) {
                    continue;
                }
                // Born after the target was last looked at: then it was not there, and began at zero.
                let born = self.looked
                    && !sum.knows(&one.labels)
                    && self.targets.get(&target).is_some_and(|known| first(one).is_some_and(|at| at > *known));
                sum.add(one, born, self.start, *limit);
            }
        }
        for (target, at) in until {
            self.reached(target, at);
        }
        self.looked = true;
    }

    fn reached(&mut self, target: String, at: Timestamp) {
        if self.targets.len() < MOST_TARGETS || self.targets.contains_key(&target) {
            let known = self.targets.entry(target).or_insert(at);
            *known = at.max(*known);
        }
    }

    /// All that was counted since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let sum = |side: Side| {
            let all: f64 = self.sides(side).map(Increments::sum).sum();
            // A cast from a float saturates, and these are never negative.
            all.round() as u64
        };
        let has = |side: Side| self.counting.side(side).next().is_some();
        let (total, bad) = match (has(Side::Total), has(Side::Bad)) {
            (true, true) => (sum(Side::Total), sum(Side::Bad)),
            (true, false) => {
                let total = sum(Side::Total);
                (total, total.saturating_sub(sum(Side::Good)))
            }
            (false, _) => {
                let bad = sum(Side::Bad);
                (bad.saturating_add(sum(Side::Good)), bad)
            }
        };
        Counts { total, bad: bad.min(total) }
    }

    /// What was counted since it was last taken; neither is ever negative, and `bad` is at most `total`.
    pub fn take(&mut self) -> Counts {
        let all = self.counts();
        let total = all.total.saturating_sub(self.taken.total);
        // A bad event may arrive a look before its total; it is kept for the next one.
        let bad = all.bad.saturating_sub(self.taken.bad).min(total);
        self.taken = Counts { total: self.taken.total.max(all.total), bad: self.taken.bad + bad };
        Counts { total, bad }
    }

    /// When the newest sample was taken that tells of all events, or of good ones where no series does: errors may
    /// have no series at all. The age of this is what freshness is about.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        let side = if self.counting.side(Side::Total).next().is_some() { Side::Total } else { Side::Good };
        self.sides(side).filter_map(Increments::newest).max()
    }

    /// When the newest sample of each selector was taken.
    pub fn freshness(&self) -> impl Iterator<Item = (&Selector, Option<Timestamp>)> {
        self.selectors().zip(self.sums.iter().map(Increments::newest))
    }

    /// Whether there were more series than are kept; then the counts are too low and must not decide.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.sums.iter().any(Increments::overflowed)
    }

    /// What is counted.
    #[must_use]
    pub const fn counting(&self) -> &Counting {
        &self.counting
    }

    fn sides(&self, side: Side) -> impl Iterator<Item = &Increments> {
        self.counting.selectors.iter().zip(&self.sums).filter(move |((s, _), _)| *s == side).map(|(_, sum)| sum)
    }
}

/// How far the sides of one target have come in one look.
#[derive(Debug, Default)]
struct Progress {
    sides: BTreeMap<Side, Timestamp>,
    times: BTreeSet<Timestamp>,
}

impl Progress {
    /// By how many samples a side may be behind before it counts as gone, and is no longer waited for.
    const BEHIND: usize = 3;

    fn add(&mut self, side: Side, series: &Series) {
        if let Some(at) = newest(series) {
            let reached = self.sides.entry(side).or_insert(at);
            *reached = at.max(*reached);
            self.times.extend(series.points.iter().map(|p| p.at));
        }
    }

    /// Up to when all sides have samples.
    fn reached(&self) -> Option<Timestamp> {
        let after = |at: Timestamp| self.times.range((Bound::Excluded(at), Bound::Unbounded)).count();
        self.sides.values().copied().filter(|at| after(*at) < Self::BEHIND).min()
    }
}

fn newest(series: &Series) -> Option<Timestamp> {
    series.points.iter().filter(|p| p.value.is_finite()).map(|p| p.at).max()
}

fn first(series: &Series) -> Option<Timestamp> {
    series.points.iter().filter(|p| p.value.is_finite()).map(|p| p.at).min()
}

#[cfg(test)]
#[path = "counts_tests.rs"]
mod tests;
