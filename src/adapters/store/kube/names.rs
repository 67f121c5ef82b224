//! The names of what a run store has in a cluster, and what people may filter by.

use crate::model::{Epoch, RunId};

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
/// Annotates the first part of a journal with when the run began.
pub const BEGAN: &str = "interlock/began";
/// Annotates the first part of a journal with when the run ended.
pub const ENDED: &str = "interlock/ended";
/// Annotates the first part of a journal whose records were pruned with when that was.
pub const PRUNED: &str = "interlock/pruned";
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
/// What it says of a piece of a snapshot.
pub const SNAPSHOT: &str = "snapshot";

/// A part of a run's journal, counted from 0.
pub fn chunk(run: &RunId, index: u32) -> String {
    format!("interlock-run-{run}-{index:03}")
}

/// A piece of the snapshot of an owner's term and turn, counted from 0.
pub fn snapshot(run: &RunId, (term, turn): (Epoch, u8), index: usize) -> String {
    format!("interlock-run-{run}-snapshot-{term}-{turn}-{index}")
}
