//! The names of what a drill writes.

use crate::ports::{Flow, HostState};

/// The ledger's table: `true` where it is there.
pub const LEDGER: &str = "ledger";
/// Where the primary's role is: the name of the node that had it before the drill, or [`ELSEWHERE`].
pub const PRIMARY: &str = "primary";
/// Not where it was before the drill.
pub const ELSEWHERE: &str = "elsewhere";

/// A host: its [`HostState`].
pub fn host(name: &str) -> String {
    format!("host/{name}")
}

/// The sending of changes by a node: its [`Flow`].
pub fn replication(name: &str) -> String {
    format!("replication/{name}")
}

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// The ledger's table.
    Ledger,
    /// Where the primary's role is.
    Primary,
    /// How a host stands.
    Host(&'a str),
    /// Whether a node sends its changes on.
    Replication(&'a str),
}

impl<'a> Key<'a> {
    /// Reads a key's name.
    pub fn parse(key: &'a str) -> Option<Self> {
        match key.split_once('/') {
            Some(("host", name)) => Some(Self::Host(name)),
            Some(("replication", name)) => Some(Self::Replication(name)),
            None if key == LEDGER => Some(Self::Ledger),
            None if key == PRIMARY => Some(Self::Primary),
            _ => None,
        }
    }
}

/// A host's state for people.
pub const fn said(state: HostState) -> &'static str {
    match state {
        HostState::Running => "running",
        HostState::Down => "powered off",
        HostState::Paused => "paused",
        HostState::Partitioned => "cut off",
        HostState::Crashed => "without its database",
        HostState::Orphaned => "without its manager",
        HostState::Stalled => "unable to write to its disk",
    }
}

/// A flow for people.
pub const fn flows(flow: Flow) -> &'static str {
    match flow {
        Flow::Flowing => "sent on",
        Flow::Frozen => "stopped",
    }
}
