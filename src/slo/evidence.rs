//! Folds looks into evidence, block by block; what is kept here is all that a restart needs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    look::{Arms, Counts, ObserveContext},
    terms::{Assume, Rules},
};
use crate::stats::{
    Alternating, Arm, BlockTest, CombinedTest, DifferenceTest, Dispersion, PairedTest, RequestTest,
    clopper_pearson_upper,
};

/// What one more block leaves of the recent past: a mean memory of five blocks.
const FADE: f64 = 0.8;

/// The chance at which a block's few probes are taken to exclude that the old slot fails as well.
const PROBE_ERROR: f64 = 0.1;

/// Faded probe failures below this are forgotten: one failure counts for three blocks.
const FORGOTTEN: f64 = 0.5;

/// Everything that was learned about a release so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    pub(super) objectives: Vec<ObjectiveEvidence>,
    /// How long the open block of the phase with one slot live has lasted, and of that with both.
    alone_open: Duration,
    pair_open: Duration,
    pub(super) baseline_open: Duration,
    /// Control probes of the open block, and of the recent past.
    control: Counts,
    control_recent: Recent,
    pub(super) both_live: bool,
    pub(super) served: Duration,
    pub(super) blind: Duration,
    looks: u64,
    shared_blocks: u64,
    pub(super) shared_now: bool,
    /// Whether p0 stands on a measured baseline.
    pub(super) measured: bool,
}

/// What was learned about one objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObjectiveEvidence {
    pub(super) name: String,
    pub(super) alone: Alone,
    pub(super) compared: Compared,
    /// The candidate's counts in the open block with one slot live.
    open: Counts,
    /// The open block with both slots live.
    pair: PairBlock,
    /// All of the candidate's requests but those of shared blocks.
    pub(super) totals: Counts,
    pub(super) dispersion: Dispersion,
    /// The candidate's requests since the evidence began to rise; what a breach shows.
    pub(super) rising: Counts,
    /// The candidate's recent requests: a fault that began late hides in the totals.
    pub(super) recent: Recent,
    pub(super) baseline: Counts,
    pub(super) baseline_block: Counts,
    pub(super) baseline_dispersion: Dispersion,
    /// The upper limit U of the baseline.
    pub(super) upper: Option<f64>,
    /// The tolerated share; nothing is tested before it is frozen.
    pub(super) p0: Option<f64>,
}

/// The test while only the candidate is live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Alone {
    /// Two tests in turn, so that outages may cross an edge of two blocks.
    Alternating(Alternating<BlockTest>),
    /// One test on all blocks, in journals of earlier releases.
    Blocks(BlockTest),
    Independent(RequestTest),
}

impl Alone {
    fn observe(&mut self, p0: f64, counts: Counts) {
        let Some(share) = counts.share() else { return };
        if let Self::Blocks(earlier) = *self {
            *self = Self::Alternating(Alternating::after(earlier, BlockTest::new()));
        }
        match self {
            Self::Alternating(tests) => tests.turn().observe(p0, share),
            Self::Blocks(test) => test.observe(p0, share),
            Self::Independent(test) => test.observe(p0, counts.total, counts.bad),
        }
    }

    pub(super) fn ln_e(&self) -> f64 {
        match self {
            Self::Alternating(tests) => tests.both().iter().map(BlockTest::ln_e).fold(f64::NEG_INFINITY, f64::max),
            Self::Blocks(test) => test.ln_e(),
            Self::Independent(test) => test.ln_e(),
        }
    }
}

/// The test while both slots are live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Compared {
    /// Both ways of comparing the slots, block by block.
    Combined(CombinedTest),
    /// One of these ways, in journals of earlier releases; nothing is concluded from it before the other has seen a block.
    Difference(DifferenceTest),
    /// A bet on the candidate's share of a block's errors, in journals of earlier releases. Its bound is false where each
    /// slot has outages of its own, so nothing is concluded from it.
    Blocks(BlockTest),
    /// Lindon and Malek's test, look by look.
    Independent(PairedTest),
}

impl Compared {
    pub(super) fn ln_e(&self) -> f64 {
        match self {
            Self::Combined(test) => test.ln_e(),
            Self::Difference(_) | Self::Blocks(_) => 0.0,
            Self::Independent(test) => test.ln_e(),
        }
    }
}

/// An open block with both slots live.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "StoredPair")]
struct PairBlock {
    candidate: Counts,
    baseline: Counts,
}

/// An open block as it is stored; journals of earlier releases have sums of another test in it.
#[derive(Deserialize)]
struct StoredPair {
    candidate: Counts,
    #[serde(default)]
    baseline: Counts,
}

