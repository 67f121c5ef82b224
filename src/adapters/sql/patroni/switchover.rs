//! The switchover by Patroni, and a member's way back: asked for once, then watched at the nodes themselves.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::Instant;

use super::{
    manager::Patroni,
    rest::Rest,
    shapes::{self, Config},
};
use crate::{
    adapters::sql::{
        cluster::Cluster,
        engine::Engine,
        limits::{FOLLOW, PAUSE},
        standing, with_standing,
    },
    ports::{Database, HostState, Hosts, Means, Permit, PortError, Topology},
};

/// For so long Patroni may need until it has seen that a member runs: one loop, which is 10 s by default.
const SEEN: Duration = Duration::from_secs(15);

/// So many other nodes may lead on the way to the wanted one.
const BETWEEN: usize = 3;

/// What Patroni's answer to a switchover means.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    /// It takes place, has taken place, or nobody knows: the nodes have to be watched.
    Watch(String),
    /// It does not take place.
    Refused(String),
    /// Another node than the wanted one leads now.
    Elsewhere(String),
}

fn reply(answer: Result<(StatusCode, String), PortError>) -> Reply {
    match answer {
        Ok((StatusCode::OK, words)) if words.contains("instead of") => Reply::Elsewhere(words),
        Ok((status, words)) if status.is_success() => Reply::Watch(words),
        // 503 stands for everything from "status unknown" to "candidate is the leader": only the nodes can tell.
        Ok((status, words)) if status.is_server_error() => Reply::Watch(format!("HTTP {}: {words}", status.as_u16())),
        Ok((status, words)) => Reply::Refused(format!("HTTP {}: {words}", status.as_u16())),
        Err(why) => Reply::Watch(why.to_string()),
    }
}

/// What is still missing of a switchover, if anything is.
fn missing(topology: &Topology, from: &str, to: &str) -> Result<(), String> {
    let primary = topology.primary()?;
    if primary.name != to {
        return Err(format!("{} takes writes, not {to}", primary.name));
    }
    follows(topology, from)
}

/// What is still missing of a node that is to follow the primary.
fn follows(topology: &Topology, node: &str) -> Result<(), String> {
    let primary = topology.primary()?;
    if primary.name == node {
        return Ok(());
    }
    let seen = topology.node(node).ok_or_else(|| format!("there is no node {node}"))?;
    match &seen.follows {
        Some(follows) if follows.streaming && follows.timeline == primary.timeline => Ok(()),
        _ => Err(standing(&Topology { nodes: vec![seen.clone()], leader: None })),
    }
}

impl Patroni {
    /// Has Patroni hand the leader's role over, and watches until it is done. Under synchronous replication Patroni lets only a
    /// synchronous standby lead: where the wanted node is none, that standby leads first, and Patroni picks another.
    pub async fn switch<E: Engine>(
        &self,
        nodes: &Cluster<E>,
        from: &str,
        to: &str,
        permit: &dyn Permit,
    ) -> Result<(), PortError> {
        let mut from = from.to_owned();
        for _ in 0..BETWEEN {
            let Some(between) = self.synchronous_instead(to).await? else { break };
            self.hand_over(nodes, &from, &between, permit).await?;
            from = between;
        }
        self.hand_over(nodes, &from, to, permit).await
    }

    /// The synchronous standby, where there has to be one and this node is not it; Patroni may have to pick it first.
    async fn synchronous_instead(&self, wanted: &str) -> Result<Option<String>, PortError> {
        if self.ask("config", |json| Ok(Config::read(&json))).await?.synchronous == "off" {
            return Ok(None);
        }
        let until = Instant::now() + SEEN;
        while Instant::now() < until {
            let cluster = self.cluster().await?;
            let waited_for: Vec<_> = cluster.members.iter().filter(|member| member.is_waited_for()).collect();
            if cluster.leader() == Some(wanted) || waited_for.iter().any(|member| member.name == wanted) {
                return Ok(None);
            }
            if let Some(other) = waited_for.first() {
                return Ok(Some(other.name.clone()));
            }
            tokio::time::sleep(PAUSE).await;
        }
        // Patroni says best why it does not want to.
        Ok(None)
    }

    async fn hand_over<E: Engine>(
        &self,
        nodes: &Cluster<E>,
        from: &str,
        to: &str,
        permit: &dyn Permit,
    ) -> Result<(), PortError> {
        for node in [from, to] {
            nodes.server(node)?;
        }
        let step = format!("a switchover from {from} to {to}");
        let before = nodes.topology().await;
        if before.primary().is_ok_and(|primary| primary.name == to) {
            return self.watch(nodes, &step, "", |topology| missing(topology, from, to)).await;
        }
        let rest = self.first_to_answer(from).await?;
        let asked = Means::Request { what: format!("{step} that Patroni was asked for"), primary: to.to_owned() };
        permit.intend(asked.clone()).await?;
        let said = match reply(rest.switch_over(from, to).await) {
            Reply::Watch(said) => said,
            Reply::Refused(said) | Reply::Elsewhere(said) => {
                permit.over(asked).await?;
                return Err(with_standing(&step, &PortError::unexpected("patroni", said), &nodes.topology().await));
            }
        };
        self.watch(nodes, &step, &said, |topology| missing(topology, from, to)).await
    }

