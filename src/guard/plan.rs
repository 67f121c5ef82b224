//! A plan: what will be done, in which order, as data that any later process can carry on from.

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    model::{HumanDuration, Target},
};

/// What one run is going to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The operation, such as `switchover`; whoever recovers the run builds its ports from this name.
    pub operation: String,
    /// What is locked while it runs.
    pub target: Target,
    /// One line for people.
    pub title: String,
    /// The platform document as it was resolved, secrets by name only.
    pub platform: serde_json::Value,
    /// What the operation wants to know of itself when it is rebuilt.
    pub spec: serde_json::Value,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Where it goes when it cannot see.
    #[serde(rename = "blind")]
    pub no_data: NoData,
    /// Who puts things back when the operator dies.
    pub guard: Strength,
    /// How long the operator may be silent before the guardian acts.
    pub ttl: HumanDuration,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// A name that is unique in the plan, such as `shift to 25 %`.
    pub name: String,
    /// What the step does.
    pub action: Action,
}

impl Step {
    /// A step that writes a value at a key.
    ///
    /// # Errors
    /// Where the value cannot be written down.
    pub fn change(name: String, key: &str, to: &impl Serialize, only_if_clean: Option<String>) -> Result<Self, Error> {
        Ok(Self { name, action: Action::Change { key: key.to_owned(), to: value(to)?, only_if_clean } })
    }

    /// A step that looks until it is clear how things stand.
    ///
    /// # Errors
    /// Where what is looked at cannot be written down.
    pub fn watch(name: String, what: &impl Serialize) -> Result<Self, Error> {
        Ok(Self { name, action: Action::Watch { what: value(what)? } })
    }
}

/// A value as plans and journals keep it. One that cannot be written down is an error and never `null`: whoever goes back
/// would take that for what stood there.
///
/// # Errors
/// Where it has no form in JSON.
pub fn value(what: &impl Serialize) -> Result<serde_json::Value, Error> {
    serde_json::to_value(what).map_err(|e| Error::Store {
        place: "a value for the journal".to_owned(),
        why: e.to_string(),
        hint: "this is a fault of interlock; please report it".to_owned(),
    })
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// Writes a value; what stood there before is captured first, and can be put back.
    Change {
        /// Names what is written, such as `weights`. Steps with the same key are undone as one.
        key: String,
        /// The value that will stand there.
        to: serde_json::Value,
        /// The name of a watch that has to pass without reserve, or this step is skipped.
        only_if_clean: Option<String>,
    },
    /// Looks, again and again, until it is clear how things stand. Changes nothing.
    Watch {
        /// What is looked at; the operation's business.
        what: serde_json::Value,
    },
}

/// Where an operation goes when it cannot see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoData {
    /// Leave things as they are and ask a person.
    Hold,
    /// Take the change back.
    Remove,
}

/// Who puts things back when the operator dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strength {
    /// A guardian in the cluster: survives this machine.
    InCluster,
    /// A process on this machine: survives the command and its terminal, not the machine.
    Local,
    /// Nobody.
    None,
}

impl std::fmt::Display for Strength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::InCluster => "in-cluster",
            Self::Local => "local",
            Self::None => "none",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_cannot_be_written_down_is_an_error_and_not_null() {
        let keyed_by_pairs = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(value(&keyed_by_pairs).is_err());
        assert!(Step::change("shift".to_owned(), "weights", &keyed_by_pairs, None).is_err());
        assert!(Step::watch("look".to_owned(), &keyed_by_pairs).is_err());
        assert_eq!(value(&Option::<u8>::None).unwrap(), serde_json::Value::Null, "null itself is a value");
    }
}
