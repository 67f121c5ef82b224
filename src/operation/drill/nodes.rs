//! The nodes on their hosts: whether each takes part, and how one is brought back into the cluster.

use std::time::Duration;

use super::{
    Method,
    ledger::Mark,
    operation::{Drill, LOOK, Ports},
};
use crate::{
    operation::faults::Fault,
    ports::{Flow, HostState, Permit, PortError, Topology},
};

/// How long a node may take to answer whose host runs, before it counts as silent.
pub(super) const ANSWERS: Duration = Duration::from_secs(10);

/// How long a node whose host runs may take to be seen taking part: one slow answer says nothing.
const TAKES_PART: Duration = Duration::from_secs(3);

impl Drill {
    fn is_node(&self, host: &str) -> bool {
        self.ports.database.nodes().iter().any(|node| node == host)
    }

    /// A host counts as running once its node takes part again; until then it stands as the fault has left it.
    pub(super) async fn host_state(&self, host: &str) -> Result<HostState, PortError> {
        let state = self.ports.hosts.state(host).await?;
        let left_by_us = self.spec.fault().map(Fault::state).filter(|_| host == self.spec.on);
        // Of a fault of several acts, some may be in force: whoever goes back takes back what there is.
        if let Some(whole) = left_by_us.filter(|whole| state != *whole && state.is_part_of(*whole)) {
            return Ok(whole);
        }
        // A manager ends its database for a moment whenever it starts it anew, which is nobody's doing.
        let (HostState::Running | HostState::Crashed, Some(left_by_us)) = (state, left_by_us) else { return Ok(state) };
        if !self.is_node(host) || self.present.lock().await.unharmed {
            return Ok(state);
        }
        let clock = &self.ports.clock;
        let begun = clock.now();
        while self.takes_part(&self.ports.database.topology().await, host).await.is_err() {
            if clock.now().since(&begun) > TAKES_PART {
                return Ok(left_by_us);
            }
            clock.sleep(LOOK).await;
        }
        Ok(HostState::Running)
    }

    /// The cluster once every node has answered whose host runs: from a node that is only slow nothing may be concluded.
    ///
    /// # Errors
    /// Names the first one that has not, after [`ANSWERS`].
    pub(super) async fn all_seen(&self) -> Result<Topology, PortError> {
        let Ports { database, hosts, clock, .. } = &self.ports;
        let begun = clock.now();
        loop {
            let topology = database.topology().await;
            let mut silent = None;
            for node in &topology.nodes {
                if let Some(trouble) = &node.trouble
                    && !hosts.state(&node.name).await.is_ok_and(|state| state != HostState::Running)
                {
                    silent = Some(PortError::unreachable(&node.name, trouble));
                }
            }
            match silent {
                None => return Ok(topology),
                Some(silent) if clock.now().since(&begun) > ANSWERS => return Err(silent),
                Some(_) => clock.sleep(LOOK).await,
            }
        }
    }

    pub(super) async fn set_host(&self, host: &str, to: HostState, permit: &dyn Permit) -> Result<(), PortError> {
        if to != HostState::Running {
            self.mark(Mark::Fault).await;
            self.present.lock().await.unharmed = false;
            return self.ports.hosts.set_state(host, to, permit).await;
        }
        let clock = &self.ports.clock;
        let begun = clock.now();
        self.mark(Mark::Released).await;
        self.bring_back(host, permit).await?;
        self.present.lock().await.rejoin = Some(clock.now().since(&begun));
        Ok(())
    }

    /// Brings a host back, and its node into the cluster. An old primary that was replaced must not take writes again, not
    /// even for a moment: where nothing else sees to that it is started as a follower at once.
    pub(super) async fn bring_back(&self, host: &str, permit: &dyn Permit) -> Result<(), PortError> {
        let Ports { database, hosts, .. } = &self.ports;
        if !self.is_node(host) {
            return hosts.set_state(host, HostState::Running, permit).await;
        }
        // A database that is to follow another one has to end first, and with senders that are stopped it cannot.
        if hosts.flow(host).await? == Flow::Frozen {
            hosts.set_flow(host, Flow::Flowing, permit).await?;
        }
        let replaced = self.all_seen().await?.writable().any(|node| node.name != host);
        if !(replaced && !database.is_managed() && hosts.state(host).await? == HostState::Down) {
            hosts.set_state(host, HostState::Running, permit).await?;
        }
        self.take_part(host, permit).await?;
        if database.is_managed() {
            return Ok(());
        }
        // Nobody else tells the other standbys whom to follow now. Where none was promoted, the one that was to be may have been
        // told already to receive no more.
        let candidate = self.spec.candidate.as_ref().filter(|_| self.spec.method == Method::Promote);
        for node in database.nodes().iter().filter(|node| *node != host) {
            if replaced || candidate == Some(node) {
                self.take_part(node, permit).await?;
            }
        }
        Ok(())
    }

    /// Waits until a node takes part: as the only one that takes writes, or following that one.
    async fn take_part(&self, node: &str, permit: &dyn Permit) -> Result<(), PortError> {
        let Ports { database, hosts, clock, .. } = &self.ports;
        let begun = clock.now();
        loop {
            let topology = database.topology().await;
            let why = match self.takes_part(&topology, node).await {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            if topology.writable().any(|other| other.name != node) {
                return database.rejoin(node, &**hosts, permit).await;
            }
            if clock.now().since(&begun) > self.spec.limit.0 {
                return Err(PortError::unexpected(
                    node,
                    format!("after {} it does not take part: {why}", self.spec.limit),
                ));
            }
            clock.sleep(LOOK).await;
        }
    }
}
