//! Native histograms as a server answers them, and the observations that are counted of them.
//!
//! Shape: <https://prometheus.io/docs/prometheus/latest/querying/api/#native-histograms>.

use serde::Deserialize;

use super::{number, time};
use crate::ports::{Native, Point};

/// How a query counts a native histogram.
pub(super) const HINT: &str =
    "count it by `histogram_count(...)`, and a part of it by `histogram_fraction(0, T, X) * histogram_count(X)`";

/// Edges are computed in several ways: nearer than this they are the same.
const SAME: f64 = 1e-8;

/// The coarsest and the finest schema of exponential buckets.
const SCHEMAS: std::ops::RangeInclusive<i32> = -4..=8;

#[derive(Deserialize)]
pub(super) struct Histogram {
    count: String,
    /// Which edges belong to it, the edges, and the observations between them; those that have none are left out.
    #[serde(default)]
    buckets: Vec<(u8, String, String, String)>,
}

struct Bucket {
    left: f64,
    right: f64,
    count: f64,
}

/// The counted observations of each sample.
///
/// # Errors
/// Where the samples cannot be read, or observations lie in a bucket on both sides of the edge: then nobody can tell.
pub(super) fn counted<'h>(
    native: &Native,
    name: &str,
    samples: impl Iterator<Item = &'h (f64, Histogram)>,
) -> Result<Vec<Point>, String> {
    let count = |histogram: &Histogram| match native {
        Native::Count => number(&histogram.count),
        Native::UpTo(edge) => up_to(number(edge)?, &histogram.read()?).map_err(|why| format!("{name}: {why}")),
    };
    samples.map(|(at, histogram)| Ok(Point { at: time(*at)?, value: count(histogram)? })).collect()
}

impl Histogram {
    fn read(&self) -> Result<Vec<Bucket>, String> {
        let bucket = |(_, left, right, count): &(u8, String, String, String)| {
            Ok(Bucket { left: number(left)?, right: number(right)?, count: number(count)? })
        };
        self.buckets.iter().map(bucket).collect()
    }
}

fn up_to(edge: f64, buckets: &[Bucket]) -> Result<f64, String> {
    let same = |a: f64| (a - edge).abs() <= SAME * edge.abs();
    let below = |bucket: &&Bucket| bucket.right <= edge || same(bucket.right);
    let across = |bucket: &&Bucket| bucket.left < edge && !same(bucket.left) && !below(bucket);
    let nearest = if let Some(bucket) = buckets.iter().find(across) {
        Some((bucket.left, bucket.right))
    } else {
        // A bucket without observations is not in the answer. What the others are tells where its edges are.
        schema(buckets).and_then(|schema| {
            let at = position(edge, schema);
            (!is_edge(at)).then(|| (bound(at.floor(), schema), bound(at.ceil(), schema)))
        })
    };
    match nearest {
        Some((left, right)) => Err(format!(
            "the threshold {edge} is no edge of the histogram's buckets; the nearest edges are {left} and {right}"
        )),
        None => Ok(buckets.iter().filter(below).map(|bucket| bucket.count).sum()),
    }
}

/// The upper edge of the bucket at an index, by a schema of exponential buckets.
fn bound(index: f64, schema: i32) -> f64 {
    (index / f64::from(schema).exp2()).exp2()
}

/// Where a value stands among the edges of a schema; see [`bound`].
fn position(value: f64, schema: i32) -> f64 {
    value.log2() * f64::from(schema).exp2()
}

fn is_edge(position: f64) -> bool {
    (position - position.round()).abs() < SAME
}

/// The schema of exponential buckets; `None` of other buckets, and where there are too few to tell.
fn schema(buckets: &[Bucket]) -> Option<i32> {
    let positive: Vec<&Bucket> =
        buckets.iter().filter(|bucket| bucket.left > 0.0 && bucket.right.is_finite()).collect();
    let [first, _, ..] = positive.as_slice() else { return None };
    let schema = -(first.right / first.left).log2().log2().round() as i32;
    let fits = |bucket: &&Bucket| {
        let [left, right] = [bucket.left, bucket.right].map(|edge| position(edge, schema));
        is_edge(right) && (right - left - 1.0).abs() < SAME
    };
    (SCHEMAS.contains(&schema) && positive.iter().all(fits)).then_some(schema)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exponential(schema: i32, counts: &[(i32, u32)]) -> Vec<Bucket> {
        let bucket = |(i, count): &(i32, u32)| Bucket {
            left: bound(f64::from(i - 1), schema),
            right: bound(f64::from(*i), schema),
            count: f64::from(*count),
        };
        counts.iter().map(bucket).collect()
    }

    #[test]
    fn a_threshold_between_the_edges_is_refused_with_the_nearest() {
        let said = |edge: f64, buckets: &[Bucket]| up_to(edge, buckets).unwrap_err();
        let buckets = exponential(0, &[(-2, 7), (3, 1)]);
        assert_eq!(up_to(0.25, &buckets), Ok(7.0));
        assert_eq!(up_to(0.5, &buckets), Ok(7.0));
        let own = |edges: &[f64]| -> Vec<Bucket> {
            edges.windows(2).map(|pair| Bucket { left: pair[0], right: pair[1], count: 2.0 }).collect()
        };
        let custom = own(&[f64::NEG_INFINITY, 0.1, 0.3, f64::INFINITY]);
        assert_eq!(up_to(0.3, &custom), Ok(4.0));
        // Too few to tell what lies between them.
        assert_eq!(up_to(0.3, &own(&[0.05, 0.1])), Ok(2.0));
        let all = [said(0.3, &buckets), said(0.2, &buckets), said(0.2, &custom), said(9.0, &custom)];
        for (said, nearest) in all.iter().zip(["0.25 and 0.5", "0.125 and 0.25", "0.1 and 0.3", "0.3 and inf"]) {
            assert!(said.ends_with(&format!("the nearest edges are {nearest}")), "{said}");
        }
    }

    proptest! {
        /// Of any exponential buckets, those up to an edge of their own are counted, and what is no edge is refused.
        #[test]
        fn edges_are_counted_and_nothing_else_is(
            schema in SCHEMAS,
            counts in prop::collection::btree_map(-40_i32..40, 1_u32..1000, 2..20),
            edge in -40_i32..40,
            off in 0.01_f64..0.99,
        ) {
            let counts: Vec<(i32, u32)> = counts.into_iter().collect();
            let buckets = exponential(schema, &counts);
            let expected: u32 = counts.iter().filter(|(i, _)| *i <= edge).map(|(_, count)| count).sum();
            prop_assert_eq!(up_to(bound(f64::from(edge), schema), &buckets), Ok(f64::from(expected)));
            prop_assert!(up_to(bound(f64::from(edge) + off, schema), &buckets).is_err());
        }
    }
}
