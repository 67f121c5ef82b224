//! The ledger's table: made, dropped and counted.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use super::{history, nodes::Nodes, wire::Wire};
use crate::{
    adapters::sql::limits::{ACT, ASK, LEDGER, MOST_ROWS, READ},
    ports::PortError,
};

/// How often a count is begun anew that the standby cancelled, because replay had to go on.
const TRIES: u32 = 5;

impl Nodes {
    /// Whether the ledger's table is there.
    ///
    /// # Errors
    /// Where the node cannot be asked.
    pub async fn has_ledger(&self, node: &str) -> Result<bool, PortError> {
        let mut wire = self.open_writer(node, ACT).await?;
        let asked = wire.row("select to_regclass($1) is not null", &[(&LEDGER, Type::TEXT)], ACT).await;
        let row = asked.map_err(self.failed(node, "ask")?)?;
        row.try_get(0).map_err(|error| PortError::odd(node, error))
    }

    /// Makes the ledger's table, or drops it.
    ///
    /// # Errors
    /// Where the node refuses or cannot be asked.
    pub async fn set_ledger(&self, primary: &str, there: bool) -> Result<(), PortError> {
        let sql = if there {
            format!(
                "create table if not exists {LEDGER} (id bigint not null, at timestamptz default clock_timestamp()); \
                 create index if not exists {LEDGER}_id on {LEDGER} (id)"
            )
        } else {
            format!("drop table if exists {LEDGER}")
        };
        // Whoever holds a lock on it is not waited for longer than we wait ourselves.
        let sql = format!("set lock_timeout = '5s'; set statement_timeout = '8s'; {sql}");
        let verb = if there { "create a table in" } else { "drop a table in" };
        let mut wire = self.open_writer(primary, ACT).await?;
        wire.run(&sql, ACT).await.map_err(self.failed(primary, verb)?)
    }

    /// Counts the rows of the ledger's table by their id.
    ///
    /// # Errors
    /// Where the node cannot be asked, or there are more than [`MOST_ROWS`] ids.
    pub async fn rows(&self, node: &str) -> Result<BTreeMap<u64, u32>, PortError> {
        let mut last = None;
        for _ in 0..TRIES {
            let mut wire = self.open_writer(node, ACT).await?;
            match count(&mut wire).await {
                Ok(Some(rows)) => return Ok(rows),
                Ok(None) => {
                    return Err(PortError::odd(self.place(node)?, format!("{LEDGER} holds more than {MOST_ROWS} ids")));
                }
                // A standby cancels what is in the way of replay.
                Err(failure) if failure.class == "40001" => last = Some(failure),
                Err(failure) => return Err(self.failed(node, "read the ledger at")?(failure)),
            }
        }
        let why = last.map_or_else(String::new, |failure| failure.words);
        Err(PortError::unreachable(self.place(node)?, format!("it cancelled the count {TRIES} times: {why}")))
    }

    /// Where the present timeline left the one before; `None` on the first one, and where we may not read files.
    ///
    /// # Errors
    /// Where the node cannot be asked.
    pub async fn switched_at(&self, primary: &str) -> Result<Option<u64>, PortError> {
        let seen = self.look(primary).await?;
        if let Some(trouble) = seen.trouble {
            return Err(PortError::unreachable(self.place(primary)?, trouble));
        }
        let Some(timeline) = seen.timeline.and_then(|timeline| timeline.parse().ok()).filter(|timeline| *timeline > 1)
        else {
            return Ok(None);
        };
        let mut wire = self.open(primary, ACT).await?;
        let file = history::file(timeline);
        let asked = wire.row("select pg_read_file($1, 0, 1000000, true)", &[(&file, Type::TEXT)], ASK).await;
        match asked {
            Ok(row) => {
                let history: Option<String> = row.try_get(0).map_err(|error| PortError::odd(primary, error))?;
                Ok(history.as_deref().and_then(history::switched_at))
            }
            Err(failure) if failure.is_privilege() => Ok(None),
            Err(failure) => Err(self.failed(primary, "ask")?(failure)),
        }
    }

    /// Makes a port's error of a node's failure.
    ///
    /// # Errors
    /// Where there is no such node.
    pub fn failed(
        &self,
        node: &str,
        verb: &'static str,
    ) -> Result<impl FnOnce(super::failure::Failure) -> PortError + use<>, PortError> {
        let place = self.place(node)?;
        Ok(move |failure: super::failure::Failure| failure.port(&place, verb))
    }
}

/// The counts, or `None` where there are too many ids to hold.
async fn count(wire: &mut Wire) -> Result<Option<BTreeMap<u64, u32>>, super::failure::Failure> {
    let mut counted = BTreeMap::new();
    let mut too_many = false;
    let each = |row: &tokio_postgres::Row| {
        let (id, times): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        too_many |= counted.len() >= MOST_ROWS;
        // Ids are made from u64; one that is negative was not written by us, and stands for itself.
        if !too_many {
            counted.insert(id.cast_unsigned(), u32::try_from(times).unwrap_or(u32::MAX));
        }
        Ok(())
    };
    wire.each_row(&format!("select id, count(*) from {LEDGER} group by id"), READ, each).await?;
    Ok((!too_many).then_some(counted))
}
