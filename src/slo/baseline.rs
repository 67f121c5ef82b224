//! The baseline: how bad the old slot was before the switch, and the tolerated share that is frozen from it.

use super::{
    evidence::{Evidence, ObjectiveEvidence, closes},
    look::{Counts, ObserveContext},
    terms::{Assume, ObjectiveRule, Rules},
    verdict::{grouped, percent},
};
use crate::stats::{Dispersion, clopper_pearson_lower, sequence_lower, sequence_upper};

/// Why a baseline cannot be the measure of a release.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BaselineRefusal {
    /// The old slot is itself worse than what may be tolerated.
    #[error("{objective}: the old slot is not healthy: {} of {} bad ({}), at most {} may be taken as its normal state",
        grouped(.counts.bad), grouped(.counts.total), percent(counts.share().unwrap_or(1.0)), percent(*cap))]
    NotHealthy {
        /// The objective.
        objective: String,
        /// What was counted on the old slot.
        counts: Counts,
        /// The share above which the gate refuses.
        cap: f64,
    },
    /// The old slot may be healthy, and too few requests were seen to say so.
    #[error("{objective}: {} requests to the old slot exclude only {}, and {} has to be excluded; about {} more are needed",
        grouped(.counts.total), percent(*upper), percent(*cap), grouped(*more))]
    TooFewRequests {
        /// The objective.
        objective: String,
        /// What was counted on the old slot.
        counts: Counts,
        /// The upper limit U so far.
        upper: f64,
        /// The share above which the gate refuses.
        cap: f64,
        /// Requests that are still needed, at the share seen so far.
        more: u64,
    },
    /// The old slot had no requests.
    #[error("{objective}: the old slot had no requests, so there is no baseline")]
    NoTraffic {
        /// The objective.
        objective: String,
    },
}

/// Folds one look at the old slot, before the switch, into the baseline.
pub fn observe_baseline(rules: &Rules, evidence: &mut Evidence, look: &ObserveContext) {
    if !look.fresh {
        return;
    }
    let closed = closes(&mut evidence.baseline_open, look.elapsed, rules.block_length()).is_some();
    for (at, objective) in evidence.objectives.iter_mut().enumerate() {
        let counts = look.objectives.get(at).copied().unwrap_or_default().baseline;
        objective.baseline.add(counts);
        objective.baseline_block.add(counts);
        if closed {
            let block = std::mem::take(&mut objective.baseline_block);
            objective.baseline_dispersion.observe(block.total, block.bad);
        }
    }
}

/// Freezes the tolerated share of every objective: at b (1 - SLO), unless the old slot was seen to be worse, that is if the lower
/// confidence-sequence limit of its baseline exceeds that; then at U, the upper one.
///
/// Not at the larger of the two: with few requests U is large, so the less was known, the more would be tolerated. The limits
/// hold at alpha/2, shared by the objectives; where one stands on U the tests run at the other half. Where the rules want no
/// baseline, this is [`freeze_without_baseline`]. Nothing changes on a refusal,
/// and nothing once it is frozen: a p0 that moved with the data would not be one.
///
/// # Errors
/// Where the old slot is not healthy, or was not seen well enough to say so.
pub fn freeze(rules: &Rules, evidence: &mut Evidence) -> Result<(), BaselineRefusal> {
    if evidence.is_frozen() {
        return Ok(());
    }
    if !rules.baseline {
        freeze_without_baseline(rules, evidence);
        return Ok(());
    }
    let error = rules.alpha / 2.0 / rules.objectives.len().max(1) as f64;
    let uppers = rules
        .objectives
        .iter()
        .zip(&evidence.objectives)
        .map(|(rule, objective)| upper(rules, rule, objective.baseline, &objective.baseline_dispersion, error))
        .collect::<Result<Vec<_>, _>>()?;
    evidence.measured = false;
    for ((rule, objective), upper) in rules.objectives.iter().zip(&mut evidence.objectives).zip(uppers) {
        let is_worse = lower(rules, objective, error) > rule.tolerance();
        evidence.measured |= is_worse;
        objective.upper = Some(upper);
        objective.p0 = Some(if is_worse { upper } else { rule.tolerance() });
    }
    Ok(())
}

/// Freezes the tolerated share of every objective at b (1 - SLO); the tests then have the whole of alpha.
pub fn freeze_without_baseline(rules: &Rules, evidence: &mut Evidence) {
    if evidence.is_frozen() {
        return;
    }
    for (rule, objective) in rules.objectives.iter().zip(&mut evidence.objectives) {
        objective.p0 = Some(rule.tolerance());
    }
    evidence.measured = false;
}

/// The lower limit of one objective's baseline.
fn lower(rules: &Rules, objective: &ObjectiveEvidence, error: f64) -> f64 {
    let factor = spread(rules, &objective.baseline_dispersion);
    let Counts { total, bad } = objective.baseline;
    sequence_lower(bad as f64 / factor, total as f64 / factor, error)
}

/// By how much fewer independent requests the counts stand for.
fn spread(rules: &Rules, dispersion: &Dispersion) -> f64 {
    match rules.assume {
        Assume::Blocks => dispersion.factor(),
        Assume::Independent => 1.0,
    }
}

/// The upper limit of one objective's baseline, if it may be taken as the normal state.
fn upper(
    rules: &Rules,
    rule: &ObjectiveRule,
    counts: Counts,
    dispersion: &Dispersion,
    error: f64,
) -> Result<f64, BaselineRefusal> {
    let objective = rule.name.clone();
    let Some(share) = counts.share() else { return Err(BaselineRefusal::NoTraffic { objective }) };
    let factor = spread(rules, dispersion);
    let total = counts.total as f64 / factor;
    let limit = sequence_upper(total * share, total, error);
    // A burn above the cap was asked for in the document, so it may be used up.
    let cap = (rules.cap.max(rule.burn) * (1.0 - rule.target)).min(1.0);
    if limit <= cap {
        return Ok(limit);
    }
    let clearly_bad = clopper_pearson_lower(total * share, total, 0.05) > rule.tolerance();
    if share >= cap || clearly_bad {
        return Err(BaselineRefusal::NotHealthy { objective, counts, cap });
    }
    let more = needed(share, total, cap, error) * factor;
    Err(BaselineRefusal::TooFewRequests { objective, counts, upper: limit, cap, more: more.ceil() as u64 })
}

/// How many more independent requests bring the limit below the cap, if the share stays as it is.
fn needed(share: f64, total: f64, cap: f64, error: f64) -> f64 {
    let enough = |n: f64| sequence_upper(n * share, n, error) <= cap;
    let mut high = total.max(1.0);
    // The limit falls to the share, which is below the cap; 2^60 is beyond all traffic.
    for _ in 0..60 {
        if enough(high) {
            break;
        }
        high *= 2.0;
    }
    let mut low = high / 2.0;
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if enough(middle) { high = middle } else { low = middle }
    }
    (high - total).max(1.0)
}
