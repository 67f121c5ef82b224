//! What the simulated database's servers and hosts are asked and told.

use interlock::ports::HostState;

/// What a server or a host is asked or told. A server is addressed as `sql/pg1`, its host as `pg1`.
#[derive(Debug, Clone)]
pub enum Call {
    /// How the server stands.
    Node,
    /// Whether the ledger's table is there.
    HasLedger,
    /// The ledger's rows.
    Rows,
    /// Opens a session.
    Connect,
    /// Has something done in a session, which nothing can refuse while it is open.
    Statement { session: u64, says: Statement, epoch: u64 },
    /// Ends a session.
    EndSession { session: u64 },
    /// Whether a promotion was told that the server has not begun with, and whether it takes writes.
    Told,
    /// How the host stands.
    Host,
    /// Raises the host's epoch.
    Raise { epoch: u64 },
    /// Has the host do something: an agent refuses it by its epoch; a command of this id nothing can refuse while it runs.
    Order { id: String, order: Order, epoch: u64 },
}

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement {
    Ledger(bool),
    Promote,
}

/// What a host is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Bring it into a state.
    Become(HostState),
    /// End the database cleanly.
    Stop,
    /// Start the database behind this node.
    Follow(usize),
}

impl Call {
    /// How long a client waits for the answer, in milliseconds; as the adapters do.
    pub const fn patience(&self) -> u64 {
        match self {
            Self::Node | Self::Told => 500,
            Self::Order { .. } => 20_000,
            Self::Statement { .. } => 10_000,
            _ => 5_000,
        }
    }

    /// The keys of the drill by which it is written: what a host does is a part of its own key, and of the role's.
    pub fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Statement { says: Statement::Ledger(_), .. } => &["ledger"],
            Self::Statement { says: Statement::Promote, .. } => &["primary"],
            _ => &["primary", "host/pg1"],
        }
    }

    /// The command that it is an act of.
    pub fn command(&self) -> Option<&str> {
        match self {
            Self::Order { id, .. } => Some(id),
            _ => None,
        }
    }
}
