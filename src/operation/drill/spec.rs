//! What one drill is to do, with everything resolved: nothing of it is looked up again later.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Method, ledger::Objectives};
use crate::{
    model::{HumanDuration, Restore, Victim},
    operation::faults::Fault,
    ports::Flow,
    slo::Objective,
};

/// One drill, resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The drill's name.
    pub name: String,
    /// The database, as the platform file names it.
    pub database: String,
    /// How the primary is taken away.
    pub method: Method,
    /// What of the host is killed.
    pub victim: Victim,
    /// The host that the fault befalls.
    pub on: String,
    /// The node that is the primary before the drill.
    pub primary: String,
    /// The standby that becomes the primary, for a method that names one.
    pub candidate: Option<String>,
    /// Whether the cluster promotes a standby by itself.
    pub managed: bool,
    /// How long the fault lasts at least.
    pub length: HumanDuration,
    /// How long the primary's replication is stopped before the fault; zero where it is not.
    pub frozen: HumanDuration,
    /// How much is written meanwhile.
    pub writer: Writer,
    /// How long is written before the fault, to know the resolution.
    pub baseline: HumanDuration,
    /// How long writes have to be acknowledged again before the outage counts as over.
    pub settle: HumanDuration,
    /// How long each wait may take: for the failover, and for the cluster to be whole again.
    pub limit: HumanDuration,
    /// What is promised.
    pub objectives: Objectives,
    /// What stands after it.
    pub restore: Restore,
    /// How often all of it is done.
    pub repetitions: u32,
    /// How long ago the last drill on this database has to have ended.
    pub cooldown: HumanDuration,
    /// What has to hold before it may begin.
    pub require: Require,
    /// Which service's users are not to suffer more than so much.
    pub users: Option<Users>,
    /// The decision record that asks for this drill.
    pub adr: Option<String>,
    /// What to do where it ends badly.
    pub runbook: Option<String>,
    /// The file that the ledger is kept in.
    pub ledger: PathBuf,
}

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writer {
    /// Writes per second that follow the primary.
    pub rate: u32,
    /// Writes per second pinned to each node; zero for none.
    pub per_node: u32,
    /// Connections that share each rate.
    pub workers: u32,
}

/// What has to hold of the cluster before a drill may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Require {
    /// Whether a standby has to be synchronous, or may not be; `None` where either will do.
    pub synchronous: Option<bool>,
    /// How many standbys there are at least.
    pub standbys: u32,
    /// How far a standby may be behind, in the database's unit.
    pub lag: u64,
    /// How many bytes have to be free on the disk of each node, where its host can tell.
    #[serde(default)]
    pub free_bytes: u64,
}

/// Whose users are watched, and how much they may suffer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Users {
    /// The service.
    pub service: String,
    /// Its objectives.
    pub objectives: Vec<Objective>,
    /// More bad requests than this, against any of them, end the drill.
    pub most_bad: u64,
}

impl Spec {
    /// What befalls the host; `None` where nothing does.
    #[must_use]
    pub fn fault(&self) -> Option<&'static Fault> {
        self.method.fault(self.victim)
    }

    /// Whether replication is stopped beforehand.
    #[must_use]
    pub const fn freezes(&self) -> Option<Flow> {
        if self.frozen.0.is_zero() { None } else { Some(Flow::Frozen) }
    }

    /// Whether the primary may be elsewhere after the fault.
    #[must_use]
    pub const fn moves_primary(&self) -> bool {
        self.managed || !self.method.is_fault()
    }

    /// The file of one repetition's ledger, counted from 1.
    #[must_use]
    pub fn ledger_of(&self, nth: usize) -> PathBuf {
        if self.repetitions > 1 { self.ledger.with_extension(format!("{nth}.jsonl")) } else { self.ledger.clone() }
    }

    /// How long the whole drill may take.
    #[must_use]
    pub fn at_most(&self) -> Duration {
        let once = self.baseline.0 + self.frozen.0 + self.length.0 + self.limit.0 * 4;
        once * self.repetitions
    }
}
