//! What the evidence says about a release, in figures and in a sentence.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    evidence::{Evidence, ObjectiveEvidence},
    terms::{Assume, ObjectiveRule, Rules},
};
use crate::{model::HumanDuration, stats::clopper_pearson_upper};

/// The chance that a claim of health is wrong about the share that it excludes, each time that it is asked for.
///
/// A bake that is extended asks again: in the decision benchmark, a release whose share is exactly p1 at 2 requests/s was
/// called healthy in 14 % of runs within 30 minutes, and in under 1 % at 20 requests/s and more.
const HEALTH_ERROR: f64 = 0.05;

/// The evidence at which health is no longer claimed, ln 20.
const LN_SUSPICION: f64 = 2.995_732_273_553_991;

/// The judgement of one look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Neither health nor a breach is proven yet.
    Gathering {
        /// What is missing for health.
        why: Wanting,
    },
    /// The bake is served, and what is worse than tolerated is excluded.
    Healthy {
        /// The bake time served.
        served: HumanDuration,
        /// Per objective, what was excluded.
        excluded: Vec<Excluded>,
    },
    /// The release is worse than tolerated; the evidence passed its bound.
    Breach {
        /// The objective.
        objective: String,
        /// The logarithm of the e-value.
        ln_e: f64,
        /// The logarithm of the bound that it passed.
        ln_bound: f64,
        /// The candidate's bad requests since the evidence began to rise.
        bad: u64,
        /// All of its requests since then.
        total: u64,
        /// The bad share of these.
        share: f64,
        /// The tolerated share.
        p0: f64,
        /// The figures as a sentence.
        why: String,
    },
    /// The old slot fails as well, so the release is not to blame for it.
    Shared {
        /// The figures as a sentence.
        why: String,
    },
    /// There is no fresh data.
    #[serde(rename = "blind")]
    NoData {
        /// For how long.
        since: HumanDuration,
    },
}

/// What is missing for a claim of health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanting {
    /// The tolerated shares are not frozen; nothing is tested yet.
    Terms,
    /// The bake is not served.
    Bake {
        /// The time served.
        served: HumanDuration,
        /// The time to serve.
        bake: HumanDuration,
    },
    /// The last look brought nothing new.
    Fresh {
        /// For how long there was nothing new.
        since: HumanDuration,
    },
    /// Too few requests were seen to exclude what is not tolerated; or the share is too near to it.
    Proof(Excluded),
    /// The totals exclude what is not tolerated, and the last blocks do not look like them: a fault may just have begun.
    Recent {
        /// The objective.
        objective: String,
        /// The bad share of the last blocks, older ones faded.
        share: f64,
        /// The share that health has to exclude.
        p1: f64,
    },
    /// Evidence of a fault is rising, though it is not enough to roll back.
    Suspicion {
        /// The objective.
        objective: String,
        /// The logarithm of its e-value.
        ln_e: f64,
        /// The logarithm of the bound.
        ln_bound: f64,
    },
}

/// The smallest bad share that the requests seen so far exclude, at 95 %.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excluded {
    /// The objective.
    pub objective: String,
    /// Shares above this are excluded.
    pub upper: f64,
    /// The share that health has to exclude.
    pub p1: f64,
}

/// How an objective stands; for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveProgress {
    /// The objective.
    pub name: String,
    /// The candidate's requests.
    pub total: u64,
    /// The bad ones among them.
    pub bad: u64,
    /// The bad share; 0 without requests.
    pub share: f64,
    /// The tolerated share, once frozen.
    pub p0: Option<f64>,
    /// The share that health has to exclude, once p0 is frozen.
    pub p1: Option<f64>,
    /// The smallest share that is excluded so far.
    pub upper: f64,
    /// The evidence for a breach: test B's with both slots live, otherwise test A's.
    pub e_value: f64,
    /// The evidence at which it breaches.
    pub bound: f64,
}

impl Verdict {
    /// The same, told from the beginning of a bake, where this much had been served before it.
    #[must_use]
    pub fn since(self, before: Duration) -> Self {
        let own = |length: HumanDuration| whole(length.0.saturating_sub(before));
        match self {
            Self::Healthy { served, excluded } => Self::Healthy { served: own(served), excluded },
            Self::Gathering { why: Wanting::Bake { served, bake } } => {
                Self::Gathering { why: Wanting::Bake { served: own(served), bake: own(bake) } }
            }
            other => other,
        }
    }
}

