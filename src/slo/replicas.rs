//! Series of one counter that several replicas of a source have seen, folded into one.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    model::Timestamp,
    ports::{Labels, Point, Series},
};

/// Labels that tell replicas of a source apart, by their usual names: the Prometheus operator's, those of Thanos and its receivers
/// and rulers, that of Mimir and Cortex, and `replica` itself.
const REPLICA_LABELS: [&str; 6] =
    ["prometheus_replica", "thanos_replica", "receive_replica", "rule_replica", "__replica__", "replica"];

/// The name that programs use for their own parts as well.
const COMMON: &str = "replica";

/// Folds series that differ in a replica label alone; each counter is then there once, with the samples of all replicas.
///
/// The label is left out of every series that carries it, so that a replica that comes later changes no name. Replicas sample at
/// times of their own, or say the same of the same time. Where they do not, a label is none of replicas, and the series
/// stay as they are; and a plain `replica` is only taken for one where no two series of it share a time at all.
#[must_use]
pub fn without_replicas(series: &[Series]) -> Cow<'_, [Series]> {
    let found = replica_labels(series);
    if found.is_empty() {
        return Cow::Borrowed(series);
    }
    let mut folded: BTreeMap<Labels, BTreeMap<Timestamp, f64>> = BTreeMap::new();
    for one in series {
        let points = folded.entry(bare(&one.labels, &found)).or_default();
        points.extend(one.points.iter().filter(|point| !point.value.is_nan()).map(|point| (point.at, point.value)));
    }
    let series = folded.into_iter().map(|(labels, points)| {
        let points = points.into_iter().map(|(at, value)| Point { at, value }).collect();
        Series { labels, points }
    });
    Cow::Owned(series.collect())
}

/// The labels by which replicas of the source are told apart in these series.
#[must_use]
pub fn replica_labels(series: &[Series]) -> BTreeSet<&'static str> {
    let carried = REPLICA_LABELS.into_iter().filter(|label| series.iter().any(|one| one.labels.contains_key(*label)));
    carried.filter(|label| tells_replicas(series, label)).collect()
}

fn tells_replicas(series: &[Series], label: &'static str) -> bool {
    let mut groups: BTreeMap<Labels, BTreeMap<Timestamp, f64>> = BTreeMap::new();
    let mut several = false;
    for one in series.iter().filter(|one| one.labels.contains_key(label)) {
        let name = bare(&one.labels, &BTreeSet::from([label]));
        several |= groups.contains_key(&name);
        let seen = groups.entry(name).or_default();
        for point in one.points.iter().filter(|point| !point.value.is_nan()) {
            let before = seen.insert(point.at, point.value);
            // Exact: replicas that have one sample have the very same one.
            if before.is_some_and(|before| label == COMMON || before.total_cmp(&point.value).is_ne()) {
                return false;
            }
        }
    }
    several || label != COMMON
}

fn bare(labels: &Labels, without: &BTreeSet<&'static str>) -> Labels {
    labels
        .iter()
        .filter(|(label, _)| !without.contains(label.as_str()))
        .map(|(label, value)| (label.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn series(labels: &[(&str, &str)], points: &[(i64, f64)]) -> Series {
        Series {
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            points: points
                .iter()
                .map(|(ms, value)| Point { at: Timestamp::from_millisecond(*ms).unwrap(), value: *value })
                .collect(),
        }
    }

    #[test]
    fn parts_of_a_program_are_no_replicas_of_the_source() {
        // One scrape has both, so their times are the same and their values are not.
        for label in ["replica", "prometheus_replica"] {
            let parts = ["0", "1"].map(|part| {
                let value = if part == "0" { 7.0 } else { 9.0 };
                series(&[("instance", "a"), (label, part)], &[(1_000, value), (2_000, value)])
            });
            assert_eq!(without_replicas(&parts).as_ref(), parts, "{label}");
        }
        let alone = [series(&[("instance", "a"), ("replica", "0")], &[(1_000, 7.0)])];
        assert_eq!(without_replicas(&alone).as_ref(), alone);
    }

    proptest! {
        /// However many replicas have seen a counter, and at whatever times, it is there once; and what tells other counters apart is kept.
        #[test]
        fn each_counter_is_there_once(
            replicas in prop::collection::vec(0_i64..900, 1..4),
            codes in prop::collection::btree_set("[2-5]00", 1..4),
            label in prop::sample::select(vec!["prometheus_replica", "thanos_replica", "__replica__"]),
            same_times in any::<bool>(),
        ) {
            let mut all = Vec::new();
            for (replica, offset) in replicas.iter().enumerate() {
                for code in &codes {
                    let points: Vec<_> = (1..5).map(|second| {
                        let at = second * 1000 + if same_times { 0 } else { *offset };
                        (at, at as f64)
                    }).collect();
                    all.push(series(&[("instance", "a"), ("code", code), (label, &replica.to_string())], &points));
                }
            }
            let folded = without_replicas(&all);
            prop_assert_eq!(folded.len(), codes.len());
            prop_assert!(folded.iter().all(|one| one.labels.len() == 2 && one.points.is_sorted_by_key(|point| point.at)));
            prop_assert_eq!(replica_labels(&all).into_iter().collect::<Vec<_>>(), vec![label]);
        }
    }
}
