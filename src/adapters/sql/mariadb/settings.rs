//! What is looked at in one node before a drill: its settings, and what we may do there.

use std::collections::BTreeMap;

use super::{MariaDb, admin, grants::Grants, look, wire::Columns};
use crate::{
    adapters::sql::{
        cluster::Cluster,
        limits::{ACT, ASK},
    },
    ports::PortError,
};

/// How far a standby may be behind before a drill, in transactions.
pub const TRANSACTIONS_BEHIND: u64 = 1000;

/// The settings that matter; a version that does not know one gives no row for it.
const SETTINGS: &str = "select lower(variable_name) as name, variable_value as value \
    from information_schema.global_variables where variable_name in ('gtid_strict_mode', 'log_bin', 'log_slave_updates', \
    'server_id', 'gtid_domain_id', 'sync_binlog', 'innodb_flush_log_at_trx_commit', 'rpl_semi_sync_master_timeout', \
    'rpl_semi_sync_master_enabled', 'slave_net_timeout')";

/// What was seen in one node.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    pub settings: BTreeMap<String, String>,
    /// What our user may do as it is.
    pub grants: Grants,
    /// Whether it, or a role of it, may administer the node.
    pub administers: bool,
    /// Whether the line of replication uses GTIDs, if there is one.
    pub uses_gtid: Option<bool>,
    /// How many lines of replication end here.
    pub lines: usize,
    /// How many domains its position has.
    pub domains: usize,
    /// By how many seconds it applies changes late on purpose.
    pub delay: u64,
}

impl Observation {
    /// A setting; empty where the server does not know it.
    pub fn setting(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }

    /// Whether a setting is on.
    pub fn is_on(&self, name: &str) -> bool {
        matches!(self.setting(name), "ON" | "1")
    }
}

pub async fn look(cluster: &Cluster<MariaDb>, node: &str) -> Result<Observation, PortError> {
    let failed = cluster.failed(node, "ask");
    let database = &cluster.writer.database;
    let mut wire = cluster.open_writer(node, ACT).await?;
    let mut grants = admin::grants(&mut wire, database).await.map_err(&failed)?;
    let mut wire = cluster.open_admin(node, ACT).await?;
    // Seeing replication, and being let in by a primary, is the administrator's part.
    let theirs = admin::grants(&mut wire, database).await.map_err(&failed)?;
    (grants.see, grants.replicate) = (theirs.see, theirs.replicate);
    let settings = wire.rows(SETTINGS, ACT).await.map_err(&failed)?;
    let lines = wire.rows(look::LINES, ASK).await.map_err(&failed)?;
    let position = wire.row(look::SAMPLE, ASK).await.map_err(&failed)?;
    let pair = |mut row: Columns| Some((row.remove("name")?, row.remove("value")?));
    let part = |name: &str| lines.first().and_then(|row| row.get(name)).cloned();
    Ok(Observation {
        settings: settings.into_iter().filter_map(pair).collect(),
        grants,
        administers: admin::open(cluster, node).await.is_ok(),
        uses_gtid: part("using_gtid").map(|how| how != "No"),
        lines: lines.len(),
        domains: super::gtid::domains(position.get("position").map_or("", String::as_str)),
        delay: part("sql_delay").and_then(|delay| delay.parse().ok()).unwrap_or(0),
    })
}
