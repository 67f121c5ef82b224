//! Where series and targets stand, as it is stored: some twenty bytes for each, whatever their labels are.
//!
//! What stands at one time is one text, `ID VALUE ID VALUE ...` for series and `ID ID ...` for targets. Journals of earlier
//! releases have a map from labels instead, and are read as well.

use std::{collections::BTreeMap, fmt, str::FromStr};

use sha2::{Digest as _, Sha256};

use crate::model::Timestamp;

/// What stands for the labels of a series or a target: the beginning of a digest of them, the same in every process. Among 20,000
/// series two are alike once in a hundred thousand million times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelsId(u64);

impl LabelsId {
    pub fn of(labels: &str) -> Self {
        Self(Sha256::digest(labels).iter().take(8).fold(0, |id, byte| (id << 8) | u64::from(*byte)))
    }
}

impl fmt::Display for LabelsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for LabelsId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// Series, and where each stands.
pub mod points {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use super::{LabelsId, Timestamp, by_time, parsed};
    use crate::ports::Point;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stand {
        At(String),
        Of(Point),
    }

    pub fn serialize<S: Serializer>(points: &BTreeMap<LabelsId, Point>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(by_time(points.iter().map(|(id, point)| (point.at, format!("{id} {}", point.value)))))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<LabelsId, Point>, D::Error> {
        let mut points = BTreeMap::new();
        for (key, stand) in BTreeMap::<String, Stand>::deserialize(from)? {
            match stand {
                Stand::Of(point) => drop(points.insert(LabelsId::of(&key), point)),
                Stand::At(text) => {
                    let at: Timestamp = parsed(&key).map_err(D::Error::custom)?;
                    let mut words = text.split(' ');
                    while let (Some(id), Some(value)) = (words.next(), words.next()) {
                        let id = parsed(id).map_err(D::Error::custom)?;
                        let value = parsed(value).map_err(D::Error::custom)?;
                        points.insert(id, Point { at, value });
                    }
                }
            }
        }
        Ok(points)
    }
}

/// Targets, and up to when each was counted.
pub mod times {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use super::{LabelsId, Timestamp, by_time, parsed};

    pub fn serialize<S: Serializer>(targets: &BTreeMap<LabelsId, Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(by_time(targets.iter().map(|(id, at)| (*at, id.to_string()))))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<LabelsId, Timestamp>, D::Error> {
        let mut targets = BTreeMap::new();
        for (key, text) in BTreeMap::<String, String>::deserialize(from)? {
            // Of earlier releases: labels, which are no time, and the time.
            match key.parse::<Timestamp>() {
                Err(_) => drop(targets.insert(LabelsId::of(&key), parsed(&text).map_err(D::Error::custom)?)),
                Ok(at) => {
                    for id in text.split(' ') {
                        targets.insert(parsed(id).map_err(D::Error::custom)?, at);
                    }
                }
            }
        }
        Ok(targets)
    }
}

/// All that stands at one time as one text.
fn by_time(all: impl Iterator<Item = (Timestamp, String)>) -> BTreeMap<Timestamp, String> {
    let mut times: BTreeMap<Timestamp, String> = BTreeMap::new();
    for (at, word) in all {
        let text = times.entry(at).or_default();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&word);
    }
    times
}

fn parsed<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|e| format!("`{text}`: {e}"))
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;
    use crate::ports::Point;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Stored {
        #[serde(with = "points")]
        series: BTreeMap<LabelsId, Point>,
        #[serde(with = "times")]
        targets: BTreeMap<LabelsId, Timestamp>,
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_763_717_400_123 + seconds * 1000).unwrap()
    }

    #[test]
    fn what_is_stored_is_read_as_it_was() {
        let id = |n: usize| LabelsId::of(&format!("instance=\"10.0.0.{n}\","));
        let values = [0.0, 1.5, 123_456_789.0, 1e300, f64::MIN_POSITIVE, 0.1 + 0.2];
        let series = values.iter().enumerate().map(|(n, value)| (id(n), Point { at: at(n as i64 / 2), value: *value }));
        let stored = Stored { series: series.collect(), targets: (0..9).map(|n| (id(n), at(n as i64 / 4))).collect() };
        let text = serde_json::to_string(&stored).unwrap();
        assert_eq!(serde_json::from_str::<Stored>(&text).unwrap(), stored);
        let empty = Stored { series: BTreeMap::new(), targets: BTreeMap::new() };
        assert_eq!(serde_json::from_value::<Stored>(json!({ "series": {}, "targets": {} })).unwrap(), empty);
    }

    #[test]
    fn what_earlier_releases_have_stored_is_read() {
        let (series, target) = ("code=\"200\",instance=\"a\",", "instance=\"a\",");
        let earlier =
            json!({ "series": { series: { "at": at(0), "value": 7.0 } }, "targets": { target: at(1), "": at(2) } });
        let read: Stored = serde_json::from_value(earlier).unwrap();
        assert_eq!(read.series, BTreeMap::from([(LabelsId::of(series), Point { at: at(0), value: 7.0 })]));
        assert_eq!(read.targets, BTreeMap::from([(LabelsId::of(target), at(1)), (LabelsId::of(""), at(2))]));
    }
}
