//! The names of what a run store has in a cluster, and what people may filter by.

use crate::model::RunId;

/// The label by which all of ours is found.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Labels a lock or a journal with the target, as far as a label can hold its name.
pub const TARGET: &str = "interlock/target";
/// Labels the first part of a journal with how the run stands: `running`, `held`, or how it ended.
pub const STATE: &str = "interlock/state";
/// Annotates the first part of a journal with the plan's title.
pub const TITLE: &str = "interlock/title";
/// Annotates the first part of a journal with how the run ended, and why.
pub const OUTCOME: &str = "interlock/outcome";
/// Annotates a Lease with who holds it, as JSON.
pub const OWNER: &str = "interlock/owner";
/// Annotates a part of a journal with the position and hash of its last record.
pub const HEAD: &str = "interlock/head";
/// Annotates a part of a journal that is full: records go on in the next one.
pub const CLOSED: &str = "interlock/closed";
/// Annotates a part of a journal with the name of the next one, once that is there.
pub const NEXT: &str = "interlock/next";

/// What [`crate::adapters::kube::PART`] says of a Lease that locks a target.
pub const LOCK: &str = "lock";
/// What it says of a part of a journal.
pub const JOURNAL: &str = "journal";

/// A part of a run's journal, counted from 0.
pub fn chunk(run: &RunId, index: u32) -> String {
    format!("interlock-run-{run}-{index:03}")
}
