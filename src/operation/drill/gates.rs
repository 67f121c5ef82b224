//! The gates of a drill: all of them are asked, so that one run tells everything that stands in the way.

use std::{collections::BTreeMap, time::Duration};

use super::{Drill, Method, Spec};
use crate::{
    guard::Gate,
    model::HumanDuration,
    operation::{
        faults::{Fault, said},
        preconditions::{self, Facts, History, Past, percent},
    },
    ports::{Act, Finding, HostState, NodeSeen, Order, PortError, Topology},
};

/// How often the cluster is looked at before it is said not to be whole, and the pause between.
const LOOKS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(300);

/// Asks all gates; one that cannot be asked is in the answer as well. Changes nothing.
pub(super) async fn gates(drill: &Drill, facts: &Facts) -> Vec<Gate> {
    let spec = &drill.spec;
    let mut gates = vec![
        preconditions::lock(facts),
        preconditions::freeze(facts, spec.at_most()),
        preconditions::credentials(facts, spec.at_most()),
        preconditions::guardian(facts),
        cooldown(spec, facts),
    ];
    let topology = patient(drill).await;
    let nodes = nodes(&topology);
    let silent = nodes.is_shut();
    gates.push(nodes);
    if silent {
        gates.extend(["primary", "whole", "candidate", "waits"].map(not_asked));
    } else {
        gates.extend([primary(spec, &topology), whole(spec, &topology), candidate(spec, &topology)]);
        gates.push(waits(spec, &topology));
    }
    gates.extend([hosts(drill).await, disk(drill).await]);
    if silent {
        gates.push(not_asked("ledger"));
        gates.extend(drill.ports.database.checks().into_iter().map(not_asked));
    } else {
        gates.push(ledger(drill).await);
        gates.extend(findings(drill).await);
    }
    gates.extend([slo(spec, facts), budget(spec, facts)]);
    gates
}

/// What is asked of a whole cluster only: it would repeat that a node does not answer.
fn not_asked(name: &str) -> Gate {
    Gate::not_asked(name, "every node has to answer first: see `nodes`")
}

/// How the cluster stands; asked again a few times, for one slow answer says nothing.
async fn patient(drill: &Drill) -> Topology {
    let mut topology = drill.ports.database.topology().await;
    for _ in 1..LOOKS {
        if is_settled(&drill.spec, &topology) {
            break;
        }
        drill.ports.clock.sleep(PAUSE).await;
        topology = drill.ports.database.topology().await;
    }
    topology
}

/// Whether nothing is missing that may come by itself.
fn is_settled(spec: &Spec, topology: &Topology) -> bool {
    let waits = topology.nodes.iter().any(|node| node.synchronous);
    topology.nodes.iter().all(|node| node.trouble.is_none())
        && topology.is_whole(spec.require.lag).is_ok()
        && (waits || spec.require.synchronous != Some(true))
}

/// What the database has to say; a manager takes a turn or two to see that a member runs.
async fn findings(drill: &Drill) -> Vec<Gate> {
    let database = &drill.ports.database;
    let mut findings = database.findings(&drill.spec.primary).await;
    for _ in 0..LOOKS {
        if findings.iter().all(|finding| finding.objection.is_none()) {
            break;
        }
        drill.ports.clock.sleep(PAUSE * 2).await;
        findings = database.findings(&drill.spec.primary).await;
    }
    let missing = missing(&findings, &database.checks());
    findings.iter().map(finding).chain(missing).collect()
}

