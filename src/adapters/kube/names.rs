//! The names that interlock leaves in a cluster.

/// The field manager of everything that interlock writes.
pub const MANAGER: &str = "interlock";

/// The epoch of the owner who wrote last, on objects of others and on objects of our own.
pub const EPOCH: &str = "interlock/epoch";

/// Labels an object of our own with the run that it belongs to.
pub const RUN: &str = "interlock/run";

/// Labels an object of our own with what it is to us, such as `journal` or `lock`.
pub const PART: &str = "interlock/part";

/// A JSON pointer to an annotation.
pub fn annotation(name: &str) -> String {
    format!("/metadata/annotations/{}", name.replace('~', "~0").replace('/', "~1"))
}
