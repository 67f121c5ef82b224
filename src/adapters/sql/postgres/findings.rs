//! What has to hold before a drill, judged from what was seen; nothing is asked here.

use super::settings::Observation;
use crate::{
    adapters::sql::{
        findings::{fine, judged, objection},
        limits::BYTES_BEHIND,
    },
    ports::{Finding, Unit},
};

type Case<'a> = crate::adapters::sql::findings::Case<'a, Observation>;

/// The names of all that is looked at.
pub const CHECKS: &[&str] =
    &["reach", "rights", "table", "standbys", "rewind", "slots", "senders", "synchronous", "replay"];

/// Everything that was found.
pub fn findings(case: &Case<'_>) -> Vec<Finding> {
    case.all(case.admin, "start the node, or fix address, user, password or pg_hba.conf", || {
        vec![
            rights(case),
            table(case),
            case.standbys(Unit::Bytes, BYTES_BEHIND),
            rewind(case),
            slots(case),
            senders(case),
            synchronous(case),
            replay(case),
        ]
    })
}

fn rights(case: &Case<'_>) -> Finding {
    let user = case.admin;
    let blind =
        case.each(|name, node| (!node.rights.stats).then(|| format!("{user} does not see replication at {name}")));
    let powerless = case
        .each(|name, node| (case.promotes && !node.rights.promote).then(|| format!("{user} may not promote {name}")));
    let mut hint = Vec::new();
    if !blind.is_empty() {
        hint.push(format!("grant pg_monitor to {user}"));
    }
    if !powerless.is_empty() {
        // Rights to functions are those of one database.
        hint.push(format!("in database {}, grant execute on function pg_promote to {user}", case.database));
    }
    let mut found = format!("{user} may see and do what a drill needs");
    if case.promotes && case.looked().any(|(_, node)| !node.rights.history) {
        found.push_str(
            ", but not read timelines' history: bytes lost are told only with execute on function \
                        pg_read_file(text, bigint, bigint, boolean)",
        );
    }
    judged("rights", found, &[blind, powerless].concat(), hint.join("; "))
}

fn table(case: &Case<'_>) -> Finding {
    let Some((name, node)) = case.primary() else {
        return fine("table", "unknown: no node takes writes");
    };
    let user = case.writer;
    let rights = &node.rights;
    match &rights.schema {
        None => {
            let hint = format!("alter role {user} set search_path");
            objection("table", "the search path names no schema that exists", hint)
        }
        Some(schema) if !rights.create && !rights.ledger => {
            let found = format!("{user} may not make a table in schema {schema} at {name}");
            objection("table", found, format!("grant create on schema {schema} to {user}"))
        }
        Some(schema) if rights.ledger => fine("table", format!("the ledger's table is in schema {schema} already")),
        Some(schema) => fine("table", format!("{user} may make a table in schema {schema}")),
    }
}

/// Without one of the two, a page that changed in its hint bits only is missed by `pg_rewind`; without full pages, torn
/// ones cannot be mended.
fn rewind(case: &Case<'_>) -> Finding {
    let mut missing = Vec::new();
    for (name, node) in case.looked() {
        if !node.is_on("data_checksums") && !node.is_on("wal_log_hints") {
            missing.push(format!("{name} has neither data checksums nor wal_log_hints, so it cannot be rewound"));
        }
        if !node.is_on("full_page_writes") {
            missing.push(format!("{name} has full_page_writes off, so it cannot be rewound"));
        }
        if !node.is_on("hot_standby") {
            missing.push(format!("{name} has hot_standby off, so it could not be asked as a standby"));
        }
    }
    let hint = "set wal_log_hints, full_page_writes and hot_standby to on and restart, then let a checkpoint pass";
    judged("rewind", "every node can be rewound".to_owned(), &missing, hint)
}

fn slots(case: &Case<'_>) -> Finding {
    let (mut notes, mut lost) = (Vec::new(), Vec::new());
    for (at, node) in case.looked() {
        for slot in &node.slots {
            let name = format!("{} at {at}", slot.name);
            match slot.wal_status.as_deref() {
                Some(status @ ("lost" | "unreserved")) => lost.push(format!("slot {name} is {status}")),
                _ if slot.kind == "logical" && slot.failover != Some(true) => {
                    notes.push(format!("logical slot {name} does not survive a failover"));
                }
                _ if !slot.active && case.writable(at) => {
                    notes.push(format!("slot {name} is not in use and keeps log"))
                }
                _ => {}
            }
        }
        if case.writable(at) && node.slots.is_empty() && node.setting("wal_keep_size") == "0" {
            notes.push(format!("{at} keeps no log for standbys that are away: no slots, wal_keep_size 0"));
        }
    }
    let count: usize = case.looked().map(|(_, node)| node.slots.len()).sum();
    let found = if notes.is_empty() { format!("{count} slots, none lost") } else { notes.join("; ") };
    judged("slots", found, &lost, "drop the slot, and make the standby that used it anew")
}

