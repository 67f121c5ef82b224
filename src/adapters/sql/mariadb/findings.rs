//! What has to hold before a drill, judged from what was seen; nothing is asked here.

use std::collections::BTreeSet;

use super::{
    admin,
    settings::{Observation, TRANSACTIONS_BEHIND},
};
use crate::{
    adapters::sql::findings::{fine, judged},
    ports::{Finding, Unit},
};

type Case<'a> = crate::adapters::sql::findings::Case<'a, Observation>;

/// The names of all that is looked at.
pub const CHECKS: &[&str] =
    &["reach", "rights", "read_only", "table", "standbys", "gtids", "durability", "synchronous", "replay"];

/// Everything that was found.
pub fn findings(case: &Case<'_>) -> Vec<Finding> {
    case.all(case.writer, "start the node, or fix address, user or password", || {
        vec![
            rights(case),
            read_only(case),
            table(case),
            case.standbys(Unit::Transactions, TRANSACTIONS_BEHIND),
            gtids(case),
            durability(case),
            synchronous(case),
            replay(case),
        ]
    })
}

fn rights(case: &Case<'_>) -> Finding {
    let user = case.admin;
    let (mut lacks, mut mends) = (Vec::new(), Vec::new());
    let mut check = |missing: Vec<String>, hint: String| {
        if !missing.is_empty() {
            lacks.extend(missing);
            mends.push(hint);
        }
    };
    let lacking = |what: &str, has: fn(&Observation) -> bool| {
        case.each(|name, node| (!has(node)).then(|| format!("{user} may not {what} at {name}")))
    };
    check(lacking("see replication", |node| node.grants.see), format!("grant slave monitor on *.* to {user}"));
    check(lacking("replicate", |node| node.grants.replicate), format!("grant replication slave on *.* to {user}"));
    check(lacking("administer replication", |node| node.administers), admin::hint(user));
    judged("rights", format!("{user} may see and do what a drill needs"), &lacks, mends.join("; "))
}

/// Rows that are written past `read_only` would prove nothing, and would make a standby diverge.
fn read_only(case: &Case<'_>) -> Finding {
    let user = case.writer;
    let past = case.each(|name, node| {
        node.grants.past_read_only.then(|| format!("{user} may write to {name} although it is read-only"))
    });
    let hint = format!("{}; revoke read_only admin, super on *.* from {user}", admin::hint(user));
    judged("read_only", format!("{user} cannot write to a standby"), &past, hint)
}

fn table(case: &Case<'_>) -> Finding {
    let (user, database) = (case.writer, case.database);
    let lacks = case.each(|name, node| {
        (!node.grants.table)
            .then(|| format!("{user} may not make, fill, read and drop a table in {database} at {name}"))
    });
    let hint = format!("grant create, drop, insert, select on {database}.* to {user}");
    judged("table", format!("{user} may make a table in {database}"), &lacks, hint)
}

fn gtids(case: &Case<'_>) -> Finding {
    let mut faults = case.each(|name, node| {
        let off: Vec<_> =
            ["gtid_strict_mode", "log_bin", "log_slave_updates"].into_iter().filter(|s| !node.is_on(s)).collect();
        (!off.is_empty()).then(|| format!("{name} has {} off", off.join(", ")))
    });
    faults.extend(
        case.each(|name, node| (node.uses_gtid == Some(false)).then(|| format!("{name} follows without GTIDs"))),
    );
    faults.extend(case.each(|name, node| (node.lines > 1).then(|| format!("{name} follows {} primaries", node.lines))));
    let distinct =
        |setting: &str| case.looked().map(|(_, node)| node.setting(setting).to_owned()).collect::<BTreeSet<_>>().len();
    if distinct("server_id") < case.looked().count() {
        faults.push("two nodes have the same server_id".to_owned());
    }
    if distinct("gtid_domain_id") > 1 {
        faults.push("the nodes have different gtid_domain_id".to_owned());
    }
    let hint = "set gtid_strict_mode, log_bin and log_slave_updates to on, one gtid_domain_id and a server_id for each node, \
                and let standbys use master_use_gtid = slave_pos";
    let most = case.looked().map(|(_, node)| node.domains).max().unwrap_or(0);
    let others = if most > 1 { format!("; of {most} domains only the nodes' own is compared") } else { String::new() };
    judged("gtids", format!("strict, with a server_id for each node{others}"), &faults, hint)
}

fn durability(case: &Case<'_>) -> Finding {
    let weak = case.each(|name, node| {
        let (binlog, log) = (node.setting("sync_binlog"), node.setting("innodb_flush_log_at_trx_commit"));
        (binlog != "1" || log != "1").then(|| {
            format!("{name} has sync_binlog {binlog}, innodb_flush_log_at_trx_commit {log}: power loss loses rows")
        })
    });
    fine("durability", if weak.is_empty() { "every commit is synced".to_owned() } else { weak.join("; ") })
}

fn synchronous(case: &Case<'_>) -> Finding {
    let Some((name, node)) = case.primary() else {
        return fine("synchronous", "unknown: no node takes writes");
    };
    let waits = case.waited_for();
    if waits.is_empty() {
        let enabled = if node.is_on("rpl_semi_sync_master_enabled") {
            " although semi-synchronous replication is enabled"
        } else {
            ""
        };
        return fine("synchronous", format!("no: {name} acknowledges before a standby has a row{enabled}"));
    }
    let timeout = node.setting("rpl_semi_sync_master_timeout");
    fine("synchronous", format!("semi: {name} waits for {waits}, for {timeout} ms at most"))
}

