//! One node: its log, and what follows from it.

use std::{collections::BTreeMap, time::Duration};

use interlock::ports::{Flow, HostState};

/// One thing that happened to the data; copies on other nodes have the same serial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub serial: u64,
    pub at: Duration,
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Row(u64),
    Ledger(bool),
    Timeline(u64),
}

pub struct Node {
    pub name: String,
    pub host: HostState,
    /// When its host was last started.
    pub up_at: Duration,
    /// Connections of an earlier life are cut.
    pub life: u64,
    /// It takes no writes as long as it runs.
    pub standby: bool,
    /// Whom it was told to follow, which lasts over restarts.
    pub follows: Option<usize>,
    pub flow: Flow,
    /// The highest epoch that its host has seen.
    pub epoch: u64,
    pub log: Vec<Change>,
}

impl Node {
    pub fn runs(&self) -> bool {
        self.host == HostState::Running
    }

    pub fn is_writable(&self) -> bool {
        self.runs() && !self.standby
    }

    pub fn timeline(&self) -> u64 {
        let last = self.log.iter().rev().find_map(|change| match change.what {
            What::Timeline(timeline) => Some(timeline),
            _ => None,
        });
        last.unwrap_or(1)
    }

    /// Where its present timeline begins.
    pub fn switched_at(&self) -> Option<u64> {
        self.log.iter().rposition(|change| matches!(change.what, What::Timeline(_))).map(|at| at as u64)
    }

    pub fn has_ledger(&self) -> bool {
        let last = self.log.iter().rev().find_map(|change| match change.what {
            What::Ledger(there) => Some(there),
            _ => None,
        });
        last.unwrap_or(false)
    }

    pub fn rows(&self) -> BTreeMap<u64, u32> {
        let mut rows = BTreeMap::new();
        for change in &self.log {
            match change.what {
                What::Row(id) => *rows.entry(id).or_default() += 1,
                What::Ledger(_) => rows.clear(),
                What::Timeline(_) => {}
            }
        }
        rows
    }

    /// Whether its history is the beginning of the other's.
    pub fn is_behind(&self, other: &Self) -> bool {
        let last = self.log.last().map(|change| change.serial);
        last.is_none() || other.log.get(self.log.len() - 1).map(|change| change.serial) == last
    }

    /// Forgets what the other does not have; says whether there was any such thing.
    pub fn rewind(&mut self, other: &[Change]) -> bool {
        let common = self.log.iter().zip(other).take_while(|(ours, theirs)| ours.serial == theirs.serial).count();
        let diverged = common < self.log.len();
        self.log.truncate(common);
        diverged
    }
}
