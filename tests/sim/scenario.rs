//! Who takes part in a schedule, and what happens to the world by itself.

use std::time::Duration;

use interlock::{
    guard::{Action, NoData, Plan, Resume, Settled, Step, Strength},
    model::{HumanDuration, Slot, Target, Weights},
};
use serde_json::{Value, json};

use crate::{
    choices::Choices,
    drill, switch,
    world::{Event, Happening},
};

/// What is guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Two effects, nothing to look at: for the search of all schedules within bounds.
    Pair,
    /// Three writes at two keys, watched.
    Keys,
    /// A write, and a command of several acts that nothing can refuse.
    Command,
    /// The real switchover.
    Switchover,
    /// The real drill.
    Drill,
}

/// How a drill takes the primary away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its host loses its power, and we promote the standby.
    Promote,
    /// Its role is handed over.
    Switchover,
    /// Its host gets no time for a while.
    Pause,
}

/// What a process is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Operator,
    Guardian,
    Abort,
    Recover,
    Resume(Resume),
    Resolve(Settled),
    /// Somebody who wants the target for a run of their own, and gives it up at once.
    Contender,
}

impl Act {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Guardian => "guardian",
            Self::Abort => "abort",
            Self::Recover => "recover",
            Self::Resume(_) => "resume",
            Self::Resolve(_) => "resolve",
            Self::Contender => "contender",
        }
    }
}

/// What somebody else writes, right before the message of this number arrives.
#[derive(Debug, Clone)]
pub struct Meddling {
    pub arrival: u32,
    pub key: String,
    pub value: Value,
    /// They make the object anew, and our mark is gone with the one before.
    pub anew: bool,
}

/// What happens in a schedule beside what becomes of each call.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What the watches say: 0 passes.
    pub verdicts: [u32; 3],
    pub no_data: NoData,
    /// The way back has to be prepared first.
    pub unready: bool,
    /// What is begun by a command goes on elsewhere: it can be neither ended nor seen to its end.
    pub beyond: bool,
    /// No process sees another one, as in pods: who is gone shows by its silence alone.
    pub apart: bool,
    /// What a drill does.
    pub fault: Fault,
    /// Hosts have agents, which know epochs; else they are given orders by commands.
    pub agents: bool,
    pub meddlings: Vec<Meddling>,
    /// How a person decides on what is held in the end.
    pub decides: Resume,
    /// The epoch that the objects bear from a lock that was lost since.
    pub left: u64,
    /// How long the operator asks a person before it begins, in milliseconds.
    pub confirm: u64,
    /// When the gate is shut.
    pub shuts_at: Option<u64>,
    happenings: Vec<(u64, Happening)>,
    people: Vec<(u64, Act)>,
}

const PEOPLE: [Act; 9] = [
    Act::Resolve(Settled::Kept),
    Act::Abort,
    Act::Recover,
    Act::Guardian,
    Act::Resume(Resume::Continue),
    Act::Resume(Resume::Undo),
    Act::Resume(Resume::Keep),
    Act::Resume(Resume::Watch),
    Act::Resolve(Settled::Undone),
];

impl Scenario {
    pub fn of(subject: Subject, choices: &mut Choices) -> Self {
        if subject == Subject::Pair {
            return Self::quiet();
        }
        let keys: Vec<_> = subject.objects().into_iter().map(|(key, first)| (key.to_owned(), first)).collect();
        let verdicts = [0; 3].map(|_| choices.seldom(4, 4));
        let no_data = if choices.seldom(3, 2) == 0 { NoData::Hold } else { NoData::Remove };
        let unready = choices.seldom(4, 2) == 1;
        let apart = choices.seldom(5, 2) == 1;
        let beyond = subject == Subject::Command && choices.seldom(4, 2) == 1;
        let (fault, agents) = match subject {
            Subject::Drill => {
                let fault = [Fault::Promote, Fault::Switchover, Fault::Pause][choices.seldom(2, 3) as usize];
                // What a process has begun on another machine nobody ends here, and its plan says so.
                (fault, choices.seldom(3, 2) == 1 || apart)
            }
            _ => (Fault::Promote, true),
        };
        let mut meddlings = Vec::new();
        for _ in 0..2 {
            let arrival = choices.seldom(5, if subject == Subject::Drill { 400 } else { 60 });
            if arrival > 0 {
                let (key, first) = keys[choices.any(u32::try_from(keys.len()).unwrap()) as usize].clone();
                let value = subject.foreign(&key, choices.any(3), &first);
                // What commands act on is no object that anybody could tell from another.
                let anew = choices.seldom(3, 2) == 1 && key != "host" && subject != Subject::Drill;
                meddlings.push(Meddling { arrival, key, value, anew });
            }
        }
        let mut people = Vec::new();
        // A second guardian, such as one that a person has posted.
        if choices.seldom(3, 2) == 1 {
            people.push((1_500, Act::Guardian));
        }
        for _ in 0..2 {
            let at = u64::from(choices.seldom(4, 120));
            if at > 0 {
                let at = if at > 60 { at * 1_000 - 40_000 } else { at * 250 };
                people.push((at, PEOPLE[choices.any(9) as usize]));
            }
        }
        let contends = choices.seldom(6, 80);
        if contends > 0 {
            people.push((u64::from(contends - 1) * 250, Act::Contender));
        }
        let mut happenings = Vec::new();
        let mut happens = |choices: &mut Choices, once_in: u32, what: &dyn Fn(&mut Choices) -> Happening| {
            let at = u64::from(choices.seldom(once_in, 100)) * 200;
            if at > 0 {
                happenings.push((at, what(choices)));
            }
        };
        happens(choices, 10, &|_| Happening::Signal);
        happens(choices, 10, &|choices| {
            let room = [0, 300, 1_500, 6_000][choices.any(4) as usize];
            Happening::DiskFull(room, [3_000, 30_000][choices.any(2) as usize])
        });
        happens(choices, 12, &|choices| Happening::Outage([2_000, 8_000, 100_000][choices.any(3) as usize]));
        happens(choices, 12, &|choices| Happening::ClockJumps([86_400, -86_400][choices.any(2) as usize]));
        let decides = [Resume::Undo, Resume::Keep, Resume::Watch][choices.any(3) as usize];
        let confirm = u64::from(choices.seldom(6, 3)) * 10_000;
        // Where no host bears an epoch none is left.
        let left = u64::from(choices.seldom(8, 4)) * if agents { 5 } else { 0 };
        let shuts_at = match choices.seldom(6, 40) {
            0 => None,
            at => Some(u64::from(at) * 500),
        };
        Self {
            verdicts,
            no_data,
            unready,
            beyond,
            apart,
            fault,
            agents,
            meddlings,
            decides,
            left,
            confirm,
            shuts_at,
            happenings,
            people,
        }
    }

