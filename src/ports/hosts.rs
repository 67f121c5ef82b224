//! The machines that a database's nodes run on: what a drill does to them, and takes back.

use std::{fmt, str::FromStr, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Fencing, Means, Permit, PortError};
use crate::model::Epoch;

/// A primitive act upon one host. It is in force until the host is brought back to [`HostState::Running`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Cuts the power: nothing runs.
    PowerOff,
    /// Cuts it off: nobody reaches it, and it reaches nobody.
    Partition,
    /// Kills the database; its manager runs on.
    KillDatabase,
    /// Kills the manager; the database runs on.
    KillManager,
    /// Gives nothing any time; connections are accepted all the same.
    Pause,
    /// Lets its disk take no writes.
    StallDisk,
}

impl Act {
    /// All of them, in the order in which those of one state are done.
    pub const ALL: [Self; 6] =
        [Self::PowerOff, Self::Partition, Self::KillDatabase, Self::KillManager, Self::Pause, Self::StallDisk];

    /// What a host is called while the act is in force, in journals, by agents and by commands.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::PowerOff => "down",
            Self::Partition => "partitioned",
            Self::KillDatabase => "crashed",
            Self::KillManager => "orphaned",
            Self::Pause => "paused",
            Self::StallDisk => "stalled",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What a host can be asked for or told; its `Display` is the key of the command that does it in a platform file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// Tells how it stands.
    State,
    /// Brings it back to [`HostState::Running`].
    Run,
    /// Does an act upon it.
    Do(Act),
    /// Tells whether its database sends its changes on.
    Flow,
    /// Stops what sends them, or releases it.
    SetFlow(Flow),
    /// Tells how many bytes are free.
    Free,
    /// Ends its database cleanly.
    Stop,
    /// Starts its database as a follower.
    Follow,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::State => "state",
            Self::Run => "run",
            Self::Do(Act::PowerOff) => "kill",
            Self::Do(Act::Partition) => "partition",
            Self::Do(Act::KillDatabase) => "killDatabase",
            Self::Do(Act::KillManager) => "killManager",
            Self::Do(Act::Pause) => "pause",
            Self::Do(Act::StallDisk) => "stall",
            Self::Flow => "flow",
            Self::SetFlow(Flow::Frozen) => "freeze",
            Self::SetFlow(Flow::Flowing) => "thaw",
            Self::Free => "free",
            Self::Stop => "stop",
            Self::Follow => "follow",
        })
    }
}

/// How one host stands: which acts are in force there. Written as their words, joined by `+` where there are several.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostState(u8);

/// What a host is called where no act is in force.
const RUNNING: &str = "running";

#[expect(non_upper_case_globals, reason = "the states that one act makes read as an enum's variants")]
impl HostState {
    /// Everything runs.
    pub const Running: Self = Self::of(&[]);
    /// Nothing runs: the power is off.
    pub const Down: Self = Self::of(&[Act::PowerOff]);
    /// Nothing gets any time, and connections are accepted all the same.
    pub const Paused: Self = Self::of(&[Act::Pause]);
    /// Nobody reaches it, and it reaches nobody.
    pub const Partitioned: Self = Self::of(&[Act::Partition]);
    /// The database was killed; its manager runs.
    pub const Crashed: Self = Self::of(&[Act::KillDatabase]);
    /// The manager was killed; the database runs.
    pub const Orphaned: Self = Self::of(&[Act::KillManager]);
    /// Its disk takes no writes.
    pub const Stalled: Self = Self::of(&[Act::StallDisk]);
}

impl HostState {
    /// The state in which these acts are in force.
    #[must_use]
    pub const fn of(acts: &[Act]) -> Self {
        let (mut bits, mut rest) = (0, acts);
        while let [act, others @ ..] = rest {
            bits |= act.bit();
            rest = others;
        }
        // A host that is off is nothing else.
        Self(if bits & Act::PowerOff.bit() == 0 { bits } else { Act::PowerOff.bit() })
    }

    /// Whether an act is in force.
    #[must_use]
    pub const fn has(self, act: Act) -> bool {
        self.0 & act.bit() != 0
    }

    /// The acts in force, in the order in which they are done.
    pub fn acts(self) -> impl Iterator<Item = Act> + Clone {
        Act::ALL.into_iter().filter(move |act| self.has(*act))
    }

    /// Whether some of the acts of another state are in force, or all of them, and no others.
    #[must_use]
    pub const fn is_part_of(self, whole: Self) -> bool {
        self.0 != 0 && self.0 & !whole.0 == 0
    }
}

impl fmt::Display for HostState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.acts().map(Act::word).collect();
        f.pad(&if words.is_empty() { RUNNING.to_owned() } else { words.join("+") })
    }
}

