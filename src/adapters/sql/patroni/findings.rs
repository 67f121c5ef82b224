//! What Patroni's settings and state say against a drill, judged from its answers; nothing is asked here.

use super::shapes::{Cluster, Config, Member};
use crate::{
    adapters::sql::findings::{fine, objection},
    ports::{Finding, Topology},
};

pub struct Manager {
    /// `GET /cluster`.
    pub cluster: Result<Cluster, String>,
    /// `GET /config`.
    pub config: Result<Config, String>,
    /// Members whose watchdog failed.
    pub watchdogs: Vec<String>,
}

/// The names of all that is looked at.
pub const CHECKS: [&str; 8] = ["manager", "leader", "pause", "candidates", "members", "timing", "mode", "settings"];

/// Everything that was found.
pub fn findings(manager: &Manager, topology: &Topology, victim: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    match &manager.cluster {
        Err(why) => found.push(objection(
            "manager",
            why.clone(),
            "start Patroni and its store, or fix the address of its REST API",
        )),
        Ok(cluster) => found.extend([
            fine("manager", "it answers"),
            leader(cluster, topology),
            pause(cluster),
            candidates(cluster, topology, victim),
            members(cluster, &manager.watchdogs),
        ]),
    }
    match &manager.config {
        Err(why) => found.push(objection(
            "settings",
            why.clone(),
            "start Patroni and its store, or fix the address of its REST API",
        )),
        Ok(config) => found.extend([timing(config), mode(config, topology), settings(config)]),
    }
    found
}

fn leader(cluster: &Cluster, topology: &Topology) -> Finding {
    let look = "look at `patronictl list` and the logs until there is one leader, and it is the one that takes writes";
    match (cluster.leader(), topology.primary()) {
        (None, _) => objection("leader", "patroni names no leader", look),
        (Some(named), Ok(primary)) if primary.name != named => {
            objection("leader", format!("patroni names {named}, and {} takes writes", primary.name), look)
        }
        (Some(named), Err(why)) => objection("leader", format!("patroni names {named}, and {why}"), look),
        (Some(named), Ok(_)) => fine("leader", format!("{named} leads and takes writes")),
    }
}

fn pause(cluster: &Cluster) -> Finding {
    if cluster.pause {
        return objection("pause", "the cluster is paused: nobody would take over", "patronictl resume");
    }
    if let Some(scheduled) = &cluster.scheduled_switchover {
        let at = scheduled.get("at").and_then(|at| at.as_str()).unwrap_or("a time to come");
        return objection(
            "pause",
            format!("a switchover is scheduled for {at}"),
            "patronictl flush CLUSTER switchover, or wait until it is over",
        );
    }
    fine("pause", "not paused, no switchover scheduled")
}

fn candidates(cluster: &Cluster, topology: &Topology, victim: &str) -> Finding {
    let others = || cluster.members.iter().filter(|member| member.name != victim);
    let (may, may_not): (Vec<&Member>, Vec<&Member>) = others().partition(|member| member.may_lead());
    let names = |members: &[&Member]| members.iter().map(|member| member.name.as_str()).collect::<Vec<_>>().join(", ");
    if may.is_empty() {
        let hint = "take the tag `nofailover` or `failover_priority: 0` off one of them";
        return objection("candidates", format!("nobody but {victim} may lead"), hint);
    }
    let unknown: Vec<_> = cluster.members.iter().filter(|member| topology.node(&member.name).is_none()).collect();
    if !unknown.is_empty() {
        let hint = "name every member in the platform file, with the name that Patroni has for it";
        return objection("candidates", format!("{} would not be looked at", names(&unknown)), hint);
    }
    let but = if may_not.is_empty() { String::new() } else { format!("; {} may not", names(&may_not)) };
    fine("candidates", format!("{} may lead{but}", names(&may)))
}

fn members(cluster: &Cluster, watchdogs: &[String]) -> Finding {
    let mut notes: Vec<_> = cluster
        .members
        .iter()
        .filter(|member| !member.runs())
        .map(|member| {
            format!("{} is {}", member.name, if member.state.is_empty() { "in no state" } else { &member.state })
        })
        .collect();
    if !notes.is_empty() {
        return objection("members", notes.join("; "), "wait until it runs, or `patronictl reinit` it");
    }
    notes.extend(
        cluster
            .members
            .iter()
            .filter(|member| member.pending_restart)
            .map(|member| format!("{} waits for a restart", member.name)),
    );
    notes.extend(watchdogs.iter().map(|name| format!("the watchdog of {name} failed")));
    fine("members", if notes.is_empty() { "all run".to_owned() } else { notes.join("; ") })
}

