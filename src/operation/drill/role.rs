//! Where the primary's role is, and how it is given away and back.

use super::{
    Method,
    keys::ELSEWHERE,
    ledger::Mark,
    nodes::ANSWERS,
    operation::{Drill, LOOK, Ports},
};
use crate::ports::{HostState, Permit, PortError, Topology};

impl Drill {
    /// Where the primary's role is. Of a host that is down it is with that host still, until somebody takes it over; only where
    /// we promote, since a handover ends its primary as well, and is not undone by finding nobody. It is back only once the
    /// others follow: a handover that was cut short leaves whoever gave the role away as it ended it.
    pub(super) async fn role(&self) -> Result<&str, PortError> {
        let own = &self.spec.primary;
        let topology = self.all_seen().await?;
        let writable: Vec<&str> = topology.writable().map(|node| node.name.as_str()).collect();
        let is_here = match writable.as_slice() {
            [] => self.spec.method == Method::Promote && self.ports.hosts.state(own).await? != HostState::Running,
            [one] => one == own && (self.ports.database.is_managed() || self.others_follow(&topology)),
            _ => false,
        };
        Ok(if is_here { own } else { ELSEWHERE })
    }

    /// Whether all follow the primary that the fault leaves alone.
    fn others_follow(&self, topology: &Topology) -> bool {
        let others = topology.nodes.iter().map(|node| &node.name).filter(|name| **name != self.spec.on);
        others.into_iter().all(|name| takes_part(topology, name).is_ok() || *name == self.spec.primary)
    }

    /// Whether a node takes part. One that does not answer may be a primary as well, but not where its host is down.
    pub(super) async fn takes_part(&self, topology: &Topology, node: &str) -> Result<(), String> {
        let Err(why) = takes_part(topology, node) else { return Ok(()) };
        if !topology.primary().is_ok_and(|primary| primary.name == node) {
            return Err(why);
        }
        for silent in topology.nodes.iter().filter(|node| node.trouble.is_some()) {
            if !self.ports.hosts.state(&silent.name).await.is_ok_and(|state| state == HostState::Down) {
                return Err(why);
            }
        }
        Ok(())
    }

    pub(super) async fn set_role(&self, to: &str, permit: &dyn Permit) -> Result<(), PortError> {
        let Ports { database, hosts, .. } = &self.ports;
        let spec = &self.spec;
        if to == spec.primary {
            let from = self.at_primary().await?;
            // What was cut short may have left others down or behind, and without a manager nobody else brings them back:
            // a cluster that is not whole hands no role over.
            if from == to || !database.is_managed() {
                let others =
                    database.nodes().into_iter().filter(|node| *node != from && node != to && *node != spec.on);
                for node in others {
                    database.rejoin(&node, &**hosts, permit).await?;
                }
            }
            return if from == to { Ok(()) } else { database.switch_over(&from, to, &**hosts, permit).await };
        }
        match (&spec.candidate, spec.method) {
            (Some(candidate), Method::Switchover) => {
                self.mark(Mark::Fault).await;
                database.switch_over(&spec.primary, candidate, &**hosts, permit).await
            }
            (Some(candidate), Method::Promote) => database.promote(candidate, permit).await,
            // The manager sees to it.
            _ => Ok(()),
        }
    }

    /// The only node that takes writes.
    ///
    /// # Errors
    /// Where there is none, or several, also after [`ANSWERS`].
    pub(super) async fn at_primary(&self) -> Result<String, PortError> {
        let begun = self.ports.clock.now();
        loop {
            let why = match self.ports.database.topology().await.primary() {
                Ok(node) => return Ok(node.name.clone()),
                Err(why) => why,
            };
            if self.ports.clock.now().since(&begun) > ANSWERS {
                return Err(PortError::unreachable(&self.spec.database, why));
            }
            self.ports.clock.sleep(LOOK).await;
        }
    }
}

/// Whether a node is the only primary, or follows that one. Another node that does not answer may be a primary as well.
fn takes_part(topology: &Topology, node: &str) -> Result<(), String> {
    let primary = topology.primary()?;
    if primary.name == node {
        let silent =
            topology.nodes.iter().find_map(|other| Some(format!("{}: {}", other.name, other.trouble.as_ref()?)));
        return silent.map_or(Ok(()), Err);
    }
    let seen = topology.node(node).ok_or_else(|| format!("there is no {node}"))?;
    if let Some(trouble) = &seen.trouble {
        return Err(trouble.clone());
    }
    match &seen.follows {
        Some(follows) if follows.streaming && follows.timeline == primary.timeline => Ok(()),
        Some(follows) => Err(follows.trouble.clone().unwrap_or_else(|| "it does not stream yet".to_owned())),
        None => Err("it follows nobody".to_owned()),
    }
}
