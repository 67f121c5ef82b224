//! The names that interlock leaves in a cluster.

use crate::{journal::Digest, model::Target};

/// The field manager of everything that interlock writes.
pub const MANAGER: &str = "interlock";

/// The epoch of the owner who wrote last, on objects of others and on objects of our own.
pub const EPOCH: &str = "interlock/epoch";

/// Labels an object of our own with the run that it belongs to.
pub const RUN: &str = "interlock/run";

/// Labels an object of our own with what it is to us, such as `journal` or `lock`.
pub const PART: &str = "interlock/part";

/// What [`PART`] says of the guardians' Lease.
pub const GUARDIAN: &str = "guardian";
/// The Lease that says which guardian acts.
pub const GUARDIAN_LEASE: &str = "interlock-guardian";

/// The longest name of a target that goes into names and labels as it is.
const LONGEST: usize = 63;

/// A JSON pointer to an annotation.
pub fn annotation(name: &str) -> String {
    format!("/metadata/annotations/{}", name.replace('~', "~0").replace('/', "~1"))
}

pub fn lock_name(target: &Target) -> String {
    format!("interlock-{}", slug(target))
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
