//! What earlier releases left in the folder store: a lock in one file that was replaced again and again, and journals
//! that do not name their target beside their records.

use std::time::Duration;

use serde_json::Value;

use super::{Lock, Owner, Record};
use crate::model::{RunId, Target};

/// The time to live where a lock that told it was lost.
const TTL: Duration = Duration::from_secs(30);

/// Reads a lock file; `None` where a power cut, or somebody, left it as none.
pub(super) fn lock(bytes: &[u8], target: &Target) -> Option<Lock> {
    serde_json::from_slice(bytes).ok().filter(|lock: &Lock| lock.target == *target)
}

/// The lock that a journal tells of, where it is of `target` and the run is not over: its terms and owners are in the
/// records of the guard. When its owner gave its last sign of life, nothing tells.
pub(super) fn rebuilt(run: &RunId, target: &Target, records: &[Record]) -> Option<Lock> {
    let planned = records.first()?.entry.pointer("/planned/plan/target")?;
    let ends = records.iter().rev().find_map(|record| record.entry.pointer("/finished/outcome"));
    let is_stuck = |end: &Value| end.get("stuck").is_some();
    if planned.as_str() != Some(target.as_str()) || ends.is_some_and(|end| !is_stuck(end)) {
        return None;
    }
    let owner = records.iter().rev().find_map(|record| record.entry.pointer("/owned/owner"));
    let owner: Option<Owner> = owner.and_then(|owner| serde_json::from_value(owner.clone()).ok());
    let last = records.last()?;
    Some(Lock {
        target: target.clone(),
        epoch: last.epoch,
        run: Some(run.clone()),
        owner,
        beat: Duration::ZERO,
        beat_at: last.at,
        ttl: TTL,
        remote: false,
        ended: false,
    })
}
