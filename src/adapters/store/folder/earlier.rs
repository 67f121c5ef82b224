//! What earlier releases left in the folder store: a lock in one file that was replaced again and again, and journals
//! that do not name their target beside their records.

use std::time::Duration;

use crate::{
    journal::{Lock, Milestone, ReadMilestone, Record},
    model::{RunId, Target},
};

/// The time to live where a lock that told it was lost.
const TTL: Duration = Duration::from_secs(30);

/// Reads a lock file; `None` where a power cut, or somebody, left it as none.
pub(super) fn lock(bytes: &[u8], target: &Target) -> Option<Lock> {
    serde_json::from_slice(bytes).ok().filter(|lock: &Lock| lock.target == *target)
}

/// The lock that a journal tells of, where it is of `target` and the run is not over: its terms stand at the records, and
/// its owners among its milestones. When its owner gave its last sign of life, nothing tells.
pub(super) fn rebuilt(run: &RunId, target: &Target, records: &[Record], read: ReadMilestone) -> Option<Lock> {
    let Milestone::Begun { target: planned, .. } = read(records.first()?)? else { return None };
    if planned != *target {
        return None;
    }
    let (mut owner, mut is_over) = (None, false);
    for milestone in records.iter().filter_map(read) {
        match milestone {
            Milestone::Owned { owner: next } => owner = Some(next),
            Milestone::Ended { .. } => is_over = true,
            Milestone::Stuck { .. } => is_over = false,
            _ => {}
        }
    }
    if is_over {
        return None;
    }
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
