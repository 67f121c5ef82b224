//! What the guard writes into the journal, one entry for each thing that happened.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Gate, Outcome, Override, Plan, Snapshot, Verdict, value};
use crate::{
    error::Error,
    journal::{Draft, Milestone, Owner, Record},
    model::{Target, Timestamp},
    ports::Means,
};

/// In which role a process became the owner of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Began it.
    Operator,
    /// Took it over because the operator was gone: puts things back, or watches over a held run.
    Guardian,
    /// A person asked for recovery: puts things back.
    Recover,
    /// A person asked to go on.
    Resume,
    /// A person asked to end it: puts things back.
    Abort,
}

/// How a person lets a run go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resume {
    /// From where it stopped.
    Continue,
    /// Take what is being watched for good.
    Keep,
    /// Put everything back.
    Undo,
    /// Watch again, with all the time the plan gives.
    Watch,
}

/// How a person settled a stuck run by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Settled {
    /// The change stays.
    Kept,
    /// The change was taken back by hand.
    Undone,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Entry {
    /// The run was opened with this plan.
    Planned {
        /// The whole plan.
        plan: Box<Plan>,
    },
    /// A gate was asked.
    Gated {
        /// The gate and its answer.
        gate: Gate,
        /// Who went past a refusal, and why.
        overridden: Option<Override>,
    },
    /// A process became the owner; or began a new epoch of its own, before it puts things back.
    Owned {
        /// The process.
        owner: Owner,
        /// In which role.
        role: Role,
    },
    /// The value before a change was read; the change may follow from here on.
    Captured {
        /// The step.
        step: usize,
        /// What stood at its key.
        prior: Value,
        /// What tells the object from any other that will ever have its name, where its platform knows such a thing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<String>,
    },
    /// Something is about to be done for a step that no epoch can hold back.
    Intended {
        /// The step; of a step that is put back, the first one with its key.
        step: usize,
        /// By what.
        means: Means,
    },
    /// What was intended for a step is over for certain, and has done nothing more since.
    Over {
        /// The step.
        step: usize,
        /// By what.
        means: Means,
    },
    /// A step cannot be put back before another key has another value: what stands there was read, and the write may follow from
    /// here on.
    Prepared {
        /// The first step with the key that goes back.
        step: usize,
        /// The key that is written.
        key: String,
        /// What stood there.
        prior: Value,
        /// What is written.
        to: Value,
    },
    /// The change was made.
    Applied {
        /// The step.
        step: usize,
    },
    /// A step could not be done, or not be seen to be done.
    Failed {
        /// The step.
        step: usize,
        /// Why.
        why: String,
    },
    /// A step was left out, as planned.
    Skipped {
        /// The step.
        step: usize,
        /// Why.
        why: String,
    },
    /// A look was taken.
    #[serde(rename = "looked")]
    Observed {
        /// The step.
        step: usize,
        /// How long the look took, and those before it that are not recorded, in milliseconds.
        ms: u64,
        /// How things stand.
        verdict: Verdict,
        /// For people.
        line: String,
        /// All that was found so far, but for what is kept apart.
        evidence: Value,
        /// The snapshot of what is kept apart that goes with this look and those after it, where it is a new one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        snapshot: Option<Snapshot>,
    },
    /// The value from before the step was put back, or found in place.
    Undone {
        /// The first step with its key.
        step: usize,
    },
    /// The value from before the step could not be put back.
    Stuck {
        /// The first step with its key.
        step: usize,
        /// Why, and what was found.
        why: String,
    },
    /// The run stays as it is until a person decides.
    Held {
        /// What could not be seen.
        why: String,
    },
    /// A person let the run go on.
    Resumed {
        /// How.
        how: Resume,
    },
    /// The run was told to end.
    Interrupted {
        /// By what.
        why: String,
    },
    /// A person settled a stuck or held run by hand.
    Resolved {
        /// As what.
        settled: Settled,
        /// In the person's words.
        reason: String,
    },
    /// People were told.
    Notified {
        /// The receiver.
        receiver: String,
        /// Why it failed, if it did.
        failed: Option<String>,
    },
    /// The run has come to its end.
    Finished {
        /// How.
        outcome: Outcome,
    },
    /// All records before this one were pruned; it follows the last of them, whose hash it names.
    Pruned {
        /// The plan's title.
        title: String,
        /// What it has changed.
        target: Target,
        /// When it began.
        began: Timestamp,
        /// When it wrote its last record.
        ended: Timestamp,
        /// How it ended.
        outcome: Outcome,
    },
}

