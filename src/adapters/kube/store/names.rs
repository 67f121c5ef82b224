//! The names of what a run store has in a cluster, and what people may filter by.

use crate::{
    journal::Digest,
    model::{RunId, Target},
};

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

/// What [`super::super::names::PART`] says of a Lease that locks a target.
pub const LOCK: &str = "lock";
/// What it says of a part of a journal.
pub const JOURNAL: &str = "journal";
/// What it says of the guardians' Lease.
pub const GUARDIAN: &str = "guardian";
/// The Lease that says which guardian acts.
pub const GUARDIAN_LEASE: &str = "interlock-guardian";

/// The longest name of a target that goes into names and labels as it is.
const LONGEST: usize = 63;

/// The Lease of a target.
pub fn lease(target: &Target) -> String {
    format!("interlock-{}", slug(target))
}

/// A part of a run's journal, counted from 0.
pub fn chunk(run: &RunId, index: u32) -> String {
    format!("interlock-run-{run}-{index:03}")
}

/// A target's name as names and labels can hold it: itself where it can be, else near to it and with a part of its hash,
/// so that no two targets share one.
pub fn slug(target: &Target) -> String {
    let name = target.as_str();
    let label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        plain && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    // The guardians' Lease is called like the lock of a service `guardian` would be.
    if name != GUARDIAN && name.len() <= LONGEST && name.split('.').all(label) {
        return name.to_owned();
    }
    let near: String =
        name.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(50).collect();
    let near = near.trim_matches('-');
    let hash = Digest::of(name.as_bytes());
    format!("{}{}{}", near, if near.is_empty() { "" } else { "-" }, hash.as_str().get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_cluster_would_refuse_are_changed_and_stay_apart() {
        let of = |name: &str| slug(&Target::parse(name).unwrap());
        assert_eq!((of("tenant").as_str(), of("tenant.eu-1").as_str()), ("tenant", "tenant.eu-1"));
        let odd = ["Tenant", "TENANT", "ten_ant", "ten-ant-", "-ten-ant", "ten..ant", "ten-.ant", "___", "guardian"];
        let mut slugs: Vec<_> = odd.map(of).into();
        for slug in &slugs {
            let plain = slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            assert!(plain && slug.len() <= 63 && !slug.starts_with('-') && !slug.ends_with('-'), "{slug}");
        }
        slugs.sort();
        slugs.dedup();
        assert_eq!(slugs.len(), odd.len());
        assert_eq!(of(&"X".repeat(63)).len(), 59);
    }
}
