//! Increments of cumulative counters, series by series and then summed; a pure fold that can be stored.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::{Deserialize, Serialize};

use crate::{
    model::Timestamp,
    ports::{Labels, Point, Series},
};

/// How many series one selector may have; more are left out, and [`Increments::overflowed`] says so.
const MOST_SERIES: usize = 20_000;

/// What the series of one selector have grown by since counting began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Increments {
    tracks: BTreeMap<String, Point>,
    sum: f64,
    newest: Option<Timestamp>,
    overflowed: bool,
}

impl Increments {
    /// Adds samples of one series. Those up to `start` only set where counting begins; those after `until` are left
    /// for later. A series that is `born` on a known target counts from zero, any other from its first value.
    ///
    /// What is no number, negative, or not newer than what is known, is passed over. A value below the one before is
    /// a reset: the counter began at zero again.
    pub fn add(&mut self, series: &Series, born: bool, start: Timestamp, until: Timestamp) {
        let key = key(&series.labels);
        for point in series.points.iter().filter(|p| p.value.is_finite() && p.value >= 0.0) {
            self.newest = self.newest.max(Some(point.at));
            if point.at > until {
                continue;
            }
            let grown = match self.tracks.get(&key) {
                Some(last) if point.at <= last.at => continue,
                Some(last) if point.value >= last.value => point.value - last.value,
                Some(_) => point.value,
                None if self.tracks.len() >= MOST_SERIES => {
                    self.overflowed = true;
                    return;
                }
                None if born => point.value,
                None => 0.0,
            };
            if point.at > start {
                self.sum = (self.sum + grown).min(f64::MAX);
            }
            self.tracks.insert(key.clone(), *point);
        }
    }

    /// Whether a series is known.
    #[must_use]
    pub fn knows(&self, labels: &Labels) -> bool {
        self.tracks.contains_key(&key(labels))
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

/// The labels as one text; stored state cannot have maps as keys.
fn key(labels: &Labels) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        let _ = write!(text, "{name}={value:?},");
    }
    text
}

/// What tells one target from another: the labels that a scrape or a discovery adds, not what a program says itself.
pub(super) fn target(labels: &Labels) -> String {
    const TELLING: [&str; 6] = ["instance", "job", "namespace", "node", "pod", "replica"];
    let mut text = String::new();
    for name in TELLING {
        if let Some(value) = labels.get(name) {
            let _ = write!(text, "{name}={value:?},");
        }
    }
    text
}
