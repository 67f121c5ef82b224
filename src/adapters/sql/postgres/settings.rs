//! What is looked at in one node before a drill: its settings, its slots, and what we may do there.

use std::collections::BTreeMap;

use serde::Deserialize;
use tokio_postgres::{Error, types::Type};

use super::wire::Wire;
use crate::adapters::sql::{
    failure::Failure,
    limits::{ACT, LEDGER},
};

/// The settings that matter.
const NAMES: &[&str] = &[
    "data_checksums",
    "full_page_writes",
    "hot_standby",
    "max_replication_slots",
    "max_slot_wal_keep_size",
    "max_wal_senders",
    "recovery_min_apply_delay",
    "synchronous_commit",
    "synchronous_standby_names",
    "wal_keep_segments",
    "wal_keep_size",
    "wal_log_hints",
];

const SETTINGS: &str = "select name, setting from pg_settings where name = any($1)";

// One column of these is younger than the oldest version that is asked, hence JSON.
const SLOTS: &str = "select to_jsonb(s)::text from pg_replication_slots s where not temporary order by slot_name";

const RIGHTS: &str = "\
    select pg_has_role('pg_read_all_stats', 'usage'), \
    has_function_privilege('pg_promote(boolean, integer)', 'execute'), \
    has_function_privilege('pg_read_file(text, bigint, bigint, boolean)', 'execute'), \
    current_schema()::text, coalesce(has_schema_privilege(current_schema(), 'create'), false), \
    to_regclass($1) is not null";

const CONFLICTS: &str = "\
    select coalesce(sum(confl_tablespace + confl_lock + confl_snapshot + confl_bufferpin + confl_deadlock), 0)::bigint \
    from pg_stat_database_conflicts";

const WAITED_FOR: &str = "select count(*) from pg_stat_replication where sync_state in ('sync', 'quorum')";

/// What we may do at a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    /// See other users' statistics.
    pub stats: bool,
    pub promote: bool,
    /// Read its timelines' history.
    pub history: bool,
    /// The schema that a table of ours would be made in.
    pub schema: Option<String>,
    /// Make a table there.
    pub create: bool,
    /// Whether the ledger's table is there already.
    pub ledger: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Slot {
    #[serde(rename = "slot_name")]
    pub name: String,
    /// `physical` or `logical`.
    #[serde(rename = "slot_type")]
    pub kind: String,
    /// Whether someone uses it.
    pub active: bool,
    /// Whether the log that it needs is still there; since version 13.
    #[serde(default)]
    pub wal_status: Option<String>,
    /// Whether a logical slot is kept at standbys too; since version 17.
    #[serde(default)]
    pub failover: Option<bool>,
}

/// What was seen in one node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observation {
    /// Its settings, in the server's own units.
    pub settings: BTreeMap<String, String>,
    pub slots: Vec<Slot>,
    /// What we may do.
    pub rights: Rights,
    /// How many statements were cancelled because replay had to go on, since the statistics began.
    pub conflicts: i64,
    /// How many standbys are connected that it waits for, whoever they are.
    pub waited_for: i64,
}

impl Observation {
    /// A setting; empty where the server does not know it.
    pub fn setting(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }

    /// Whether a setting is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.setting(name) == "on"
    }
}

pub async fn look(wire: &mut Wire) -> Result<Observation, Failure> {
    let settings = wire.rows(SETTINGS, &[(&NAMES, Type::TEXT_ARRAY)], ACT).await?;
    let slots = wire.rows(SLOTS, &[], ACT).await?;
    let rights = rights(wire).await?;
    let conflicts = wire.row(CONFLICTS, &[], ACT).await?;
    let waited_for = wire.row(WAITED_FOR, &[], ACT).await?;
    let read = || -> Result<Observation, Error> {
        Ok(Observation {
            settings: settings
                .iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
                .collect::<Result<_, Error>>()?,
            slots: slots.iter().map(|row| Ok(slot(row.try_get(0)?))).collect::<Result<Vec<_>, Error>>()?,
            rights: rights.clone(),
            conflicts: conflicts.try_get(0)?,
            waited_for: waited_for.try_get(0)?,
        })
    };
    read().map_err(Failure::from)
}

/// What the one who is connected may do.
pub async fn rights(wire: &mut Wire) -> Result<Rights, Failure> {
    let row = wire.row(RIGHTS, &[(&LEDGER, Type::TEXT)], ACT).await?;
    let read = || -> Result<Rights, Error> {
        Ok(Rights {
            stats: row.try_get(0)?,
            promote: row.try_get(1)?,
            history: row.try_get(2)?,
            schema: row.try_get(3)?,
            create: row.try_get(4)?,
            ledger: row.try_get(5)?,
        })
    };
    read().map_err(Failure::from)
}

/// Reads a slot; one that cannot be read is one of which nothing is known but that it is there.
fn slot(json: &str) -> Slot {
    serde_json::from_str(json).unwrap_or_else(|_| Slot { name: "unknown".to_owned(), ..Slot::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_read_from_old_and_new_versions() {
        let old = slot(r#"{"slot_name":"s1","slot_type":"physical","active":true,"restart_lsn":"0/3000000"}"#);
        assert_eq!((old.name.as_str(), old.active, old.wal_status), ("s1", true, None));
        let new = slot(r#"{"slot_name":"l","slot_type":"logical","active":false,"wal_status":"lost","failover":true}"#);
        assert_eq!((new.wal_status.as_deref(), new.failover), (Some("lost"), Some(true)));
    }
}
