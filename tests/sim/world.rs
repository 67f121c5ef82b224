//! The simulated world: time, processes, and whatever is under way between them, the disk and the platform.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use interlock::{adapters::store::Work, guard::Plan, process::Identity};
use tokio::task::AbortHandle;

use crate::{
    choices::{Choices, Fate, KINDS},
    cluster,
    memory_disk::{LEFT, Left, MemoryDisk},
    mutants::Mutant,
    platform::{Answer, Message, Platform},
    scenario::{Act, Scenario, Subject},
    worker::Worker,
    writing::Writing,
};

/// From here on nothing goes wrong any more, in milliseconds.
pub const CALM: u64 = 100_000;
/// By then everything has come to rest.
const END: u64 = 1_200_000;
/// How long a client waits for the platform.
pub const PATIENCE: u64 = 5_000;

/// Something that is going to happen.
pub enum Event {
    /// A process goes on: its wait is over, or it hears an answer.
    Wakes { process: usize, ticket: u64, heard: Answer },
    /// A message arrives at the platform; who waits for the answer.
    Arrives { message: Message, ticket: Option<u64> },
    /// A call of the store is done.
    Works { process: usize, work: Work, fate: Fate, at: u32 },
    /// A thread that was stopped goes on.
    Resumes { process: usize, worker: Worker },
    /// A process begins.
    Begins(Act),
    /// Something happens to the world.
    Happens(Happening),
}

/// What happens to the world by itself.
#[derive(Debug, Clone, Copy)]
pub enum Happening {
    /// The operator is told to end.
    Signal,
    /// The disk has so many bytes left, for so long.
    DiskFull(u64, u64),
    /// There is room again.
    DiskFree,
    /// The platform is out of reach, for so long.
    Outage(u64),
    /// The wall clock jumps by so many seconds.
    ClockJumps(i64),
    /// The gate is shut.
    GateShuts,
    /// The machine is up again.
    Boots,
    /// Nothing goes wrong any more.
    Calm,
    /// A person looks at what has not come to rest, and a guardian is posted where there is none.
    Mediates,
}

/// One process.
pub struct Process {
    pub name: String,
    pub act: Act,
    pub alive: bool,
    /// When it was killed.
    pub died: Option<u64>,
    pub boot: u32,
    pub paused_until: u64,
    pub task: Option<AbortHandle>,
    /// The call of the store that it makes.
    pub calls: &'static str,
    /// The objects that it is bound to, and whether it has left a mark there.
    pub bound: BTreeMap<String, (u64, bool)>,
}

struct Ticket {
    heard: Option<Answer>,
    waker: Option<Waker>,
}

/// One line of the story.
pub struct Told {
    pub at: u64,
    pub from: String,
    /// None for a note about `from`.
    pub to: Option<String>,
    pub text: String,
    pub lost: bool,
}

/// What is in the world.
pub struct State {
    pub now: u64,
    pub queue: BTreeMap<(u64, u64), Event>,
    count: u64,
    tickets: BTreeMap<u64, Ticket>,
    pub processes: Vec<Process>,
    pub choices: Choices,
    pub calm: bool,
    pub boot: u32,
    pub booted_at: u64,
    pub wall_offset: i64,
    pub outage_until: u64,
    pub disk: MemoryDisk,
    pub platform: Platform,
    pub told: Option<Vec<Told>>,
    pub violations: Vec<String>,
    pub struck: BTreeMap<(&'static str, &'static str), u32>,
    /// Rises with whatever happens, so that it shows when all have come to a wait.
    pub activity: u64,
    /// Somebody else has written, or shut the platform, so that a run may be stuck in the end.
    pub trouble: bool,
    pub stop: tokio::sync::watch::Sender<Option<String>>,
    pub steps: u64,
    /// A person has asked once more.
    pub asked_again: bool,
    /// A person has decided once.
    pub decided: bool,
}

/// The simulated world.
pub struct World {
    state: Mutex<State>,
    pub subject: Subject,
    pub mutant: Mutant,
    pub scenario: Scenario,
    pub plan: Plan,
}

