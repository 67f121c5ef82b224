//! A simulated platform: objects that fence each for itself, and messages to them that are lost, late, and doubled.

use std::collections::{BTreeMap, BTreeSet};

use interlock::ports::PortError;
use serde_json::{Value, json};

use crate::{
    calls::Call,
    choices::{Fate, MESSAGE},
    cluster::{self, Cluster, NODES},
    mutants::Mutant,
    node::Node,
    objects::{self, Object},
    scenario::{Meddling, Scenario, Subject},
    world::{Event, PATIENCE, State, World},
};

/// What a message asks for.
#[derive(Debug, Clone)]
pub enum Request {
    /// What stands there, with its epoch and version.
    Get,
    /// Raises the epoch; where a version is named, only at that one.
    Fence { epoch: u64, version: Option<u64> },
    /// Writes at a version.
    Put { to: Value, epoch: u64, version: u64 },
    /// One act of a command, which nothing at the object can refuse; the last one writes.
    Command { id: String, to: Value, epoch: u64, last: bool },
    /// Reads what knows no epochs, in a term that whoever is beneath it must not act in any more.
    ObserveContext { epoch: u64 },
    /// Ends a command, whose process is on this machine: one that waits at its gate as well.
    End { id: String },
    /// What a drill's servers and hosts are asked and told.
    Of(Call),
}

/// A message on its way to an object.
#[derive(Debug, Clone)]
pub struct Message {
    pub process: usize,
    pub key: String,
    pub request: Request,
    /// Its sender has given up, or it is a second copy.
    pub stray: bool,
    /// When it was sent.
    pub sent: u64,
    /// The uid of the object that it is for, where its sender is bound to one, and whether that bears a mark.
    pub bound: Option<(u64, bool)>,
}

/// What an object answers.
#[derive(Debug, Clone)]
pub struct Seen {
    pub value: Value,
    pub epoch: u64,
    pub version: u64,
    pub uid: u64,
}

/// What a wait ends with.
#[derive(Debug)]
pub enum Answer {
    Woken,
    Says(Result<Seen, PortError>),
}

/// The platform.
pub struct Platform {
    pub objects: BTreeMap<String, Object>,
    /// How many messages have arrived.
    arrivals: u32,
    meddlings: Vec<Meddling>,
    /// Who has used an epoch.
    pub claims: BTreeMap<u64, usize>,
    /// Since when the gate is shut.
    pub shut_since: Option<u64>,
    /// When the target was locked.
    pub locked_at: Option<u64>,
    /// Another run has the target.
    pub contended: bool,
    /// The database of a drill.
    pub cluster: Option<Cluster>,
    /// How many writes were accepted.
    pub writes: u32,
    /// Live requests so far.
    pub turn: u64,
    /// Commands so far.
    pub commands: u64,
}

impl Platform {
    pub fn new(subject: Subject, scenario: &Scenario) -> Self {
        let object = |value: Value| Object {
            first: value.clone(),
            value,
            epoch: scenario.left,
            version: 0,
            foreign: None,
            theirs: false,
            uid: 1,
            anew: false,
            ended: BTreeSet::new(),
            highest: scenario.left,
            fenced: 0,
        };
        let gate = [("gate".to_owned(), object(json!("open")))];
        let objects = subject.objects().into_iter().map(|(key, value)| (key.to_owned(), object(value))).chain(gate);
        let is_drill = subject == Subject::Drill;
        // A host without an agent bears no epoch, nor does a server.
        let unmarked = |key: String| (key, Object { epoch: 0, highest: 0, ..object(Value::Null) });
        let machines = NODES.iter().filter(|_| is_drill).flat_map(|node| [(*node).to_owned(), format!("sql/{node}")]);
        let objects = objects.chain(machines.map(unmarked)).collect();
        Self {
            objects,
            arrivals: 0,
            meddlings: scenario.meddlings.clone(),
            claims: BTreeMap::new(),
            shut_since: None,
            locked_at: None,
            contended: false,
            cluster: is_drill.then(|| Cluster::new(scenario)),
            writes: 0,
            turn: 0,
            commands: 0,
        }
    }
}

pub fn unreachable(why: &str) -> PortError {
    PortError::unreachable("the platform", why)
}

impl Node {
    /// Sends a message to an object and waits for the answer.
    pub async fn ask(&self, call: &'static str, key: &str, request: Request) -> Result<Seen, PortError> {
        let writes = matches!(request, Request::Fence { .. } | Request::Put { .. });
        let ticket = self.send(call, key, request);
        match self.wait(ticket).await {
            Answer::Says(said) => {
                if let Some((_, marked)) = self.state().processes[self.process].bound.get_mut(key)
                    && writes
                    && said.is_ok()
                {
                    *marked = true;
                }
                said
            }
            Answer::Woken => Err(unreachable("no answer")),
        }
    }

    /// The uid of an object.
    pub async fn uid(&self, key: &str) -> Result<Option<String>, PortError> {
        self.ask("read", key, Request::Get).await.map(|seen| Some(seen.uid.to_string()))
    }

    /// From here on all that this process writes at a key is for this very object.
    pub fn bind(&self, key: &str, object: &str, marked: bool) {
        if self.world.mutant == Mutant::BindsNothing {
            return;
        }
        let uid = object.parse().unwrap();
        self.state().processes[self.process].bound.entry(key.to_owned()).or_insert((uid, false)).1 |= marked;
    }

