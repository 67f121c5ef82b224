//! Nodes for the tests of this room.

use crate::ports::{Follows, NodeSeen};

/// A node that takes writes.
pub fn primary(name: &str, timeline: &str, position: u64) -> NodeSeen {
    NodeSeen {
        name: name.to_owned(),
        trouble: None,
        writable: true,
        timeline: Some(timeline.to_owned()),
        position: Some(position),
        follows: None,
        synchronous: false,
    }
}

pub fn standby(name: &str, timeline: &str, position: u64) -> NodeSeen {
    let follows = Follows { streaming: true, timeline: Some(timeline.to_owned()), trouble: None };
    NodeSeen { writable: false, follows: Some(follows), ..primary(name, timeline, position) }
}
