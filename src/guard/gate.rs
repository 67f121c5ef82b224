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
/// Names all that stand in the way. A shut gate decides: exit code 3 with the hint of the first, and what could not be
/// asked is said beside it; 4 where nothing is known but that a gate could not be asked. An override that names no gate at
/// all is a usage error, so that a misspelt one is not taken for a pass.
pub fn refusal(gates: &[Gate], overrides: &[Override]) -> Result<(), Error> {
    let standing = gates.iter().filter(|gate| overrides.iter().all(|o| o.gate != gate.name));
    let (mut shut, mut unasked) = (Vec::new(), Vec::new());
    for gate in standing {
        match &gate.answer {
            Answer::Shut { why, mend } => shut.push((format!("{}: {why}", gate.name), mend)),
            Answer::Unreachable { why, mend } => unasked.push((format!("{}: {why}", gate.name), mend)),
            Answer::Open { .. } | Answer::Later { .. } => {}
        }
    }
    let all = |told: &[(String, &String)]| told.iter().map(|(what, _)| what.as_str()).collect::<Vec<_>>().join("; ");
    // Where the platform does not answer, the gates behind it were not asked, and an override may name one of those.
    let unknown = overrides.iter().find(|o| gates.iter().all(|gate| gate.name != o.gate));
    if let Some(unknown) = unknown.filter(|_| unasked.is_empty()) {
        let names: Vec<_> = gates.iter().map(|gate| gate.name.as_str()).collect();
        return Err(Error::usage(
            format!("no gate is called `{}`", unknown.gate),
            format!("the gates are {}", names.join(", ")),
        ));
    }
    match (shut.first(), unasked.first()) {
        (None, None) => Ok(()),
        (None, Some((_, mend))) => Err(Error::port(PortError::unreachable("the platform", all(&unasked)), *mend)),
        (Some((_, mend)), None) => Err(Error::Refused { what: all(&shut), mend: (*mend).clone() }),
        (Some((_, mend)), Some(_)) => {
            let what = format!("{}; could not be asked: {}", all(&shut), all(&unasked));
            Err(Error::Refused { what, mend: (*mend).clone() })
        }
    }
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

    #[test]
    fn a_shut_gate_decides_whatever_could_not_be_asked_beside_it() {
        let names = ["one", "two", "three"];
        let gate = |name: &str, kind: usize| match kind {
            0 => Gate::open(name, "found"),
            1 => Gate::later(name, "measured"),
            2 => Gate::shut(name, format!("{name} is shut"), format!("open {name}")),
            _ => Gate::unasked(name, &PortError::unreachable("gateway", "refused"), format!("start {name}")),
        };
        for mixture in 0..4_usize.pow(3) {
            let kinds = [mixture % 4, mixture / 4 % 4, mixture / 16];
            let gates: Vec<_> = names.iter().zip(kinds).map(|(name, kind)| gate(name, kind)).collect();
            for passed in 0..8_usize {
                let is_passed = |at: usize| passed >> at & 1 == 1;
                let overrides: Vec<_> = (0..3)
                    .filter(|at| is_passed(*at))
                    .map(|at| Override { gate: names[at].to_owned(), reason: "incident 42".to_owned() })
                    .collect();
                let standing = |kind: usize| (0..3).filter(move |at| kinds[*at] == kind && !is_passed(*at));
                let case = format!("{kinds:?} past {overrides:?}");
                match refusal(&gates, &overrides) {
                    Ok(()) => assert_eq!(standing(2).chain(standing(3)).count(), 0, "{case}"),
                    Err(Error::Refused { what, mend }) => {
                        let first = standing(2).next().unwrap();
                        assert_eq!(mend, format!("open {}", names[first]), "{case}");
                        assert!(what.starts_with(&format!("{}: ", names[first])), "{case}: {what}");
                        for at in standing(2).chain(standing(3)) {
                            assert!(what.contains(&format!("{}: ", names[at])), "{case}: {what}");
                        }
                    }
                    Err(other) => {
                        assert_eq!(other.exit(), Exit::Unreachable, "{case}");
                        assert_eq!(standing(2).count(), 0, "{case}");
                        assert!(standing(3).count() > 0, "{case}");
                    }
                }
            }
        }
    }
}
