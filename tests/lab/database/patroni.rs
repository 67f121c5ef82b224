//! Three nodes under Patroni.

use interlock::{
    lab::DatabaseKind,
    model::Epoch,
    ports::{Act, ByHand, HostState, Hosts as _, Order},
};

use super::stage::Stage;
use crate::command::until;

const WRITABLE: &str = "select not pg_is_in_recovery()";
const STREAMS: &str = "select count(*) from pg_stat_replication where state = 'streaming'";

impl Stage {
    /// The nodes that take writes.
    fn writable(&self) -> Vec<&str> {
        let names = self.database.nodes.iter().map(|node| &*node.name);
        names.filter(|name| self.try_quick(name)).collect()
    }

    fn try_quick(&self, node: &str) -> bool {
        self.answers(node) && self.try_sql(node, WRITABLE).as_deref() == Ok("t")
    }

    fn until_led_by_another_than(&self, before: &str) -> String {
        let mut leader = String::new();
        until("another leader", || {
            leader = self.writable().into_iter().find(|name| *name != before).unwrap_or(before).to_owned();
            leader != before
        });
        leader
    }

    fn until_whole(&self) -> String {
        let mut leader = String::new();
        until("two standbys that stream", || {
            let writable = self.writable();
            leader = writable.first().copied().unwrap_or_default().to_owned();
            writable.len() == 1 && self.try_admin(&leader, STREAMS).as_deref() == Ok("2")
        });
        leader
    }
}

#[test]
fn a_leader_that_is_lost_is_replaced_and_rejoins() {
    let stage = Stage::up(DatabaseKind::Patroni, &[]);
    assert_eq!(stage.until_whole(), "pg1");
    stage.sql("pg1", "create table t (id int)");

    // An end by the manager's death alone: both take writes.
    stage.bring("pg1", HostState::Orphaned);
    let second = stage.until_led_by_another_than("pg1");
    assert!(stage.try_quick("pg1"), "the orphan goes on");
    stage.sql(&second, "insert into t values (1)");
    assert!(
        stage.wait(stage.hosts.stop_cleanly("pg1", &ByHand(Epoch(1)))).is_err(),
        "its manager would start it again"
    );
    stage.set("pg1", HostState::Running);
    assert_eq!(stage.until_whole(), second);
    assert_eq!(stage.state("pg1"), HostState::Running);

    stage.until(&second, "select count(*) from t", "1");

    // The network alone: nobody reaches it, and it reaches no etcd, so that it steps down.
    stage.bring(&second, HostState::Partitioned);
    let third = stage.until_led_by_another_than(&second);
    stage.set(&second, HostState::Running);
    assert_eq!(stage.until_whole(), third);
    stage.sql(&third, "insert into t values (2)");

    // The database alone: its manager starts it again, here or elsewhere.
    stage.set(&third, HostState::Crashed);
    until("a leader that takes writes", || {
        stage.writable().first().is_some_and(|leader| stage.try_sql(leader, "insert into t values (3)").is_ok())
    });
    let now = stage.until_whole();
    stage.sql(&now, "insert into t values (4)");
    for node in ["pg1", "pg2", "pg3"] {
        stage.until(node, "select count(*) from t where id = 4", "1");
    }
    stage.close();
}

#[test]
fn a_paused_etcd_takes_the_leader_away_and_gives_one_back() {
    let stage = Stage::up(DatabaseKind::Patroni, &["ttl=5", "retry_timeout=2"]);
    // Whoever leads: on a busy machine so short a lease may have changed hands already.
    stage.until_whole();
    assert!(!stage.hosts.can("etcd", Order::Do(Act::KillManager)) && !stage.hosts.can("etcd", Order::Flow));
    stage.bring("etcd", HostState::Paused);
    until("nobody to take writes", || stage.writable().is_empty());
    stage.bring("etcd", HostState::Running);
    stage.until_whole();
    stage.bring("etcd", HostState::Down);
    stage.bring("etcd", HostState::Running);
    stage.until_whole();
    stage.close();
}