/// Judges the evidence; `bake` is the time of fresh data that health takes at least.
///
/// With one slot live an objective breaches when test A passes k/alpha. With both it takes test B, and the candidate's recent
/// share above its own tolerance: a release that is worse than an excellent old slot, and still good enough, stays.
#[must_use]
pub fn judge(rules: &Rules, evidence: &Evidence, bake: Duration) -> Verdict {
    if !evidence.is_frozen() {
        return Verdict::Gathering { why: Wanting::Terms };
    }
    let ln_bound = rules.ln_bound(evidence.measured);
    let pairs = || rules.objectives.iter().zip(&evidence.objectives);
    let worst = evidence.objectives.iter().max_by(|a, b| ln_e(evidence, a).total_cmp(&ln_e(evidence, b)));
    let breach = evidence
        .objectives
        .iter()
        .filter(|objective| breaches(evidence, objective, ln_bound))
        .max_by(|a, b| ln_e(evidence, a).total_cmp(&ln_e(evidence, b)));
    if let Some(objective) = breach {
        return breach_of(objective, ln_e(evidence, objective), ln_bound);
    }
    if evidence.blind > rules.stale_after.0 {
        return Verdict::NoData { since: whole(evidence.blind) };
    }
    if evidence.shared_now {
        let why = format!("the old slot fails as well; {} blocks count for nobody", grouped(evidence.shared_blocks()));
        return Verdict::Shared { why };
    }
    if evidence.served < bake {
        return Verdict::Gathering { why: Wanting::Bake { served: whole(evidence.served), bake: HumanDuration(bake) } };
    }
    if evidence.blind > Duration::ZERO {
        return Verdict::Gathering { why: Wanting::Fresh { since: whole(evidence.blind) } };
    }
    if let Some(objective) = worst.filter(|objective| ln_e(evidence, objective) >= LN_SUSPICION) {
        let (objective, ln_e) = (objective.name.clone(), ln_e(evidence, objective));
        return Verdict::Gathering { why: Wanting::Suspicion { objective, ln_e, ln_bound } };
    }
    let recent = pairs()
        .map(|(rule, objective)| (objective, objective.recent.share(), objective.p0.map_or(0.0, |p0| rule.worst(p0))));
    if let Some((objective, share, p1)) = recent.into_iter().find(|(_, share, p1)| share > p1) {
        return Verdict::Gathering { why: Wanting::Recent { objective: objective.name.clone(), share, p1 } };
    }
    let excluded: Vec<_> = pairs().map(|(rule, objective)| excluded(rules, rule, objective)).collect();
    let wanting = excluded.iter().filter(|claim| claim.upper > claim.p1);
    match wanting.max_by(|a, b| (a.upper / a.p1).total_cmp(&(b.upper / b.p1))) {
        Some(claim) => Verdict::Gathering { why: Wanting::Proof(claim.clone()) },
        None => Verdict::Healthy { served: whole(evidence.served), excluded },
    }
}

/// Per objective, the smallest bad share that is excluded so far.
#[must_use]
pub fn smallest_excluded(rules: &Rules, evidence: &Evidence) -> Vec<Excluded> {
    rules.objectives.iter().zip(&evidence.objectives).map(|(rule, o)| excluded(rules, rule, o)).collect()
}

/// How every objective stands.
#[must_use]
pub fn progress(rules: &Rules, evidence: &Evidence) -> Vec<ObjectiveProgress> {
    let bound = rules.ln_bound(evidence.measured).exp();
    let stand = |(rule, objective): (&ObjectiveRule, &ObjectiveEvidence)| ObjectiveProgress {
        name: rule.name.clone(),
        total: objective.totals.total,
        bad: objective.totals.bad,
        share: objective.totals.share().unwrap_or(0.0),
        p0: objective.p0,
        p1: objective.p0.map(|p0| rule.worst(p0)),
        upper: excluded(rules, rule, objective).upper,
        // JSON has no infinity.
        e_value: ln_e(evidence, objective).exp().min(f64::MAX),
        bound,
    };
    rules.objectives.iter().zip(&evidence.objectives).map(stand).collect()
}