impl From<StoredPair> for PairBlock {
    fn from(stored: StoredPair) -> Self {
        let StoredPair { candidate, baseline } = stored;
        Self { candidate, baseline }
    }
}

/// Counts of which older blocks fade.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recent {
    total: f64,
    bad: f64,
}

impl Recent {
    fn observe(&mut self, counts: Counts) {
        self.total = self.total * FADE + counts.total as f64;
        self.bad = self.bad * FADE + counts.bad as f64;
    }

    pub(super) fn share(&self) -> f64 {
        if self.total > 0.0 { self.bad / self.total } else { 0.0 }
    }
}

impl Evidence {
    /// No evidence yet; the tests follow what the rules assume.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        Self {
            objectives: rules.objectives.iter().map(|rule| ObjectiveEvidence::new(&rule.name, rules.assume)).collect(),
            alone_open: Duration::ZERO,
            pair_open: Duration::ZERO,
            baseline_open: Duration::ZERO,
            control: Counts::default(),
            control_recent: Recent::default(),
            both_live: false,
            served: Duration::ZERO,
            blind: Duration::ZERO,
            looks: 0,
            shared_blocks: 0,
            shared_now: false,
            measured: false,
        }
    }

    /// The bake time served: as much as the candidate's own samples cover, and not during shared blocks.
    #[must_use]
    pub const fn served(&self) -> Duration {
        self.served
    }

    /// Time since the last fresh look.
    #[must_use]
    pub const fn blind(&self) -> Duration {
        self.blind
    }

    /// Looks at the candidate, fresh or not.
    #[must_use]
    pub const fn looks(&self) -> u64 {
        self.looks
    }

    /// Blocks that were skipped because the old slot failed as well.
    #[must_use]
    pub const fn shared_blocks(&self) -> u64 {
        self.shared_blocks
    }

    /// Whether the tolerated shares were frozen.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        !self.objectives.is_empty() && self.objectives.iter().all(|objective| objective.p0.is_some())
    }

    /// The smallest share that is tolerated, once all are frozen.
    #[must_use]
    pub fn strictest(&self) -> Option<f64> {
        let shares: Option<Vec<f64>> = self.objectives.iter().map(|objective| objective.p0).collect();
        shares?.into_iter().min_by(f64::total_cmp)
    }

    /// The objectives in which the old slot was seen to be worse than its SLO allows, with what is tolerated for it.
    pub fn tolerated_more<'e>(&'e self, rules: &'e Rules) -> impl Iterator<Item = (&'e str, f64)> {
        let pairs = rules.objectives.iter().zip(&self.objectives);
        pairs.filter_map(|(rule, objective)| {
            objective.p0.filter(|p0| *p0 > rule.tolerance()).map(|p0| (rule.name.as_str(), p0))
        })
    }

    /// Per objective, in the order of the rules: the baseline's counts, and its upper limit U once frozen.
    pub fn baselines(&self) -> impl Iterator<Item = (Counts, Option<f64>)> {
        self.objectives.iter().map(|objective| (objective.baseline, objective.upper))
    }
}

impl ObjectiveEvidence {
    fn new(name: &str, assume: Assume) -> Self {
        let (alone, compared) = match assume {
            Assume::Blocks => (Alone::Alternating(Alternating::default()), Compared::Combined(CombinedTest::new())),
            Assume::Independent => (Alone::Independent(RequestTest::new()), Compared::Independent(PairedTest::new())),
        };
        Self {
            name: name.to_owned(),
            alone,
            compared,
            open: Counts::default(),
            pair: PairBlock::default(),
            totals: Counts::default(),
            dispersion: Dispersion::default(),
            rising: Counts::default(),
            recent: Recent::default(),
            baseline: Counts::default(),
            baseline_block: Counts::default(),
            baseline_dispersion: Dispersion::default(),
            upper: None,
            p0: None,
        }
    }

    /// Notes a closed block for the figures that a breach shows, given the evidence after it.
    fn rise(&mut self, block: Counts, ln_e: f64) {
        self.rising.add(block);
        if ln_e <= 0.0 {
            self.rising = Counts::default();
        }
    }
}

/// Folds one look at the candidate into the evidence.
///
/// A look that is not fresh only lengthens the time that was blind: missing data multiply nothing, so that E keeps its
/// meaning. A block is a length of observed time, so a gap or a phase with other weights suspends it.
pub fn observe(rules: &Rules, evidence: &mut Evidence, look: &ObserveContext) {
    evidence.looks = evidence.looks.saturating_add(1);
    if !look.fresh {
        evidence.blind = evidence.blind.saturating_add(look.elapsed);
        return;
    }
    evidence.blind = Duration::ZERO;
    evidence.served = evidence.served.saturating_add(look.served);
    evidence.both_live = look.both_live;
    if look.both_live {
        observe_both(rules, evidence, look);
    } else {
        observe_alone(rules, evidence, look);
    }
}

