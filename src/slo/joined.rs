//! Several sources of one selector, joined into one: never a part that passes for the whole.

use std::collections::BTreeMap;

use crate::{
    model::Timestamp,
    ports::{Labels, Point, Series},
};

/// What one of several sources has of a selector.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceAnswer {
    /// Names it.
    pub source: String,
    /// When the newest sample was taken of the series that are alive there; `None` where there are none.
    pub reached: Option<Timestamp>,
    /// Its series.
    pub series: Vec<Series>,
}

/// How many samples before and after another source's one have to agree with it: the clocks of two machines differ.
const AROUND: usize = 2;

/// The union of all series, up to the time that all sources have reached: a source that lags would be missing from newer samples,
/// and nobody could tell. What is left out is read again.
///
/// A series that several sources have was seen by replicas, and is there once, with the samples of all of them.
///
/// # Errors
/// Where two sources have a series of the same labels that cannot be of one counter.
pub fn joined(answers: Vec<SourceAnswer>) -> Result<Vec<Series>, String> {
    let newest = |one: &SourceAnswer| one.series.iter().filter_map(|s| s.points.last()).map(|point| point.at).max();
    let until = answers.iter().filter_map(|one| one.reached.map(|at| newest(one).map_or(at, |own| own.max(at)))).min();
    let mut series: BTreeMap<Labels, Vec<(String, Vec<Point>)>> = BTreeMap::new();
    for answer in answers {
        for mut one in answer.series {
            one.points.retain(|point| until.is_none_or(|until| point.at <= until));
            if !one.points.is_empty() {
                series.entry(one.labels).or_default().push((answer.source.clone(), one.points));
            }
        }
    }
    let joined = series.into_iter().map(|(labels, seen)| {
        for (i, (source, points)) in seen.iter().enumerate() {
            if let Some((other, _)) = seen[..i].iter().find(|(_, before)| contradict(before, points)) {
                return Err(format!(
                    "{other} and {source} both have a series {labels:?}, and it does not count the same events: let the series of \
                     each have a label of its own, such as its zone"
                ));
            }
        }
        let points: BTreeMap<Timestamp, Point> =
            seen.into_iter().flat_map(|(_, points)| points).map(|point| (point.at, point)).collect();
        Ok(Series { labels, points: points.into_values().collect() })
    });
    joined.collect()
}

/// Whether two sources have seen two counters: most samples of one lie outside of what the other has seen around that time.
fn contradict(one: &[Point], other: &[Point]) -> bool {
    let compared: Vec<bool> = other
        .iter()
        .filter_map(|point| fits(one, point))
        .chain(one.iter().filter_map(|point| fits(other, point)))
        .collect();
    2 * compared.iter().filter(|fits| !**fits).count() > compared.len()
}

/// Whether a sample lies between those around it; `None` where there are too few, or the counter began anew.
fn fits(points: &[Point], point: &Point) -> Option<bool> {
    let after = points.partition_point(|other| other.at <= point.at);
    let around = points.get(after.checked_sub(AROUND)?..after + AROUND)?;
    let (low, high) = (around.first()?.value, around.last()?.value);
    around.is_sorted_by(|a, b| a.value <= b.value).then_some((low..=high).contains(&point.value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counter(labels: &[(&str, &str)], seconds: impl IntoIterator<Item = f64>, value: impl Fn(f64) -> f64) -> Series {
        let point =
            |at: f64| Point { at: Timestamp::from_millisecond((at * 1000.0) as i64).unwrap(), value: value(at) };
        Series {
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            points: seconds.into_iter().map(point).collect(),
        }
    }

    fn answer(source: &str, series: Vec<Series>) -> SourceAnswer {
        let reached = series.iter().filter_map(|one| one.points.last()).map(|point| point.at).max();
        SourceAnswer { source: source.to_owned(), reached, series }
    }

    fn scrapes(first: f64, apart: f64, count: usize) -> impl Iterator<Item = f64> + Clone {
        (0..count).map(move |i| first + apart * i as f64)
    }

    #[test]
    fn what_only_one_source_has_reached_is_left_for_later() {
        let zone = |zone, count| vec![counter(&[("zone", zone)], scrapes(1.0, 1.0, count), |at| at)];
        let ends = |answers: Vec<SourceAnswer>| -> Vec<i64> {
            joined(answers).unwrap().iter().map(|one| one.points.last().unwrap().at.as_second()).collect()
        };
        assert_eq!(ends(vec![answer("a", zone("a", 60)), answer("b", zone("b", 20))]), [20, 20]);
        // Its series have ended, and it says so: nothing more is to come from there.
        let ended = SourceAnswer { reached: None, ..answer("b", zone("b", 20)) };
        assert_eq!(ends(vec![answer("a", zone("a", 60)), ended]), [60, 20]);
        // It has nothing new, and says how far it has come.
        let late = SourceAnswer { reached: Some(Timestamp::from_second(5).unwrap()), ..answer("b", vec![]) };
        assert_eq!(ends(vec![answer("a", zone("a", 60)), late]), [5]);
        assert_eq!(ends(vec![answer("a", zone("a", 60)), answer("b", vec![])]), [60]);
    }

    proptest! {
        /// Replicas with clocks that are less than a scrape apart are one counter, whatever its resets; two counters are told.
        #[test]
        fn replicas_are_folded_and_strangers_are_refused(
            apart in 1.0_f64..30.0, offset in 0.01_f64..0.99, skew in -0.9_f64..0.9, rate in 1.0_f64..1000.0, reset in 0.0_f64..40.0,
            count in 6_usize..40, other in prop::sample::select(vec![0.0, 0.2, 5.0]),
        ) {
            let labels = [("instance", "10.0.0.1:80")];
            let began = reset * apart;
            let value = |at: f64| if at < began { rate * (at + 1e4) } else { rate * (at - began) };
            let first = counter(&labels, scrapes(0.0, apart, count), value);
            let replica = counter(&labels, scrapes(offset * apart, apart, count), |at| value(at + skew * apart));
            let folded = joined(vec![answer("a", vec![first.clone()]), answer("b", vec![replica])]).unwrap();
            prop_assert_eq!(folded.len(), 1);
            prop_assert!(folded[0].points.is_sorted_by_key(|point| point.at));
            prop_assert!(folded[0].points.len() > count);
            let stranger = counter(&labels, scrapes(offset * apart, apart, count), |at| other * (1e4 + at) * rate);
            if reset > 39.0 {
                prop_assert!(joined(vec![answer("a", vec![first]), answer("b", vec![stranger])]).is_err());
            }
        }
    }
}
