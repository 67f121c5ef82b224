//! How lengths are spread over the repetitions of a drill.

use serde::Serialize;

use crate::operation::drill::{
    Cycle,
    ledger::{Gap, Measurement, Micros, Outage},
};

/// Lengths in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution(Vec<Micros>);

impl Distribution {
    fn of(lengths: impl Iterator<Item = Micros>) -> Option<Self> {
        let mut lengths: Vec<_> = lengths.collect();
        lengths.sort_unstable();
        (!lengths.is_empty()).then_some(Self(lengths))
    }

    /// The length that as many are below as above; the lower one of the two in the middle.
    #[must_use]
    pub fn median(&self) -> Micros {
        self.0.get((self.0.len() - 1) / 2).copied().unwrap_or_default()
    }

    /// The longest.
    #[must_use]
    pub fn worst(&self) -> Micros {
        self.0.last().copied().unwrap_or_default()
    }
}

impl Serialize for Distribution {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        serde_json::json!({ "medianUs": self.median(), "worstUs": self.worst(), "count": self.0.len() }).serialize(s)
    }
}

/// The longest that an outage can have been; what is below the resolution counts as the resolution.
pub(super) fn upper(measured: &Measurement) -> Micros {
    match measured.outage {
        Outage::BelowResolution { .. } => measured.resolution.limit(),
        Outage::Seen { upper, .. } => upper,
        Outage::Unended { silent, .. } => silent,
    }
}

/// The spread of each length over all repetitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// The upper bound of the outage.
    pub outage: Distribution,
    /// The largest gap between any two acknowledgements.
    pub any: Distribution,
    /// The same by acknowledgements that survived; `None` where no repetition could tell.
    pub durable: Option<Distribution>,
    /// Until the node followed again; `None` where no host was brought back.
    pub rejoin: Option<Distribution>,
}

/// The spread, of several repetitions.
pub fn distribution(cycles: &[Cycle]) -> Option<Spread> {
    if cycles.len() < 2 {
        return None;
    }
    let measured = || cycles.iter().map(|cycle| &cycle.measurement);
    let upper = measured().map(upper);
    Some(Spread {
        outage: Distribution::of(upper)?,
        any: Distribution::of(measured().map(|m| m.gaps.any.length()))?,
        durable: Distribution::of(measured().filter_map(|m| m.gaps.durable.as_ref().map(Gap::length))),
        rejoin: Distribution::of(cycles.iter().filter_map(|cycle| cycle.rejoin_ms.map(Micros::millis))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_few_is_one_of_them() {
        let of = |lengths: &[u64]| Distribution::of(lengths.iter().map(|n| Micros(*n)));
        assert_eq!(of(&[]), None);
        let three = of(&[9, 1, 4]).unwrap();
        assert_eq!((three.median(), three.worst()), (Micros(4), Micros(9)));
        assert_eq!(of(&[9, 1, 4, 7]).unwrap().median(), Micros(4));
        assert_eq!(of(&[5]).unwrap().median(), Micros(5));
    }
}
