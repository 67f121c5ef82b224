//! Turns a drill into steps: once, or as often as it is repeated.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Spec,
    keys::{self, ELSEWHERE, LEDGER, PRIMARY},
};
use crate::{
    error::Error,
    guard::{Blind, Plan, Step, Strength, value},
    model::{Method, Restore, Span, Target},
    ports::{Flow, HostState},
};

/// What a watch of a drill waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Watch {
    /// It is written without a fault, to know what can be told apart.
    Baseline {
        /// For how long.
        length: Span,
    },
    /// The fault lasts.
    Hold {
        /// For how long.
        length: Span,
    },
    /// Writes are acknowledged again.
    Outage {
        /// For so long without a gap.
        settle: Span,
        /// After this the failover has failed.
        within: Span,
    },
    /// One node takes writes, and all others follow it.
    Whole {
        /// After this the cluster has not come back.
        within: Span,
    },
    /// The writers end.
    Quiet,
    /// Every node is read, and held against what was acknowledged.
    Measure,
    /// All repetitions together are held against the objectives.
    Judge,
}

impl Watch {
    fn step(self, name: impl Into<String>) -> Result<Step, Error> {
        Step::watch(name.into(), &self)
    }
}

/// The name under which a database is locked; a service may have the same name.
///
/// # Errors
/// Where the name has characters that no target has.
pub fn target(database: &str) -> Result<Target, Error> {
    Target::parse(&format!("database.{database}")).map_err(|what| Error::usage(what, "rename the database"))
}

/// Turns a drill into a plan.
///
/// # Errors
/// Where the database's name is none that can be locked.
pub fn plan(spec: &Spec, platform: Value, guard: Strength, ttl: Span) -> Result<Plan, Error> {
    let mut steps = Vec::new();
    for nth in 1..=spec.repetitions {
        steps.extend(cycle(spec, nth)?);
    }
    steps.push(Watch::Judge.step("judge")?);
    let often = if spec.repetitions > 1 { format!(", {} times", spec.repetitions) } else { String::new() };
    Ok(Plan {
        operation: "drill".to_owned(),
        target: target(&spec.database)?,
        title: format!("drill {}: {} {} of {}{often}", spec.name, spec.method, spec.on, spec.database),
        platform,
        spec: value(spec)?,
        steps,
        blind: Blind::Remove,
        guard,
        ttl,
    })
}

/// One repetition: from a whole cluster to a whole cluster.
///
/// A key that is changed first is put back last. The role is let go of before a managed cluster's host is harmed, so that on
/// the way back the host comes first; where we promote, the way back of the role brings its node back itself.
fn cycle(spec: &Spec, nth: u32) -> Result<Vec<Step>, Error> {
    let begin = if spec.repetitions > 1 { format!("{nth}/{} ", spec.repetitions) } else { String::new() };
    let named = |name: String| format!("{begin}{name}");
    let mut steps = vec![
        change(named("make the ledger's table".to_owned()), LEDGER, &true)?,
        Watch::Baseline { length: spec.baseline }.step(named("write without a fault".to_owned()))?,
    ];
    let let_go = spec.managed && spec.method != Method::Switchover;
    if let_go {
        steps.push(change(named("leave the role to the manager".to_owned()), PRIMARY, &ELSEWHERE)?);
    }
    let replication = keys::replication(&spec.primary);
    if let Some(frozen) = spec.freezes() {
        steps.push(change(named(format!("stop replication of {}", spec.primary)), &replication, &frozen)?);
        steps.push(Watch::Hold { length: spec.frozen }.step(named("write without replication".to_owned()))?);
    }
    let host = keys::host(&spec.on);
    if let Some(state) = spec.fault() {
        steps.push(change(named(format!("{} {}", verb(state), spec.on)), &host, &state)?);
    }
    if let Some(candidate) = spec.candidate.as_ref().filter(|_| !let_go) {
        let does = if spec.method == Method::Promote { "promote" } else { "hand the role over to" };
        steps.push(change(named(format!("{does} {candidate}")), PRIMARY, &ELSEWHERE)?);
    }
    if !spec.length.0.is_zero() {
        steps.push(Watch::Hold { length: spec.length }.step(named("let the fault last".to_owned()))?);
    }
    if !spec.method.is_timed() {
        steps.push(outage(spec, named("wait for writes".to_owned()))?);
    }
    if spec.freezes().is_some() {
        steps.push(change(named(format!("release replication of {}", spec.primary)), &replication, &Flow::Flowing)?);
    }
    if spec.fault().is_some() {
        steps.push(change(named(format!("bring {} back", spec.on)), &host, &HostState::Running)?);
    }
    if spec.method.is_timed() {
        steps.push(outage(spec, named("wait for writes".to_owned()))?);
    }
    steps.push(Watch::Whole { within: spec.limit }.step(named("wait until all follow".to_owned()))?);
    steps.push(Watch::Quiet.step(named("end the writers".to_owned()))?);
    // Before the role goes back: afterwards nobody could tell any more where the histories parted.
    steps.push(Watch::Measure.step(named("read every node".to_owned()))?);
    if spec.restore == Restore::Original && spec.moves_primary() {
        steps.push(change(named(format!("give the role back to {}", spec.primary)), PRIMARY, &spec.primary)?);
        steps.push(Watch::Whole { within: spec.limit }.step(named("wait until all follow it".to_owned()))?);
    }
    steps.push(change(named("drop the ledger's table".to_owned()), LEDGER, &false)?);
    Ok(steps)
}

fn outage(spec: &Spec, name: String) -> Result<Step, Error> {
    Watch::Outage { settle: spec.settle, within: spec.limit }.step(name)
}

const fn verb(state: HostState) -> &'static str {
    match state {
        HostState::Running => "run",
        HostState::Down => "power off",
        HostState::Paused => "pause",
        HostState::Partitioned => "cut off",
        HostState::Crashed => "kill the database of",
        HostState::Orphaned => "kill the manager of",
        HostState::Stalled => "stall the disk of",
    }
}

fn change(name: String, key: &str, to: &impl Serialize) -> Result<Step, Error> {
    Step::change(name, key, to, None)
}

impl std::fmt::Display for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Baseline { length } => {
                write!(f, "write for {length} without a fault: what is finer is not told apart")
            }
            Self::Hold { length } => write!(f, "write on for {length}"),
            Self::Outage { settle, within } => {
                write!(f, "until writes are acknowledged for {settle} without a gap, for {within} at most")
            }
            Self::Whole { within } => {
                write!(f, "until one node takes writes and all others follow it, for {within} at most")
            }
            Self::Quiet => f.write_str("end the writers, and note what they know"),
            Self::Measure => f.write_str("read the table at every node, and look for what was acknowledged"),
            Self::Judge => f.write_str("hold what was measured against the objectives"),
        }
    }
}
