//! The database as a drill sees it.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use interlock::ports::{
    Clock as _, Database, Fencing, Finding, Follows, Hosts, Means, NodeSeen, Permit, PortError, Session, Topology, Unit,
};

use super::{MemoryDatabase, failing::Fate, node::What, roles::TIMES, session::Connection, state::State};

#[async_trait]
impl Database for MemoryDatabase {
    fn nodes(&self) -> Vec<String> {
        Hosts::names(self)
    }

    fn is_managed(&self) -> bool {
        self.lock().manager.is_some()
    }

    fn fencing(&self) -> Fencing {
        if self.is_managed() { Fencing::None } else { Fencing::Session }
    }

    fn unit(&self) -> Unit {
        Unit::Bytes
    }

    /// One call that fails hides one node, each time another one; all are hidden while every call fails.
    async fn topology(&self) -> Topology {
        let mut state = self.lock();
        let fails = !matches!(state.begin_call(), Fate::Answered);
        let (all, turn) = (state.failing.lasts(), usize::try_from(state.calls).unwrap_or_default() % state.nodes.len());
        let hidden = |index| fails && (all || index == turn);
        let nodes = (0..state.nodes.len()).map(|index| seen(&state, index, hidden(index))).collect();
        let leader = state.manager.as_ref().map(|manager| state.nodes[manager.leader].name.clone());
        Topology { nodes, leader: leader.filter(|_| !fails) }
    }

    async fn findings(&self, _: &str) -> Vec<Finding> {
        Vec::new()
    }

    fn checks(&self) -> Vec<&'static str> {
        Vec::new()
    }

    async fn connect(&self, node: &str, _: Duration) -> Result<Box<dyn Session>, PortError> {
        Ok(Box::new(Connection::open(self, node)?))
    }

    async fn has_ledger(&self, node: &str) -> Result<bool, PortError> {
        let (state, answer) = self.call()?;
        let index = running(&state, node)?;
        answer.0.map(|()| state.nodes[index].has_ledger())
    }

    async fn set_ledger(&self, primary: &str, there: bool, permit: &dyn Permit) -> Result<(), PortError> {
        drop(self.call()?);
        permit.intend(session("set the ledger", primary)).await?;
        self.act(permit, |state| {
            let index = running(state, primary)?;
            if !state.nodes[index].is_writable() {
                return Err(PortError::unexpected(primary, "25006"));
            }
            if state.nodes[index].has_ledger() != there {
                state.write(index, What::Ledger(there));
                state.did(format!("ledger {there} at {primary}"));
            }
            Ok(())
        })
        .await
    }

    async fn rows(&self, node: &str) -> Result<BTreeMap<u64, u32>, PortError> {
        let (state, answer) = self.call()?;
        let index = running(&state, node)?;
        answer.0.map(|()| state.nodes[index].rows())
    }

    async fn switched_at(&self, primary: &str) -> Result<Option<u64>, PortError> {
        let (state, answer) = self.call()?;
        let index = running(&state, primary)?;
        answer.0.map(|()| state.nodes[index].switched_at())
    }

    async fn promote(&self, candidate: &str, permit: &dyn Permit) -> Result<(), PortError> {
        if self.is_managed() {
            return Err(PortError::unexpected("the manager", "it decides who leads"));
        }
        self.make_primary(candidate, permit).await
    }

    async fn switch_over(&self, from: &str, to: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError> {
        if self.is_managed() {
            self.ask_for(from, to, permit).await
        } else {
            self.roles(hosts).hand_over(from, to, permit).await
        }
    }

    async fn take_role_back(&self, except: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError> {
        if self.is_managed() { Ok(()) } else { self.roles(hosts).step_up_again(except, permit).await }
    }

    async fn rejoin(&self, node: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError> {
        if self.is_managed() { self.comes_back(node).await } else { self.roles(hosts).bring_back(node, permit).await }
    }

    async fn settle(&self, means: &Means, within: Duration) -> Result<(), PortError> {
        match means {
            // A session's act is done once it has arrived, and never later.
            Means::Session { .. } => self.call()?.1.0,
            Means::Request { what, primary } => {
                let begun = self.clock.now();
                loop {
                    if self.topology().await.primary().is_ok_and(|node| node.name == *primary) {
                        return Ok(());
                    }
                    if self.clock.now().since(&begun) >= within {
                        let why = "nothing tells whether it was taken".to_owned();
                        return Err(PortError::MayAct { what: what.clone(), why });
                    }
                    self.clock.sleep(TIMES.pause).await;
                }
            }
            Means::Command { .. } => Err(means.never_used()),
        }
    }
}

/// By what something is done at a node.
pub(super) fn session(what: &str, node: &str) -> Means {
    Means::Session { what: what.to_owned(), node: node.to_owned(), user: "writer".to_owned(), id: "1".to_owned() }
}

pub(super) fn running(state: &State, node: &str) -> Result<usize, PortError> {
    let index = state.index(node)?;
    if state.nodes[index].runs() { Ok(index) } else { Err(PortError::unreachable(node, "connection refused")) }
}

/// What a node says of itself.
pub fn seen(state: &State, index: usize, hidden: bool) -> NodeSeen {
    let node = &state.nodes[index];
    let trouble = if hidden { Some("gone") } else { (!node.runs()).then_some("connection refused") };
    let Some(trouble) = trouble else {
        let streams = state.streams(index);
        let of = node.follows.map(|primary| &state.nodes[primary]);
        let history = of.filter(|_| streams).unwrap_or(node).timeline().to_string();
        let why = (!streams).then(|| "it does not stream".to_owned());
        return NodeSeen {
            name: node.name.clone(),
            trouble: None,
            writable: node.is_writable(),
            timeline: Some(node.timeline().to_string()),
            position: Some(node.log.len() as u64),
            follows: node.follows.map(|_| Follows { streaming: streams, timeline: Some(history), trouble: why }),
            synchronous: false,
        };
    };
    NodeSeen {
        name: node.name.clone(),
        trouble: Some(trouble.to_owned()),
        writable: false,
        timeline: None,
        position: None,
        follows: None,
        synchronous: false,
    }
}
