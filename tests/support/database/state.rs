//! All nodes, and what happens to them by itself as time passes.

use std::time::Duration;

use interlock::ports::{Flow, HostState, PortError, Written};

use super::{
    failing::{Failing, Fate},
    manager::Manager,
    node::{Change, Node, What},
};

/// How late a standby has what its primary acknowledged.
const LATE: Duration = Duration::from_millis(15);

pub struct State {
    pub nodes: Vec<Node>,
    pub(super) manager: Option<Manager>,
    pub now: Duration,
    pub serial: u64,
    /// The epoch of whoever acts.
    pub epoch: u64,
    pub effects: Vec<(u64, String)>,
    /// After what two nodes took writes.
    pub splits: Vec<String>,
    pub calls: u64,
    pub(super) failing: Failing,
}

impl State {
    /// Of these nodes the first one is the primary.
    pub fn new(names: &[&str]) -> Self {
        let node = |(index, name): (usize, &&str)| Node {
            name: (*name).to_owned(),
            host: HostState::Running,
            up_at: Duration::ZERO,
            life: 0,
            standby: index > 0,
            follows: (index > 0).then_some(0),
            flow: Flow::Flowing,
            epoch: 0,
            log: Vec::new(),
        };
        Self {
            nodes: names.iter().enumerate().map(node).collect(),
            manager: None,
            now: Duration::ZERO,
            serial: 0,
            epoch: 0,
            effects: Vec::new(),
            splits: Vec::new(),
            calls: 0,
            failing: Failing::default(),
        }
    }

    pub(super) fn begin_call(&mut self) -> Fate {
        self.calls += 1;
        self.failing.next()
    }

    /// Whether what is about to be done does not come about; once.
    pub(super) fn loses_effect(&mut self) -> bool {
        let effects = self.effects.len() as u64;
        self.failing.lost_effect.take_if(|lost| *lost <= effects).is_some()
    }

    pub fn index(&self, name: &str) -> Result<usize, PortError> {
        let found = self.nodes.iter().position(|node| node.name == name);
        found.ok_or_else(|| PortError::NotFound { what: name.to_owned() })
    }

    /// How a host stands.
    pub fn host(&self, index: usize) -> HostState {
        self.nodes[index].host
    }

    /// Whether a standby gets what the primary writes that it was told to follow.
    pub fn streams(&self, standby: usize) -> bool {
        let node = &self.nodes[standby];
        let Some(primary) = node.follows.map(|primary| &self.nodes[primary]) else { return false };
        node.runs() && node.standby && primary.is_writable() && node.is_behind(primary)
    }

    /// Lets happen what happens by itself.
    pub fn elapse(&mut self, now: Duration) {
        self.now = self.now.max(now);
        if let Some(mut manager) = self.manager.take() {
            manager.turn(self);
            self.manager = Some(manager);
        }
        let until = self.now.saturating_sub(LATE);
        for standby in 0..self.nodes.len() {
            self.replicate(standby, until);
        }
    }

    /// Brings a standby to where its primary was.
    pub fn replicate(&mut self, standby: usize, until: Duration) {
        if !self.streams(standby) {
            return;
        }
        let Some(primary) = self.nodes[standby].follows.map(|primary| &self.nodes[primary]) else { return };
        if primary.flow == Flow::Flowing {
            let have = self.nodes[standby].log.len();
            let new: Vec<Change> =
                primary.log[have..].iter().take_while(|change| change.at <= until).copied().collect();
            self.nodes[standby].log.extend(new);
        }
    }

    /// Notes what was done on order.
    pub fn did(&mut self, what: String) {
        if self.nodes.iter().filter(|node| node.is_writable()).count() > 1 {
            self.splits.push(what.clone());
        }
        self.effects.push((self.epoch, what));
    }

    pub fn write(&mut self, node: usize, what: What) {
        self.serial += 1;
        let change = Change { serial: self.serial, at: self.now, what };
        self.nodes[node].log.push(change);
    }

    /// Makes a node the primary, on a new timeline.
    pub fn promote(&mut self, index: usize) {
        let timeline = self.nodes[index].timeline() + 1;
        (self.nodes[index].standby, self.nodes[index].follows) = (false, None);
        self.write(index, What::Timeline(timeline));
    }

    /// Lets a host act in a term, unless a later one has begun there.
    pub fn fence(&mut self, index: usize, epoch: u64) -> Result<(), PortError> {
        let seen = &mut self.nodes[index].epoch;
        if *seen > epoch {
            return Err(PortError::Superseded { ours: epoch, theirs: *seen });
        }
        *seen = epoch;
        Ok(())
    }

    /// Ends a node; cleanly, if its standbys get everything first.
    pub fn end(&mut self, index: usize, cleanly: bool) {
        for standby in (0..self.nodes.len()).filter(|_| cleanly) {
            if self.nodes[standby].follows == Some(index) {
                self.replicate(standby, Duration::MAX);
            }
        }
        let node = &mut self.nodes[index];
        (node.host, node.life) = (HostState::Down, node.life + 1);
    }

    /// Starts a node with the role that it had; a manager lets none take writes before it has seen to the roles.
    pub fn start(&mut self, index: usize) {
        let (managed, now) = (self.manager.is_some(), self.now);
        let node = &mut self.nodes[index];
        (node.host, node.up_at) = (HostState::Running, now);
        if managed {
            (node.standby, node.follows) = (true, None);
        }
    }

    /// Has a node follow another, with that one's history.
    pub fn follow(&mut self, index: usize, primary: usize) -> bool {
        let theirs = self.nodes[primary].log.clone();
        let node = &mut self.nodes[index];
        (node.standby, node.follows) = (true, Some(primary));
        node.rewind(&theirs)
    }

    pub fn insert(&mut self, index: usize, life: u64, id: u64) -> Written {
        let node = &self.nodes[index];
        let refused = |class: &str| Written::Refused { class: class.to_owned() };
        if !node.runs() || node.life != life {
            return Written::Unknown { class: "eof".to_owned() };
        }
        if !node.is_writable() {
            return refused("25006");
        }
        if !node.has_ledger() {
            return refused("42P01");
        }
        self.write(index, What::Row(id));
        Written::Acknowledged
    }
}