/// The evidence of the test that decides in the present phase.
fn ln_e(evidence: &Evidence, objective: &ObjectiveEvidence) -> f64 {
    if evidence.both_live { objective.compared.ln_e() } else { objective.alone.ln_e() }
}

fn breaches(evidence: &Evidence, objective: &ObjectiveEvidence, ln_bound: f64) -> bool {
    let outside = || objective.p0.is_some_and(|p0| objective.recent.share() > p0);
    ln_e(evidence, objective) >= ln_bound && (!evidence.both_live || outside())
}

fn breach_of(objective: &ObjectiveEvidence, ln_e: f64, ln_bound: f64) -> Verdict {
    // A restart with other terms may leave nothing rising; the totals then are what there is.
    let counts = if objective.rising.total > 0 { objective.rising } else { objective.totals };
    let (bad, total, share) = (counts.bad, counts.total, counts.share().unwrap_or(0.0));
    let p0 = objective.p0.unwrap_or(0.0);
    let why = format!(
        "{}: {} of {} bad ({}), tolerated {}; evidence {} reaches the bound of {}",
        objective.name,
        grouped(bad),
        grouped(total),
        percent(share),
        percent(p0),
        strength(ln_e),
        strength(ln_bound),
    );
    Verdict::Breach { objective: objective.name.clone(), ln_e, ln_bound, bad, total, share, p0, why }
}

/// The 95 % upper limit of the candidate's share, on counts that are divided by the dispersion of its blocks.
fn excluded(rules: &Rules, rule: &ObjectiveRule, objective: &ObjectiveEvidence) -> Excluded {
    let factor = match rules.assume {
        Assume::Blocks => objective.dispersion.factor(),
        Assume::Independent => 1.0,
    };
    let counts = objective.totals;
    let upper = clopper_pearson_upper(counts.bad as f64 / factor, counts.total as f64 / factor, HEALTH_ERROR);
    Excluded { objective: objective.name.clone(), upper, p1: objective.p0.map_or(0.0, |p0| rule.worst(p0)) }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gathering { why } => write!(f, "{why}"),
            Self::Healthy { served, excluded } => {
                write!(f, "healthy after {served}")?;
                excluded.iter().try_for_each(|claim| write!(f, "; {claim}"))
            }
            Self::Breach { why, .. } | Self::Shared { why } => f.write_str(why),
            Self::NoData { since } => write!(f, "no fresh data for {since}"),
        }
    }
}

impl fmt::Display for Wanting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Terms => f.write_str("the tolerated shares are not frozen yet"),
            Self::Bake { served, bake } => write!(f, "bake: {served} of {bake} served"),
            Self::Fresh { since } => write!(f, "nothing new for {since}"),
            Self::Proof(claim) => write!(f, "{claim}, needed {}", percent(claim.p1)),
            Self::Recent { objective, share, p1 } => {
                write!(f, "{objective}: {} bad of late, at most {} is healthy", percent(*share), percent(*p1))
            }
            Self::Suspicion { objective, ln_e, ln_bound } => {
                write!(
                    f,
                    "{objective}: evidence is rising to {}, at {} it is put back",
                    strength(*ln_e),
                    strength(*ln_bound)
                )
            }
        }
    }
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without a request that counts the limit is everything, and "above 100 %" would sound like a result.
        if self.upper >= 1.0 {
            return write!(f, "{}: no share of bad requests can be excluded", self.objective);
        }
        write!(f, "{}: above {} excluded", self.objective, percent(self.upper))
    }
}

/// A length of time in whole seconds; nothing finer is of use to a reader.
const fn whole(length: Duration) -> HumanDuration {
    HumanDuration(Duration::from_secs(length.as_secs()))
}

/// A count with its thousands set apart: 8,210.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent, with two digits behind the point or, where that would show nothing, two that count.
pub(super) fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value >= 0.095 || value <= 0.0 {
        return format!("{value:.2} %");
    }
    let digits = (1.0 - value.log10().floor()).clamp(2.0, 12.0) as usize;
    format!("{value:.digits$} %")
}

/// Evidence, given by its logarithm, as people read it.
fn strength(ln: f64) -> String {
    let value = ln.exp();
    if value >= 1e6 { "over a million".to_owned() } else { grouped(value.round() as u64) }
}
