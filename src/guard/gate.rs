//! Gates: what has to hold before anything is touched, and how a person goes past one.

use serde::{Deserialize, Serialize};

use crate::{error::Error, ports::PortError};

/// The gate that nobody goes past: a target has one run at a time.
const LOCK: &str = "lock";

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
        #[serde(rename = "mend")]
        hint: String,
    },
    /// Cannot be asked: the platform or its metrics do not answer.
    Unreachable {
        /// What the connection said.
        why: String,
        /// What to do about it.
        #[serde(rename = "mend")]
        hint: String,
    },
    /// Was not asked, since another gate has to be open first. Nobody knows what stands behind it, so nobody passes it.
    NotAsked {
        /// What has to hold before it can be asked.
        why: String,
    },
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open { found } => write!(f, "open ({found})"),
            Self::Later { what } => write!(f, "measured at run ({what})"),
            Self::Shut { why, .. } => write!(f, "shut ({why})"),
            Self::Unreachable { why, .. } => write!(f, "unreachable ({why})"),
            Self::NotAsked { why } => write!(f, "not asked ({why})"),
        }
    }
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
    pub fn shut(name: &str, why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name: name.to_owned(), answer: Answer::Shut { why: why.into(), hint: hint.into() } }
    }

    /// A gate that is measured as the run's first step.
    pub fn later(name: &str, what: impl Into<String>) -> Self {
        Self { name: name.to_owned(), answer: Answer::Later { what: what.into() } }
    }

    /// The gate's answer when a port failed: a platform that did not answer leaves it unasked, any answer shuts it.
    pub fn failed(name: &str, error: &PortError, hint: impl Into<String>) -> Self {
        match error {
            PortError::Unreachable { .. } => Self::unasked(name, error, hint),
            _ => Self::shut(name, error.to_string(), hint),
        }
    }

    /// A gate that could not be asked: nobody answered, or nothing that could be understood.
    pub fn unasked(name: &str, error: &PortError, hint: impl Into<String>) -> Self {
        Self { name: name.to_owned(), answer: Answer::Unreachable { why: error.to_string(), hint: hint.into() } }
    }

    /// A gate that was not asked, with what has to hold first.
    pub fn not_asked(name: &str, why: impl Into<String>) -> Self {
        Self { name: name.to_owned(), answer: Answer::NotAsked { why: why.into() } }
    }

    /// What to do about a gate that is shut: how it opens, and how it is gone past. Nobody goes past another run's lock.
    #[must_use]
    pub fn advice(&self) -> String {
        match &self.answer {
            Answer::Shut { hint, .. } | Answer::Unreachable { hint, .. } if self.name == LOCK => hint.clone(),
            Answer::Shut { hint, .. } | Answer::Unreachable { hint, .. } => {
                format!("{hint}; or go past it: --override {} --reason TEXT", self.name)
            }
            Answer::Open { .. } | Answer::Later { .. } | Answer::NotAsked { .. } => String::new(),
        }
    }

    /// Whether the gate stands in the way.
    #[must_use]
    pub const fn is_shut(&self) -> bool {
        matches!(self.answer, Answer::Shut { .. } | Answer::Unreachable { .. } | Answer::NotAsked { .. })
    }
}

/// The error that the gates end in, if one is shut and not overridden.
///
/// # Errors
/// Names all that stand in the way. A shut gate decides: exit code 3 with the hint of each, and what could not be
/// asked is said beside it; 4 where nothing is known but that a gate could not be asked. A gate that was not asked is
/// passed by no override, neither of its own name nor of another. An override that names no gate at all is a usage error,
/// so that a misspelt one is not taken for a pass.
pub fn refusal(gates: &[Gate], overrides: &[Override]) -> Result<(), Error> {
    let is_overridden = |gate: &Gate| overrides.iter().any(|o| o.gate == gate.name);
    if let Some(unknown) = overrides.iter().find(|o| gates.iter().all(|gate| gate.name != o.gate)) {
        let names: Vec<_> = gates.iter().map(|gate| gate.name.as_str()).collect();
        return Err(Error::usage(
            format!("no gate is called `{}`", unknown.gate),
            format!("the gates are {}", names.join(", ")),
        ));
    }
    let (mut shut, mut unreachable) = (Vec::new(), Vec::new());
    for gate in gates.iter().filter(|gate| !is_overridden(gate)) {
        match &gate.answer {
            Answer::Shut { why, .. } => shut.push((format!("{}: {why}", gate.name), gate.advice())),
            Answer::Unreachable { why, .. } => unreachable.push((format!("{}: {why}", gate.name), gate.advice())),
            Answer::Open { .. } | Answer::Later { .. } | Answer::NotAsked { .. } => {}
        }
    }
    let not_asked = not_asked(gates, is_overridden);
    let all = |told: &[(String, String)]| told.iter().map(|(what, _)| what.as_str()).collect::<Vec<_>>().join("; ");
    let hints = |told: &[(String, String)]| told.iter().map(|(_, hint)| hint.as_str()).collect::<Vec<_>>().join("\n");
    let beside = not_asked.as_ref().map(|told| format!("; {told}")).unwrap_or_default();
    match (shut.is_empty(), unreachable.is_empty(), not_asked) {
        (true, true, None) => Ok(()),
        (true, true, Some(what)) => {
            let hint = "open the gates before them first: what nobody has asked cannot be overridden";
            Err(Error::Refused { what, hint: hint.to_owned() })
        }
        (true, false, _) => {
            let why = format!("{}{beside}", all(&unreachable));
            Err(Error::port(PortError::unreachable("the platform", why), hints(&unreachable)))
        }
        (false, true, _) => Err(Error::Refused { what: format!("{}{beside}", all(&shut)), hint: hints(&shut) }),
        (false, false, _) => {
            let what = format!("{}; could not be asked: {}{beside}", all(&shut), all(&unreachable));
            shut.append(&mut unreachable);
            Err(Error::Refused { what, hint: hints(&shut) })
        }
    }
}