/// Whoever is promoted has to serve all others.
fn senders(case: &Case<'_>) -> Finding {
    let needed = case.seen.len().saturating_sub(1);
    let mut short = Vec::new();
    for (name, node) in case.looked() {
        for setting in ["max_wal_senders", "max_replication_slots"] {
            if node.setting(setting).parse::<usize>().is_ok_and(|has| has < needed) {
                short.push(format!("{name} has {setting} {}, and as primary needs {needed}", node.setting(setting)));
            }
        }
    }
    judged(
        "senders",
        format!("every node can serve {needed} standbys"),
        &short,
        "raise the setting and restart the node",
    )
}

fn synchronous(case: &Case<'_>) -> Finding {
    let Some((name, node)) = case.primary() else {
        return fine("synchronous", "unknown: no node takes writes");
    };
    let names = node.setting("synchronous_standby_names");
    let commit = node.setting("synchronous_commit");
    if names.is_empty() {
        return fine(
            "synchronous",
            format!("no: {name} acknowledges before a standby has a row, so a row can be lost with it"),
        );
    }
    if matches!(commit, "off" | "local") {
        return fine(
            "synchronous",
            format!("no: synchronous_commit is {commit} at {name}, so a row can be lost with it"),
        );
    }
    let waits = case.waited_for();
    if waits.is_empty() {
        let told = format!("{name} is told to wait for `{names}`");
        if node.waited_for == 0 && node.rights.stats {
            let hint = "connect such a standby, or fix synchronous_standby_names";
            return objection("synchronous", format!("{told}, and none of them is connected: writes hang"), hint);
        }
        return fine("synchronous", format!("{told}, and none of our nodes is one of them"));
    }
    let mut found = format!("yes: {name} waits for {waits} (`{names}`, synchronous_commit {commit})");
    if case.promotes && case.seen.len() == 2 && case.victim == name {
        found.push_str(&format!(
            "; once promoted, {waits} waits for a standby too if it has the same setting, and {name} is gone"
        ));
    }
    fine("synchronous", found)
}

fn replay(case: &Case<'_>) -> Finding {
    let mut notes = Vec::new();
    for (name, node) in case.looked().filter(|(name, _)| !case.writable(name)) {
        if node.conflicts > 0 {
            notes.push(format!("{name} has cancelled {} statements because replay had to go on", node.conflicts));
        }
        let delay = node.setting("recovery_min_apply_delay");
        if !matches!(delay, "" | "0") {
            notes.push(format!("{name} applies changes {delay} ms late"));
        }
    }
    fine("replay", if notes.is_empty() { "nothing holds replay up".to_owned() } else { notes.join("; ") })
}

#[cfg(test)]
mod tests {
    use super::{
        super::settings::{Rights, Slot},
        *,
    };
    use crate::{
        adapters::sql::{
            findings::{Seen, told},
            sample::{primary, standby},
        },
        ports::{NodeSeen, Topology},
    };

    fn looked(settings: &[(&str, &str)]) -> Observation {
        let usual = [
            ("data_checksums", "on"),
            ("full_page_writes", "on"),
            ("hot_standby", "on"),
            ("max_replication_slots", "10"),
            ("max_wal_senders", "10"),
            ("synchronous_commit", "on"),
            ("wal_keep_size", "128"),
        ];
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Observation {
            settings: usual.iter().chain(settings).map(owned).collect(),
            slots: vec![Slot { name: "s1".to_owned(), kind: "physical".to_owned(), active: true, ..Slot::default() }],
            rights: Rights {
                stats: true,
                promote: true,
                history: true,
                schema: Some("public".to_owned()),
                create: true,
                ledger: false,
            },
            conflicts: 0,
            waited_for: 0,
        }
    }

    fn case<'a>(seen: &'a [Seen<Observation>], topology: &'a Topology) -> Case<'a> {
        Case { seen, topology, victim: "a", writer: "me", admin: "me", database: "app", promotes: true }
    }

    fn judge(seen: &[Seen<Observation>], topology: &Topology) -> String {
        told(&findings(&case(seen, topology)))
    }

