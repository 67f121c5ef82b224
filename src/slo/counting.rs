//! Which counters an objective adds up.

use serde::{Deserialize, Serialize};

use super::{Matchers, Problem};
use crate::ports::{MatchOp, Matcher, Selector};

/// What the series of a selector count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// Good events.
    Good,
    /// Bad events.
    Bad,
    /// All events.
    Total,
}

/// The counters of one objective; two of the three sides have selectors, and the third follows from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counting {
    /// What is added up for which side.
    pub selectors: Vec<(Side, Selector)>,
    /// The threshold that has to be an edge of the histogram's buckets, where there is one, in the unit of `le`.
    pub edge: Option<f64>,
}

impl Counting {
    /// The same counters, only of series that these matchers pick.
    #[must_use]
    pub fn with(&self, matchers: &Matchers) -> Self {
        let mut picked = self.clone();
        for (_, selector) in &mut picked.selectors {
            *selector = narrowed(selector, matchers);
        }
        picked
    }

    /// The buckets whose `le` labels have to be seen before a threshold can be trusted; see [`check_edge`].
    #[must_use]
    pub fn buckets(&self) -> Option<Selector> {
        self.edge?;
        let good = self.side(Side::Good).next()?;
        let matchers = good.matchers.iter().filter(|m| m.label != "le").cloned().collect();
        Some(Selector::counters(good.metric.clone(), matchers))
    }

    /// The selectors of one side.
    pub fn side(&self, side: Side) -> impl Iterator<Item = &Selector> {
        self.selectors.iter().filter(move |(s, _)| *s == side).map(|(_, selector)| selector)
    }
}

fn narrowed(selector: &Selector, matchers: &Matchers) -> Selector {
    let mut narrowed = selector.clone();
    for matcher in matchers.iter() {
        if !narrowed.matchers.contains(matcher) {
            narrowed.matchers.push(matcher.clone());
        }
    }
    narrowed
}

/// The matcher for the bucket with this edge: Prometheus clients write whole edges as `1` or as `1.0`.
pub(super) fn edge_matcher(edge: f64) -> Matcher {
    let label = "le".to_owned();
    let text = edge.to_string();
    if edge.fract() == 0.0 {
        return Matcher { label, op: MatchOp::Matches, value: format!("{text}|{text}\\.0") };
    }
    Matcher { label, op: MatchOp::Equal, value: text }
}

/// Checks that a threshold is one of the edges that were seen, as they stand in `le` labels.
///
/// # Errors
/// Where it lies between edges: then nobody can tell which events were slower. The nearest edges are named.
pub fn check_edge<'l>(edge: f64, seen: impl IntoIterator<Item = &'l str>) -> Result<(), Problem> {
    let mut edges: Vec<f64> = seen.into_iter().filter_map(|le| le.parse().ok()).filter(|e: &f64| !e.is_nan()).collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    if edges.contains(&edge) {
        return Ok(());
    }
    let below = edges.iter().rev().find(|e| **e < edge);
    let above = edges.iter().find(|e| **e > edge && e.is_finite());
    let hint = match (below, above) {
        (Some(b), Some(a)) => format!("use the nearest edges: {b} or {a}"),
        (Some(one), None) | (None, Some(one)) => format!("use the nearest edge: {one}"),
        (None, None) => "the histogram has no finite edges; check the query".to_owned(),
    };
    Err(Problem::new("", format!("the threshold {edge} is no edge of the histogram's buckets"), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_off_the_edges_are_refused_with_the_nearest() {
        let seen = ["0.1", "0.25", "+Inf", "1.0", "x"];
        check_edge(0.25, seen).unwrap();
        check_edge(1.0, seen).unwrap();
        assert_eq!(check_edge(0.3, seen).unwrap_err().hint, "use the nearest edges: 0.25 or 1");
        assert_eq!(check_edge(3.0, seen).unwrap_err().hint, "use the nearest edge: 1");
        assert_eq!(check_edge(0.3, []).unwrap_err().what, "the threshold 0.3 is no edge of the histogram's buckets");
    }
}
