//! Increments of cumulative counters, series by series and then summed; a pure fold that can be stored.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::{Deserialize, Serialize};

use super::{LabelsId, stored};
use crate::{
    model::Timestamp,
    ports::{Labels, Point, Series},
};

/// How many series one selector may have; more are left out, and [`Increments::overflowed`] says so.
pub const MOST_SERIES: usize = 20_000;

/// What the series of one selector have grown by since counting began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Increments {
    #[serde(with = "stored::points")]
    tracks: BTreeMap<LabelsId, Point>,
    sum: f64,
    newest: Option<Timestamp>,
    overflowed: bool,
}

impl Increments {
    /// The highest value of a series since its last reset, and when it was last seen.
    pub(super) fn track(&self, key: LabelsId) -> Option<&Point> {
        self.tracks.get(&key)
    }

    /// Notes that samples of a series came, whether they are counted yet or not.
    pub(super) fn saw(&mut self, series: &Series) {
        self.newest = self.newest.max(series.points.iter().filter(|p| is_count(p)).map(|p| p.at).max());
    }

    /// Adds what a series has grown by, and notes where it stands.
    pub(super) fn add(&mut self, key: LabelsId, by: f64, stand: Point) {
        if self.tracks.len() >= MOST_SERIES && !self.tracks.contains_key(&key) {
            self.overflowed = true;
            return;
        }
        self.sum = (self.sum + by).min(f64::MAX);
        self.tracks.insert(key, stand);
    }

    /// The sum of all increments; finite and never negative.
    #[must_use]
    pub const fn sum(&self) -> f64 {
        self.sum
    }

    /// When the newest sample was taken, of all series.
    #[must_use]
    pub const fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// Whether there were more series than are kept.
    #[must_use]
    pub const fn overflowed(&self) -> bool {
        self.overflowed
    }
}

/// Whether a sample can be one of a counter.
pub(super) fn is_count(point: &Point) -> bool {
    point.value.is_finite() && point.value >= 0.0
}

/// What tells one series from another: all of its labels.
pub(super) fn key(labels: &Labels) -> LabelsId {
    let mut text = String::new();
    for (name, value) in labels {
        let _ = write!(text, "{name}={value:?},");
    }
    LabelsId::of(&text)
}

/// What tells one target from another: the labels that a scrape or a discovery adds, not what a program says itself.
pub(super) fn target(labels: &Labels) -> LabelsId {
    const TELLING: [&str; 6] = ["instance", "job", "namespace", "node", "pod", "replica"];
    let mut text = String::new();
    for name in TELLING {
        if let Some(value) = labels.get(name) {
            let _ = write!(text, "{name}={value:?},");
        }
    }
    LabelsId::of(&text)
}
