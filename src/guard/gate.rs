//! Gates: what has to hold before anything is touched, and how a person goes past one.

use serde::{Deserialize, Serialize};

use crate::{error::Error, ports::PortError};

/// A gate and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Its name, as `--override` takes it.
    pub name: String,
    /// What it says.
    pub answer: Answer,
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Answer {
    /// Go on.
    Open {
        /// What was found.
        found: String,
    },
    /// Cannot be said before the run; it is measured as the run's first step, before anything is touched.
    Later {
        /// What will be measured.
        what: String,
    },
    /// No.
    Shut {
        /// Why.
        why: String,
        /// What to do about it.
        mend: String,
    },
    /// Cannot be asked: the platform or its metrics do not answer.
    Unreachable {
        /// What the connection said.
        why: String,
        /// What to do about it.
        mend: String,
    },
}

/// A person's word that a gate is to be passed all the same. It is journalled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The gate.
    pub gate: String,
    /// Why, in the person's words.
    pub reason: String,
}

impl Gate {
    /// An open gate.
    pub fn open(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), answer: Answer::Open { found: found.into() } }
    }

    /// A shut gate.
    pub fn shut(name: &str, why: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name: name.to_owned(), answer: Answer::Shut { why: why.into(), mend: mend.into() } }
    }

    /// A gate that is measured as the run's first step.
    pub fn later(name: &str, what: impl Into<String>) -> Self {
        Self { name: name.to_owned(), answer: Answer::Later { what: what.into() } }
    }

    /// The gate's answer when a port failed: a platform that did not answer leaves it unasked, any answer shuts it.
    pub fn failed(name: &str, error: &PortError, mend: impl Into<String>) -> Self {
        match error {
            PortError::Unreachable { .. } => Self::unasked(name, error, mend),
            _ => Self::shut(name, error.to_string(), mend),
        }
    }

    /// A gate that could not be asked: nobody answered, or nothing that could be understood.
    pub fn unasked(name: &str, error: &PortError, mend: impl Into<String>) -> Self {
        Self { name: name.to_owned(), answer: Answer::Unreachable { why: error.to_string(), mend: mend.into() } }
    }

    /// Whether the gate stands in the way.
    #[must_use]
    pub const fn is_shut(&self) -> bool {
        matches!(self.answer, Answer::Shut { .. } | Answer::Unreachable { .. })
    }
}

/// The error that the gates end in, if one is shut and not overridden.
///
/// # Errors
/// Names all that stand in the way; exit code 4 if one of them could not be asked, else 3. An override that names no
/// gate at all is a usage error, so that a misspelt one is not taken for a pass.
pub fn refusal(gates: &[Gate], overrides: &[Override]) -> Result<(), Error> {
    let shut: Vec<_> =
        gates.iter().filter(|gate| gate.is_shut() && overrides.iter().all(|o| o.gate != gate.name)).collect();
    let told = |gate: &&Gate| match &gate.answer {
        Answer::Shut { why, mend } => Some((format!("{}: {why}", gate.name), mend.clone(), None)),
        Answer::Unreachable { why, mend } => Some((format!("{}: {why}", gate.name), mend.clone(), Some(why.clone()))),
        _ => None,
    };
    let told: Vec<_> = shut.iter().filter_map(told).collect();
    let what = told.iter().map(|(what, ..)| what.as_str()).collect::<Vec<_>>().join("; ");
    // Of those that decide on the exit code, the first.
    let first = told.iter().find(|(_, _, unreachable)| unreachable.is_some()).or(told.first());
    let mend = first.map(|(_, mend, _)| mend.clone()).unwrap_or_default();
    // Where the platform does not answer, the gates behind it were not asked, and an override may name one of those.
    if told.iter().any(|(_, _, unreachable)| unreachable.is_some()) {
        return Err(Error::port(PortError::unreachable("the platform", what), mend));
    }
    if let Some(unknown) = overrides.iter().find(|o| gates.iter().all(|gate| gate.name != o.gate)) {
        let names: Vec<_> = gates.iter().map(|gate| gate.name.as_str()).collect();
        return Err(Error::usage(
            format!("no gate is called `{}`", unknown.gate),
            format!("the gates are {}", names.join(", ")),
        ));
    }
    if told.is_empty() { Ok(()) } else { Err(Error::Refused { what, mend }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    #[test]
    fn a_shut_gate_refuses_unless_it_is_overridden_by_its_name() {
        let gates = [Gate::open("lock", "free"), Gate::shut("freeze", "holidays", "wait")];
        assert_eq!(refusal(&gates, &[]).unwrap_err().exit(), Exit::Refused);
        let past = |gate: &str| [Override { gate: gate.to_owned(), reason: "incident 42".to_owned() }];
        assert!(refusal(&gates, &past("freeze")).is_ok());
        assert_eq!(refusal(&gates, &past("freze")).unwrap_err().exit(), Exit::Invalid);
        assert_eq!(refusal(&gates, &past("lock")).unwrap_err().exit(), Exit::Refused);
    }

    #[test]
    fn what_cannot_be_asked_is_told_apart_from_a_no() {
        let gates = [Gate::failed("replicas", &PortError::unreachable("gateway", "refused"), "start it")];
        assert_eq!(refusal(&gates, &[]).unwrap_err().exit(), Exit::Unreachable);
        for answered in [PortError::odd("gateway", "a third slot"), PortError::NotFound { what: "slot".to_owned() }] {
            let gates = [Gate::failed("weights", &answered, "mend it")];
            assert_eq!(refusal(&gates, &[]).unwrap_err().exit(), Exit::Refused);
        }
    }
}
