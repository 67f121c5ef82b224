//! What one node says of itself, and by what name its primary knows it.

use tokio_postgres::{Error, Row};

use crate::ports::{Follows, Sample};

/// Role, history and position; `pg_control_checkpoint` alone would be as old as the last checkpoint. A standby's history is
/// what it receives, or what it has to reach before it is consistent.
pub const SAMPLE: &str = "\
    select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off', \
    case when pg_is_in_recovery() then coalesce( \
      (select received_tli from pg_stat_wal_receiver), \
      (select greatest(nullif(r.min_recovery_end_timeline, 0), c.timeline_id) \
       from pg_control_recovery() r, pg_control_checkpoint() c))::bigint \
    else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint end, \
    case when pg_is_in_recovery() \
    then greatest(pg_last_wal_replay_lsn(), '0/0') - '0/0' \
    else pg_current_wal_lsn() - '0/0' end::bigint";

/// What a standby says of its replication, and the name by which its primary knows it. The connection string holds a
/// password, so that only the name leaves the server.
pub const RECEIVER: &str = "\
    select pg_is_in_recovery(), w.pid is not null, w.status, w.received_tli::bigint, w.slot_name::text, \
    coalesce((select substring(setting from 'application_name=''?([^ '']+)') from pg_settings where name = 'primary_conninfo'), \
      nullif(current_setting('cluster_name'), ''), 'walreceiver') \
    from (select 1) one left join pg_stat_wal_receiver w on true";

/// The standbys that a primary waits for.
pub const WAITED_FOR: &str = "\
    select r.application_name, s.slot_name::text from pg_stat_replication r \
    left join pg_replication_slots s on s.active_pid = r.pid where r.sync_state in ('sync', 'quorum')";

/// A standby as its primary knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Its `application_name`.
    pub application: String,
    pub slot: Option<String>,
}

/// What only `PostgreSQL` knows of.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Detail {
    /// The name by which its primary knows it.
    pub known: Known,
    /// Whom it waits for, if it is a primary.
    pub waited_for: Vec<Known>,
}

impl Detail {
    /// Whether this primary waits for this standby.
    pub fn waits_for(&self, name: &str, standby: &Self) -> bool {
        self.waited_for.iter().any(|one| is_same(one, &standby.known, name))
    }
}

/// Reads a row of [`SAMPLE`].
pub fn sample(row: &Row) -> Result<Sample, Error> {
    let timeline: Option<i64> = row.try_get(1)?;
    let position: Option<i64> = row.try_get(2)?;
    Ok(Sample {
        writable: row.try_get(0)?,
        timeline: timeline.map(|timeline| timeline.to_string()),
        position: position.and_then(|position| u64::try_from(position).ok()),
    })
}

/// Reads a row of [`RECEIVER`].
pub fn receiver(row: &Row) -> Result<(Option<Follows>, Known), Error> {
    let standby: bool = row.try_get(0)?;
    let timeline: Option<i64> = row.try_get(3)?;
    let follows = follows(row.try_get(1)?, row.try_get(2)?, timeline);
    Ok((standby.then_some(follows), Known { application: row.try_get(5)?, slot: row.try_get(4)? }))
}

/// Reads rows of [`WAITED_FOR`].
pub fn waited_for(rows: &[Row]) -> Result<Vec<Known>, Error> {
    rows.iter().map(|row| Ok(Known { application: row.try_get(0)?, slot: row.try_get(1)? })).collect()
}

fn follows(receives: bool, status: Option<String>, timeline: Option<i64>) -> Follows {
    let trouble = match (receives, status.as_deref()) {
        (true, Some("streaming")) => None,
        (true, Some(status)) => Some(format!("its WAL receiver is {status}")),
        (true, None) => Some("its WAL receiver cannot be seen; grant pg_read_all_stats to our user".to_owned()),
        (false, _) => Some("no WAL receiver runs; its log says why".to_owned()),
    };
    Follows { streaming: trouble.is_none(), timeline: timeline.map(|timeline| timeline.to_string()), trouble }
}

/// Whether a primary's standby is this node. A slot belongs to one standby; names such as `walreceiver` may be shared.
fn is_same(seen: &Known, node: &Known, name: &str) -> bool {
    match (&seen.slot, &node.slot) {
        (Some(seen), Some(own)) => seen == own,
        _ => seen.application == name || seen.application == node.application,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::sql::{
        engine::{Answer, nodes},
        postgres::Postgres,
    };

    fn answer(writable: bool, application: &str, slot: Option<&str>) -> Answer<Detail> {
        let known = Known { application: application.to_owned(), slot: slot.map(str::to_owned) };
        Answer {
            sample: Sample { writable, timeline: Some("3".to_owned()), position: Some(9) },
            follows: (!writable).then(|| follows(true, Some("streaming".to_owned()), Some(3))),
            detail: Detail { known, waited_for: Vec::new() },
        }
    }

    #[test]
    fn a_synchronous_standby_is_known_by_its_slot_or_its_name() {
        let mut primary = answer(true, "a", None);
        let known = |application: &str, slot: Option<&str>| answer(false, application, slot).detail.known;
        primary.detail.waited_for = vec![known("walreceiver", Some("s1")), known("d", None)];
        let seen = nodes::<Postgres>(vec![
            ("a".to_owned(), Ok(primary)),
            ("b".to_owned(), Ok(answer(false, "walreceiver", Some("s1")))),
            ("c".to_owned(), Ok(answer(false, "walreceiver", Some("s2")))),
            ("d".to_owned(), Ok(answer(false, "x", None))),
            ("e".to_owned(), Err("no answer within 300ms".to_owned())),
        ]);
        let synchronous: Vec<_> = seen.iter().filter(|node| node.synchronous).map(|node| node.name.as_str()).collect();
        assert_eq!(synchronous, ["b", "d"]);
        assert_eq!(seen[4].trouble.as_deref(), Some("no answer within 300ms"));
    }

    #[test]
    fn a_standby_says_what_keeps_changes_from_arriving() {
        assert!(follows(true, Some("streaming".to_owned()), Some(2)).streaming);
        let waiting = follows(true, Some("waiting".to_owned()), Some(2));
        assert_eq!(waiting.trouble.as_deref(), Some("its WAL receiver is waiting"));
        assert!(follows(true, None, None).trouble.unwrap().contains("pg_read_all_stats"));
        assert!(!follows(false, None, None).streaming);
    }
}
