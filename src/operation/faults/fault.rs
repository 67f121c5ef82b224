//! What there is to know of one fault, and the questions to all of them.

use std::borrow::Cow;

use super::FAULTS;
use crate::{
    model::Victim,
    ports::{Act, HostState},
};

/// When a fault is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// With the failover, and after a length of time at the earliest.
    WithFailover,
    /// After a length of time.
    AfterTime,
}

/// One fault of a host.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// As drills ask for it; faults of the same method are told apart by their victims.
    pub method: &'static str,
    /// What of the host it befalls.
    pub victim: Victim,
    /// What its method does to the primary, for whoever writes a drill.
    pub about: &'static str,
    /// What is done to a host, which follows: `power off`.
    pub verb: &'static str,
    /// What a host is then: `powered off`.
    pub said: &'static str,
    /// The acts that inject it.
    pub inject: &'static [Act],
    /// When it is taken back.
    pub ends: Ends,
}

impl Fault {
    /// The state into which it brings a host.
    #[must_use]
    pub const fn state(&self) -> HostState {
        HostState::of(self.inject)
    }
}

/// The fault that a method and its victim ask for.
#[must_use]
pub fn asked_by(method: &str, victim: Victim) -> Option<&'static Fault> {
    FAULTS.iter().copied().find(|fault| fault.method == method && fault.victim == victim)
}

/// Each method once, with the first fault that it asks for.
pub fn methods() -> impl Iterator<Item = &'static Fault> {
    let is_first = |at: usize| FAULTS.iter().position(|other| other.method == FAULTS[at].method) == Some(at);
    FAULTS.iter().copied().enumerate().filter(move |(at, _)| is_first(*at)).map(|(_, fault)| fault)
}

/// A host's state for people.
#[must_use]
pub fn said(state: HostState) -> Cow<'static, str> {
    match FAULTS.iter().find(|fault| fault.state() == state) {
        Some(fault) => fault.said.into(),
        None => state.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_asked_for_in_one_way_and_leaves_a_state_of_its_own() {
        for (at, fault) in FAULTS.iter().enumerate() {
            assert_eq!(asked_by(fault.method, fault.victim), Some(*fault), "{fault:?}");
            assert_ne!(fault.state(), HostState::Running, "{fault:?}");
            assert!(FAULTS[..at].iter().all(|other| other.state() != fault.state()), "{fault:?}");
            assert_eq!(said(fault.state()), fault.said);
            assert!(!["switchover", "promote"].contains(&fault.method), "{fault:?}");
        }
    }

    #[test]
    fn each_method_takes_a_whole_host_unless_a_victim_is_named_and_all_its_faults_end_alike() {
        for first in methods() {
            assert_eq!(first.victim, Victim::Host, "{first:?}");
            assert!(FAULTS.iter().filter(|other| other.method == first.method).all(|other| other.ends == first.ends));
        }
    }

    #[test]
    fn a_state_that_no_fault_makes_is_said_by_its_acts() {
        assert_eq!(said(HostState::Running), "running");
        assert_eq!(said(HostState::of(&[Act::KillDatabase, Act::StallDisk])), "crashed+stalled");
    }
}