impl World {
    pub fn new(subject: Subject, mutant: Mutant, mut choices: Choices, tells: bool) -> Arc<Self> {
        let scenario = Scenario::of(subject, &mut choices);
        let platform = Platform::new(subject, &scenario);
        let (stop, _) = tokio::sync::watch::channel(None);
        let state = State {
            now: 0,
            queue: BTreeMap::new(),
            count: 0,
            tickets: BTreeMap::new(),
            processes: Vec::new(),
            choices,
            calm: false,
            boot: 0,
            booted_at: 0,
            wall_offset: 0,
            outage_until: 0,
            disk: MemoryDisk::default(),
            platform,
            told: tells.then(Vec::new),
            violations: Vec::new(),
            struck: BTreeMap::new(),
            activity: 0,
            trouble: false,
            stop,
            steps: 0,
            asked_again: false,
            decided: false,
        };
        let world =
            Arc::new(Self { state: Mutex::new(state), subject, mutant, plan: subject.plan(&scenario), scenario });
        {
            let mut state = world.state();
            for (at, event) in world.scenario.events() {
                state.at(at, event);
            }
            state.at(CALM, Event::Happens(Happening::Calm));
        }
        world
    }

    /// Waits until the world goes on with a call.
    pub fn wait(self: &Arc<Self>, ticket: u64) -> Wait {
        Wait { world: self.clone(), ticket }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What happens next.
    pub fn next(&self) -> Option<Event> {
        // Threads that were stopped want the state in order to end, so that they are dropped once it is free.
        let mut dead = Vec::new();
        let mut state = self.state();
        loop {
            let ((time, _), event) = state.queue.pop_first()?;
            if time > END {
                return None;
            }
            let process = match &event {
                Event::Wakes { process, .. } | Event::Works { process, .. } | Event::Resumes { process, .. } => {
                    Some(*process)
                }
                _ => None,
            };
            if let Some(process) = process {
                let Process { alive, paused_until, .. } = state.processes[process];
                if !alive {
                    dead.push(event);
                    continue;
                }
                if paused_until > time {
                    state.at(paused_until, event);
                    continue;
                }
            }
            state.now = state.now.max(time);
            state.steps += 1;
            return Some(event);
        }
    }
}

impl State {
    /// Lets something happen at a time.
    pub fn at(&mut self, time: u64, event: Event) {
        self.count += 1;
        let time = time.max(self.now);
        self.queue.insert((time, self.count), event);
    }

    /// Lets something happen in so many milliseconds.
    pub fn after(&mut self, length: u64, event: Event) {
        self.at(self.now + length, event);
    }

    pub fn tell(&mut self, from: &str, to: Option<&str>, text: impl FnOnce() -> String, lost: bool) {
        let at = self.now;
        if let Some(told) = &mut self.told {
            told.push(Told { at, from: from.to_owned(), to: to.map(ToOwned::to_owned), text: text(), lost });
        }
    }

    pub fn note(&mut self, who: &str, text: impl FnOnce() -> String) {
        self.tell(who, None, text, false);
    }

    pub fn violates(&mut self, what: String) {
        let at = self.now as f64 / 1000.0;
        self.note("platform", || format!("VIOLATION: {what}"));
        self.violations.push(format!("at {at:.3} s: {what}"));
    }

    /// What becomes of a call of a process.
    pub fn fate(&mut self, process: usize, call: &'static str, fates: &[Fate]) -> Fate {
        if self.calm {
            return Fate::Goes;
        }
        let fate = self.choices.fate(fates, weight(call));
        if let Some(kind) = fate.kind() {
            *self.struck.entry((call, KINDS[kind])).or_default() += 1;
            let name = self.processes[process].name.clone();
            self.note(&name, || format!("{call}: {fate:?}"));
        }
        fate
    }

