//! Circuit breakers: a service that fails again and again is left alone for a while, then tried once.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::lab::script::declared::Policy;

/// The circuits to all services that are called.
#[derive(Default)]
pub struct Circuits(Mutex<BTreeMap<String, Circuit>>);

impl Circuits {
    /// Lets a call through.
    ///
    /// # Errors
    /// How long the circuit stays open.
    pub fn admit(&self, service: &str, policy: &Policy, now: Instant) -> Result<(), Duration> {
        let mut circuits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        circuits.entry(service.to_owned()).or_default().admit(policy, now)
    }

    /// Notes what came of a call that was let through.
    pub fn note(&self, service: &str, succeeded: bool, policy: &Policy, now: Instant) {
        let mut circuits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let circuit = circuits.entry(service.to_owned()).or_default();
        let before = circuit.name();
        circuit.note(succeeded, policy, now);
        let after = circuit.name();
        if before != after {
            tracing::warn!(peer = service, before, after, "circuit changed");
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Circuit {
    /// Calls go through; so many have failed in a row.
    Closed { failures: u32 },
    /// No call goes through.
    Open { until: Instant },
    /// One call is on its way to find out; if nothing is heard of it until then, another goes.
    HalfOpen { until: Instant },
}

impl Default for Circuit {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Circuit {
    fn admit(&mut self, policy: &Policy, now: Instant) -> Result<(), Duration> {
        match *self {
            Self::Closed { .. } => Ok(()),
            Self::Open { until } | Self::HalfOpen { until } if now < until => Err(until - now),
            Self::Open { .. } | Self::HalfOpen { .. } => {
                *self = Self::HalfOpen { until: now + policy.timeout + policy.cool_down };
                Ok(())
            }
        }
    }

    fn note(&mut self, succeeded: bool, policy: &Policy, now: Instant) {
        *self = match *self {
            _ if succeeded => Self::default(),
            Self::Closed { failures } if failures + 1 < policy.failures => Self::Closed { failures: failures + 1 },
            Self::Closed { .. } | Self::HalfOpen { .. } => Self::Open { until: now + policy.cool_down },
            // A call that was let through before the circuit opened says nothing new.
            open @ Self::Open { .. } => open,
        };
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half-open",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        timeout: Duration::from_secs(1),
        retries: 0,
        back_off: Duration::from_millis(1),
        failures: 3,
        cool_down: Duration::from_secs(2),
    };

    fn open(now: Instant) -> Circuit {
        let mut circuit = Circuit::default();
        (0..3).for_each(|_| circuit.note(false, &POLICY, now));
        circuit
    }

    #[test]
    fn failures_in_a_row_open_it_and_others_do_not() {
        let now = Instant::now();
        assert_eq!(open(now).name(), "open");
        let mut circuit = Circuit::default();
        for succeeded in [false, false, true, false, false] {
            circuit.note(succeeded, &POLICY, now);
        }
        assert_eq!(circuit, Circuit::Closed { failures: 2 });
    }

    #[test]
    fn after_a_while_one_call_finds_out() {
        let now = Instant::now();
        let later = now + POLICY.cool_down;
        for (succeeded, then) in [(true, "closed"), (false, "open")] {
            let mut circuit = open(now);
            assert_eq!(circuit.admit(&POLICY, now), Err(POLICY.cool_down));
            assert_eq!(circuit.admit(&POLICY, later), Ok(()));
            assert!(circuit.admit(&POLICY, later).is_err(), "only one goes");
            circuit.note(succeeded, &POLICY, later);
            assert_eq!(circuit.name(), then);
        }
    }

    #[test]
    fn a_call_of_which_nothing_is_heard_holds_nobody_up() {
        let now = Instant::now();
        let mut circuit = open(now);
        let later = now + POLICY.cool_down;
        assert_eq!(circuit.admit(&POLICY, later), Ok(()));
        assert_eq!(circuit.admit(&POLICY, later + POLICY.timeout + POLICY.cool_down), Ok(()));
    }
}
