//! The acts of the demo: what happens to the platform, and how it has to end.

use crate::{
    lab::load::Report,
    model::{Slot, Weights},
};

/// How a drill ends whose writers came too late to prove anything, as it is shown.
pub const TOO_BUSY: &str = "exit 6, too busy";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The release is kept, and no user noticed.
    Kept,
    RolledBack,
    /// The operator is killed, and the guardian puts traffic back.
    Killed,
}

/// A switch to a new release.
#[derive(Debug)]
pub struct Switch {
    /// What is wrong with the release.
    pub faults: &'static [&'static str],
    /// Further arguments of the switch.
    pub args: &'static [&'static str],
    pub end: End,
}

/// A drill on the lab's database, which has to pass.
#[derive(Debug)]
pub struct Drill {
    /// The name of its document in the demo's folder.
    pub file: &'static str,
    pub text: &'static str,
    /// How many requests of users may fail.
    pub most_failed: u64,
}

/// What happens in an act.
#[derive(Debug)]
pub enum Play {
    Switch(Switch),
    Drill(Drill),
}

#[derive(Debug)]
pub struct Act {
    pub title: &'static str,
    /// Requests of users a second.
    pub rate: u32,
    pub play: Play,
    /// How it has to end, for people.
    pub expected: &'static str,
}

/// An unoptimised build, as `make demo` makes it, spends 2 ms of a core on each request, its sender's part included.
const RATE: u32 = if cfg!(debug_assertions) { 200 } else { 1000 };

pub const ACTS: &[Act] = &[
    Act {
        title: "a good release",
        rate: 2 * RATE,
        play: Play::Switch(Switch { faults: &[], args: &["--bake", "15s"], end: End::Kept }),
        expected: "kept, without one failed request",
    },
    Act {
        title: "a release with 5 % errors under traffic",
        rate: RATE,
        play: Play::Switch(Switch {
            faults: &["error-rate=5%:after=500"],
            args: &["--bake", "1m"],
            end: End::RolledBack,
        }),
        expected: "rolled back by the SLO's evidence",
    },
    Act {
        title: "a release that hangs after 500 requests",
        rate: RATE,
        play: Play::Switch(Switch { faults: &["hang=after:500"], args: &["--bake", "1m"], end: End::RolledBack }),
        expected: "rolled back by the requests that hang",
    },
    Act {
        title: "a release that crashes after promotion",
        rate: RATE,
        play: Play::Switch(Switch { faults: &["crash-after=500"], args: &["--bake", "1m"], end: End::RolledBack }),
        expected: "rolled back by the processes that exit",
    },
    Act {
        title: "the operator is killed in the middle",
        rate: RATE,
        play: Play::Switch(Switch { faults: &[], args: &["--bake", "1m"], end: End::Killed }),
        expected: "put back by the guardian",
    },
    Act {
        title: "the database's primary loses its power, under users' load",
        rate: 200,
        play: Play::Drill(Drill {
            file: "primary-power.yaml",
            text: include_str!("../../../scenarios/lab/primary-power.yaml"),
            most_failed: 2000,
        }),
        expected: "the standby takes over, and users' failures are bounded",
    },
];

impl Act {
    /// What did not go as it should.
    #[must_use]
    pub fn complaints(&self, exit: &str, weights: &Weights, load: &Report) -> Vec<String> {
        let mut wrong = match &self.play {
            Play::Switch(switch) => switch.complaints(exit, load),
            Play::Drill(drill) => drill.complaints(exit, load),
        };
        let slot = match &self.play {
            Play::Switch(Switch { end: End::Kept, .. }) => Slot::Green,
            Play::Switch(_) | Play::Drill(_) => Slot::Blue,
        };
        if *weights != Weights::all(slot) {
            wrong.push(format!("traffic is at {weights}, not at {slot}"));
        }
        if load.ok == 0 {
            wrong.push("no request of users was answered well".to_owned());
        }
        wrong
    }
}

impl Switch {
    fn complaints(&self, exit: &str, load: &Report) -> Vec<String> {
        let wanted = match self.end {
            End::Kept => "exit 0",
            End::RolledBack => "exit 1",
            End::Killed => "interrupted",
        };
        let mut wrong = Vec::new();
        if exit != wanted {
            wrong.push(format!("it ended with {exit}, not {wanted}"));
        }
        if self.end != End::RolledBack && load.failed > 0 {
            wrong.push(format!("{} requests of users failed: {}", load.failed, load.examples.join("; ")));
        }
        wrong
    }
}

impl Drill {
    fn complaints(&self, exit: &str, load: &Report) -> Vec<String> {
        let mut wrong = Vec::new();
        if !["exit 0", TOO_BUSY].contains(&exit) {
            wrong.push(format!("it ended with {exit}, not exit 0"));
        }
        if load.failed > self.most_failed {
            let Report { failed, examples, .. } = load;
            wrong.push(format!(
                "{failed} requests of users failed, not {} at most: {}",
                self.most_failed,
                examples.join("; ")
            ));
        }
        wrong
    }
}
