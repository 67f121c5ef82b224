//! A `PostgreSQL` primary and its standby.

use interlock::{
    lab::DatabaseKind,
    model::Epoch,
    ports::{ByHand, Flow, HostState, Hosts as _, PortError},
    process::Signal,
};

use super::stage::{Stage, stays};
use crate::command::until;

const COUNT: &str = "select count(*) from t";

#[test]
fn every_state_of_a_host_can_be_seen_and_left_again() {
    let stage = Stage::up(DatabaseKind::Postgres, &[]);
    stage.sql("pg1", "create table t (id int)");
    stage.sql("pg1", "insert into t values (1)");
    stage.until("pg2", COUNT, "1");
    assert!(stage.try_sql("pg2", "insert into t values (2)").unwrap_err().contains("read-only"));
    assert!(stage.try_sql("pg1", "select pg_promote()").unwrap_err().contains("permission denied"));

    for state in [HostState::Paused, HostState::Partitioned, HostState::Down] {
        stage.bring("pg1", state);
        stage.bring("pg1", state);
        assert!(!stage.answers("pg1"), "{state}");
        stage.bring("pg1", HostState::Running);
        assert_eq!(stage.sql("pg1", COUNT), "1", "{state}");
    }
    for (from, to) in [(HostState::Partitioned, HostState::Paused), (HostState::Down, HostState::Partitioned)] {
        stage.bring("pg1", from);
        stage.bring("pg1", to);
    }
    stage.bring("pg1", HostState::Running);
    // What was held or cut off streams again.
    stage.sql("pg1", "insert into t values (2)");
    stage.until("pg2", COUNT, "2");

    let late = stage.wait(stage.hosts.set_state("pg1", HostState::Down, &ByHand(Epoch(0))));
    assert!(matches!(late, Err(PortError::Superseded { ours: 0, theirs: 1 })), "{late:?}");
    let not_here = stage.wait(stage.hosts.set_state("pg1", HostState::Orphaned, &ByHand(Epoch(1))));
    assert!(matches!(not_here, Err(PortError::Forbidden { .. })), "{not_here:?}");
    assert_eq!(stage.state("pg1"), HostState::Running);
    stage.close();
}

#[test]
fn a_primary_that_was_frozen_and_killed_has_lost_rows_and_is_rewound() {
    let stage = Stage::up(DatabaseKind::Postgres, &[]);
    stage.sql("pg1", "create table t (id int)");
    stage.until("pg2", COUNT, "0");
    stage.set_flow("pg1", Flow::Frozen);
    stage.sql("pg1", "insert into t values (1)");
    assert!(stays(|| stage.sql("pg2", COUNT) == "0"), "frozen, and it arrived all the same");
    stage.bring("pg1", HostState::Down);
    assert_eq!(stage.admin("pg2", "select pg_promote(true, 30)"), "t");
    stage.sql("pg2", "insert into t values (2)");
    stage.set_flow("pg1", Flow::Flowing);

    let refused = stage.wait(stage.hosts.start_following("pg1", "pg3", &ByHand(Epoch(1)))).unwrap_err();
    assert!(refused.to_string().contains("pg3 is none"), "{refused}");
    assert_eq!(stage.follow("pg1", "pg2"), "rewound to where it parted from pg2");
    stage.until("pg1", "select array_agg(id) from t", "{2}");
    assert_eq!(stage.follow("pg1", "pg2"), "follows pg2 already");

    // And back, as an administrator does it: with nothing lost.
    stage.sql("pg2", "insert into t values (3)");
    stage.wait(stage.hosts.stop_cleanly("pg2", &ByHand(Epoch(1)))).unwrap();
    assert_eq!(stage.state("pg2"), HostState::Down);
    let no_primary = stage.wait(stage.hosts.start_following("pg2", "pg1", &ByHand(Epoch(1)))).unwrap_err();
    assert!(no_primary.to_string().contains("pg1 is no primary"), "{no_primary}");
    assert_eq!(stage.admin("pg1", "select pg_promote(true, 30)"), "t");
    stage.follow("pg2", "pg1");
    stage.until("pg2", "select array_agg(id) from t", "{2,3}");
    stage.close();
}

#[test]
fn a_standby_confirms_where_that_is_set() {
    let stage = Stage::up(DatabaseKind::Postgres, &["synchronous=on"]);
    let standby = "select sync_state from pg_stat_replication where application_name = 'pg2'";
    stage.until_admin("pg1", standby, "sync");
    stage.until_admin("pg1", "select slot_name || active from pg_replication_slots", "pg2true");
    stage.close();
}

#[test]
fn a_disk_that_was_stalled_takes_writes_again_whoever_dies() {
    let stage = Stage::up(DatabaseKind::Postgres, &["stallable=on"]);
    stage.sql("pg1", "create table t (id int)");
    stage.bring("pg1", HostState::Stalled);
    assert!(stage.answers("pg1"), "it can still be read");
    assert!(!stage.tries("pg1", "insert into t values (1)"), "it takes writes");
    stage.bring("pg1", HostState::Running);
    stage.sql("pg1", "insert into t values (2)");
    stage.bring("pg1", HostState::Stalled);
    stage.bring("pg1", HostState::Down);
    stage.bring("pg1", HostState::Running);

    stage.bring("pg1", HostState::Stalled);
    let agent = stage.part("pg1").identity.unwrap();
    agent.signal(Signal::SIGKILL).unwrap();
    until("another agent", || stage.part("pg1").identity.is_some_and(|now| now != agent) && stage.part("pg1").ready);
    stage.bring("pg1", HostState::Running);
    stage.sql("pg1", "insert into t values (3)");

    // All is killed while the disk is stalled: stage.close() has to get it away.
    stage.bring("pg1", HostState::Stalled);
    let supervisor = interlock::lab::Lab::open(&stage.folder).unwrap().file.supervisor;
    supervisor.signal(Signal::SIGKILL).unwrap();
    stage.close();
}
