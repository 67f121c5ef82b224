//! From a drill document, the platform file and the cluster as it stands to one drill.

use std::path::PathBuf;

use super::{Session, Snapshot, clock};
use crate::{
    document::Drill as Document,
    error::Error,
    operation::{
        Build,
        drill::{Drill, Method, Ports, Require, Spec, Users, Writer, ledger::Objectives},
    },
    ports::{NodeSeen, PortError, Topology},
};

/// Resolves a document, and binds it to its database.
///
/// # Errors
/// Where it makes no sense here, or the database cannot be asked.
pub async fn drill(session: &Session, document: &Document) -> Result<Drill, Error> {
    let users = document.users.as_ref().map(|_| Build::Now);
    let ports = session.snapshot.drill_ports(&document.database, users).await?;
    let topology = ports.database.topology().await;
    Ok(Drill::new(spec(session, document, &ports, &topology)?, ports))
}

/// Resolves the document, the platform file and the cluster as it stands into one drill.
fn spec(session: &Session, drill: &Document, ports: &Ports, topology: &Topology) -> Result<Spec, Error> {
    let Session { loaded, snapshot, .. } = session;
    let primary = primary(topology)?;
    let rpo = drill.objectives.rpo.as_ref();
    let users = match &drill.users {
        None => None,
        Some(users) => {
            let service = snapshot.service(&users.service)?;
            let objectives = loaded.slos.objectives(&service.slos)?;
            if objectives.is_empty() {
                let hint = format!("name SLOs under services.{}.slos, or leave `users` out", users.service);
                return Err(Error::usage(format!("{} has no SLO that could be counted", users.service), hint));
            }
            Some(Users { service: users.service.clone(), objectives, most_bad: users.most_bad })
        }
    };
    let spec = Spec {
        name: drill.metadata.name.clone(),
        database: drill.database.clone(),
        method: drill.fault.method,
        victim: drill.fault.victim,
        on: drill.fault.on.clone().filter(|on| on != "primary").unwrap_or_else(|| primary.clone()),
        candidate: candidate(drill, topology, &primary)?,
        primary,
        managed: ports.database.is_managed(),
        length: drill.fault.length.unwrap_or_default(),
        frozen: drill.fault.frozen,
        writer: Writer { rate: drill.writer.rate, per_node: drill.writer.per_node, workers: drill.writer.workers },
        baseline: drill.baseline,
        settle: drill.settle,
        limit: drill.limit,
        objectives: Objectives {
            rto: drill.objectives.rto,
            rpo_rows: rpo.and_then(|rpo| rpo.rows),
            rpo_time: rpo.and_then(|rpo| rpo.time),
            rows_at_risk: rpo.map_or(0, |rpo| rpo.at_risk),
        },
        restore: drill.restore,
        repetitions: drill.repetitions,
        cooldown: drill.cooldown,
        require: Require {
            synchronous: drill.require.synchronous,
            standbys: drill.require.standbys,
            lag: drill.require.lag,
            free_bytes: drill.require.free_bytes,
        },
        users,
        adr: drill.adr.clone(),
        runbook: drill.runbook.clone(),
        ledger: ledger_file(snapshot, &drill.metadata.name),
    };
    if spec.managed && spec.method == Method::Promote {
        return Err(Error::usage(
            format!("{} is promoted by its manager", spec.database),
            "use `kill` or `switchover`: the manager would fight a promotion of ours",
        ));
    }
    Ok(spec)
}

/// Where this drill's writes are noted: beside the runs.
fn ledger_file(snapshot: &Snapshot, name: &str) -> PathBuf {
    let at = clock().now().wall.strftime("%Y%m%d-%H%M%S").to_string();
    snapshot.folder.join(".interlock").join("ledgers").join(format!("{at}-{name}-{:04x}.jsonl", rand::random::<u16>()))
}

fn primary(topology: &Topology) -> Result<String, Error> {
    let why = match topology.primary() {
        Ok(node) => return Ok(node.name.clone()),
        Err(why) => why,
    };
    let told = |node: &NodeSeen| Some(format!("{}: {}", node.name, node.trouble.as_ref()?));
    let troubles: Vec<_> = topology.nodes.iter().filter_map(told).collect();
    if troubles.len() == topology.nodes.len() {
        let error = PortError::unreachable("the database", troubles.join("; "));
        return Err(Error::port(error, "check addresses, user and password in the platform file; is the database up?"));
    }
    let what = std::iter::once(why).chain(troubles).collect::<Vec<_>>().join("; ");
    Err(Error::Refused {
        what: format!("primary: {what}"),
        hint: "a drill begins with a whole cluster: let one node take writes first".to_owned(),
    })
}

/// The standby that takes over where a method names one: the synchronous one, else the one that is furthest.
fn candidate(drill: &Document, topology: &Topology, primary: &str) -> Result<Option<String>, Error> {
    if drill.fault.method.is_fault() {
        return Ok(None);
    }
    let standbys = topology.nodes.iter().filter(|node| node.name != primary);
    match &drill.fault.candidate {
        Some(named) if topology.node(named).is_none() => {
            let known: Vec<_> = standbys.map(|node| node.name.as_str()).collect();
            Err(Error::usage(format!("there is no node `{named}`"), format!("the standbys are {}", known.join(", "))))
        }
        Some(named) => Ok(Some(named.clone())),
        None => {
            let best = standbys.filter(|node| node.trouble.is_none()).max_by_key(|n| (n.synchronous, n.position));
            Ok(best.map(|node| node.name.clone()))
        }
    }
}
