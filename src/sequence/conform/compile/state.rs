//! The calls that are open at one place of a diagram, and how branches of a fragment come together again.

use std::collections::BTreeMap;

use super::plan::FrameId;
use crate::sequence::mermaid::sequence::Who;

/// How many calls are remembered; older ones are taken for closed, so that the work stays linear.
const REMEMBERED: usize = 64;

/// Who is waited for, and where the wait ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    Frame(FrameId),
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
    /// Whether nobody waits for its end.
    pub handed: bool,
    /// Whether it was handed on in one branch of what is over: who goes on there is asked for elsewhere first.
    pub aside: bool,
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
    /// The innermost frame of a participant that is open, of those that are aside or of the others.
    pub fn innermost(&self, who: Who, aside: bool) -> Option<FrameId> {
        self.open.iter().rev().find(|open| open.to == who && open.aside == aside).map(|open| open.frame)
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

    /// Closes a call, and all that were opened within it; one that its caller made beside it stays open.
    pub fn end(&mut self, at: usize) {
        let later = self.open.split_off(at);
        let Some(answered) = later.first().copied() else { return };
        let mut within = vec![answered.frame];
        for open in later {
            let nested = matches!(open.waits, Waits::Frame(caller) if within.contains(&caller));
            if open == answered || nested {
                within.push(open.frame);
                self.closed.insert(open.to, open.frame);
            } else {
                self.open.push(open);
            }
        }
        if self.answered.len() >= REMEMBERED {
            self.answered.remove(0);
        }
        self.answered.push(answered);
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
                self.begin(Open { aside: open.aside || open.handed, ..*open });
            }
        }
        let surplus = self.answered.len().saturating_sub(REMEMBERED);
        self.answered.drain(..surplus);
    }
}
