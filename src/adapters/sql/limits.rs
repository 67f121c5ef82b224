//! Sizes and deadlines of what databases are asked.

use std::time::Duration;

use crate::ports::Unit;

/// The table that a drill writes its rows into.
pub const LEDGER: &str = "interlock_ledger";

/// How far a standby may be behind before a drill, in bytes; what Patroni allows a candidate by default too.
pub const BYTES_BEHIND: u64 = 16 << 20;

/// The most rows that are counted in one read of the ledger's table, so that memory is bounded: some 300 MB.
pub const MOST_ROWS: usize = 8_000_000;

/// For so long a look waits for a connection to a node that may be stopped: such a host still accepts TCP.
pub const CONNECT: Duration = Duration::from_millis(300);

/// For so long a connection may be under way, over several looks. It is less than the kernel takes to send a lost packet again:
/// after that, a new one is there sooner.
pub const OPEN: Duration = Duration::from_millis(950);

/// One question about a node's state.
pub const ASK: Duration = Duration::from_millis(500);

/// One statement that changes something, or looks at much.
pub const ACT: Duration = Duration::from_secs(10);

/// Reading the whole ledger.
pub const READ: Duration = Duration::from_secs(120);

/// A standby that is to take writes.
pub const PROMOTE: Duration = Duration::from_secs(20);

/// A node that is to stream again.
pub const FOLLOW: Duration = Duration::from_secs(60);

/// Between two looks at something that is waited for.
pub const PAUSE: Duration = Duration::from_millis(100);

pub const fn words(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "bytes",
        Unit::Transactions => "transactions",
    }
}