/// Lengthens a block; says how long it was when it is full.
pub(super) fn closes(open: &mut Duration, elapsed: Duration, length: Duration) -> Option<Duration> {
    *open = open.saturating_add(elapsed);
    (*open >= length).then(|| std::mem::take(open))
}

fn arms(look: &ObserveContext, at: usize) -> Arms {
    look.objectives.get(at).copied().unwrap_or_default()
}

/// Whether the old slot's probes fail comparably to a candidate with this bad share.
///
/// Comparably is at least half as much. A block has so few probes that it takes one failure, and no proof at 90 % that the old
/// slot fails less than that; or the last blocks' probes together.
fn is_shared(share: f64, block: Counts, recent: Recent) -> bool {
    let in_block = || {
        let upper = clopper_pearson_upper(block.bad as f64, block.total as f64, PROBE_ERROR);
        block.bad > 0 && upper >= share / 2.0
    };
    in_block() || (recent.bad >= FORGOTTEN && recent.share() >= share / 2.0)
}

/// One slot live: test A, unless the old slot's probes fail comparably.
///
/// A block counts as shared only where the candidate's share is above p0, that is where it would have raised E. Leaving it
/// out replaces a factor above 1 by 1, so E is never larger than without the rule, whatever the probes do, and the bound
/// holds. The price is delay: a fault of the release is not seen while blue fails on its own.
fn observe_alone(rules: &Rules, evidence: &mut Evidence, look: &ObserveContext) {
    evidence.control.add(look.control);
    for (at, objective) in evidence.objectives.iter_mut().enumerate() {
        let counts = arms(look, at).candidate;
        objective.open.add(counts);
        objective.totals.add(counts);
    }
    let Some(lasted) = closes(&mut evidence.alone_open, look.elapsed, rules.block_length()) else { return };
    let control = std::mem::take(&mut evidence.control);
    if control.total == 0 {
        // Nobody could be asked, so what failed before is no control any more.
        evidence.control_recent = Recent::default();
    }
    evidence.control_recent.observe(control);
    let mut shared_now = false;
    for objective in &mut evidence.objectives {
        let block = std::mem::take(&mut objective.open);
        let (Some(p0), Some(share)) = (objective.p0, block.share()) else { continue };
        if share > p0 && is_shared(share, control, evidence.control_recent) {
            objective.totals.take_back(block);
            shared_now = true;
            continue;
        }
        objective.alone.observe(p0, block);
        objective.recent.observe(block);
        objective.dispersion.observe(block.total, block.bad);
        objective.rise(block, objective.alone.ln_e());
    }
    evidence.shared_now = shared_now;
    if shared_now {
        evidence.shared_blocks = evidence.shared_blocks.saturating_add(1);
        evidence.served = evidence.served.saturating_sub(lasted);
    }
}

fn arm(counts: Counts) -> Arm {
    Arm { total: counts.total, bad: counts.bad.min(counts.total) }
}

/// Both slots live: test B. Test A rests, since it would blame the candidate for what both slots share.
fn observe_both(rules: &Rules, evidence: &mut Evidence, look: &ObserveContext) {
    evidence.shared_now = false;
    for (at, objective) in evidence.objectives.iter_mut().enumerate() {
        let Arms { candidate, baseline } = arms(look, at);
        objective.totals.add(candidate);
        objective.pair.candidate.add(candidate);
        objective.pair.baseline.add(baseline);
        if let Compared::Independent(test) = &mut objective.compared {
            test.observe(rules.tolerated_risk, arm(candidate), arm(baseline));
        }
    }
    if closes(&mut evidence.pair_open, look.elapsed, rules.block_length()).is_none() {
        return;
    }
    for objective in &mut evidence.objectives {
        let block = std::mem::take(&mut objective.pair);
        match objective.compared {
            Compared::Blocks(_) => objective.compared = Compared::Combined(CombinedTest::new()),
            Compared::Difference(earlier) => objective.compared = Compared::Combined(CombinedTest::after(earlier)),
            Compared::Combined(_) | Compared::Independent(_) => {}
        }
        if let (Compared::Combined(test), Some(p0)) = (&mut objective.compared, objective.p0) {
            test.observe(rules.tolerated_risk, p0, arm(block.candidate), arm(block.baseline));
        }
        objective.dispersion.observe(block.candidate.total, block.candidate.bad);
        objective.recent.observe(block.candidate);
        objective.rise(block.candidate, objective.compared.ln_e());
    }
}