    pub fn is_alive(&self, identity: &Identity) -> bool {
        let index = usize::try_from(identity.pid - 100).unwrap_or(usize::MAX);
        self.processes.get(index).is_some_and(|process| process.alive && boot_id(process.boot) == identity.boot_id)
    }

    pub fn pause(&mut self, process: usize, length: u64) {
        let until = self.now + length;
        // Whatever it writes in the background stops with it.
        cluster::elapse(self);
        if let Some(writing) = self.writing_of(process) {
            writing.stop_until(until);
        }
        let paused = &mut self.processes[process].paused_until;
        *paused = until.max(*paused);
    }

    /// The writing that goes on in a process.
    fn writing_of(&mut self, process: usize) -> Option<&mut Writing> {
        let cluster = self.platform.cluster.as_mut()?;
        cluster.writing.as_mut().filter(|writing| writing.is_of(process))
    }

    /// Ends a process at once.
    pub fn kill(&mut self, process: usize) {
        cluster::elapse(self);
        if self.writing_of(process).is_some()
            && let Some(cluster) = &mut self.platform.cluster
        {
            cluster.writing = None;
        }
        let Process { name, act, alive, died, task, .. } = &mut self.processes[process];
        if !std::mem::replace(alive, false) {
            return;
        }
        *died = Some(self.now);
        if let Some(task) = task.take() {
            task.abort();
        }
        let (name, act) = (name.clone(), *act);
        self.note(&name, || "killed".to_owned());
        self.activity += 1;
        // Whoever watches over a guardian posts another one.
        if act == Act::Guardian {
            self.after(5_000, Event::Begins(Act::Guardian));
        }
    }

    /// The power fails: every process ends, and what was not synced is lost.
    pub fn cut_power(&mut self, left: Left) {
        for process in 0..self.processes.len() {
            self.kill(process);
        }
        self.queue.retain(|_, event| !matches!(event, Event::Begins(Act::Guardian)));
        self.note("disk", || format!("power cut, of what was not synced is left: {left:?}"));
        self.disk = self.disk.after_power_cut(left);
        self.boot += 1;
        self.booted_at = self.now + 8_000;
        self.after(8_000, Event::Happens(Happening::Boots));
    }

    pub fn left(&mut self) -> Left {
        LEFT[self.choices.any(4) as usize]
    }

    /// Gives a wait a ticket.
    pub fn ticket(&mut self) -> u64 {
        self.count += 1;
        self.activity += 1;
        self.tickets.insert(self.count, Ticket { heard: None, waker: None });
        self.count
    }

    /// Lets a wait end.
    pub fn hear(&mut self, ticket: u64, heard: Answer) {
        self.activity += 1;
        // Nobody may wait any more.
        let Some(ticket) = self.tickets.get_mut(&ticket) else { return };
        // What was heard first counts, such as that there was no answer.
        if ticket.heard.is_none() {
            ticket.heard = Some(heard);
        }
        if let Some(waker) = ticket.waker.take() {
            waker.wake();
        }
    }
}

/// What is called seldom is struck more often: an epoch is claimed a few times in a run.
fn weight(call: &str) -> u64 {
    match call {
        "open" | "take over" | "release" | "acknowledge" | "end" | "command" | "settle" => 8,
        "end command" | "rows" => 80,
        "told" | "end session" => 40,
        "order" => 20,
        "statement" | "raise" => 10,
        "fence" | "write" | "append" => 2,
        "read" | "connect" | "ledger" => 3,
        _ => 1,
    }
}

pub fn boot_id(boot: u32) -> String {
    format!("boot-{boot}")
}

/// A call that is parked until the world goes on with it.
pub struct Wait {
    world: Arc<World>,
    ticket: u64,
}

impl Future for Wait {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let mut state = self.world.state();
        state.activity += 1;
        let Some(ticket) = state.tickets.get_mut(&self.ticket) else { return Poll::Pending };
        if let Some(heard) = ticket.heard.take() {
            return Poll::Ready(heard);
        }
        ticket.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.world.state().tickets.remove(&self.ticket);
    }
}
