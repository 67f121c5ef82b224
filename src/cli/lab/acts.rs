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

/// The platform that an act is played on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The lab's own service.
    Lab,
    /// Two services that are scripts, and keep their rows in the lab's PostgreSQL.
    Model,
}

impl On {
    /// The platform file, in the demo's folder.
    pub const fn platform(self) -> &'static str {
        match self {
            Self::Lab => "interlock.yaml",
            Self::Model => "model.yaml",
        }
    }

    /// The service behind the gateway, and what users ask of it.
    pub const fn asked(self) -> (&'static str, &'static str) {
        match self {
            Self::Lab => ("tenant", "/tenants/7"),
            Self::Model => ("orders", "/orders/o-1"),
        }
    }
}

#[derive(Debug)]
pub struct Act {
    pub title: &'static str,
    pub on: On,
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
        on: On::Lab,
        rate: 2 * RATE,
        play: Play::Switch(Switch { faults: &[], args: &["--bake", "15s"], end: End::Kept }),
        expected: "kept, without one failed request",
    },
    Act {
        title: "a release with 5 % errors under traffic",
        on: On::Lab,
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
        on: On::Lab,
        rate: RATE,
        play: Play::Switch(Switch { faults: &["hang=after:500"], args: &["--bake", "1m"], end: End::RolledBack }),
        expected: "rolled back by the requests that hang",
    },
    Act {
        title: "a release that crashes after promotion",
        on: On::Lab,
        rate: RATE,
        play: Play::Switch(Switch { faults: &["crash-after=500"], args: &["--bake", "1m"], end: End::RolledBack }),
        expected: "rolled back by the processes that exit",
    },
    Act {
        title: "the operator is killed in the middle",
        on: On::Lab,
        rate: RATE,
        play: Play::Switch(Switch { faults: &[], args: &["--bake", "1m"], end: End::Killed }),
        expected: "put back by the guardian",
    },
    Act {
        title: "the database's primary loses its power, under users' load",
        on: On::Lab,
        rate: 200,
        play: Play::Drill(Drill {
            file: "primary-power.yaml",
            text: include_str!("../../../scenarios/lab/primary-power.yaml"),
            most_failed: 2000,
        }),
        expected: "the standby takes over, and users' failures are bounded",
    },
    Act {
        title: "services that are scripts: a good release",
        on: On::Model,
        rate: RATE * 3 / 4,
        play: Play::Switch(Switch { faults: &[], args: &["--bake", "15s"], end: End::Kept }),
        expected: "kept, without one failed request",
    },
    Act {
        title: "services that are scripts: a release with a defect",
        on: On::Model,
        rate: RATE * 3 / 4,
        play: Play::Switch(Switch { faults: &["forgets-prices"], args: &["--bake", "1m"], end: End::RolledBack }),
        expected: "rolled back by the SLO's evidence",
    },
    Act {
        title: "services that are scripts: their database's primary loses its power",
        on: On::Model,
        rate: 50,
        play: Play::Drill(Drill {
            file: "model-power.yaml",
            text: include_str!("../../../scenarios/model/model-power.yaml"),
            most_failed: 1000,
        }),
        expected: "the standby takes over, and users' failures are bounded",
    },
];

impl Act {
    /// Whether it takes a database.
    #[must_use]
    pub const fn has_database(&self) -> bool {
        matches!(self.on, On::Model) || matches!(self.play, Play::Drill(_))
    }

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