impl fmt::Debug for HostState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for HostState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == RUNNING {
            return Ok(Self::Running);
        }
        let act = |word: &str| Act::ALL.into_iter().find(|act| act.word() == word);
        let acts: Option<Vec<Act>> = text.split('+').map(act).collect();
        acts.map(|acts| Self::of(&acts)).ok_or_else(|| {
            let known = Act::ALL.map(|act| format!("`{}`", act.word())).join(", ");
            format!("unknown state `{text}`, expected `{RUNNING}`, or of {known} one or several joined by `+`")
        })
    }
}

impl Serialize for HostState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HostState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Whether a primary sends its changes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Flow {
    /// It does.
    Flowing,
    /// What sends them is stopped.
    Frozen,
}

/// The machines that nodes run on, and those of what coordinates them. Names are those of [`super::Database::nodes`], and
/// such as `etcd`.
///
/// Each call is bounded in time by the adapter. Repeating one changes nothing more.
#[async_trait]
pub trait Hosts: Send + Sync {
    /// The hosts' names.
    fn names(&self) -> Vec<String>;
    /// Whether this host can be given an order. Gates ask this of every order that a run may ever give.
    fn can(&self, host: &str, order: Order) -> bool;
    /// What keeps an order to this host, that is still under way, from being carried out.
    fn fencing(&self, host: &str) -> Fencing;
    /// How a host stands, looked at and not remembered.
    ///
    /// # Errors
    /// Where it cannot be asked.
    async fn state(&self, host: &str) -> Result<HostState, PortError>;
    /// The highest epoch that a host bears, where it knows any.
    ///
    /// # Errors
    /// Where it cannot be asked.
    async fn epoch(&self, host: &str) -> Result<Epoch, PortError> {
        let _ = host;
        Ok(Epoch(0))
    }
    /// Raises the epoch at a host: once this returns, no order of an earlier one is under way there or will be taken. A host
    /// that knows no epochs intends each act, and [`Hosts::settle`] ends it.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has given orders; where the host cannot be asked.
    async fn fence(&self, host: &str, epoch: Epoch) -> Result<(), PortError>;
    /// Brings a host into a state, from whatever it is in. To [`HostState::Running`]: releases, heals and starts; returns once
    /// its processes run, which does not mean that the node takes part again.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has given orders.
    async fn set_state(&self, host: &str, to: HostState, permit: &dyn Permit) -> Result<(), PortError>;
    /// Whether a host's database sends its changes on.
    ///
    /// # Errors
    /// Where it cannot be asked.
    async fn flow(&self, host: &str) -> Result<Flow, PortError>;
    /// Stops or releases what sends a host's changes on.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has given orders.
    async fn set_flow(&self, host: &str, to: Flow, permit: &dyn Permit) -> Result<(), PortError>;
    /// How many bytes are free where a host's database keeps its data; `None` where nothing can tell.
    ///
    /// # Errors
    /// Where it cannot be asked.
    async fn free(&self, host: &str) -> Result<Option<u64>, PortError>;
    /// Ends a host's database as an administrator would: it sends all changes on first. Its host stays up.
    ///
    /// # Errors
    /// Where it does not end in time.
    async fn stop_cleanly(&self, host: &str, permit: &dyn Permit) -> Result<(), PortError>;
    /// Starts a database that is down as a follower of `primary`, rewound to where their histories part, or made anew where
    /// it cannot be. Says how.
    ///
    /// # Errors
    /// Where it cannot be done; with what the tools said.
    async fn start_following(&self, host: &str, primary: &str, permit: &dyn Permit) -> Result<String, PortError>;
    /// Ends what was intended in an earlier term, or waits for its end, at most `within`.
    ///
    /// # Errors
    /// [`PortError::MayAct`] where it still may do something.
    async fn settle(&self, means: &Means, within: Duration) -> Result<(), PortError> {
        let _ = within;
        Err(means.never_used())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_written_as_earlier_releases_did_and_several_acts_by_their_words() {
        let suspended = HostState::of(&[Act::Pause, Act::Partition]);
        let written = [
            (HostState::Running, "running"),
            (HostState::Down, "down"),
            (HostState::Paused, "paused"),
            (HostState::Partitioned, "partitioned"),
            (HostState::Crashed, "crashed"),
            (HostState::Orphaned, "orphaned"),
            (HostState::Stalled, "stalled"),
            (suspended, "partitioned+paused"),
        ];
        for (state, text) in written {
            assert_eq!(serde_json::to_value(state).unwrap(), text);
            assert_eq!(serde_json::from_value::<HostState>(text.into()).unwrap(), state);
        }
        assert_eq!("down+paused".parse(), Ok(HostState::Down), "what is off is nothing else");
        for odd in ["", "up", "paused+", "running+down"] {
            assert!(odd.parse::<HostState>().is_err(), "{odd}");
        }
    }

    #[test]
    fn a_state_is_part_of_another_by_its_acts() {
        let suspended = HostState::of(&[Act::Pause, Act::Partition]);
        assert!(HostState::Paused.is_part_of(suspended) && suspended.is_part_of(suspended));
        assert!(!suspended.is_part_of(HostState::Paused) && !HostState::Running.is_part_of(suspended));
    }
}