fn replay(case: &Case<'_>) -> Finding {
    let late =
        case.each(|name, node| (node.delay > 0).then(|| format!("{name} applies changes {} s late", node.delay)));
    fine("replay", if late.is_empty() { "nothing holds replay up".to_owned() } else { late.join("; ") })
}

#[cfg(test)]
mod tests {
    use super::{super::grants::Grants, *};
    use crate::{
        adapters::sql::{
            findings::{Seen, told},
            sample::{primary, standby},
        },
        ports::Topology,
    };

    fn looked(server: &str) -> Observation {
        let on = |name: &str| (name.to_owned(), "ON".to_owned());
        let one = |name: &str| (name.to_owned(), "1".to_owned());
        let settings = ["gtid_strict_mode", "log_bin", "log_slave_updates"].map(on).into_iter();
        Observation {
            settings: settings
                .chain(["sync_binlog", "innodb_flush_log_at_trx_commit"].map(one))
                .chain([("server_id".to_owned(), server.to_owned()), ("gtid_domain_id".to_owned(), "0".to_owned())])
                .collect(),
            grants: Grants {
                past_read_only: false,
                point: false,
                reset: false,
                see: true,
                replicate: true,
                table: true,
            },
            administers: true,
            uses_gtid: (server != "1").then_some(true),
            lines: usize::from(server != "1"),
            domains: 1,
            delay: 0,
        }
    }

    fn judge(seen: &[Seen<Observation>], topology: &Topology) -> String {
        let (writer, admin, database) = ("me", "me", "app");
        told(&findings(&Case { seen, topology, victim: "a", writer, admin, database, promotes: true }))
    }

    #[test]
    fn a_cluster_that_is_well_gives_no_objection() {
        let seen = [("a".to_owned(), Ok(looked("1"))), ("b".to_owned(), Ok(looked("2")))];
        let topology = Topology { nodes: vec![primary("a", "0-1", 9), standby("b", "0-1", 8)], leader: None };
        insta::assert_snapshot!(judge(&seen, &topology), @r"
        reach: all 2 nodes let me in
        rights: me may see and do what a drill needs
        read_only: me cannot write to a standby
        table: me may make a table in app
        standbys: b streams, 1 transactions behind
        gtids: strict, with a server_id for each node
        durability: every commit is synced
        synchronous: no: a acknowledges before a standby has a row
        replay: nothing holds replay up
        ");
        let told = judge(&seen, &topology);
        assert_eq!(told.lines().filter_map(|line| line.split(':').next()).collect::<Vec<_>>(), CHECKS);
    }

    #[test]
    fn each_fault_is_named_with_its_mend() {
        let mut a = looked("1");
        a.grants = Grants { past_read_only: true, table: false, ..a.grants };
        a.settings.insert("sync_binlog".to_owned(), "0".to_owned());
        let mut b = looked("1");
        b.grants = Grants::default();
        b.administers = false;
        b.settings.insert("gtid_strict_mode".to_owned(), "OFF".to_owned());
        b.settings.insert("gtid_domain_id".to_owned(), "3".to_owned());
        (b.uses_gtid, b.lines, b.domains, b.delay) = (Some(false), 2, 2, 60);
        let seen = [
            ("a".to_owned(), Ok(a)),
            ("b".to_owned(), Ok(b)),
            ("c".to_owned(), Err("no answer within 300ms".to_owned())),
        ];
        let topology = Topology { nodes: vec![primary("a", "0-1", 5000), standby("b", "0-1", 8)], leader: None };
        insta::assert_snapshot!(judge(&seen, &topology), @r"
        reach! c: no answer within 300ms -> start the node, or fix address, user or password
        rights! me may not see replication at b; me may not replicate at b; me may not administer replication at b -> grant slave monitor on *.* to me; grant replication slave on *.* to me; create role interlock_admin; grant read_only admin, replication slave admin, reload on *.* to interlock_admin; grant interlock_admin to me
        read_only! me may write to a although it is read-only -> create role interlock_admin; grant read_only admin, replication slave admin, reload on *.* to interlock_admin; grant interlock_admin to me; revoke read_only admin, super on *.* from me
        table! me may not make, fill, read and drop a table in app at a; me may not make, fill, read and drop a table in app at b -> grant create, drop, insert, select on app.* to me
        standbys! b is 4992 transactions behind, 1000 are allowed -> wait until a standby has caught up, or fix its replication
        gtids! b has gtid_strict_mode off; b follows without GTIDs; b follows 2 primaries; two nodes have the same server_id; the nodes have different gtid_domain_id -> set gtid_strict_mode, log_bin and log_slave_updates to on, one gtid_domain_id and a server_id for each node, and let standbys use master_use_gtid = slave_pos
        durability: a has sync_binlog 0, innodb_flush_log_at_trx_commit 1: power loss loses rows
        synchronous: no: a acknowledges before a standby has a row
        replay: b applies changes 60 s late
        ");
    }
}
