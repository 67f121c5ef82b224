//! Roles: promotion, the planned handover and the way back into the cluster, act by act as the SQL adapters do them.

use std::time::Duration;

use interlock::ports::{Clock, Database, HostState, Hosts, Means, Permit, PortError, Topology};

use super::{
    MemoryDatabase,
    cluster::{running, session},
};

/// Time costs nothing here.
pub(super) const TIMES: Times =
    Times { pause: Duration::from_millis(20), streams: Duration::from_millis(200), follows: Duration::from_secs(2) };

impl MemoryDatabase {
    pub(super) async fn make_primary(&self, candidate: &str, permit: &dyn Permit) -> Result<(), PortError> {
        {
            let (state, answer) = self.call()?;
            let index = running(&state, candidate)?;
            answer.0?;
            if state.nodes[index].is_writable() {
                return Ok(());
            }
        }
        permit.intend(session("promote", candidate)).await?;
        // As MariaDB's: it receives no more, has all that it received, and only then takes writes.
        self.act(permit, |state| {
            let index = running(state, candidate)?;
            state.nodes[index].follows = None;
            state.did(format!("{candidate} receives no more"));
            Ok(())
        })
        .await?;
        self.act(permit, |state| {
            let index = running(state, candidate)?;
            if !state.nodes[index].is_writable() {
                state.promote(index);
                state.did(format!("promote {candidate}"));
            }
            Ok(())
        })
        .await
    }

    /// Whoever sees to its roles.
    pub(super) fn roles<'a>(&'a self, hosts: &'a dyn Hosts) -> Roles<'a> {
        Roles { database: self, hosts, clock: &self.clock, times: TIMES }
    }

    /// Asks the manager for a switchover once, and watches.
    pub(super) async fn ask_for(&self, from: &str, to: &str, permit: &dyn Permit) -> Result<(), PortError> {
        let led = |topology: &Topology| match topology.primary() {
            Ok(primary) if primary.name == to => streams(topology, from),
            Ok(primary) => Err(format!("{} takes writes, not {to}", primary.name)),
            Err(why) => Err(why),
        };
        if self.topology().await.primary().is_ok_and(|primary| primary.name == to) {
            return self.follows(led).await;
        }
        drop(self.call()?);
        let asked = Means::Request { what: format!("a switchover from {from} to {to}"), primary: to.to_owned() };
        permit.intend(asked).await?;
        // Whether it was heard only the nodes can tell.
        let asked = self
            .act(permit, |state| {
                let (to_index, now) = (state.index(to)?, state.now);
                if let Some(manager) = &mut state.manager {
                    manager.ask(to_index, now);
                }
                state.did(format!("ask for {to}"));
                Ok(())
            })
            .await;
        if let Err(PortError::Superseded { .. }) = asked {
            return asked;
        }
        self.follows(led).await
    }

    pub(super) async fn comes_back(&self, node: &str) -> Result<(), PortError> {
        self.follows(|topology| streams(topology, node)).await
    }

    async fn follows(&self, wanted: impl FnMut(&Topology) -> Result<(), String> + Send) -> Result<(), PortError> {
        until(self, &self.clock, (TIMES.pause, TIMES.follows), wanted).await
    }
}

/// How long what is awaited of a database may take.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Between two looks.
    pub pause: Duration,
    /// How long a node that runs may take to stream by itself.
    pub streams: Duration,
    /// How long something may take that has to come.
    pub follows: Duration,
}

/// Whoever sees to the roles of a database without a manager, act by act as the SQL adapters do it.
pub struct Roles<'a> {
    pub database: &'a dyn Database,
    pub hosts: &'a dyn Hosts,
    pub clock: &'a dyn Clock,
    pub times: Times,
}

impl Roles<'_> {
    pub async fn hand_over(&self, from: &str, to: &str, permit: &dyn Permit) -> Result<(), PortError> {
        let topology = self.database.topology().await;
        let leads = |node: &str| topology.primary().is_ok_and(|primary| primary.name == node);
        if !leads(to) {
            let refused = |why: String| PortError::unexpected(format!("a handover from {from} to {to}"), why);
            topology.is_whole(u64::MAX).map_err(refused)?;
            if !leads(from) {
                return Err(refused(format!("{from} is not the primary")));
            }
            self.hosts.stop_cleanly(from, permit).await?;
            self.database.promote(to, permit).await?;
        }
        let others: Vec<String> = self.database.nodes().into_iter().filter(|name| name != from && name != to).collect();
        for node in std::iter::once(from.to_owned()).chain(others) {
            self.bring_back(&node, permit).await?;
        }
        Ok(())
    }

    pub async fn step_up_again(&self, except: &str, permit: &dyn Permit) -> Result<(), PortError> {
        let topology = self.database.topology().await;
        if topology.writable().next().is_some() {
            return Ok(());
        }
        for node in topology.nodes.iter().filter(|node| node.name != except) {
            if self.hosts.state(&node.name).await? == HostState::Down {
                return self.hosts.set_state(&node.name, HostState::Running, permit).await;
            }
        }
        Ok(())
    }

    pub async fn bring_back(&self, node: &str, permit: &dyn Permit) -> Result<(), PortError> {
        let Self { hosts, times, .. } = self;
        let state = hosts.state(node).await?;
        let mut primary = None;
        self.until(times.follows, |topology| {
            let others: Vec<_> = topology.writable().filter(|other| other.name != node).collect();
            match others.as_slice() {
                [one] => primary = Some(one.name.clone()),
                [] if topology.writable().next().is_some() => primary = None,
                [] => return Err("no node takes writes that it could follow".to_owned()),
                _ => return Err("several nodes take writes".to_owned()),
            }
            Ok(())
        })
        .await?;
        let Some(primary) = primary else { return Ok(()) };
        let runs = state == HostState::Running;
        if runs && self.until(times.streams, |topology| streams(topology, node)).await.is_ok() {
            return Ok(());
        }
        if runs {
            hosts.stop_cleanly(node, permit).await?;
        }
        hosts.start_following(node, &primary, permit).await?;
        self.until(times.follows, |topology| streams(topology, node)).await
    }

    async fn until(
        &self,
        within: Duration,
        wanted: impl FnMut(&Topology) -> Result<(), String> + Send,
    ) -> Result<(), PortError> {
        until(self.database, self.clock, (self.times.pause, within), wanted).await
    }
}

/// Looks again and again until a cluster is as wanted.
async fn until(
    database: &dyn Database,
    clock: &dyn Clock,
    (pause, within): (Duration, Duration),
    mut wanted: impl FnMut(&Topology) -> Result<(), String> + Send,
) -> Result<(), PortError> {
    let begun = clock.now();
    loop {
        let Err(missing) = wanted(&database.topology().await) else { return Ok(()) };
        if clock.now().since(&begun) >= within {
            return Err(PortError::unreachable("the database", missing));
        }
        clock.sleep(pause).await;
    }
}

/// Whether a node streams from the only primary, or is it.
fn streams(topology: &Topology, node: &str) -> Result<(), String> {
    let primary = topology.primary()?;
    let seen = topology.node(node).ok_or("there is no such node")?;
    match &seen.follows {
        _ if primary.name == node => Ok(()),
        Some(follows) if follows.streaming && follows.timeline == primary.timeline => Ok(()),
        _ => Err(format!("{node} does not stream")),
    }
}
