//! Plays one schedule from its beginning until nothing happens any more.

use std::{collections::BTreeMap, sync::Arc};

use interlock::guard::{Mode, Outcome, Resume};

use crate::{
    actors,
    choices::{Choices, Fate},
    laws,
    mutants::Mutant,
    node::Node,
    platform,
    scenario::{Act, Subject},
    worker::{self, Strike, Worker},
    world::{Event, Happening, Process, State, Told, World},
};

/// What came of a schedule.
pub struct Report {
    pub violations: Vec<String>,
    pub choices: Choices,
    pub told: Vec<Told>,
    pub struck: BTreeMap<(&'static str, &'static str), u32>,
    pub steps: u64,
    pub ended: String,
}

/// Plays one schedule.
pub fn play(subject: Subject, mutant: Mutant, choices: Choices, tells: bool) -> Report {
    let world = World::new(subject, mutant, choices, tells);
    // One thread, and no time but that of the world.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(goes_on(&world));
    // Whoever still waits is dropped before the world is judged.
    drop(runtime);
    let left = std::mem::take(&mut world.state().queue);
    drop(left);
    let mut state = world.state();
    let ended = laws::at_rest(&world, &mut state);
    Report {
        violations: std::mem::take(&mut state.violations),
        choices: state.choices.clone(),
        told: state.told.take().unwrap_or_default(),
        struck: std::mem::take(&mut state.struck),
        steps: state.steps,
        ended,
    }
}

async fn goes_on(world: &Arc<World>) {
    loop {
        settle(world).await;
        let Some(event) = world.next() else { return };
        match event {
            Event::Wakes { ticket, heard, .. } => world.state().hear(ticket, heard),
            Event::Arrives { message, ticket } => platform::arrives(world, message, ticket),
            Event::Works { process, work, fate, at } => works(world, process, work, fate, at),
            Event::Resumes { worker, .. } => worker.finish(),
            Event::Begins(act) => begins(world, act),
            Event::Happens(what) => happens(world, what),
        }
    }
}

/// Waits until all that can run without the world has run.
async fn settle(world: &World) {
    let mut last = None;
    loop {
        tokio::task::yield_now().await;
        let activity = world.state().activity;
        if last.replace(activity) == Some(activity) {
            return;
        }
    }
}

fn works(world: &Arc<World>, process: usize, work: interlock::adapters::store::Work, fate: Fate, at: u32) {
    let strike = match fate {
        Fate::StoppedInside(length) => {
            if let Some(worker) = Worker::begin(work, at) {
                world.state().after(length, Event::Resumes { process, worker });
            }
            return;
        }
        Fate::KilledInside => Strike::Kill,
        Fate::PowerCut => Strike::Power,
        Fate::Broken => Strike::Broken,
        _ => Strike::Nothing,
    };
    worker::here(work, strike, at);
    if fate == Fate::KilledAfter {
        world.state().kill(process);
    }
}

fn begins(world: &Arc<World>, act: Act) {
    let mut state = world.state();
    if state.now < state.booted_at {
        let at = state.booted_at + 500;
        state.at(at, Event::Begins(act));
        return;
    }
    let process = state.processes.len();
    let name = format!("{}{}", act.name(), if process == 0 { String::new() } else { format!("_{process}") });
    let boot = state.boot;
    state.note(&name, || "begins".to_owned());
    state.processes.push(Process {
        name,
        act,
        alive: true,
        died: None,
        boot,
        paused_until: 0,
        task: None,
        calls: "",
        bound: BTreeMap::new(),
    });
    let node = Node { world: world.clone(), process };
    let task = tokio::spawn(actors::act(node, act));
    state.processes[process].task = Some(task.abort_handle());
    state.activity += 1;
}

fn has_guardian(state: &State) -> bool {
    state.processes.iter().any(|process| process.act == Act::Guardian && process.alive)
}

fn happens(world: &World, what: Happening) {
    let mut state = world.state();
    match what {
        Happening::Calm | Happening::Mediates => {}
        _ => state.note("world", || format!("{what:?}")),
    }
    match what {
        Happening::Signal => {
            if state.processes.first().is_some_and(|operator| operator.alive) {
                state.stop.send_replace(Some("SIGINT".to_owned()));
                state.activity += 1;
            }
        }
        Happening::DiskFull(room, length) => {
            state.disk.leave_room(Some(room));
            state.after(length, Event::Happens(Happening::DiskFree));
        }
        Happening::DiskFree => state.disk.leave_room(None),
        Happening::Outage(length) => state.outage_until = state.now + length,
        Happening::ClockJumps(seconds) => state.wall_offset += seconds * 1_000,
        Happening::GateShuts => {
            state.platform.shut_since = Some(state.now);
            state.platform.objects.get_mut("gate").unwrap().value = "shut".into();
        }
        // A person looks at once whether something is left.
        Happening::Boots => state.after(12_000, Event::Begins(Act::Recover)),
        Happening::Calm => {
            state.calm = true;
            state.disk.leave_room(None);
            state.outage_until = 0;
            let is_left = !laws::is_closed(&state.disk);
            if is_left && !has_guardian(&state) {
                state.after(1_000, Event::Begins(Act::Guardian));
            }
            state.after(15_000, Event::Happens(Happening::Mediates));
        }
        Happening::Mediates => mediates(world, &mut state),
    }
}

/// A person decides on what is held, and asks once more where the run is stuck.
fn mediates(world: &World, state: &mut State) {
    if laws::is_closed(&state.disk) {
        return;
    }
    let Some(stored) = laws::stored(&state.disk).ok().filter(|stored| stored.lock.is_some()) else {
        // An operator that was stopped again and again may still begin.
        if state.processes.first().is_some_and(|operator| operator.alive) {
            state.after(40_000, Event::Happens(Happening::Mediates));
        }
        return;
    };
    match stored.mode() {
        Mode::Finished(Outcome::Stuck { .. }) => {
            let asked = std::mem::replace(&mut state.asked_again, true);
            if asked {
                return;
            }
            state.after(0, Event::Begins(Act::Recover));
        }
        Mode::Held { declared: true, .. } => {
            // Who has watched once more for nothing puts it back.
            let decided = std::mem::replace(&mut state.decided, true);
            let how = if decided { Resume::Undo } else { world.scenario.decides };
            state.after(0, Event::Begins(Act::Resume(how)));
        }
        _ if !has_guardian(state) => state.after(0, Event::Begins(Act::Guardian)),
        _ => {}
    }
    state.after(40_000, Event::Happens(Happening::Mediates));
}