/// The leader has to give up before its lock expires. A retry timeout of 1 s works until the next switchover, which then
/// leaves the cluster without a leader.
fn timing(config: &Config) -> Finding {
    let Config { ttl, loop_wait, retry_timeout, .. } = config;
    let told = format!("ttl {ttl}, loop_wait {loop_wait}, retry_timeout {retry_timeout}");
    if *retry_timeout < 2.0 {
        let why = format!("{told}: with a retry_timeout below 2 the next switchover leaves nobody leading");
        return objection("timing", why, "patronictl edit-config -s retry_timeout=2 (10 is usual)");
    }
    if loop_wait + 2.0 * retry_timeout > *ttl {
        let why = format!("{told}: loop_wait + 2 * retry_timeout is more than ttl, so two could lead at a time");
        return objection("timing", why, format!("patronictl edit-config -s ttl={}", loop_wait + 2.0 * retry_timeout));
    }
    fine("timing", told)
}

fn mode(config: &Config, topology: &Topology) -> Finding {
    let strict = if config.strict { ", strict" } else { "" };
    let failsafe = if config.failsafe { "on" } else { "off" };
    let told = format!("synchronous_mode {}{strict}, failsafe_mode {failsafe}", config.synchronous);
    if config.standby_cluster {
        return objection(
            "mode",
            "this is a standby cluster: nobody takes writes",
            "drill the cluster that it follows",
        );
    }
    if config.synchronous != "off" && !topology.nodes.iter().any(|node| node.synchronous) {
        return objection(
            "mode",
            format!("{told}, and no standby is synchronous: nobody could take over"),
            "wait until `patronictl list` shows a sync standby",
        );
    }
    fine("mode", told)
}

