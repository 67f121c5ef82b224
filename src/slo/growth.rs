//! By how much the series of one target have grown from one scrape to the next: growth, births, resets and steps back.

use std::collections::{BTreeMap, BTreeSet};

use super::LabelsId;

/// By how much faster than ever seen a target may suddenly count before a series that appears is taken for an old one.
const FASTER: f64 = 1.5;

/// Events that a series may be born with, however slow its target was.
const FEW: f64 = 10.0;

/// The value of one series in a scrape, beside the highest one that is known of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// Which of the selectors has it.
    pub selector: usize,
    /// Which series it is.
    pub key: LabelsId,
    /// Its value.
    pub value: f64,
    /// The highest value since its last reset; `None` where the series is not known.
    pub last: Option<f64>,
}

/// What a scrape has added to one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Grown {
    /// The events that are counted.
    pub by: f64,
    /// What a later value has to exceed to count.
    pub high: f64,
}

/// Scrapes that are less than this apart, in seconds, tell no pace.
pub(super) const APART: f64 = 1.0;

/// How many events a target may have had in `seconds`, where it never had more than `pace` in one, and what is known of it has
/// grown by `grown`.
///
/// A target that is no busier than it ever was has its pace, and some chance on top; one that is may have more.
pub(super) fn plausible(pace: f64, seconds: f64, grown: f64) -> f64 {
    let usual = pace * seconds.max(APART);
    let most = 3.0f64.mul_add(usual.sqrt(), usual) + FEW;
    if usual.max(grown) <= 0.0 {
        f64::INFINITY
    } else if grown <= most {
        most
    } else {
        FASTER * grown + FEW
    }
}

/// Judges one scrape of one target, sample by sample.
///
/// A value below the highest one is a reset where less than half of it is left: the counter began at zero again. Where half
/// or more is left it is a step back, and adds nothing: of two replicas of a source that answer in turn one is a little
/// behind the other, and the counters of each are none that began anew. (Prometheus and Thanos take every drop for a reset,
/// `VictoriaMetrics` one by an eighth or more; a counter that is young when replicas step back loses more than that.) All
/// series of a target are judged by their sum, unless one of them grows: then it is not the target that stepped back, and each
/// series stands for itself. Where the sum falls all the same, what grows waits for a later scrape: the target may have begun
/// anew and counted nearly as much as before, and failures must not count without the requests beside them.
///
/// What this misses is a process that within one scrape counted more than half of all that its predecessor ever did; its events
/// count once they exceed that.
///
/// A series that is not known counts from zero where `room` says how many events its target may have had since it was
/// seen without it. More than that, together with what the known series have grown by, means that it is no new one: an
/// exporter that drops idle series shows them again with the total of their life. Such a series counts from where it is.
pub(super) fn grown(samples: &[Sample], room: Option<f64>) -> Vec<Grown> {
    let grows = samples.iter().any(|sample| sample.last.is_some_and(|last| sample.value > last));
    let sum = largest(samples);
    let whole = sum.filter(|_| !grows);
    let waits = grows && sum.is_some_and(|(value, before)| value < before && value >= before / 2.0);
    let old = reborn(samples, room);
    samples
        .iter()
        .map(|sample| match sample.last {
            None if room.is_some() && !old.contains(&sample.key) => Grown { by: sample.value, high: sample.value },
            None => Grown { by: 0.0, high: sample.value },
            Some(last) if sample.value >= last && waits => Grown { by: 0.0, high: last },
            Some(last) if sample.value >= last => Grown { by: sample.value - last, high: sample.value },
            Some(last) => {
                let (value, before) = whole.unwrap_or((sample.value, last));
                if value < before / 2.0 {
                    Grown { by: sample.value, high: sample.value }
                } else {
                    Grown { by: 0.0, high: last }
                }
            }
        })
        .collect()
}

/// The sums of the selector that counts most, of the series that are known: now, and before.
fn largest(samples: &[Sample]) -> Option<(f64, f64)> {
    let selectors: BTreeSet<usize> = samples.iter().map(|sample| sample.selector).collect();
    let sums = selectors.into_iter().map(|selector| {
        let known = samples.iter().filter(|sample| sample.selector == selector);
        known
            .filter_map(|sample| Some((sample.value, sample.last?)))
            .fold((0.0, 0.0), |sum, (now, before)| (sum.0 + now, sum.1 + before))
    });
    sums.max_by(|a: &(f64, f64), b| a.1.total_cmp(&b.1))
}

/// The series that are not known and have more events than their target can have had meanwhile.
///
/// Where nothing known has grown, they are all of the target's traffic, and count together or not at all: failures would else
/// stand without the requests beside them.
fn reborn(samples: &[Sample], room: Option<f64>) -> BTreeSet<LabelsId> {
    let Some(room) = room.filter(|room| room.is_finite()) else { return BTreeSet::new() };
    let grown = most_growth(samples);
    let left = (room - grown).max(0.0);
    let mut unknown: Vec<&Sample> = samples.iter().filter(|sample| sample.last.is_none()).collect();
    unknown.sort_by(|a, b| a.value.total_cmp(&b.value));
    let mut used = BTreeMap::new();
    let mut old = BTreeSet::new();
    for sample in &unknown {
        let used = used.entry(sample.selector).or_insert(0.0);
        if *used + sample.value > left {
            old.insert(sample.key);
        } else {
            *used += sample.value;
        }
    }
    if grown <= 0.0 && !old.is_empty() {
        old.extend(unknown.iter().map(|sample| sample.key));
    }
    old
}

/// The growth of the series that are known, by the selector that has grown most.
pub(super) fn most_growth(samples: &[Sample]) -> f64 {
    let mut sums = BTreeMap::new();
    for sample in samples {
        let by = sample.last.map_or(0.0, |last| (sample.value - last).max(0.0));
        *sums.entry(sample.selector).or_insert(0.0) += by;
    }
    sums.into_values().fold(0.0, f64::max)
}
