//! The processes behind doors: one table for the supervisor, the command line, the doors and `lab check`.

/// A process that stands behind the door of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backing {
    /// Delivers events to every service that subscribes to their topic.
    Bus,
    /// Holds jobs until a replica has done them.
    Queue,
}

impl Backing {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Bus, Self::Queue];

    /// The name of the process, of its role in `lab serve`, and of its door.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bus => "bus",
            Self::Queue => "queue",
        }
    }

    /// The process behind a door, where one is.
    #[must_use]
    pub fn behind(door: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backing| backing.name() == door)
    }
}
