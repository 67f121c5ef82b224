//! Turns a drill into steps: once, or as often as it is repeated.

use serde::{Deserialize, Serialize};

use super::{
    Drill, Method, Spec,
    keys::{Key, Value},
};
use crate::{
    error::Error,
    model::{HumanDuration, Restore, Target},
    operation::Steps,
    ports::{Flow, HostState},
};

/// What a watch of a drill waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Watch {
    /// It is written without a fault, to know what can be told apart.
    Baseline {
        /// For how long.
        length: HumanDuration,
    },
    /// The fault lasts.
    Hold {
        /// For how long.
        length: HumanDuration,
    },
    /// Writes are acknowledged again.
    Outage {
        /// For so long without a gap.
        settle: HumanDuration,
        /// After this the failover has failed.
        within: HumanDuration,
    },
    /// One node takes writes, and all others follow it.
    Whole {
        /// After this the cluster has not come back.
        within: HumanDuration,
    },
    /// The writers end.
    Quiet,
    /// Every node is read, and held against what was acknowledged.
    Measure,
    /// All repetitions together are held against the objectives.
    Judge,
}

/// The name under which a database is locked; a service may have the same name.
///
/// # Errors
/// Where the name has characters that no target has.
pub fn target(database: &str) -> Result<Target, Error> {
    Target::parse(&format!("database.{database}")).map_err(|what| Error::usage(what, "rename the database"))
}

/// Turns a drill into steps.
///
/// # Errors
/// Where a step cannot be written down.
pub(super) fn plan(spec: &Spec, steps: &mut Steps<Drill>) -> Result<(), Error> {
    if spec.method.is_fault() && spec.fault().is_none() {
        return Err(Error::usage(format!("`{}` befalls a whole host", spec.method), "leave `fault.victim` out"));
    }
    for nth in 1..=spec.repetitions {
        cycle(spec, nth, steps)?;
    }
    steps.watch("judge", &Watch::Judge)
}

/// One repetition: from a whole cluster to a whole cluster.
///
/// A key that is changed first is put back last. The role is let go of before a managed cluster's host is harmed, so that on
/// the way back the host comes first; where we promote, the way back of the role brings its node back itself.
fn cycle(spec: &Spec, nth: u32, steps: &mut Steps<Drill>) -> Result<(), Error> {
    let begin = if spec.repetitions > 1 { format!("{nth}/{} ", spec.repetitions) } else { String::new() };
    let named = |name: &str| format!("{begin}{name}");
    let (primary, on) = (&spec.primary, &spec.on);
    steps.change(named("make the ledger's table"), &Key::Ledger, &Value::Ledger(true))?;
    steps.watch(named("write without a fault"), &Watch::Baseline { length: spec.baseline })?;
    let let_go = spec.managed && spec.method != Method::Switchover;
    if let_go {
        steps.change(named("leave the role to the manager"), &Key::Primary, &Value::elsewhere())?;
    }
    let replication = Key::Replication(primary.clone());
    if let Some(frozen) = spec.freezes() {
        let stop = named(&format!("stop replication of {primary}"));
        steps.change(stop, &replication, &Value::Replication(frozen))?;
        steps.watch(named("write without replication"), &Watch::Hold { length: spec.frozen })?;
    }
    let host = Key::Host(on.clone());
    if let Some(fault) = spec.fault() {
        steps.change(named(&format!("{} {on}", fault.verb)), &host, &Value::Host(fault.state()))?;
    }
    if let Some(candidate) = spec.candidate.as_ref().filter(|_| !let_go) {
        let does = if spec.method == Method::Promote { "promote" } else { "hand the role over to" };
        steps.change(named(&format!("{does} {candidate}")), &Key::Primary, &Value::elsewhere())?;
    }
    if !spec.length.0.is_zero() {
        steps.watch(named("let the fault last"), &Watch::Hold { length: spec.length })?;
    }
    let outage = Watch::Outage { settle: spec.settle, within: spec.limit };
    if !spec.method.is_timed() {
        steps.watch(named("wait for writes"), &outage)?;
    }
    if spec.freezes().is_some() {
        let release = named(&format!("release replication of {primary}"));
        steps.change(release, &replication, &Value::Replication(Flow::Flowing))?;
    }
    if spec.fault().is_some() {
        steps.change(named(&format!("bring {on} back")), &host, &Value::Host(HostState::Running))?;
    }
    if spec.method.is_timed() {
        steps.watch(named("wait for writes"), &outage)?;
    }
    steps.watch(named("wait until all follow"), &Watch::Whole { within: spec.limit })?;
    steps.watch(named("end the writers"), &Watch::Quiet)?;
    // Before the role goes back: afterwards nobody could tell any more where the histories parted.
    steps.watch(named("read every node"), &Watch::Measure)?;
    if spec.restore == Restore::Original && spec.moves_primary() {
        let give_back = named(&format!("give the role back to {primary}"));
        steps.change(give_back, &Key::Primary, &Value::Primary(primary.clone()))?;
        steps.watch(named("wait until all follow it"), &Watch::Whole { within: spec.limit })?;
    }
    steps.change(named("drop the ledger's table"), &Key::Ledger, &Value::Ledger(false))
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
