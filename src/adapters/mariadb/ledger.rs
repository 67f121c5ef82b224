//! The ledger's table: made, dropped and counted.

use std::collections::BTreeMap;

use super::{failure::Failure, gtid, nodes::Nodes};
use crate::{
    adapters::sql::limits::{ACT, ASK, LEDGER, MOST_ROWS, READ},
    ports::PortError,
};

impl Nodes {
    /// Whether the ledger's table is there.
    ///
    /// # Errors
    /// Where the node cannot be asked.
    pub async fn has_ledger(&self, node: &str) -> Result<bool, PortError> {
        let sql = format!(
            "select table_name from information_schema.tables where table_schema = database() and table_name = '{LEDGER}'"
        );
        let mut wire = self.open(node, ACT).await?;
        let rows = wire.rows(&sql, ACT).await.map_err(self.failed(node, "ask")?)?;
        Ok(!rows.is_empty())
    }

    /// Makes the ledger's table, or drops it.
    ///
    /// # Errors
    /// Where the node refuses or cannot be asked.
    pub async fn set_ledger(&self, primary: &str, there: bool) -> Result<(), PortError> {
        let sql = if there {
            format!(
                "create table if not exists {LEDGER} (`id` bigint not null, \
                 `at` timestamp(6) not null default current_timestamp(6), key (`id`)) engine = innodb"
            )
        } else {
            format!("drop table if exists {LEDGER}")
        };
        let failed = self.failed(primary, if there { "create a table in" } else { "drop a table in" })?;
        let mut wire = self.open(primary, ACT).await?;
        // Whoever holds a lock on it is not waited for longer than we wait ourselves.
        wire.run("set session lock_wait_timeout = 5", ASK).await.map_err(&failed)?;
        wire.run(&sql, ACT).await.map_err(&failed)
    }

    /// Counts the rows of the ledger's table by their id.
    ///
    /// # Errors
    /// Where the node cannot be asked, or there are more than [`MOST_ROWS`] ids.
    pub async fn rows(&self, node: &str) -> Result<BTreeMap<u64, u32>, PortError> {
        let mut counted = BTreeMap::new();
        let mut too_many = false;
        let each = |id: i64, times: i64| {
            too_many |= counted.len() >= MOST_ROWS;
            // Ids are made from u64; one that is negative was not written by us, and stands for itself.
            if !too_many {
                counted.insert(id.cast_unsigned(), u32::try_from(times).unwrap_or(u32::MAX));
            }
        };
        let mut wire = self.open(node, ACT).await?;
        let sql = format!("select id, count(*) from {LEDGER} group by id");
        wire.each_pair(&sql, READ, each).await.map_err(self.failed(node, "read the ledger at")?)?;
        if too_many {
            return Err(PortError::odd(self.place(node)?, format!("{LEDGER} holds more than {MOST_ROWS} ids")));
        }
        Ok(counted)
    }

    /// The last transaction that a primary got from another one: where its own history began. `None` where it got none.
    ///
    /// # Errors
    /// Where the node cannot be asked.
    pub async fn switched_at(&self, primary: &str) -> Result<Option<u64>, PortError> {
        let sql = "select @@global.gtid_slave_pos as position, @@global.gtid_domain_id as domain";
        let mut wire = self.open(primary, ACT).await?;
        let row = wire.row(sql, ACT).await.map_err(self.failed(primary, "ask")?)?;
        let part = |name: &str| row.get(name).map_or("", String::as_str);
        let domain = part("domain").parse().map_err(|_| Failure::odd("`gtid_domain_id` is no number"));
        let domain = domain.map_err(self.failed(primary, "ask")?)?;
        Ok(gtid::in_domain(part("position"), domain).map(|gtid| gtid.sequence))
    }
}
