//! Reads the ledger's table back at every node when all is over.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    operation::drill::ledger::{Finals, Records, differences},
    ports::{Database, PortError},
};

/// Between two readings, while a node still has other rows than the primary.
const AGAIN: Duration = Duration::from_millis(300);

/// Asks every node for its rows, again and again until all have the same or `within` is over, and keeps the last answers.
///
/// Call it when the nodes have rejoined, and before a switchover back: the position at which histories parted is then the one
/// that the drill is about. A node that cannot be read is named with its trouble, and waited for as well.
pub async fn read_back(database: &dyn Database, records: &mut Records, within: Duration) {
    let deadline = Instant::now() + within;
    loop {
        let finals = look(database, &records.head.nodes, deadline).await;
        // What was read in full is worth more than a later reading that ran out of time.
        if Instant::now() < deadline || records.finals == Finals::default() {
            records.finals = finals;
        }
        if Instant::now() + AGAIN >= deadline || is_settled(&records.finals) {
            return;
        }
        sleep(AGAIN).await;
    }
}

async fn look(database: &dyn Database, nodes: &[String], deadline: Instant) -> Finals {
    let mut finals = Finals::default();
    let tables = join_all(nodes.iter().map(|node| in_time(deadline, node, database.rows(node)))).await;
    for (node, table) in nodes.iter().zip(tables) {
        match table {
            Ok(rows) => {
                finals.rows.insert(node.clone(), rows);
            }
            Err(e) => {
                finals.troubles.insert(node.clone(), e.to_string());
            }
        }
    }
    let topology = timeout_at(deadline, database.topology()).await.ok();
    finals.primary = topology.and_then(|topology| topology.primary().map(|node| node.name.clone()).ok());
    if let Some(primary) = finals.primary.clone() {
        match in_time(deadline, &primary, database.switched_at(&primary)).await {
            Ok(position) => finals.switched_at = position,
            Err(e) => {
                finals.troubles.entry(primary).or_insert_with(|| e.to_string());
            }
        }
    }
    finals
}

async fn in_time<T>(
    deadline: Instant,
    node: &str,
    question: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    timeout_at(deadline, question).await.unwrap_or_else(|_| Err(PortError::unreachable(node, "no answer in time")))
}

/// Whether every node could be read, and has the same rows as the primary.
fn is_settled(finals: &Finals) -> bool {
    let Some(primary) = finals.primary.as_ref().and_then(|primary| finals.rows.get(primary)) else { return false };
    finals.troubles.is_empty() && finals.rows.values().all(|rows| differences(primary, rows) == 0)
}
