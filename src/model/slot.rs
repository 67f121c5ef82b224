//! The two slots of a blue-green service, and how live traffic is shared between them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of the two places where a release of a service can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The first slot.
    Blue,
    /// The second slot.
    Green,
}

impl Slot {
    /// Both slots, blue first.
    pub const ALL: [Self; 2] = [Self::Blue, Self::Green];

    /// The other slot.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Blue => Self::Green,
            Self::Green => Self::Blue,
        }
    }

    /// The name in lower case, as it stands in documents and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Green => "green",
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Slot {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|slot| slot.name() == s).ok_or_else(|| format!("`{s}` is no slot: blue or green"))
    }
}

/// The share of live traffic that each slot gets, in whole percent; the two add up to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Percent for blue.
    pub blue: u8,
    /// Percent for green.
    pub green: u8,
}

impl Weights {
    /// Gives `percent` (capped at 100) to `slot` and the rest to the other.
    #[must_use]
    pub const fn giving(slot: Slot, percent: u8) -> Self {
        let share = if percent > 100 { 100 } else { percent };
        match slot {
            Slot::Blue => Self { blue: share, green: 100 - share },
            Slot::Green => Self { blue: 100 - share, green: share },
        }
    }

    /// Everything to one slot.
    #[must_use]
    pub const fn all(slot: Slot) -> Self {
        Self::giving(slot, 100)
    }

    /// The share of one slot, in percent.
    #[must_use]
    pub const fn of(&self, slot: Slot) -> u8 {
        match slot {
            Slot::Blue => self.blue,
            Slot::Green => self.green,
        }
    }

    /// Whether the two shares add up to 100.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.blue as u16 + self.green as u16 == 100
    }

    /// The slot that gets everything, if one does.
    #[must_use]
    pub const fn sole(&self) -> Option<Slot> {
        match (self.blue, self.green) {
            (100, 0) => Some(Slot::Blue),
            (0, 100) => Some(Slot::Green),
            _ => None,
        }
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blue {} %, green {} %", self.blue, self.green)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_whole_and_know_their_sole_slot() {
        for percent in 0..=100 {
            assert!(Weights::giving(Slot::Green, percent).is_whole());
        }
        assert_eq!(Weights::all(Slot::Green).sole(), Some(Slot::Green));
        assert_eq!(Weights::giving(Slot::Green, 5).sole(), None);
    }
}
