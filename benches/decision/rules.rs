//! The rules that are compared, and the tally of what they decided.

use std::time::Duration;

use interlock::slo::{
    Arms, Assume, Evidence, ObjectiveRule, ObserveContext, Rules, Verdict, freeze_without_baseline, judge, observe,
};

use crate::{
    peers,
    streams::{BAKE, LOOK, LOOKS, P0, Seen, Stream, WARM},
};

/// A way of deciding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// interlock's default, test A.
    Blocks,
    /// interlock with `assume: independent`, test A'.
    Independent,
    /// Argo Rollouts' analysis with a failure limit.
    Argo(u32),
    /// Flagger with a threshold.
    Flagger(u32),
    /// The pages of multi-window multi-burn-rate alerts.
    BurnRate,
}

/// What a rule decided in one run; looks are counted from 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decision {
    /// The look at whose end it rolled back.
    pub rolled_back: Option<usize>,
    /// The look at which it first claimed health, before it rolled back.
    pub healthy: Option<usize>,
}

impl Rule {
    /// All rules, in the order of the tables.
    pub const ALL: [Self; 7] = [
        Self::Blocks,
        Self::Independent,
        Self::Argo(0),
        Self::Argo(3),
        Self::Flagger(1),
        Self::Flagger(5),
        Self::BurnRate,
    ];

    /// Its name in the tables.
    pub fn name(self) -> String {
        match self {
            Self::Blocks => "interlock (A)".into(),
            Self::Independent => "independent (A')".into(),
            Self::Argo(limit) => format!("Argo {limit}"),
            Self::Flagger(threshold) => format!("Flagger {threshold}"),
            Self::BurnRate => "burn rate".into(),
        }
    }

    /// Runs it on one run of a stream.
    pub fn decide(self, stream: &Stream, looks: &[Seen]) -> Decision {
        let rolled_back = match self {
            Self::Blocks => return interlock(Assume::Blocks, looks),
            Self::Independent => return interlock(Assume::Independent, looks),
            Self::Argo(limit) => peers::argo(limit, looks),
            Self::Flagger(threshold) => peers::flagger(threshold, looks),
            Self::BurnRate => peers::burn_rate(stream, looks),
        };
        Decision { rolled_back, healthy: None }
    }
}

/// The shipped code, on the same looks as the peers: one objective, p0 from the document, alpha 1 %.
fn interlock(assume: Assume, looks: &[Seen]) -> Decision {
    let rules = Rules { assume, ..Rules::new(vec![ObjectiveRule::new("availability", 1.0 - P0)]) };
    let mut evidence = Evidence::new(&rules);
    freeze_without_baseline(&rules, &mut evidence);
    let mut look = ObserveContext {
        elapsed: Duration::from_secs(LOOK),
        served: Duration::from_secs(LOOK),
        objectives: vec![Arms::default()],
        ..ObserveContext::default()
    };
    let mut decision = Decision::default();
    let bake = Duration::from_secs(BAKE as u64 * LOOK);
    for (at, seen) in looks.iter().skip(WARM).enumerate() {
        look.fresh = seen.fresh;
        look.control = seen.control;
        if let Some(arms) = look.objectives.first_mut() {
            arms.candidate = seen.counts;
        }
        observe(&rules, &mut evidence, &look);
        // Limits take time to compute, so health is asked for every half minute, and no more once it was claimed.
        let asks = decision.healthy.is_none() && (at + 1) % 6 == 0;
        match judge(&rules, &evidence, if asks { bake } else { Duration::MAX }) {
            Verdict::Breach { .. } => {
                decision.rolled_back = Some(at);
                return decision;
            }
            Verdict::Healthy { .. } => decision.healthy = Some(at),
            _ => {}
        }
    }
    decision
}

/// What a rule decided over all runs of a stream.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Runs.
    pub runs: u32,
    /// Rollbacks of a healthy release, or before the fault.
    pub wrong: u32,
    /// Faults that were not found within the horizon.
    pub missed: u32,
    /// Faults that were found within the bake.
    pub in_bake: u32,
    /// Runs in which health was claimed within the horizon: rightly, or of a release that has the fault.
    pub healthy: u32,
    /// Seconds from the fault to the rollback.
    pub delays: Vec<u32>,
    /// Seconds from the start to the claim of health.
    pub promoted: Vec<u32>,
}

impl Tally {
    /// Adds one run.
    pub fn note(&mut self, stream: &Stream, decision: &Decision) {
        self.runs += 1;
        if let Some(at) = decision.healthy {
            self.healthy += 1;
            self.promoted.push((at as u32 + 1) * LOOK as u32);
        }
        let Some((_, onset)) = stream.fault else {
            self.wrong += u32::from(decision.rolled_back.is_some());
            return;
        };
        match decision.rolled_back {
            Some(at) if at < onset => self.wrong += 1,
            Some(at) if at < LOOKS => {
                self.delays.push((at + 1 - onset) as u32 * LOOK as u32);
                self.in_bake += u32::from(at < BAKE);
            }
            _ => self.missed += 1,
        }
    }

    /// The share of wrong rollbacks.
    pub fn wrong_share(&self) -> f64 {
        f64::from(self.wrong) / f64::from(self.runs.max(1))
    }

    /// The share of faults that were missed, of the runs that got as far as the fault.
    pub fn missed_share(&self) -> f64 {
        f64::from(self.missed) / f64::from((self.runs - self.wrong).max(1))
    }

    /// The delay that the given share of faulty releases did not exceed; missed ones count as endless.
    pub fn delay(&self, share: f64) -> Option<u32> {
        quantile(&self.delays, self.delays.len() + self.missed as usize, share)
    }
}

/// A quantile of `values` among `of` of which the rest is endless.
pub fn quantile(values: &[u32], of: usize, share: f64) -> Option<u32> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(((of as f64 * share).ceil() as usize).max(1) - 1).copied()
}
