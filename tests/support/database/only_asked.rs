//! Hosts that take no order beside those that a gate has asked for, and note each that was given all the same.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use interlock::{
    model::Epoch,
    ports::{Fencing, Flow, HostState, Hosts, Order, Permit, PortError},
};

use super::MemoryDatabase;

/// Orders that nobody has asked for, in words.
pub type Unasked = Arc<Mutex<Vec<String>>>;

/// As hosts by commands are: what has no command cannot be done, and has never been.
pub struct OnlyAsked {
    pub hosts: MemoryDatabase,
    pub asked: BTreeSet<(String, Order)>,
    pub unasked: Unasked,
}

impl OnlyAsked {
    fn was_asked(&self, host: &str, order: Order) -> bool {
        self.asked.contains(&(host.to_owned(), order))
    }

    fn ensure(&self, host: &str, order: Order) -> Result<(), PortError> {
        if self.was_asked(host, order) {
            return Ok(());
        }
        let told = format!("`{order}` for {host}");
        self.unasked.lock().unwrap_or_else(PoisonError::into_inner).push(told.clone());
        Err(PortError::NotFound { what: told })
    }
}

#[async_trait]
impl Hosts for OnlyAsked {
    fn names(&self) -> Vec<String> {
        Hosts::names(&self.hosts)
    }

    fn can(&self, host: &str, order: Order) -> bool {
        self.was_asked(host, order)
    }

    fn fencing(&self, host: &str) -> Fencing {
        Hosts::fencing(&self.hosts, host)
    }

    async fn state(&self, host: &str) -> Result<HostState, PortError> {
        if self.was_asked(host, Order::State) { self.hosts.state(host).await } else { Ok(HostState::Running) }
    }

    async fn fence(&self, host: &str, epoch: Epoch) -> Result<(), PortError> {
        self.hosts.fence(host, epoch).await
    }

    async fn set_state(&self, host: &str, to: HostState, permit: &dyn Permit) -> Result<(), PortError> {
        let stands = self.hosts.stands(host)?;
        if to == HostState::Running && stands != to {
            self.ensure(host, Order::Run)?;
        }
        for act in to.acts().filter(|act| !stands.has(*act)) {
            self.ensure(host, Order::Do(act))?;
        }
        self.hosts.set_state(host, to, permit).await
    }

    async fn flow(&self, host: &str) -> Result<Flow, PortError> {
        if self.was_asked(host, Order::Flow) { self.hosts.flow(host).await } else { Ok(Flow::Flowing) }
    }

    async fn set_flow(&self, host: &str, to: Flow, permit: &dyn Permit) -> Result<(), PortError> {
        self.ensure(host, Order::SetFlow(to))?;
        self.hosts.set_flow(host, to, permit).await
    }

    async fn free(&self, host: &str) -> Result<Option<u64>, PortError> {
        self.hosts.free(host).await
    }

    async fn stop_cleanly(&self, host: &str, permit: &dyn Permit) -> Result<(), PortError> {
        self.ensure(host, Order::Stop)?;
        self.hosts.stop_cleanly(host, permit).await
    }

    async fn start_following(&self, host: &str, primary: &str, permit: &dyn Permit) -> Result<String, PortError> {
        self.ensure(host, Order::Follow)?;
        self.hosts.start_following(host, primary, permit).await
    }
}