    fn send(&self, call: &'static str, key: &str, request: Request) -> u64 {
        let mut state = self.state();
        let ticket = state.ticket();
        let process = self.process;
        let fate = state.fate(process, call, MESSAGE);
        let bound = state.processes[process].bound.get(key).copied();
        let sent = state.now;
        let patience = if let Request::Of(call) = &request { call.patience() } else { PATIENCE };
        let message = Message { process, key: key.to_owned(), request, stray: false, sent, bound };
        let stray = || Message { stray: true, ..message.clone() };
        let name = state.processes[process].name.clone();
        let is_lost = fate == Fate::LostBefore || state.outage_until > state.now;
        state.tell(&name, Some("platform"), || text(&message), is_lost);
        if state.outage_until > state.now {
            let heard = Answer::Says(Err(unreachable("connection refused")));
            state.after(100, Event::Wakes { process, ticket, heard });
            return ticket;
        }
        let gives_up = |state: &mut State| {
            // Whoever is stopped before it sends waits from when it goes on.
            let stopped = if let Fate::Paused(length) = fate { length } else { 0 };
            let heard = Answer::Says(Err(unreachable("no answer")));
            state.after(stopped + patience, Event::Wakes { process, ticket, heard });
        };
        // A server whose host gets no time answers nothing.
        if matches!(message.request, Request::Of(_)) {
            gives_up(&mut state);
        }
        match fate {
            Fate::Slow(length) => state.after(length, Event::Arrives { message, ticket: Some(ticket) }),
            Fate::Paused(length) => {
                state.pause(process, length);
                // It is sent once its sender goes on, if it ever does.
                let message = Message { sent: sent + length, ..message };
                state.after(length + 5, Event::Arrives { message, ticket: Some(ticket) });
            }
            Fate::Killed => state.kill(process),
            Fate::KilledAfter => {
                state.after(5, Event::Arrives { message: stray(), ticket: None });
                state.kill(process);
            }
            Fate::LostBefore => gives_up(&mut state),
            Fate::LostAfter => {
                state.after(5, Event::Arrives { message: stray(), ticket: None });
                gives_up(&mut state);
            }
            Fate::Late(length) => {
                state.after(length, Event::Arrives { message: stray(), ticket: None });
                gives_up(&mut state);
            }
            Fate::Twice(length) => {
                state.after(length, Event::Arrives { message: stray(), ticket: None });
                state.after(5, Event::Arrives { message, ticket: Some(ticket) });
            }
            _ => state.after(5, Event::Arrives { message, ticket: Some(ticket) }),
        }
        ticket
    }
}

impl Request {
    /// The keys of the plan by which an object is written that it is for.
    pub fn keys<'a>(&'a self, key: &'a str) -> Vec<&'a str> {
        match self {
            Self::Of(call) => call.keys().to_vec(),
            _ => vec![key],
        }
    }

    /// Whether it is done in the end, once its server gets time again.
    const fn outlasts(&self) -> bool {
        matches!(self, Self::Of(Call::Statement { .. }))
    }
}

fn text(message: &Message) -> String {
    let Message { key, request, .. } = message;
    match request {
        Request::Get => format!("get {key}"),
        Request::Fence { epoch, version: None } => format!("fence {key} with epoch {epoch}"),
        Request::Fence { epoch, version: Some(version) } => format!("fence {key} v{version} with epoch {epoch}"),
        Request::Put { to, epoch, version } => format!("put {key} v{version} = {to} in epoch {epoch}"),
        Request::Command { id, to, epoch, last } => {
            format!("command {id}: {key} to {to} in epoch {epoch}{}", if *last { ", the last act" } else { "" })
        }
        Request::ObserveContext { epoch } => format!("look at {key} in epoch {epoch}"),
        Request::End { id } => format!("end command {id} at {key}"),
        Request::Of(call) => format!("{call:?} at {key}"),
    }
}

/// A message arrives.
pub fn arrives(world: &World, message: Message, ticket: Option<u64>) {
    let mut state = world.state();
    if state.processes[message.process].died.is_some_and(|died| died < message.sent) {
        return;
    }
    state.platform.arrivals += 1;
    let arrivals = state.platform.arrivals;
    while let Some(at) = state.platform.meddlings.iter().position(|meddling| meddling.arrival == arrivals) {
        let meddling = state.platform.meddlings.remove(at);
        objects::meddle(world, &mut state, &meddling);
    }
    let answer = match &message.request {
        Request::Of(call) => cluster::take(world, &mut state, &message, call),
        _ => Some(objects::take(world, &mut state, &message)),
    };
    let Some(answer) = answer else {
        if message.request.outlasts() {
            state.after(PATIENCE, Event::Arrives { message: Message { stray: true, ..message }, ticket: None });
        }
        return;
    };
    if message.stray {
        state.note("platform", || format!("arrives: {}: {}", text(&message), outcome(&answer)));
    }
    let Some(ticket) = ticket else { return };
    let name = state.processes[message.process].name.clone();
    state.tell("platform", Some(&name), || outcome(&answer), false);
    state.after(0, Event::Wakes { process: message.process, ticket, heard: Answer::Says(answer) });
}

fn outcome(answer: &Result<Seen, PortError>) -> String {
    match answer {
        Ok(seen) => format!("{} (v{}, epoch {})", seen.value, seen.version, seen.epoch),
        Err(e) => e.to_string(),
    }
}
