//! The calls that are open at one place of a diagram, and how branches of a fragment come together again.

use std::collections::BTreeMap;

use super::plan::FrameId;
use crate::sequence::mermaid::sequence::Who;

/// How many calls are remembered; older ones are taken for closed, so that the work stays linear.
const REMEMBERED: usize = 64;

/// Who is waited for, and where the wait ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// A frame of the caller.
    Frame(FrameId),
    /// A stimulus, by its part.
    Part(usize),
}

/// A call without a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    pub from: Who,
    pub to: Who,
    /// The message that calls.
    pub message: usize,
    pub frame: FrameId,
    pub waits: Waits,
}

/// The standing of all calls.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// Calls without a reply, the latest last.
    pub open: Vec<Open>,
    /// Calls that were answered, the latest last.
    pub answered: Vec<Open>,
    /// The frame that each participant closed last.
    pub closed: BTreeMap<Who, FrameId>,
}

impl State {
    /// The innermost frame of a participant, or the one that it closed last.
    pub fn frame(&self, who: Who) -> Option<FrameId> {
        self.open
            .iter()
            .rev()
            .find(|open| open.to == who)
            .map(|open| open.frame)
            .or_else(|| self.closed.get(&who).copied())
    }

    /// The latest open call from one to the other.
    pub fn waiting(&self, from: Who, to: Who) -> Option<usize> {
        self.open.iter().rposition(|open| (open.from, open.to) == (from, to))
    }

    /// Opens a call.
    pub fn begin(&mut self, open: Open) {
        self.answered.retain(|known| (known.from, known.to) != (open.from, open.to));
        if self.open.len() >= REMEMBERED {
            let oldest = self.open.remove(0);
            self.closed.insert(oldest.to, oldest.frame);
        }
        self.open.push(open);
    }

    /// Closes a call, and all that were opened within it.
    pub fn end(&mut self, at: usize) {
        let ended: Vec<Open> = self.open.drain(at..).collect();
        for open in &ended {
            self.closed.insert(open.to, open.frame);
        }
        if let Some(answered) = ended.first() {
            if self.answered.len() >= REMEMBERED {
                self.answered.remove(0);
            }
            self.answered.push(*answered);
        }
    }

    /// What stands behind branches that all began here: a call is answered where all branches answered it.
    ///
    /// Returns the calls that only some branches answered, with these branches.
    pub fn join(&mut self, branches: &[Self]) -> Vec<(Open, Vec<usize>)> {
        let mut partly = Vec::new();
        let before = std::mem::take(&mut self.open);
        for open in &before {
            let by: Vec<usize> = (0..branches.len()).filter(|at| !branches[*at].open.contains(open)).collect();
            if by.len() < branches.len() {
                self.open.push(*open);
                if !by.is_empty() {
                    partly.push((*open, by));
                }
            }
        }
        for branch in branches {
            for answered in &branch.answered {
                if !self.open.contains(answered) && !self.answered.contains(answered) {
                    self.answered.push(*answered);
                }
            }
            self.closed.extend(branch.closed.iter().map(|(who, frame)| (*who, *frame)));
            for open in branch.open.iter().filter(|open| !before.contains(open)) {
                self.begin(*open);
            }
        }
        let surplus = self.answered.len().saturating_sub(REMEMBERED);
        self.answered.drain(..surplus);
        partly
    }

    /// What stands behind parallel branches that all began here: a call is answered where one of them answered it.
    pub fn join_parallel(&mut self, branches: &[Self]) {
        let before = std::mem::take(&mut self.open);
        for open in &before {
            if branches.iter().all(|branch| branch.open.contains(open)) {
                self.open.push(*open);
            } else {
                self.closed.insert(open.to, open.frame);
            }
        }
        for branch in branches {
            for answered in &branch.answered {
                if !self.answered.contains(answered) {
                    self.answered.push(*answered);
                }
            }
            self.closed.extend(branch.closed.iter().map(|(who, frame)| (*who, *frame)));
            for open in branch.open.iter().filter(|open| !before.contains(open)) {
                self.begin(*open);
            }
        }
        let surplus = self.answered.len().saturating_sub(REMEMBERED);
        self.answered.drain(..surplus);
    }
}