    /// Waits until a member streams from the leader; Patroni brings it there.
    pub async fn comes_back<E: Engine>(
        &self,
        nodes: &Cluster<E>,
        node: &str,
        hosts: &dyn Hosts,
    ) -> Result<(), PortError> {
        nodes.server(node)?;
        let state = hosts.state(node).await?;
        // Patroni ends its database for a moment when it rewinds it.
        if !matches!(state, HostState::Running | HostState::Crashed) {
            return Err(PortError::unexpected(nodes.place(node), format!("its host is {state}; bring it back first")));
        }
        self.watch(nodes, &format!("{node} behind the leader"), "", |topology| follows(topology, node)).await?;
        self.settles(node).await;
        Ok(())
    }

    /// Waits until Patroni has seen too that a member runs: it looks once a loop, and says the old thing until then. What it
    /// has not seen in time is for the next findings to tell.
    async fn settles(&self, node: &str) {
        let until = Instant::now() + SEEN;
        let runs =
            |cluster: &shapes::Cluster| cluster.members.iter().any(|member| member.name == node && member.runs());
        while Instant::now() < until && self.cluster().await.is_ok_and(|cluster| !runs(&cluster)) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The first member that answers a question: an order that was perhaps heard must not be given twice. The leader comes
    /// first, which knows best.
    async fn first_to_answer(&self, leader: &str) -> Result<&Rest, PortError> {
        let (leading, others): (Vec<&Rest>, Vec<&Rest>) = self.0.iter().partition(|rest| rest.name == leader);
        let mut last = PortError::NotFound { what: format!("REST API of {leader}") };
        for rest in leading.into_iter().chain(others) {
            match rest.get("cluster").await {
                Ok(_) => return Ok(rest),
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    async fn watch<E: Engine>(
        &self,
        nodes: &Cluster<E>,
        step: &str,
        said: &str,
        missing: impl Fn(&Topology) -> Result<(), String> + Send,
    ) -> Result<(), PortError> {
        let until = Instant::now() + FOLLOW;
        loop {
            let topology = nodes.topology().await;
            let Err(why) = missing(&topology) else {
                return Ok(());
            };
            if Instant::now() >= until {
                let patroni = if said.is_empty() { String::new() } else { format!("patroni said: {said}; ") };
                let why = format!("{patroni}after {} s {why}; {}", FOLLOW.as_secs(), self.members().await);
                return Err(with_standing(step, &PortError::unexpected("patroni", why), &topology));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What Patroni says of each member, in one line.
    async fn members(&self) -> String {
        match self.cluster().await {
            Ok(cluster) => told(&cluster),
            Err(why) => why.to_string(),
        }
    }
}

fn told(cluster: &shapes::Cluster) -> String {
    let told = |member: &shapes::Member| format!("{} is {} and {}", member.name, member.role, member.state);
    let members: Vec<_> = cluster.members.iter().map(told).collect();
    format!("patroni says that {}", members.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::sql::sample::{primary, standby};

    #[test]
    fn only_a_clear_refusal_ends_the_watch() {
        let answer = |status: u16, words: &str| reply(Ok((StatusCode::from_u16(status).unwrap(), words.to_owned())));
        assert!(matches!(answer(200, "Successfully switched over to \"b\""), Reply::Watch(_)));
        assert!(matches!(answer(200, "Switched over to \"c\" instead of \"b\""), Reply::Elsewhere(_)));
        assert!(matches!(answer(412, "leader name does not match"), Reply::Refused(_)));
        assert!(matches!(answer(400, ""), Reply::Refused(_)));
        assert!(matches!(answer(401, "no auth header received"), Reply::Refused(_)));
        assert!(matches!(answer(503, "Switchover status unknown"), Reply::Watch(_)));
        assert!(matches!(reply(Err(PortError::unreachable("patroni a", "no answer"))), Reply::Watch(_)));
    }

    #[test]
    fn a_switchover_is_done_once_the_old_leader_streams_from_the_new_one() {
        let topology = |nodes| Topology { nodes, leader: None };
        assert!(missing(&topology(vec![primary("a", "1", 1), standby("b", "1", 1)]), "a", "b").is_err());
        assert!(missing(&topology(vec![standby("a", "1", 1), primary("b", "2", 1)]), "a", "b").is_err());
        assert!(missing(&topology(vec![primary("a", "1", 1), primary("b", "2", 1)]), "a", "b").is_err());
        assert!(missing(&topology(vec![standby("a", "2", 1), primary("b", "2", 1)]), "a", "b").is_ok());
    }
}
