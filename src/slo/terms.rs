//! The terms on which a release is judged: objectives, tolerance, and the bound on false rollbacks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::HumanDuration;

/// What is assumed about how errors depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Assume {
    /// Nothing within a block: errors may come in bursts.
    #[default]
    Blocks,
    /// Every request fails on its own. Faster, and wrong wherever errors come in bursts.
    Independent,
}

/// What is asked of the candidate in one objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveRule {
    /// The objective's name.
    pub name: String,
    /// The share of good requests that is promised, such as 0.999.
    pub target: f64,
    /// How many times its error budget's rate the service may burn.
    #[serde(default = "one")]
    pub burn: f64,
    /// The bad share that health has to exclude, as a multiple of the tolerated p0.
    ///
    /// At 1 a service that is just as good as tolerated could never be called healthy; at 2 it is so after some 6/p0
    /// requests, and one that burns half of that after some 3/p0.
    #[serde(default = "two")]
    pub p1_factor: f64,
}

impl ObjectiveRule {
    /// An objective with a burn of 1, whose health has to exclude twice what is tolerated.
    #[must_use]
    pub fn new(name: impl Into<String>, target: f64) -> Self {
        Self { name: name.into(), target, burn: one(), p1_factor: two() }
    }

    /// The tolerated bad share by the document alone: b (1 - SLO).
    #[must_use]
    pub fn tolerance(&self) -> f64 {
        (self.burn * (1.0 - self.target)).clamp(0.0, 1.0)
    }

    /// The bad share that health has to exclude where p0 is tolerated.
    #[must_use]
    pub fn worst(&self, p0: f64) -> f64 {
        (self.p1_factor * p0).min(1.0)
    }
}

/// The terms of one watch; frozen in the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The objectives.
    pub objectives: Vec<ObjectiveRule>,
    /// The bound on the probability of ever rolling back a healthy release, over all objectives, looks and tests.
    #[serde(default = "percent")]
    pub alpha: f64,
    /// How long a block lasts at least; a longer look is a block of its own.
    ///
    /// The bound on false rollbacks holds for bursts that are shorter than a block, wherever they begin. It is also what a decision
    /// waits for: a block tells at most ln(x/p0), so blocks of 1 s decide five times as soon where requests abound.
    #[serde(default = "block")]
    pub block: HumanDuration,
    /// What is assumed about bursts.
    #[serde(default)]
    pub assume: Assume,
    /// The relative risk r0 that is accepted while both slots are live.
    ///
    /// 1.2 and not 1: no two slots run under the very same conditions (cold caches, other nodes, fewer replicas), and an
    /// outage that both share brings so many errors that a difference of a tenth would soon be proven. Not more, since
    /// every block's evidence is at most ln(1 + 0.95/r0).
    #[serde(default = "risk")]
    pub tolerated_risk: f64,
    /// The multiple of 1 - SLO above which the baseline's upper limit refuses.
    #[serde(default = "cap")]
    pub cap: f64,
    /// Whether the plan has a phase with both slots live; alpha is then shared by the tests A and B.
    #[serde(default)]
    pub both_live: bool,
    /// Whether the old slot is measured before. Where it is seen to be worse than its SLO allows, the tolerated share is its
    /// upper limit, for which half of alpha pays.
    #[serde(default)]
    pub baseline: bool,
    /// For how long data may be missing before the verdict is blind.
    #[serde(default = "stale")]
    pub stale_after: HumanDuration,
}

const fn one() -> f64 {
    1.0
}
const fn two() -> f64 {
    2.0
}
const fn percent() -> f64 {
    0.01
}
const fn block() -> HumanDuration {
    HumanDuration::secs(5)
}
const fn risk() -> f64 {
    1.2
}
const fn cap() -> f64 {
    5.0
}
const fn stale() -> HumanDuration {
    HumanDuration::secs(60)
}

/// Why terms make no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TermsError {
    /// There is nothing to judge by.
    #[error("no objective to judge by")]
    NoObjectives,
    /// Two objectives have one name.
    #[error("objective `{0}` stands twice")]
    Twice(String),
    /// A number is outside what it may be.
    #[error("{what} is {value}, and has to be {range}")]
    Range {
        /// The term.
        what: String,
        /// Its value.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
}

impl Rules {
    /// Rules with the defaults: alpha 1 %, blocks of 5 s, bursts allowed for, one slot live, no baseline.
    #[must_use]
    pub fn new(objectives: Vec<ObjectiveRule>) -> Self {
        Self {
            objectives,
            alpha: percent(),
            block: block(),
            assume: Assume::default(),
            tolerated_risk: risk(),
            cap: cap(),
            both_live: false,
            baseline: false,
            stale_after: stale(),
        }
    }

    /// Checks that the numbers make sense.
    ///
    /// # Errors
    /// Where one is outside its range, or there is no objective.
    pub fn check(&self) -> Result<(), TermsError> {
        let within = |what: String, value: f64, fits: bool, range| {
            if fits { Ok(()) } else { Err(TermsError::Range { what, value, range }) }
        };
        if self.objectives.is_empty() {
            return Err(TermsError::NoObjectives);
        }
        within("alpha".into(), self.alpha, self.alpha > 0.0 && self.alpha < 0.5, "above 0 and below 0.5")?;
        let risk = self.tolerated_risk;
        within("tolerated risk".into(), risk, (1.0..=100.0).contains(&risk), "between 1 and 100")?;
        within("cap".into(), self.cap, self.cap >= 1.0 && self.cap.is_finite(), "at least 1")?;
        for (at, rule) in self.objectives.iter().enumerate() {
            let name = &rule.name;
            if self.objectives.iter().take(at).any(|other| other.name == *name) {
                return Err(TermsError::Twice(name.clone()));
            }
            let open = |x: f64| x > 0.0 && x < 1.0;
            within(format!("target of `{name}`"), rule.target, open(rule.target), "above 0 and below 1")?;
            let share = rule.burn * (1.0 - rule.target);
            within(format!("tolerated share of `{name}`"), share, open(share), "above 0 and below 1")?;
            let factor = rule.p1_factor;
            within(format!("p1 factor of `{name}`"), factor, factor > 1.0 && factor.is_finite(), "above 1")?;
        }
        Ok(())
    }

    /// The error probability that each of the tests A and B may spend over all objectives.
    ///
    /// `measured` says whether p0 stands on a measured baseline, whose limit may be wrong with probability alpha/2. The
    /// union of everything that may go wrong stays at alpha.
    #[must_use]
    pub fn alpha_each(&self, measured: bool) -> f64 {
        let rest = if measured { self.alpha / 2.0 } else { self.alpha };
        if self.both_live { rest / 2.0 } else { rest }
    }

    /// The logarithm of the e-value at which an objective breaches: ln(k/alpha), and twice that many where two tests take
    /// blocks in turn, of which either may decide.
    #[must_use]
    pub fn ln_bound(&self, measured: bool) -> f64 {
        let tests = match self.assume {
            Assume::Blocks => 2.0,
            Assume::Independent => 1.0,
        };
        (tests * self.objectives.len().max(1) as f64 / self.alpha_each(measured)).ln()
    }

    /// How long a block lasts at least. Independent requests need no blocks: every look counts at once.
    #[must_use]
    pub(super) const fn block_length(&self) -> Duration {
        match self.assume {
            Assume::Blocks => self.block.0,
            Assume::Independent => Duration::ZERO,
        }
    }
}