/// The gates that were not asked, by what has to hold first, and which of them an override names in vain.
fn not_asked(gates: &[Gate], is_overridden: impl Fn(&Gate) -> bool) -> Option<String> {
    let mut told: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut in_vain = Vec::new();
    for gate in gates {
        let Answer::NotAsked { why } = &gate.answer else { continue };
        match told.iter_mut().find(|(known, _)| known == why) {
            Some((_, names)) => names.push(&gate.name),
            None => told.push((why, vec![&gate.name])),
        }
        if is_overridden(gate) {
            in_vain.push(format!("`{}` was not asked, so it cannot be overridden", gate.name));
        }
    }
    let told = told.iter().map(|(why, names)| format!("not asked: {} ({why})", names.join(", ")));
    let told = in_vain.into_iter().chain(told).collect::<Vec<_>>().join("; ");
    (!told.is_empty()).then_some(told)
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
        for answered in
            [PortError::unexpected("gateway", "a third slot"), PortError::NotFound { what: "slot".to_owned() }]
        {
            let gates = [Gate::failed("weights", &answered, "fix it")];
            assert_eq!(refusal(&gates, &[]).unwrap_err().exit(), Exit::Refused);
        }
    }

    #[test]
    fn a_gate_that_was_not_asked_is_passed_by_no_override() {
        let gates = [
            Gate::shut("nodes", "pg2: refused", "bring it up"),
            Gate::not_asked("primary", "every node has to answer first"),
            Gate::not_asked("slots", "every node has to answer first"),
        ];
        let past = |names: &[&str]| -> Vec<_> {
            names.iter().map(|gate| Override { gate: (*gate).to_owned(), reason: "incident 42".to_owned() }).collect()
        };
        let refused = |names: &[&str]| {
            let error = refusal(&gates, &past(names)).unwrap_err();
            assert_eq!(error.exit(), Exit::Refused, "{error}");
            format!("{error} -> {}", error.hint())
        };
        insta::assert_snapshot!(refused(&[]), @"refused: nodes: pg2: refused; not asked: primary, slots (every node has to answer first) -> bring it up; or go past it: --override nodes --reason TEXT");
        insta::assert_snapshot!(refused(&["nodes"]), @"refused: not asked: primary, slots (every node has to answer first) -> open the gates before them first: what nobody has asked cannot be overridden");
        insta::assert_snapshot!(refused(&["nodes", "primary", "slots"]), @"refused: `primary` was not asked, so it cannot be overridden; `slots` was not asked, so it cannot be overridden; not asked: primary, slots (every node has to answer first) -> open the gates before them first: what nobody has asked cannot be overridden");
    }

    #[test]
    fn a_shut_gate_decides_whatever_could_not_be_asked_beside_it() {
        let names = ["one", "two", "three"];
        let gate = |name: &str, kind: usize| match kind {
            0 => Gate::open(name, "found"),
            1 => Gate::later(name, "measured"),
            2 => Gate::shut(name, format!("{name} is shut"), format!("open {name}")),
            3 => Gate::unasked(name, &PortError::unreachable("gateway", "refused"), format!("start {name}")),
            _ => Gate::not_asked(name, format!("{name}: asked later")),
        };
        for mixture in 0..5_usize.pow(3) {
            let kinds = [mixture % 5, mixture / 5 % 5, mixture / 25];
            let gates: Vec<_> = names.iter().zip(kinds).map(|(name, kind)| gate(name, kind)).collect();
            for passed in 0..8_usize {
                let is_passed = |at: usize| passed >> at & 1 == 1;
                let overrides: Vec<_> = (0..3)
                    .filter(|at| is_passed(*at))
                    .map(|at| Override { gate: names[at].to_owned(), reason: "incident 42".to_owned() })
                    .collect();
                let standing =
                    |kind: usize| (0..3).filter(move |at| kinds[*at] == kind && (kind == 4 || !is_passed(*at)));
                let case = format!("{kinds:?} past {overrides:?}");
                match refusal(&gates, &overrides) {
                    Ok(()) => assert_eq!(standing(2).chain(standing(3)).chain(standing(4)).count(), 0, "{case}"),
                    Err(Error::Refused { what, hint }) => {
                        for at in standing(2).chain(standing(3)).filter(|_| standing(2).next().is_some()) {
                            let own = if kinds[at] == 2 { "open" } else { "start" };
                            let past = format!("--override {} --reason TEXT", names[at]);
                            let own = format!("{own} {}; or go past it: {past}", names[at]);
                            assert!(hint.lines().any(|line| line == own), "{case}: {hint}");
                        }
                        match standing(2).next() {
                            Some(first) => {
                                assert!(what.starts_with(&format!("{}: ", names[first])), "{case}: {what}");
                            }
                            None => assert!(standing(3).count() == 0 && standing(4).count() > 0, "{case}"),
                        }
                        for at in standing(2).chain(standing(3)).chain(standing(4)) {
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
