//! The hosts of the nodes: they are up or down, know epochs, and start what they ran before.

use async_trait::async_trait;
use interlock::{
    model::Epoch,
    ports::{Act, Fencing, Flow, HostState, Hosts, Order, Permit, PortError},
};

use super::MemoryDatabase;

#[async_trait]
impl Hosts for MemoryDatabase {
    fn names(&self) -> Vec<String> {
        self.lock().nodes.iter().map(|node| node.name.clone()).collect()
    }

    fn can(&self, _: &str, order: Order) -> bool {
        !matches!(order, Order::Do(act) if act != Act::PowerOff)
    }

    fn fencing(&self, _: &str) -> Fencing {
        Fencing::Version
    }

    async fn state(&self, host: &str) -> Result<HostState, PortError> {
        let (state, answer) = self.call()?;
        let found = state.index(host).map(|index| state.host(index));
        answer.0.and(found)
    }

    async fn fence(&self, host: &str, epoch: Epoch) -> Result<(), PortError> {
        let (mut state, answer) = self.call()?;
        let index = state.index(host)?;
        let fenced = state.fence(index, epoch.0);
        answer.0.and(fenced)
    }

    async fn set_state(&self, host: &str, to: HostState, permit: &dyn Permit) -> Result<(), PortError> {
        if !matches!(to, HostState::Running | HostState::Down) {
            return Err(PortError::NotFound { what: format!("the state {to} of {host}") });
        }
        self.act(permit, |state| {
            let index = state.index(host)?;
            state.fence(index, permit.epoch().0)?;
            if state.host(index) == to {
                return Ok(());
            }
            match to {
                HostState::Running => state.start(index),
                _ => state.end(index, false),
            }
            state.did(format!("host {host} {to}"));
            Ok(())
        })
        .await
    }

    async fn flow(&self, host: &str) -> Result<Flow, PortError> {
        let (state, answer) = self.call()?;
        let found = state.index(host).map(|index| state.nodes[index].flow);
        answer.0.and(found)
    }

    async fn set_flow(&self, host: &str, to: Flow, permit: &dyn Permit) -> Result<(), PortError> {
        self.act(permit, |state| {
            let index = state.index(host)?;
            state.fence(index, permit.epoch().0)?;
            if state.nodes[index].flow != to {
                state.nodes[index].flow = to;
                state.did(format!("flow of {host} {to:?}"));
            }
            Ok(())
        })
        .await
    }

    async fn free(&self, _: &str) -> Result<Option<u64>, PortError> {
        Ok(None)
    }

    async fn stop_cleanly(&self, host: &str, permit: &dyn Permit) -> Result<(), PortError> {
        self.act(permit, |state| {
            let index = state.index(host)?;
            state.fence(index, permit.epoch().0)?;
            if state.host(index) == HostState::Running {
                state.end(index, true);
                state.did(format!("stop {host}"));
            }
            Ok(())
        })
        .await
    }

    async fn start_following(&self, host: &str, primary: &str, permit: &dyn Permit) -> Result<String, PortError> {
        self.act(permit, |state| {
            let (index, of) = (state.index(host)?, state.index(primary)?);
            state.fence(index, permit.epoch().0)?;
            if state.host(index) != HostState::Down {
                return Err(PortError::unexpected(host, "it runs"));
            }
            if !state.nodes[of].is_writable() {
                return Err(PortError::unreachable(primary, "it takes no writes"));
            }
            state.start(index);
            let rewound = state.follow(index, of);
            state.did(format!("start {host} behind {primary}"));
            Ok(if rewound { "rewound" } else { "started" }.to_owned())
        })
        .await
    }
}
