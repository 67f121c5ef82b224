//! The processes behind doors: one table for the supervisor, the command line, the doors and `lab check`.

/// A process that stands behind the door of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backing {
    /// Delivers events to every service that subscribes to their topic.
    Bus,
    /// Holds jobs until a replica has done them.
    Queue,
    /// Holds values that can be had again from where they come from.
    Cache,
    /// Lists the replicas of services.
    Registry,
    /// Finds the vectors that are most like one.
    Vectors,
}

impl Backing {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Bus, Self::Queue, Self::Cache, Self::Registry, Self::Vectors];

    /// Those that deliver messages.
    pub const MESSAGING: [Self; 2] = [Self::Bus, Self::Queue];

    /// The name of the process, of its role in `lab serve`, and of its door.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bus => "bus",
            Self::Queue => "queue",
            Self::Cache => "cache",
            Self::Registry => "registry",
            Self::Vectors => "vectors",
        }
    }

    /// The process behind a door, where one is.
    #[must_use]
    pub fn behind(door: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backing| backing.name() == door)
    }

    /// Whether it delivers messages.
    #[must_use]
    pub fn is_messaging(self) -> bool {
        Self::MESSAGING.contains(&self)
    }
}
