//! Whatever the delays and whoever is asked: the interval holds the truth, and the rows add up.

use interlock::{
    operation::drill::ledger::{Head, Ledger, Line, Mark, Micros, Outage, Records, Stream, Verdict, judge, measure},
    ports::{Unit, Written},
};
use proptest::prelude::*;

use crate::story::refused;

/// Long enough that a node cannot take writes and stop again between two questions.
const LONG: std::ops::Range<u64> = 200_000..700_000;

#[derive(Debug, Clone)]
struct Course {
    nodes: u16,
    period: u64,
    /// Who takes writes, and for how long; the first phase is before the fault.
    phases: Vec<(Option<u16>, u64)>,
    /// From beginning to answer.
    delays: Vec<u64>,
    /// When in between the database looks at it, in percent.
    places: Vec<u64>,
    /// Whom the routed writer asks: anybody, also without any sense.
    aims: Vec<u16>,
}

impl Course {
    fn owner(&self, at: u64) -> Option<u16> {
        let mut end = 0;
        for (owner, length) in &self.phases {
            end += length;
            if at < end {
                return owner.map(|owner| owner % self.nodes);
            }
        }
        self.phases.last().and_then(|(owner, _)| owner.map(|owner| owner % self.nodes))
    }

    fn end(&self) -> u64 {
        self.phases.iter().map(|(_, length)| length).sum()
    }

    /// The longest time in which nobody took writes.
    fn truth(&self) -> u64 {
        let mut longest = 0;
        let mut current = 0;
        for (owner, length) in &self.phases {
            current = if owner.is_none() { current + length } else { 0 };
            longest = longest.max(current);
        }
        longest
    }

    fn records(&self) -> Records {
        let period = Micros(self.period);
        let pinned = (0..self.nodes).map(|node| Stream { node: Some(node), period });
        let streams: Vec<_> = std::iter::once(Stream { node: None, period }).chain(pinned).collect();
        let nodes = (0..self.nodes).map(|node| format!("n{node}")).collect();
        let mut ledger =
            Ledger::new(Head { nodes, unit: Unit::Bytes, streams: streams.clone(), poll_every: Micros::millis(20) });
        let mut drawn = 0;
        let mut rows = std::collections::BTreeMap::new();
        for due in (0..self.end()).step_by(usize::try_from(self.period).unwrap()) {
            for (stream, to) in (0_u16..).zip(&streams) {
                drawn += 1;
                let draw = |from: &[u64]| from[drawn % from.len()];
                // Until the fault the routed writer asks its primary, so that there is a baseline.
                let aim = if due < self.phases[0].1 { 0 } else { self.aims[drawn % self.aims.len()] % self.nodes };
                let node = to.node.unwrap_or(aim);
                let (id, begun, delay) = (drawn as u64, due + 50 * u64::from(stream), draw(&self.delays));
                let took_place = begun + delay * draw(&self.places) / 100;
                let done = self.owner(took_place) == Some(node);
                let written = if done { Written::Acknowledged } else { refused("25006") };
                if done {
                    rows.insert(id, 1);
                }
                let at = Micros(begun);
                ledger.add(Line::Intent { id, stream, node, due: Micros(due), begun: at });
                let answered = Micros(begun + delay);
                ledger.add(Line::End { id, sent: Some(at), answered, written, notices: vec![] });
            }
        }
        ledger.add(Line::Marked { mark: Mark::Fault, at: Micros(self.phases[0].1) });
        ledger.add(Line::Ended { at: Micros(self.end()) });
        let mut records = ledger.into_records();
        records.finals.primary = Some("n0".to_owned());
        records.finals.rows.insert("n0".to_owned(), rows);
        records
    }
}

fn courses() -> impl Strategy<Value = Course> {
    let phases = prop::collection::vec((prop::option::weighted(0.6, 0_u16..3), LONG), 1..5);
    let delays = prop_oneof![
        prop::collection::vec(50_u64..3_000, 1..40),
        prop::collection::vec(50_u64..40_000, 1..40),
        // Mostly quick, and one in a while hangs.
        (prop::collection::vec(50_u64..1_000, 20..40), 20_000_u64..40_000).prop_map(|(mut delays, one)| {
            delays.push(one);
            delays
        }),
    ];
    let (places, aims) = (prop::collection::vec(0_u64..=100, 1..30), prop::collection::vec(0_u16..3, 1..30));
    (1_u16..=3, 1_000_u64..9_000, phases, delays, places, aims, LONG).prop_map(
        |(nodes, period, later, delays, places, aims, first)| {
            let phases = std::iter::once((Some(0), first)).chain(later).collect();
            Course { nodes, period, phases, delays, places, aims }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_interval_holds_the_truth(course in courses()) {
        let measured = measure(&course.records()).unwrap();
        let truth = Micros(course.truth());
        let (lower, upper) = match measured.outage {
            Outage::BelowResolution { largest } => (Micros(0), largest),
            Outage::Seen { lower, upper, .. } => (lower, upper),
            Outage::Unended { lower, silent, .. } => (lower, silent),
        };
        prop_assert!(lower <= upper);
        prop_assert!(lower <= truth, "{lower} is more than {truth}: {:?}", measured.outage);
        prop_assert!(truth <= upper, "{truth} is more than {upper}: {:?}", measured.outage);
        // No gap of a part is shorter than that of the whole, unless an answer ended that after the end of the record.
        let (gaps, end) = (&measured.gaps, Micros(course.end()));
        prop_assert!(gaps.any.until > end || gaps.any.length() <= gaps.routed.length(), "{gaps:?}");
        prop_assert!(gaps.any.until > end || gaps.durable.is_none_or(|gap| gap.length() >= gaps.any.length()), "{gaps:?}");
        // Only one node took writes at any time.
        prop_assert_eq!(&measured.dual, &None);
    }

    #[test]
    fn every_row_is_accounted_for(course in courses(), dropped in prop::collection::btree_set(1_u64..2_000, 0..30), twice in 1_u64..2_000) {
        let mut records = course.records();
        let rows = records.finals.rows.get_mut("n0").unwrap();
        let lost = dropped.iter().filter(|id| rows.remove(id).is_some()).count() as u64;
        let duplicates = rows.get_mut(&twice).map_or(0, |times| { *times = 2; 1 });
        let measured = measure(&records).unwrap();
        let (fate, counts) = (measured.fate.as_ref().unwrap(), &measured.counts);
        prop_assert_eq!((fate.lost.count, fate.duplicates.count, fate.phantoms.count), (lost, duplicates, 0));
        prop_assert_eq!(fate.durable + fate.lost.count, counts.acknowledged);
        prop_assert_eq!(fate.lost_by.values().sum::<u64>(), fate.lost.count);
        let refused: u64 = counts.refused.values().sum();
        prop_assert_eq!(counts.acknowledged + refused + counts.unknown.values().sum::<u64>(), counts.attempts);
        prop_assert_eq!(measured.slots.iter().map(|slots| slots.due).sum::<u64>(), counts.attempts);
        let failed = judge(&measured, &Default::default()).verdict == Verdict::Fail;
        prop_assert_eq!(failed, duplicates > 0 || matches!(measured.outage, Outage::Unended { .. }));
    }
}
