//! A record to be, with what a store has to know of it: how the run stands, in words for people and terms for locks.
//!
//! Entries are the guard's, and no store reads them. Whoever appends one says beside it what a store may show.

use serde_json::Value;

use super::{Owner, Record};
use crate::model::Target;

/// What is to be appended.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// What happened, as it will stand in the record.
    pub entry: Value,
    /// What of it a store may show; nothing for most entries. It is not kept: the entry has all of it.
    pub milestone: Option<Milestone>,
}

impl From<Value> for Draft {
    fn from(entry: Value) -> Self {
        Self { entry, milestone: None }
    }
}

/// A turn in the life of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Milestone {
    /// It began.
    Begun {
        /// What it changes.
        target: Target,
        /// The plan's title.
        title: String,
    },
    /// A process became its owner.
    Owned {
        /// The process.
        owner: Owner,
    },
    /// It waits for a person.
    Held {
        /// Why.
        why: String,
    },
    /// A person let it go on.
    Resumed,
    /// It has come to an end, something may be left changed, and its target stays locked for a person.
    Stuck {
        /// What is left, and why.
        why: String,
    },
    /// It is over.
    Ended {
        /// How, in one word.
        word: &'static str,
        /// Why; empty where it went as planned.
        why: String,
        /// Whether the change stays.
        kept: bool,
    },
}

/// Finds the milestone in a record that was written before; for stores whose locks of earlier releases can be rebuilt
/// from journals alone.
pub type ReadMilestone = fn(&Record) -> Option<Milestone>;
