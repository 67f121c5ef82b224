//! Holds the figures of a drill against what was asked for: passed, failed, or not proven.

use serde::{Deserialize, Serialize};

use super::{Dual, Fate, Measurement, Micros, Outage};
use crate::model::HumanDuration;

/// The share of slots that may be missed without the fault to explain it, before figures are not believed.
pub const MISSED: f64 = 0.01;
/// Rows at risk that show that nothing is lost, where nothing else is said: at most 3 % with 95 % confidence.
pub const ROWS_AT_RISK: u64 = 100;

/// What is asked of a failover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Objectives {
    /// The longest time in which nobody can write.
    pub rto: Option<HumanDuration>,
    /// How many acknowledged rows may be lost.
    pub rpo_rows: Option<u64>,
    /// The longest time whose acknowledged rows may be lost.
    pub rpo_time: Option<HumanDuration>,
    /// So many rows have to be at risk before "nothing was lost" counts.
    pub rows_at_risk: u64,
}

impl Default for Objectives {
    fn default() -> Self {
        Self { rto: None, rpo_rows: None, rpo_time: None, rows_at_risk: ROWS_AT_RISK }
    }
}

/// What a drill has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// All that was asked for is shown to hold.
    Pass,
    /// Nothing that was asked for is shown to be broken, and not all is shown to hold.
    NotProven,
    /// Something does not hold.
    Fail,
}

impl Verdict {
    /// One or two words for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "passed",
            Self::NotProven => "not proven",
            Self::Fail => "failed",
        }
    }
}

/// One thing that a verdict was drawn from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reason {
    /// What it says by itself.
    pub verdict: Verdict,
    /// Why, for people.
    pub why: String,
}

/// The verdict on a drill: the worst of its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The reasons; all of them, also what passed.
    pub reasons: Vec<Reason>,
}

/// Judges the figures.
#[must_use]
pub fn judge(measured: &Measurement, asked: &Objectives) -> Judgement {
    let mut reasons = Vec::new();
    reasons.extend(recovery(measured, asked));
    reasons.extend(quiet_end(measured));
    reasons.extend(loss(measured, asked));
    reasons.extend(measured.fate.iter().flat_map(wrong_rows));
    reasons.extend(measured.dual.as_ref().and_then(split_brain));
    reasons.extend(slots(measured));
    let verdict = reasons.iter().map(|reason| reason.verdict).max().unwrap_or(Verdict::Pass);
    Judgement { verdict, reasons }
}

fn pass(why: String) -> Reason {
    Reason { verdict: Verdict::Pass, why }
}

fn not_proven(why: String) -> Reason {
    Reason { verdict: Verdict::NotProven, why }
}

fn fail(why: String) -> Reason {
    Reason { verdict: Verdict::Fail, why }
}

/// An outage that ends within what is allowed passes, one that surely lasted longer fails.
fn recovery(measured: &Measurement, asked: &Objectives) -> Option<Reason> {
    let (lower, upper, told) = match measured.outage {
        Outage::Unended { silent, .. } => {
            return Some(fail(format!("nothing was acknowledged any more in the last {silent} of the record")));
        }
        Outage::BelowResolution { .. } => {
            let limit = measured.resolution.limit();
            (Micros(0), limit, format!("no outage longer than the resolution of {limit} was seen"))
        }
        Outage::Seen { lower, upper, .. } => (lower, upper, format!("the outage lasted from {lower} to {upper}")),
    };
    let rto = Micros::from(asked.rto?.0);
    let why = format!("{told}; {rto} are allowed");
    Some(match () {
        () if upper <= rto => pass(why),
        () if lower > rto => fail(why),
        () => not_proven(format!("{why}, and the truth may be on either side")),
    })
}

/// A silence at the end that is not the outage itself: whether it is over, nobody has seen.
fn quiet_end(measured: &Measurement) -> Option<Reason> {
    let ended = !matches!(measured.outage, Outage::Unended { .. });
    let quiet = ended && measured.tail > measured.resolution.limit();
    quiet.then(|| not_proven(format!("the record ends with {} without an acknowledgement", measured.tail)))
}

fn loss(measured: &Measurement, asked: &Objectives) -> Vec<Reason> {
    if asked.rpo_rows.is_none() && asked.rpo_time.is_none() {
        return Vec::new();
    }
    let Some(Fate { lost, lost_within, .. }) = &measured.fate else {
        return vec![not_proven("what was lost is not known: the primary's table could not be read".to_owned())];
    };
    if lost.count == 0 {
        return vec![nothing_lost(measured, asked)];
    }
    let rows = asked.rpo_rows.map(|allowed| {
        let why = format!("{} acknowledged rows are lost; {allowed} are allowed", lost.count);
        if lost.count > allowed { fail(why) } else { pass(why) }
    });
    let time = asked.rpo_time.map(|allowed| {
        let allowed = Micros::from(allowed.0);
        let why = format!("acknowledged rows of {lost_within} are lost; {allowed} are allowed");
        if *lost_within > allowed { fail(why) } else { pass(why) }
    });
    rows.into_iter().chain(time).collect()
}

fn nothing_lost(measured: &Measurement, asked: &Objectives) -> Reason {
    let (rows, bound) = (measured.risk.rows, measured.risk.bound() * 100.0);
    if rows < asked.rows_at_risk {
        return not_proven(format!(
            "no row is lost, but only {rows} were at risk, and {} are asked for",
            asked.rows_at_risk
        ));
    }
    pass(format!("no row is lost of {rows} at risk: at most {bound:.2} % of such rows are, with 95 % confidence"))
}

fn wrong_rows(fate: &Fate) -> Vec<Reason> {
    let found = [
        (fate.duplicates.count, "rows are there more than once"),
        (fate.phantoms.count, "rows are there that nobody wrote"),
        (fate.refused_present.count, "rows are there whose writes were refused"),
    ];
    let table = found.iter().filter(|(count, _)| *count > 0).map(|(count, what)| fail(format!("{count} {what}")));
    let differ = fate.divergent.iter().filter(|(_, count)| **count > 0);
    let nodes = differ.map(|(node, count)| fail(format!("{node} has {count} rows otherwise than {}", fate.primary)));
    table.chain(nodes).collect()
}

fn split_brain(dual: &Dual) -> Option<Reason> {
    let Dual { winner, loser, length, acknowledged, lost, .. } = dual;
    let both = format!("{winner} and {loser} both took writes for {length}");
    match lost {
        Some(0) => None,
        Some(lost) => Some(fail(format!("{both}; {lost} of {acknowledged} rows that {loser} acknowledged are lost"))),
        None => Some(not_proven(format!("{both}; what became of {acknowledged} rows at {loser} is not known"))),
    }
}

fn slots(measured: &Measurement) -> Option<Reason> {
    let worst = measured.slots.iter().max_by(|a, b| a.share().total_cmp(&b.share()))?;
    let whose = worst.node.as_ref().map_or("the routed writer".to_owned(), |node| format!("the writer at {node}"));
    let percent = worst.share() * 100.0;
    (worst.share() > MISSED)
        .then(|| not_proven(format!("{whose} missed {percent:.1} % of its slots: the machine is too busy")))
}