    #[test]
    fn a_cluster_that_is_well_gives_no_objection() {
        let seen = [("a".to_owned(), Ok(looked(&[]))), ("b".to_owned(), Ok(looked(&[])))];
        let topology = Topology { nodes: vec![primary("a", "1", 500), standby("b", "1", 400)], leader: None };
        insta::assert_snapshot!(judge(&seen, &topology), @r"
        reach: all 2 nodes let me in
        rights: me may see and do what a drill needs
        table: me may make a table in schema public
        standbys: b streams, 100 bytes behind
        rewind: every node can be rewound
        slots: 2 slots, none lost
        senders: every node can serve 1 standbys
        synchronous: no: a acknowledges before a standby has a row, so a row can be lost with it
        replay: nothing holds replay up
        ");
        let told = judge(&seen, &topology);
        assert_eq!(told.lines().filter_map(|line| line.split(':').next()).collect::<Vec<_>>(), CHECKS);
    }

    #[test]
    fn each_fault_is_named_with_its_mend() {
        let mut a = looked(&[("data_checksums", "off"), ("max_wal_senders", "1"), ("synchronous_standby_names", "*")]);
        a.slots[0].wal_status = Some("lost".to_owned());
        a.rights.create = false;
        let mut b = looked(&[("hot_standby", "off"), ("recovery_min_apply_delay", "60000")]);
        b.rights = Rights { stats: false, promote: false, ..b.rights };
        b.conflicts = 3;
        let seen = [
            ("a".to_owned(), Ok(a)),
            ("b".to_owned(), Ok(b)),
            ("c".to_owned(), Err("cannot reach postgres c: no answer within 300ms".to_owned())),
        ];
        let topology = Topology { nodes: vec![primary("a", "1", 1 << 30), standby("b", "1", 400)], leader: None };
        insta::assert_snapshot!(judge(&seen, &topology), @r"
        reach! c: cannot reach postgres c: no answer within 300ms -> start the node, or fix address, user, password or pg_hba.conf
        rights! me does not see replication at b; me may not promote b -> grant pg_monitor to me; in database app, grant execute on function pg_promote to me
        table! me may not make a table in schema public at a -> grant create on schema public to me
        standbys! b is 1073741424 bytes behind, 16777216 are allowed -> wait until a standby has caught up, or fix its replication
        rewind! a has neither data checksums nor wal_log_hints, so it cannot be rewound; b has hot_standby off, so it could not be asked as a standby -> set wal_log_hints, full_page_writes and hot_standby to on and restart, then let a checkpoint pass
        slots! slot s1 at a is lost -> drop the slot, and make the standby that used it anew
        senders! a has max_wal_senders 1, and as primary needs 2 -> raise the setting and restart the node
        synchronous! a is told to wait for `*`, and none of them is connected: writes hang -> connect such a standby, or fix synchronous_standby_names
        replay: b has cancelled 3 statements because replay had to go on; b applies changes 60000 ms late
        ");
    }

    #[test]
    fn a_synchronous_standby_is_evidence_only_if_it_is_connected_and_waited_for() {
        let of = |settings: &[(&str, &str)], connected: bool, waited_for: bool| {
            let a = Observation { waited_for: i64::from(connected), ..looked(settings) };
            let seen = [("a".to_owned(), Ok(a)), ("b".to_owned(), Ok(looked(&[])))];
            let b = NodeSeen { synchronous: waited_for, ..standby("b", "1", 400) };
            let topology = Topology { nodes: vec![primary("a", "1", 500), b], leader: None };
            synchronous(&Case { promotes: false, ..case(&seen, &topology) }).found
        };
        insta::assert_snapshot!(of(&[("synchronous_standby_names", "b")], true, true), @"yes: a waits for b (`b`, synchronous_commit on)");
        insta::assert_snapshot!(of(&[("synchronous_standby_names", "b")], false, false), @"a is told to wait for `b`, and none of them is connected: writes hang");
        insta::assert_snapshot!(of(&[("synchronous_standby_names", "archive")], true, false), @"a is told to wait for `archive`, and none of our nodes is one of them");
        insta::assert_snapshot!(of(&[("synchronous_standby_names", "b"), ("synchronous_commit", "local")], true, true), @"no: synchronous_commit is local at a, so a row can be lost with it");
    }

    #[test]
    fn a_cluster_where_nobody_answers_says_only_that() {
        let seen = [("a".to_owned(), Err("cannot reach postgres a: it does not know us".to_owned()))];
        let topology = Topology { nodes: Vec::new(), leader: None };
        let found = judge(&seen, &topology);
        assert_eq!(found.lines().count(), 1, "{found}");
        assert!(found.starts_with("reach! a: cannot reach"), "{found}");
    }
}