impl Entry {
    /// A gate's answer, with the override that goes past it.
    pub(super) fn gated(gate: &Gate, overrides: &[Override]) -> Self {
        let overridden = overrides.iter().find(|o| o.gate == gate.name && gate.is_shut()).cloned();
        Self::Gated { gate: gate.clone(), overridden }
    }

    /// The record to be.
    ///
    /// # Errors
    /// Where it cannot be written as JSON.
    pub fn draft(&self) -> Result<Draft, Error> {
        Ok(Draft { entry: value(self)?, milestone: self.milestone() })
    }

    fn milestone(&self) -> Option<Milestone> {
        Some(match self {
            Self::Planned { plan } => Milestone::Begun { target: plan.target.clone(), title: plan.title.clone() },
            Self::Owned { owner, .. } => Milestone::Owned { owner: owner.clone() },
            Self::Held { why } => Milestone::Held { why: why.clone() },
            Self::Resumed { .. } => Milestone::Resumed,
            Self::Finished { outcome: Outcome::Stuck { why } } => Milestone::Stuck { why: why.clone() },
            Self::Finished { outcome } => Milestone::Ended {
                word: outcome.word(),
                why: outcome.why().to_owned(),
                kept: matches!(outcome, Outcome::Kept { .. }),
            },
            _ => return None,
        })
    }
}

/// Reads how the run stood after a record, where it says so.
#[must_use]
pub fn milestone(record: &Record) -> Option<Milestone> {
    Entry::deserialize(&record.entry).ok()?.milestone()
}

/// Reads the guard's entries out of journal records.
///
/// # Errors
/// [`Error::Tampered`] where a record is none of ours, such as one of a newer release.
pub fn entries(records: &[Record]) -> Result<Vec<Entry>, Error> {
    records
        .iter()
        .map(|record| {
            Entry::deserialize(&record.entry).map_err(|e| Error::Tampered {
                what: format!("record {} has an entry that this release does not know: {e}", record.seq),
                hint: "use the release of interlock that wrote it, or a later one".to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        journal::Digest,
        model::{Epoch, Identity},
    };

    /// Journals of earlier releases know no objects, and those of platforms that have none look like them.
    #[test]
    fn a_capture_without_an_object_is_written_as_it_always_was() {
        let before = json!({ "captured": { "step": 1, "prior": 0 } });
        let entry = Entry::deserialize(&before).unwrap();
        assert_eq!(entry, Entry::Captured { step: 1, prior: json!(0), object: None });
        assert_eq!(entry.draft().unwrap().entry, before);
    }

    /// Stores show how a run stands by these, and rebuild locks of earlier releases from them.
    #[test]
    fn milestones_of_an_entry_and_of_its_record_are_the_same() {
        let outcome = |outcome: Value| json!({ "finished": { "outcome": outcome } });
        let ended = |word, why: &str, kept| Milestone::Ended { word, why: why.to_owned(), kept };
        let process = Identity { pid: 7, start_ticks: 1, boot_id: "b".to_owned() };
        let owner = Owner { host: "laptop".to_owned(), process, user: "sre".to_owned(), pid_namespace: None };
        let owned = json!({ "owned": { "owner": owner, "role": "operator" } });
        let cases = [
            (owned, Some(Milestone::Owned { owner })),
            (outcome(json!({ "kept": { "reserve": null } })), Some(ended("kept", "", true))),
            (outcome(json!({ "kept": { "reserve": "slow" } })), Some(ended("kept", "slow", true))),
            (outcome(json!({ "rolledBack": { "why": "errors" } })), Some(ended("rolled-back", "errors", false))),
            (outcome(json!({ "stuck": { "why": "left" } })), Some(Milestone::Stuck { why: "left".to_owned() })),
            (json!({ "held": { "why": "no data" } }), Some(Milestone::Held { why: "no data".to_owned() })),
            (json!({ "resumed": { "how": "keep" } }), Some(Milestone::Resumed)),
            (json!({ "applied": { "step": 1 } }), None),
        ];
        for (value, expected) in cases {
            let entry = Entry::deserialize(&value).unwrap();
            let draft = entry.draft().unwrap();
            assert_eq!((&draft.entry, &draft.milestone), (&value, &expected));
            let at = "2026-11-21T09:30:00Z".parse().unwrap();
            let record = Record { seq: 0, at, epoch: Epoch(1), prev: Digest::origin(), entry: value };
            assert_eq!(milestone(&record), expected);
        }
    }
}
