//! Reads the ledger's table back at every node when all is over.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    ops::drill::ledger::{Finals, Records, differences},
    ports::Database,
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
        let found = timeout_at(deadline, look(database, &records.head.nodes)).await;
        let is_last = found.is_err() || Instant::now() + AGAIN >= deadline;
        match found {
            Ok(finals) => records.finals = finals,
            Err(_) if records.finals == Finals::default() => records.finals = unanswered(records, within),
            // An earlier reading was complete; a later one that was cut off takes nothing from it.
            Err(_) => {}
        }
        if is_last || is_settled(&records.finals) {
            return;
        }
        sleep(AGAIN).await;
    }
}

fn unanswered(records: &Records, within: Duration) -> Finals {
    let why = format!("no answer within {within:?}");
    let troubles = records.head.nodes.iter().map(|node| (node.clone(), why.clone())).collect();
    Finals { troubles, ..Finals::default() }
}

async fn look(database: &dyn Database, nodes: &[String]) -> Finals {
    let primary = database.topology().await.primary().map(|node| node.name.clone()).ok();
    let mut finals = Finals { primary, ..Finals::default() };
    let tables = join_all(nodes.iter().map(|node| database.rows(node))).await;
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
    if let Some(primary) = &finals.primary {
        match database.switched_at(primary).await {
            Ok(position) => finals.switched_at = position,
            Err(e) => {
                finals.troubles.entry(primary.clone()).or_insert_with(|| e.to_string());
            }
        }
    }
    finals
}

/// Whether every node could be read, and has the same rows as the primary.
fn is_settled(finals: &Finals) -> bool {
    let Some(primary) = finals.primary.as_ref().and_then(|primary| finals.rows.get(primary)) else { return false };
    finals.troubles.is_empty() && finals.rows.values().all(|rows| differences(primary, rows) == 0)
}
