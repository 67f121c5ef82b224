//! The verdict on all repetitions together, and the words for it.

use super::{
    Cycle,
    ledger::{Judgement, Measurement, Objectives, Outage, Reason, Verdict, judge},
};

/// Judges every repetition by itself; rows at risk add up, for "none was lost" is shown by all of them together.
pub(super) fn together(cycles: &[Cycle], asked: &Objectives) -> Judgement {
    let at_risk = cycles.iter().map(|cycle| cycle.measurement.risk.rows).sum();
    let mut reasons = Vec::new();
    for (cycle, nth) in cycles.iter().zip(1..) {
        let mut measured = cycle.measurement.clone();
        measured.risk.rows = at_risk;
        let judged = judge(&measured, asked).reasons.into_iter();
        reasons.extend(judged.map(|reason| match cycles.len() {
            1 => reason,
            all => Reason { why: format!("{nth}/{all}: {}", reason.why), ..reason },
        }));
    }
    let verdict = reasons.iter().map(|reason| reason.verdict).max().unwrap_or(Verdict::NotProven);
    Judgement { verdict, reasons }
}

/// The reasons that the verdict rests on, in a line.
pub(super) fn told(judgement: &Judgement) -> String {
    let decisive = judgement.reasons.iter().filter(|reason| reason.verdict == judgement.verdict);
    let mut told: Vec<&str> = decisive.map(|reason| reason.why.as_str()).collect();
    let left = told.len().saturating_sub(MOST_TOLD);
    told.truncate(MOST_TOLD);
    let more = if left > 0 { format!("; and {left} more") } else { String::new() };
    if told.is_empty() { "nothing was measured".to_owned() } else { format!("{}{more}", told.join("; ")) }
}

/// How many reasons fit into a line.
const MOST_TOLD: usize = 4;

/// One repetition's figures in a line.
pub(super) fn summary(measured: &Measurement) -> String {
    let outage = match measured.outage {
        Outage::BelowResolution { .. } => format!("no outage above {}", measured.resolution.limit()),
        Outage::Seen { lower, upper, .. } => format!("no writes for {lower} to {upper}"),
        Outage::Unended { silent, .. } => format!("no writes for {silent}, and none since"),
    };
    let lost = measured.fate.as_ref().map_or_else(
        || "what was lost is not known".to_owned(),
        |fate| format!("{} of {} acknowledged rows lost", fate.lost.count, measured.counts.acknowledged),
    );
    let both = measured
        .dual
        .as_ref()
        .map(|dual| format!(", {} and {} both took writes for {}", dual.winner, dual.loser, dual.length));
    format!("{outage}, {lost}{}", both.unwrap_or_default())
}
