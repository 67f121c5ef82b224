//! The acts of the demo: what the release is like, and how its switch has to end.

use crate::{
    lab::load::Report,
    model::{Slot, Weights},
};

/// How an act ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The release is kept, and no user noticed.
    Kept,
    /// The release is rolled back.
    RolledBack,
    /// The operator is killed, and the guardian puts traffic back.
    Killed,
}

/// One act.
#[derive(Debug)]
pub struct Act {
    /// What is shown.
    pub title: &'static str,
    /// Requests of users a second.
    pub rate: u32,
    /// What is wrong with the new release.
    pub faults: &'static [&'static str],
    /// Further arguments of the switch.
    pub args: &'static [&'static str],
    /// How it has to end.
    pub end: End,
    /// The same for people.
    pub expected: &'static str,
}

/// The acts, in order.
pub const ACTS: &[Act] = &[
    Act {
        title: "a good release",
        rate: 2000,
        faults: &[],
        args: &["--bake", "15s"],
        end: End::Kept,
        expected: "kept, without one failed request",
    },
    Act {
        title: "a release with 5 % errors under traffic",
        rate: 1000,
        faults: &["error-rate=5%:after=500"],
        args: &["--bake", "1m"],
        end: End::RolledBack,
        expected: "rolled back by the SLO's evidence",
    },
    Act {
        title: "a release that hangs after 500 requests",
        rate: 1000,
        faults: &["hang=after:500"],
        args: &["--bake", "1m"],
        end: End::RolledBack,
        expected: "rolled back by the requests that hang",
    },
    Act {
        title: "a release that crashes after promotion",
        rate: 1000,
        faults: &["crash-after=500"],
        args: &["--bake", "1m"],
        end: End::RolledBack,
        expected: "rolled back by the processes that exit",
    },
    Act {
        title: "the operator is killed in the middle",
        rate: 1000,
        faults: &[],
        args: &["--bake", "1m"],
        end: End::Killed,
        expected: "put back by the guardian",
    },
];

impl Act {
    /// What did not go as it should.
    #[must_use]
    pub fn complaints(&self, exit: &str, weights: &Weights, load: &Report) -> Vec<String> {
        let (wanted, slot) = match self.end {
            End::Kept => ("exit 0", Slot::Green),
            End::RolledBack => ("exit 1", Slot::Blue),
            End::Killed => ("interrupted", Slot::Blue),
        };
        let mut wrong = Vec::new();
        if exit != wanted {
            wrong.push(format!("it ended with {exit}, not {wanted}"));
        }
        if *weights != Weights::all(slot) {
            wrong.push(format!("traffic is at {weights}, not at {slot}"));
        }
        if self.end != End::RolledBack && load.failed > 0 {
            wrong.push(format!("{} requests of users failed: {}", load.failed, load.examples.join("; ")));
        }
        if load.offered == 0 {
            wrong.push("there was no load".to_owned());
        }
        wrong
    }
}