/// The checks that an objection has kept from being looked at.
fn missing(findings: &[Finding], checks: &[&str]) -> Vec<Gate> {
    let objections = findings.iter().filter(|finding| finding.objection.is_some()).map(|finding| finding.name.as_str());
    let why = format!("see {}", objections.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "));
    let unseen = |name: &&&str| findings.iter().all(|finding| finding.name != **name);
    checks.iter().filter(unseen).map(|name| Gate::not_asked(name, &why)).collect()
}

fn cooldown(spec: &Spec, facts: &Facts) -> Gate {
    match facts.last_ended {
        Some(ago) if ago < spec.cooldown.0 => Gate::shut(
            "cooldown",
            format!("the last drill on {} ended {} ago, {} are wanted", spec.database, seconds(ago), spec.cooldown),
            "wait, or shorten `cooldown`",
        ),
        Some(_) => Gate::open("cooldown", format!("the last drill ended more than {} ago", spec.cooldown)),
        None => Gate::open("cooldown", "no drill before this one"),
    }
}

const fn whole_seconds(length: Duration) -> Duration {
    Duration::from_secs(length.as_secs())
}

fn seconds(length: Duration) -> HumanDuration {
    HumanDuration(whole_seconds(length))
}

fn nodes(topology: &Topology) -> Gate {
    let silent: Vec<&NodeSeen> = topology.nodes.iter().filter(|node| node.trouble.is_some()).collect();
    let told = |node: &&NodeSeen| format!("{}: {}", node.name, node.trouble.as_deref().unwrap_or_default());
    let all = topology.nodes.len();
    match silent.as_slice() {
        [] => Gate::open("nodes", format!("all {all} answer")),
        some if some.len() == all => {
            let why = some.iter().map(told).collect::<Vec<_>>().join("; ");
            let error = PortError::unreachable("the database", why);
            Gate::unasked("nodes", &error, "are the addresses, the user and the password in the platform file right?")
        }
        some => Gate::shut(
            "nodes",
            some.iter().map(told).collect::<Vec<_>>().join("; "),
            "bring every node up first: a drill on a cluster that is not whole may lose data",
        ),
    }
}

fn primary(spec: &Spec, topology: &Topology) -> Gate {
    let wanted = &spec.primary;
    match topology.primary() {
        Err(why) => Gate::shut("primary", why, "let one node take writes before a drill"),
        Ok(found) if found.name != *wanted => {
            Gate::shut("primary", format!("{} takes writes, not {wanted}", found.name), "plan the drill anew")
        }
        Ok(found) => match &topology.leader {
            Some(leader) if *leader != found.name => Gate::shut(
                "primary",
                format!("{} takes writes, and the manager names {leader}", found.name),
                "let the manager and the nodes agree first",
            ),
            _ => Gate::open("primary", format!("{wanted} alone takes writes{}", timeline(found))),
        },
    }
}

fn timeline(node: &NodeSeen) -> String {
    node.timeline.as_ref().map(|timeline| format!(", on timeline {timeline}")).unwrap_or_default()
}

fn whole(spec: &Spec, topology: &Topology) -> Gate {
    match topology.is_whole(spec.require.lag) {
        Ok(()) => Gate::open("whole", "every standby streams on the primary's timeline"),
        Err(why) => Gate::shut("whole", why, "fix replication first, or raise `require.lag`"),
    }
}

fn candidate(spec: &Spec, topology: &Topology) -> Gate {
    let count = topology.nodes.len().saturating_sub(1);
    if (count as u64) < u64::from(spec.require.standbys.max(1)) {
        let why = format!("{count} standbys, {} are wanted", spec.require.standbys.max(1));
        return Gate::shut("candidate", why, "without a standby nothing could take over: add one");
    }
    match &spec.candidate {
        Some(candidate) if topology.node(candidate).is_none_or(|node| node.writable) => {
            Gate::shut("candidate", format!("{candidate} is no standby"), "name another `candidate`")
        }
        Some(candidate) if spec.managed && is_passed_over(topology, candidate) => Gate::shut(
            "candidate",
            format!("another standby than {candidate} is synchronous, and a manager lets only such a one take over"),
            "leave `fault.candidate` out",
        ),
        Some(candidate) => Gate::open("candidate", format!("{count}; {candidate} takes over")),
        None => Gate::open("candidate", count.to_string()),
    }
}

fn is_passed_over(topology: &Topology, candidate: &str) -> bool {
    topology.nodes.iter().any(|node| node.synchronous) && !topology.node(candidate).is_some_and(|node| node.synchronous)
}

fn waits(spec: &Spec, topology: &Topology) -> Gate {
    let names: Vec<&str> =
        topology.nodes.iter().filter(|node| node.synchronous).map(|node| node.name.as_str()).collect();
    let found = if names.is_empty() { "no standby is synchronous".to_owned() } else { names.join(", ") };
    match spec.require.synchronous {
        Some(true) if names.is_empty() => {
            Gate::shut("waits", found, "switch synchronous replication on, or leave `require.synchronous` out")
        }
        Some(false) if !names.is_empty() => {
            let hint = "switch synchronous replication off, or leave `require.synchronous` out";
            Gate::shut("waits", format!("{found} is synchronous"), hint)
        }
        _ => Gate::open("waits", found),
    }
}

/// Nothing is begun that a missing command would leave half done: all that any step, or its way back, may call is there, and
/// every host that it may touch runs.
async fn hosts(drill: &Drill) -> Gate {
    let (spec, hosts) = (&drill.spec, &drill.ports.hosts);
    let mut touched: BTreeMap<String, Vec<Order>> = BTreeMap::new();
    for (host, order) in drill.orders() {
        touched.entry(host).or_default().push(order);
    }
    let missing = touched.iter().filter_map(|(host, orders)| {
        let missing = orders.iter().filter(|order| !hosts.can(host, **order));
        let missing: Vec<_> = missing.map(|order| format!("`{order}`")).collect();
        (!missing.is_empty()).then(|| format!("{} for {host}", missing.join(", ")))
    });
    let missing: Vec<_> = missing.collect();
    if !missing.is_empty() {
        let names = hosts.names();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Gate::shut(
            "hosts",
            format!("a step or its way back may need what is not there: {}", missing.join("; ")),
            format!(
                "add it to the commands under `hosts`, or use another method or host; hosts that are known: {known}"
            ),
        );
    }
    if touched.is_empty() {
        return Gate::open("hosts", "no host is touched");
    }
    // It would stay away for good: what has no power does not come back by itself.
    let state = spec.fault().map(Fault::state);
    let off = state.is_some_and(|state| state.has(Act::PowerOff));
    if off && spec.method != Method::Promote && !spec.managed && spec.on == spec.primary {
        return Gate::shut("hosts", "nothing promotes a standby here by itself", "use the method `promote`");
    }
    for host in touched.keys() {
        match hosts.state(host).await {
            Err(e) => return Gate::failed("hosts", &e, "is the host's agent up?"),
            Ok(HostState::Running) => {}
            Ok(other) => return Gate::shut("hosts", format!("{host} is {}", said(other)), "bring it back first"),
        }
    }
    let names = |all: &BTreeMap<String, Vec<Order>>| all.keys().cloned().collect::<Vec<_>>().join(", ");
    Gate::open(
        "hosts",
        match state {
            Some(state) => format!("{} runs, and can be {}", spec.on, said(state)),
            None => format!("{} run, and can be stopped and started as followers", names(&touched)),
        },
    )
}

/// A standby that is away makes its primary keep log, and one that is made anew takes all of its data a second time.
async fn disk(drill: &Drill) -> Gate {
    let least = drill.spec.require.free_bytes;
    let (mut known, mut short) = (Vec::new(), Vec::new());
    for node in drill.ports.database.nodes() {
        match drill.ports.hosts.free(&node).await {
            Ok(Some(free)) if free < least => short.push(format!("{node} has {} free", mebibytes(free))),
            Ok(Some(free)) => known.push(format!("{node} has {} free", size(free))),
            Ok(None) => known.push(format!("not known of {node}")),
            Err(e) => return Gate::failed("disk", &e, "is the host's agent up?"),
        }
    }
    if short.is_empty() {
        return Gate::open("disk", known.join(", "));
    }
    let why = format!("{}, {} are wanted", short.join(", "), mebibytes(least));
    Gate::shut("disk", why, "make room, or lower `require.freeBytes`")
}

/// A size for people, in figures that do not change with each look.
fn size(bytes: u64) -> String {
    if bytes >> 30 > 0 { format!("{} GiB", bytes >> 30) } else { mebibytes(bytes) }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

async fn ledger(drill: &Drill) -> Gate {
    match drill.ports.database.has_ledger(&drill.spec.primary).await {
        Ok(false) => Gate::open("ledger", "no table of that name is there"),
        Ok(true) => Gate::shut(
            "ledger",
            "the table interlock_ledger is there already",
            "no drill is at work, so it is left over: drop it",
        ),
        Err(e) => Gate::failed("ledger", &e, "can the user read and make tables in this database?"),
    }
}

fn finding(finding: &Finding) -> Gate {
    match &finding.objection {
        None => Gate::open(&finding.name, &finding.found),
        Some(objection) => Gate::shut(&finding.name, &finding.found, &objection.hint),
    }
}

fn slo(spec: &Spec, facts: &Facts) -> Gate {
    let Some(users) = &spec.users else { return Gate::open("slo", "no users are watched: `users` is left out") };
    let ill = |past: &&Past| past.share.is_some_and(|share| share > past.cap);
    match &facts.history {
        History::None => {
            Gate::open("slo", format!("no history here; {} is counted from the first look", users.service))
        }
        History::Unreachable(e) => Gate::unasked("slo", e, "is the metrics source up? `interlock slo status` asks it"),
        History::Known(pasts) => match pasts.iter().find(ill) {
            Some(past) => {
                let share = percent(past.share.unwrap_or_default());
                let why = format!("{} is not healthy: {share} bad of {} tolerated", past.name, percent(past.tolerated));
                Gate::shut("slo", why, "fix it first")
            }
            None => Gate::open("slo", format!("{} is healthy", users.service)),
        },
    }
}

fn budget(spec: &Spec, facts: &Facts) -> Gate {
    match &spec.users {
        None => Gate::open("budget", "no users, no budget"),
        Some(_) => preconditions::budget(facts),
    }
}