    fn quiet() -> Self {
        Self {
            verdicts: [0; 3],
            no_data: NoData::Hold,
            unready: false,
            beyond: false,
            apart: false,
            fault: Fault::Promote,
            agents: true,
            meddlings: Vec::new(),
            decides: Resume::Undo,
            left: 0,
            confirm: 0,
            shuts_at: None,
            happenings: Vec::new(),
            people: Vec::new(),
        }
    }

    /// What happens when.
    pub fn events(&self) -> Vec<(u64, Event)> {
        let people = self.people.iter().map(|(at, act)| (*at, Event::Begins(*act)));
        let happenings = self.happenings.iter().map(|(at, what)| (*at, Event::Happens(*what)));
        let shuts = self.shuts_at.map(|at| (at, Event::Happens(Happening::GateShuts)));
        std::iter::once((0, Event::Begins(Act::Operator))).chain(shuts).chain(people).chain(happenings).collect()
    }
}

impl Subject {
    pub const ALL: [Self; 5] = [Self::Pair, Self::Keys, Self::Command, Self::Switchover, Self::Drill];

    /// The objects, and what stands there before.
    pub fn objects(self) -> Vec<(&'static str, Value)> {
        match self {
            Self::Pair | Self::Keys => vec![("a", json!(0)), ("b", json!(2))],
            Self::Command => vec![("a", json!(0)), ("host", json!("up"))],
            Self::Switchover => {
                vec![("scale/blue", json!(2)), ("scale/green", json!(2)), ("weights", json!(Weights::all(Slot::Blue)))]
            }
            Self::Drill => {
                vec![("host/pg1", json!("running")), ("ledger", json!(false)), ("primary", json!("pg1"))]
            }
        }
    }

    /// What somebody else writes: something of their own, or by chance what stood there, or what the plan is about to write.
    fn foreign(self, key: &str, which: u32, first: &Value) -> Value {
        match (self, key, which) {
            (_, _, 1) => first.clone(),
            (Self::Switchover, "weights", 0) => json!(Weights::giving(Slot::Green, 33)),
            (Self::Switchover, "weights", _) => json!(Weights::all(Slot::Green)),
            (Self::Switchover, _, 0) => json!(5),
            (Self::Switchover, ..) => json!(0),
            (Self::Drill, "host/pg1", _) => json!("down"),
            (Self::Drill, "ledger", _) => json!(true),
            (Self::Drill, ..) => json!("elsewhere"),
            (_, "host", 0) => json!("rescue"),
            (_, "host", _) => json!("down"),
            (_, "b", 2) => json!(0),
            (_, _, 0) => json!(77),
            _ => json!(50),
        }
    }

    /// What is going to be done.
    pub fn plan(self, scenario: &Scenario) -> Plan {
        let change = |name: &str, key: &str, to: Value, only_if_clean: Option<&str>| Step {
            name: name.to_owned(),
            action: Action::Change { key: key.to_owned(), to, only_if_clean: only_if_clean.map(ToOwned::to_owned) },
        };
        let watch = |name: &str| Step { name: name.to_owned(), action: Action::Watch { what: json!(name) } };
        let steps = match self {
            Self::Pair => vec![change("first", "a", json!(50), None), change("second", "b", json!(0), None)],
            Self::Keys => vec![
                watch("before"),
                change("half", "a", json!(50), None),
                watch("middle"),
                change("all", "a", json!(100), None),
                change("small", "b", json!(0), Some("middle")),
                watch("after"),
            ],
            Self::Command => {
                vec![change("half", "a", json!(50), None), change("down", "host", json!("down"), None), watch("after")]
            }
            Self::Switchover => switch::plan(scenario).steps,
            // What cannot be known ends a drill, and nobody is asked.
            Self::Drill => return drill::plan(scenario),
        };
        let (operation, spec) = match self {
            Self::Switchover => ("switchover", switch::plan(scenario).spec),
            _ => ("keys", Value::Null),
        };
        Plan {
            operation: operation.to_owned(),
            target: Target::parse("tenant").unwrap(),
            title: "a simulated run".to_owned(),
            platform: Value::Null,
            spec,
            steps,
            no_data: scenario.no_data,
            guard: Strength::Local,
            ttl: HumanDuration(Duration::from_secs(10)),
        }
    }
}