fn settings(config: &Config) -> Finding {
    let mut notes = vec![format!("maximum_lag_on_failover {} bytes", config.maximum_lag)];
    if config.start_timeout > 0.0 {
        notes.push(format!(
            "a leader whose database is killed may start it again for {} s before another takes over",
            config.start_timeout
        ));
    }
    if !config.rewinds {
        notes.push("use_pg_rewind is not on: a leader that died may not come back by itself".to_owned());
    }
    fine("settings", notes.join("; "))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        adapters::sql::{findings::told, sample::primary},
        ports::NodeSeen,
    };

    fn topology(names: &[&str], writable: &str) -> Topology {
        let node = |name: &&str| NodeSeen { writable: *name == writable, ..primary(name, "1", 1) };
        Topology { nodes: names.iter().map(node).collect(), leader: None }
    }

    fn judge(cluster: Value, config: &Value, topology: &Topology) -> String {
        let manager = Manager {
            cluster: serde_json::from_value(cluster).map_err(|e| e.to_string()),
            config: Ok(Config::read(config)),
            watchdogs: Vec::new(),
        };
        told(&findings(&manager, topology, "a"))
    }

    #[test]
    fn a_manager_that_is_well_gives_no_objection() {
        let cluster = json!({"members": [
            {"name": "a", "role": "leader", "state": "running"},
            {"name": "b", "role": "replica", "state": "streaming"},
            {"name": "c", "role": "replica", "state": "running", "tags": {"nofailover": true}, "pending_restart": true},
        ]});
        let config = json!({"ttl": 5, "loop_wait": 1, "retry_timeout": 2, "postgresql": {"use_pg_rewind": true}});
        insta::assert_snapshot!(judge(cluster, &config, &topology(&["a", "b", "c"], "a")), @r"
        manager: it answers
        leader: a leads and takes writes
        pause: not paused, no switchover scheduled
        candidates: b may lead; c may not
        members: c waits for a restart
        timing: ttl 5, loop_wait 1, retry_timeout 2
        mode: synchronous_mode off, failsafe_mode off
        settings: maximum_lag_on_failover 1048576 bytes; a leader whose database is killed may start it again for 300 s before another takes over
        ");
    }

    #[test]
    fn each_trap_is_named_with_its_mend() {
        let cluster = json!({"members": [
            {"name": "a", "role": "leader", "state": "running"},
            {"name": "b", "role": "replica", "state": "start failed", "tags": {"nofailover": true}},
        ], "pause": true});
        let config = json!({"ttl": 30, "loop_wait": 10, "retry_timeout": 1, "synchronous_mode": true});
        insta::assert_snapshot!(judge(cluster, &config, &topology(&["a", "b"], "b")), @r"
        manager: it answers
        leader! patroni names a, and b takes writes -> look at `patronictl list` and the logs until there is one leader, and it is the one that takes writes
        pause! the cluster is paused: nobody would take over -> patronictl resume
        candidates! nobody but a may lead -> take the tag `nofailover` or `failover_priority: 0` off one of them
        members! b is start failed -> wait until it runs, or `patronictl reinit` it
        timing! ttl 30, loop_wait 10, retry_timeout 1: with a retry_timeout below 2 the next switchover leaves nobody leading -> patronictl edit-config -s retry_timeout=2 (10 is usual)
        mode! synchronous_mode on, failsafe_mode off, and no standby is synchronous: nobody could take over -> wait until `patronictl list` shows a sync standby
        settings: maximum_lag_on_failover 1048576 bytes; a leader whose database is killed may start it again for 300 s before another takes over; use_pg_rewind is not on: a leader that died may not come back by itself
        ");
    }

    #[test]
    fn a_check_that_is_not_named_could_go_unasked() {
        let cluster = serde_json::from_value(json!({"members": [{"name": "a", "role": "leader", "state": "running"}]}));
        let (cluster, config) = (Ok(cluster.unwrap()), Ok(Config::read(&json!({}))));
        let manager = Manager { cluster, config, watchdogs: Vec::new() };
        let found = findings(&manager, &topology(&["a"], "a"), "a");
        assert_eq!(found.iter().map(|finding| finding.name.as_str()).collect::<Vec<_>>(), CHECKS);
    }

    #[test]
    fn the_lock_must_outlive_a_loop_and_two_retries() {
        let timing_of = |ttl, loop_wait, retry_timeout| {
            told(&[timing(&Config::read(&json!({"ttl": ttl, "loop_wait": loop_wait, "retry_timeout": retry_timeout})))])
        };
        insta::assert_snapshot!(timing_of(30, 10, 10), @"timing: ttl 30, loop_wait 10, retry_timeout 10");
        insta::assert_snapshot!(timing_of(29, 10, 10), @"timing! ttl 29, loop_wait 10, retry_timeout 10: loop_wait + 2 * retry_timeout is more than ttl, so two could lead at a time -> patronictl edit-config -s ttl=30");
        insta::assert_snapshot!(timing_of(30, 1, 1), @"timing! ttl 30, loop_wait 1, retry_timeout 1: with a retry_timeout below 2 the next switchover leaves nobody leading -> patronictl edit-config -s retry_timeout=2 (10 is usual)");
    }

    #[test]
    fn a_switchover_to_come_and_a_member_that_nobody_looks_at_forbid_a_drill() {
        let cluster = json!({"members": [
            {"name": "a", "role": "leader", "state": "running"},
            {"name": "b", "role": "replica", "state": "running"},
            {"name": "z", "role": "replica", "state": "running"},
        ], "scheduled_switchover": {"at": "2030-01-01T00:00:00+00:00"}});
        let cluster: Cluster = serde_json::from_value(cluster).unwrap();
        insta::assert_snapshot!(told(&[pause(&cluster)]), @"pause! a switchover is scheduled for 2030-01-01T00:00:00+00:00 -> patronictl flush CLUSTER switchover, or wait until it is over");
        insta::assert_snapshot!(told(&[candidates(&cluster, &topology(&["a", "b"], "a"), "a")]), @"candidates! z would not be looked at -> name every member in the platform file, with the name that Patroni has for it");
    }

    #[test]
    fn a_manager_that_does_not_answer_forbids_a_drill() {
        let manager = Manager {
            cluster: Err("cannot reach patroni a".to_owned()),
            config: Err("cannot reach patroni a".to_owned()),
            watchdogs: Vec::new(),
        };
        let found = findings(&manager, &topology(&["a"], "a"), "a");
        assert!(found.iter().all(|finding| finding.objection.is_some()) && found.len() == 2);
    }
}
