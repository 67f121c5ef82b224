//! The ledger's table: made, dropped and counted.

use std::collections::BTreeMap;

use super::{
    cluster::Cluster,
    engine::{Engine, Wire},
    limits::{ACT, ASK, LEDGER, MOST_ROWS, READ},
};
use crate::ports::{Permit, PortError};

/// How often a count is begun anew that a standby cancelled, because replay had to go on.
const TRIES: u32 = 5;

/// What a standby says that has cancelled a count.
const CANCELLED: &str = "40001";

/// Makes the table, or drops it.
pub async fn set<E: Engine>(
    cluster: &Cluster<E>,
    primary: &str,
    there: bool,
    permit: &dyn Permit,
) -> Result<(), PortError> {
    let (verb, sql) = if there {
        ("create a table in", E::make_ledger())
    } else {
        ("drop a table in", format!("drop table if exists {LEDGER}"))
    };
    let failed = cluster.failed(primary, verb);
    let mut wire = cluster.open_writer(primary, ACT).await?;
    wire.run(E::SHORT_LOCKS, ASK).await.map_err(&failed)?;
    cluster.intend(primary, &mut wire, &cluster.writer, verb, permit).await?;
    wire.run(&sql, ACT).await.map_err(&failed)
}

/// Counts its rows by their id, at most [`MOST_ROWS`] ids.
pub async fn rows<E: Engine>(cluster: &Cluster<E>, node: &str) -> Result<BTreeMap<u64, u32>, PortError> {
    let sql = format!("select id, count(*) from {LEDGER} group by id");
    let mut why = String::new();
    for _ in 0..TRIES {
        let mut counted = BTreeMap::new();
        let mut too_many = false;
        let mut each = |id: i64, times: i64| {
            too_many |= counted.len() >= MOST_ROWS;
            // Ids are made from u64; one that is negative was not written by us, and stands for itself.
            if !too_many {
                counted.insert(id.cast_unsigned(), u32::try_from(times).unwrap_or(u32::MAX));
            }
        };
        let mut wire = cluster.open_writer(node, ACT).await?;
        match wire.each_pair(&sql, READ, &mut each).await {
            Ok(()) if too_many => {
                return Err(PortError::unexpected(
                    cluster.place(node),
                    format!("{LEDGER} holds more than {MOST_ROWS} ids"),
                ));
            }
            Ok(()) => return Ok(counted),
            Err(failure) if failure.class == CANCELLED => why = failure.words,
            Err(failure) => return Err(cluster.failed(node, "read the ledger at")(failure)),
        }
    }
    Err(PortError::unreachable(cluster.place(node), format!("it cancelled the count {TRIES} times: {why}")))
}
