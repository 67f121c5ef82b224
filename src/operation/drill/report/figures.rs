//! The table of a drill's figures, a row for each repetition.

use std::collections::BTreeSet;

use super::distribution::{Distribution, distribution};
use crate::operation::{
    Table,
    drill::{
        Cycle,
        ledger::{Gap, Measurement, Micros, Outage},
    },
};

/// The figures of all repetitions; with several, the median and the worst of each length as well.
pub fn figures(cycles: &[Cycle]) -> Table {
    let nodes: BTreeSet<&String> = cycles.iter().flat_map(|cycle| cycle.measurement.gaps.nodes.keys()).collect();
    let mut head = vec!["#".to_owned(), "outage".to_owned(), "any ack".to_owned(), "durable".to_owned()];
    head.extend(nodes.iter().map(|node| format!("at {node}")));
    head.extend(["acked", "lost", "duplicate", "unknown", "at risk", "rejoin"].map(str::to_owned));
    let mut all_rows = Vec::new();
    for (cycle, nth) in cycles.iter().zip(1_usize..) {
        let Measurement { gaps, .. } = &cycle.measurement;
        let mut row = vec![nth.to_string(), outage(&cycle.measurement), gap(&gaps.any)];
        row.push(gaps.durable.as_ref().map_or_else(unknown, gap));
        row.extend(nodes.iter().map(|node| gaps.nodes.get(*node).and_then(Option::as_ref).map_or_else(none, gap)));
        row.extend(rows(&cycle.measurement));
        row.push(cycle.rejoin_ms.map_or_else(none, |ms| Micros::millis(ms).to_string()));
        all_rows.push(row);
    }
    if let Some(all) = distribution(cycles) {
        let width = head.len();
        for (name, pick) in
            [("median", Distribution::median as fn(&Distribution) -> Micros), ("worst", Distribution::worst)]
        {
            let mut row = vec![String::new(); width];
            row[0] = name.to_owned();
            row[1] = pick(&all.outage).to_string();
            row[2] = pick(&all.any).to_string();
            row[3] = all.durable.as_ref().map_or_else(unknown, |d| pick(d).to_string());
            row[width - 1] = all.rejoin.as_ref().map_or_else(none, |d| pick(d).to_string());
            all_rows.push(row);
        }
    }
    let figures_from = head.len();
    Table { head, rows: all_rows, figures_from }
}

fn none() -> String {
    "-".to_owned()
}

fn unknown() -> String {
    "?".to_owned()
}

fn gap(gap: &Gap) -> String {
    if gap.ended { gap.length().to_string() } else { format!("{}, not ended", gap.length()) }
}

/// The interval that holds the truth.
pub(super) fn outage(measured: &Measurement) -> String {
    match measured.outage {
        Outage::BelowResolution { .. } => format!("below {}", measured.resolution.limit()),
        Outage::Seen { lower, upper, .. } => format!("{lower} to {upper}"),
        Outage::Unended { silent, .. } => format!("{silent}, not ended"),
    }
}

/// What became of the rows: acknowledged, lost, duplicate, unknown that turned out present or absent, at risk.
fn rows(measured: &Measurement) -> [String; 5] {
    let acknowledged = measured.counts.acknowledged.to_string();
    let at_risk = measured.risk.rows.to_string();
    match &measured.fate {
        None => [acknowledged, unknown(), unknown(), unknown(), at_risk],
        Some(fate) => [
            acknowledged,
            fate.lost.count.to_string(),
            fate.duplicates.count.to_string(),
            format!("{} done, {} not", fate.unknown_present, fate.unknown_absent),
            at_risk,
        ],
    }
}
