//! Counts of events for one objective on one slot, folded from raw series.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    Counting, Counts, Increments, LabelsId, Side,
    growth::{APART, Sample, grown, most_growth, plausible},
    increments::{is_count, key, target},
    replicas::without_replicas,
    stored,
};
use crate::{
    model::Timestamp,
    ports::{Point, Selector, Series},
};

/// How far back a look reads again at most, for targets that come later than others.
const REACH: SignedDuration = SignedDuration::from_secs(120);

/// No target has more events per second; what claims to must not become a number that no journal can hold.
const FASTEST: f64 = 1e12;

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
    #[serde(with = "stored::times")]
    targets: BTreeMap<LabelsId, Timestamp>,
    taken: Counts,
    /// Whether there was a look before: only then is a series that appears known to be new.
    looked: bool,
    /// The most events per second that any one target was seen to have.
    #[serde(default)]
    pace: f64,
}

/// The samples of one target, scrape by scrape: selector, series and value of each.
type Scrapes = BTreeMap<Timestamp, Vec<(usize, LabelsId, f64)>>;

impl Tally {
    /// Begins to count events after `start`.
    #[must_use]
    pub fn new(counting: Counting, start: Timestamp) -> Self {
        let sums = vec![Increments::default(); counting.selectors.len()];
        Self { counting, start, sums, targets: BTreeMap::new(), taken: Counts::default(), looked: false, pace: 0.0 }
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

    /// Folds one look: the answers to [`Tally::selectors`], all of them, and all read since [`Tally::since`]. A look
    /// that could not read every selector must not be folded: the side that is missing would be counted as none.
    pub fn look(&mut self, answers: &[Vec<Series>]) {
        self.look_beside(answers, &[]);
    }

    /// The same, where series that are not counted were read just before, such as those of the other slot. They show
    /// targets without the series that are counted: one that is born there later counts from zero. What they show holds for
    /// later looks only, since this one may have the born series already.
    pub fn look_beside(&mut self, answers: &[Vec<Series>], beside: &[Vec<Series>]) {
        let answers: Vec<_> = answers.iter().map(|series| without_replicas(series)).collect();
        let beside: Vec<_> = beside.iter().map(|series| without_replicas(series)).collect();
        self.fold_look(&answers, &beside);
    }

    fn fold_look(&mut self, answers: &[Cow<'_, [Series]>], beside: &[Cow<'_, [Series]>]) {
        let until = self.until(answers);
        let mut targets = self.scrapes(answers, &until);
        let elsewhere = by_target(beside);
        for (target, at) in until {
            let scrapes = targets.remove(&target).unwrap_or_default();
            self.fold(target, scrapes, elsewhere.get(&target).map_or(&[], Vec::as_slice));
            self.reached(target, at);
        }
        let counted_here: BTreeSet<LabelsId> =
            answers.iter().flat_map(|series| series.iter()).map(|one| target(&one.labels)).collect();
        for (target, (at, pace)) in paces(beside) {
            self.pace = self.pace.max(pace);
            if !counted_here.contains(&target) {
                self.reached(target, at);
            }
        }
        self.looked = true;
    }

    /// Up to when each target can be counted.
    fn until(&self, answers: &[Cow<'_, [Series]>]) -> BTreeMap<LabelsId, Timestamp> {
        let mut seen: BTreeMap<LabelsId, Progress> = BTreeMap::new();
        for ((side, _), series) in self.counting.selectors.iter().zip(answers) {
            for one in series.iter() {
                seen.entry(target(&one.labels)).or_default().add(*side, one);
            }
        }
        seen.into_iter().filter_map(|(target, progress)| Some((target, progress.reached()?))).collect()
    }

    /// Sorts what is new by target and scrape.
    fn scrapes(
        &mut self,
        answers: &[Cow<'_, [Series]>],
        until: &BTreeMap<LabelsId, Timestamp>,
    ) -> BTreeMap<LabelsId, Scrapes> {
        let mut targets: BTreeMap<LabelsId, Scrapes> = BTreeMap::new();
        for (selector, (sum, series)) in self.sums.iter_mut().zip(answers).enumerate() {
            let mut seen = BTreeSet::new();
            for one in series.iter() {
                sum.saw(one);
                let target = target(&one.labels);
                let Some(limit) = until.get(&target) else { continue };
                // A source that gives a series twice in one answer adds nothing by that.
                if !seen.insert(&one.labels) {
                    continue;
                }
                let key = key(&one.labels);
                let mut last = sum.track(key).map(|stand| stand.at);
                let scrapes = targets.entry(target).or_default();
                for point in one.points.iter().filter(|point| is_count(point) && point.at <= *limit) {
                    if last.is_none_or(|last| point.at > last) {
                        last = Some(point.at);
                        scrapes.entry(point.at).or_default().push((selector, key, point.value));
                    }
                }
            }
        }
        targets
    }

    /// Counts what the series of one target have grown by, beside those of it that are counted elsewhere.
    fn fold(&mut self, target: LabelsId, scrapes: Scrapes, elsewhere: &[Vec<&Series>]) {
        let (Some(first), Some(last)) = (scrapes.keys().next().copied(), scrapes.keys().next_back().copied()) else {
            return;
        };
        let known = self.targets.get(&target).copied();
        let mut before = known.unwrap_or(first);
        // What appears is judged by how busy targets were before, and by what else has grown meanwhile.
        let pace = self.pace;
        let busy = self.grown_by(&scrapes) + grown_elsewhere(elsewhere, before, last);
        self.pace = self.pace.max((busy / seconds(before, last).max(APART)).min(FASTEST));
        for (at, samples) in scrapes {
            let samples: Vec<Sample> =
                samples.into_iter().map(|(selector, key, value)| self.sample(selector, key, value)).collect();
            // Seen without the series by an earlier look, the target had nothing of it then.
            let without = self.looked && known.is_some_and(|known| at > known);
            let appears = samples.iter().any(|sample| sample.last.is_none());
            let room = (without && appears).then(|| {
                let other = grown_elsewhere(elsewhere, before, at);
                plausible(pace, seconds(before, at), most_growth(&samples) + other) - other
            });
            for (sample, grown) in samples.iter().zip(grown(&samples, room)) {
                let by = if at > self.start { grown.by } else { 0.0 };
                if let Some(sum) = self.sums.get_mut(sample.selector) {
                    sum.add(sample.key, by, Point { at, value: grown.high });
                }
            }
            before = at;
        }
    }

    /// By how much the known series of a target have grown in all of these scrapes.
    fn grown_by(&self, scrapes: &Scrapes) -> f64 {
        let newest: BTreeMap<(usize, LabelsId), f64> =
            scrapes.values().flatten().map(|(selector, key, value)| ((*selector, *key), *value)).collect();
        let samples: Vec<Sample> =
            newest.into_iter().map(|((selector, key), value)| self.sample(selector, key, value)).collect();
        most_growth(&samples)
    }

    fn sample(&self, selector: usize, key: LabelsId, value: f64) -> Sample {
        let last = self.sums.get(selector).and_then(|sum| sum.track(key)).map(|stand| stand.value);
        Sample { selector, key, value, last }
    }

    fn reached(&mut self, target: LabelsId, at: Timestamp) {
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

    /// What was taken so far; kept look by look, also where the series are not.
    #[must_use]
    pub const fn taken(&self) -> Counts {
        self.taken
    }

    /// Goes on from counts that were taken after this was stored: what the series have grown by since is counted again, and not
    /// taken again.
    pub const fn restore(&mut self, taken: Counts) {
        self.taken = taken;
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

/// The series of each target, selector by selector.
fn by_target<'a>(answers: &'a [Cow<'_, [Series]>]) -> BTreeMap<LabelsId, Vec<Vec<&'a Series>>> {
    let mut targets: BTreeMap<LabelsId, Vec<Vec<&Series>>> = BTreeMap::new();
    for (selector, series) in answers.iter().enumerate() {
        for one in series.iter() {
            let selectors = targets.entry(target(&one.labels)).or_insert_with(|| vec![Vec::new(); answers.len()]);
            if let Some(selected) = selectors.get_mut(selector) {
                selected.push(one);
            }
        }
    }
    targets
}

/// What series have grown by in that time, by the selector that has grown most: selectors overlap.
fn grown_elsewhere(selectors: &[Vec<&Series>], from: Timestamp, to: Timestamp) -> f64 {
    let grown = |series: &&Series| {
        let counts = || series.points.iter().filter(|point| is_count(point) && point.at <= to);
        let before = counts().rfind(|point| point.at <= from).or_else(|| counts().next());
        Some((counts().next_back()?.value - before?.value).max(0.0))
    };
    let sums = selectors.iter().map(|series| series.iter().filter_map(grown).sum::<f64>());
    sums.fold(0.0, f64::max).min(f64::MAX)
}

/// When each target was last seen, and the events per second that these series of it had.
fn paces(answers: &[Cow<'_, [Series]>]) -> BTreeMap<LabelsId, (Timestamp, f64)> {
    let mut targets: BTreeMap<LabelsId, (Timestamp, f64)> = BTreeMap::new();
    for series in answers {
        let mut paces: BTreeMap<LabelsId, f64> = BTreeMap::new();
        for one in series.iter() {
            let counts: Vec<&Point> = one.points.iter().filter(|point| is_count(point)).collect();
            let (Some(first), Some(last)) = (counts.first(), counts.last()) else { continue };
            let target = target(&one.labels);
            let pace = (last.value - first.value).max(0.0) / seconds(first.at, last.at).max(APART);
            *paces.entry(target).or_default() += pace;
            let stand = targets.entry(target).or_insert((last.at, 0.0));
            stand.0 = stand.0.max(last.at);
        }
        // Selectors overlap, so the one that counts most stands for the target.
        for (target, pace) in paces {
            targets.entry(target).and_modify(|stand| stand.1 = stand.1.max(pace.min(FASTEST)));
        }
    }
    targets
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

fn newest(series: &Series) -> Option<Timestamp> {
    series.points.iter().filter(|p| p.value.is_finite()).map(|p| p.at).max()
}

#[cfg(test)]
#[path = "counts_tests.rs"]
mod tests;
