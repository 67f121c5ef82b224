//! A `MariaDB` primary and its replica.

use interlock::{
    lab::{DatabaseKind, LabDatabase},
    model::Epoch,
    ports::{ByHand, Flow, HostState, Hosts as _},
};

use super::stage::{Stage, stays};
use crate::command::until;

const COUNT: &str = "select count(*) from t";

impl Stage {
    /// Has a node replicate another one from where its own history ends, as an adapter does.
    fn replicate(&self, node: &str, primary: &str) {
        let LabDatabase { nodes, admin_user, admin_password, .. } = &self.database;
        let way = nodes.iter().find(|one| one.name == primary).unwrap().replication.unwrap();
        self.admin(
            node,
            "stop slave; set global gtid_slave_pos = if(@@gtid_binlog_pos = '', @@gtid_slave_pos, @@gtid_binlog_pos)",
        );
        self.admin(
            node,
            &format!(
                "change master to master_host = '127.0.0.1', master_port = {}, master_user = '{admin_user}', \
                 master_password = '{admin_password}', master_use_gtid = slave_pos, master_connect_retry = 1; start slave",
                way.port()
            ),
        );
    }

    fn trouble(&self, node: &str) -> String {
        self.admin(node, "show slave status\\G")
    }
}

#[test]
fn a_primary_that_was_frozen_and_killed_has_lost_rows_and_is_made_anew() {
    let stage = Stage::up(DatabaseKind::MariaDb, &[]);
    stage.sql("maria1", "create table t (id int)");
    stage.until("maria2", COUNT, "0");
    assert!(stage.try_sql("maria2", "insert into t values (9)").unwrap_err().contains("read-only"));
    assert!(stage.try_sql("maria1", "set global read_only = 1").is_err(), "no user's business");
    for state in [HostState::Paused, HostState::Partitioned] {
        stage.bring("maria1", state);
        assert!(!stage.answers("maria1"), "{state}");
        stage.bring("maria1", HostState::Running);
        assert!(stage.answers("maria1"), "{state}");
    }
    stage.bring("maria2", HostState::Down);
    stage.bring("maria2", HostState::Running);
    stage.sql("maria1", "insert into t values (0)");
    stage.until("maria2", COUNT, "1");

    stage.set_flow("maria1", Flow::Frozen);
    stage.sql("maria1", "insert into t values (1)");
    assert!(stays(|| stage.sql("maria2", COUNT) == "1"), "frozen, and it arrived all the same");
    stage.bring("maria1", HostState::Down);
    stage.admin("maria2", "stop slave; reset slave all; set global read_only = 0");
    stage.sql("maria2", "insert into t values (2)");
    stage.set_flow("maria1", Flow::Flowing);

    assert_eq!(stage.follow("maria1", "maria2"), "started as it was, and takes no writes");
    stage.replicate("maria1", "maria2");
    until("its refusal to replicate", || stage.trouble("maria1").contains("1236"));
    assert_eq!(stage.follow("maria1", "maria2"), "made anew from maria2, for it did not replicate as it was");
    stage.replicate("maria1", "maria2");
    stage.sql("maria2", "insert into t values (3)");
    stage.until("maria1", "select group_concat(id order by id) from t", "0,2,3");
    assert!(stage.try_sql("maria1", "insert into t values (9)").unwrap_err().contains("read-only"));

    stage.wait(stage.hosts.stop_cleanly("maria2", &ByHand(Epoch(1)))).unwrap();
    assert_eq!(stage.state("maria2"), HostState::Down);
    // What was promoted takes writes, also after a restart.
    stage.bring("maria2", HostState::Running);
    stage.sql("maria2", "insert into t values (4)");
    stage.until("maria1", COUNT, "4");
    stage.close();
}
