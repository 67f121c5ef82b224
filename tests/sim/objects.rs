//! The simulated platform's objects: what each does with a message that arrives.

use std::collections::BTreeSet;

use interlock::ports::PortError;
use serde_json::{Value, json};

use crate::{
    cluster, laws,
    platform::{Answer, Message, Request, Seen, unreachable},
    scenario::Meddling,
    world::{Event, State, World},
};

/// One object.
#[derive(Debug, Clone)]
pub struct Object {
    pub value: Value,
    /// What stood there in the beginning.
    pub first: Value,
    pub epoch: u64,
    pub version: u64,
    /// What somebody else has written here last, and nobody since.
    pub foreign: Option<Value>,
    /// Somebody else has written last.
    pub theirs: bool,
    /// Which of the objects of this name it is.
    pub uid: u64,
    /// Somebody else has made it anew since it was captured.
    pub anew: bool,
    /// The highest token that was accepted.
    pub highest: u64,
    /// When it was, first.
    pub fenced: u64,
    /// Commands whose processes were ended.
    pub ended: BTreeSet<String>,
}

/// Somebody else writes.
pub fn meddle(world: &World, state: &mut State, meddling: &Meddling) {
    if state.platform.cluster.is_some() {
        state.trouble = true;
        state.tell("somebody", Some("platform"), || format!("brings {} to {}", meddling.key, meddling.value), false);
        return cluster::meddle(state, &meddling.key, &meddling.value);
    }
    let is_planned = laws::is_planned(&world.plan, &meddling.key, &meddling.value);
    let is_captured = laws::is_captured(world, state, &meddling.key);
    let Some(object) = state.platform.objects.get_mut(&meddling.key) else { return };
    object.value = meddling.value.clone();
    // Who writes the very value that the run writes is not told from it.
    object.foreign = (!is_planned).then(|| meddling.value.clone());
    object.theirs = true;
    object.version += 1;
    if meddling.anew {
        // No two objects ever have the same version.
        (object.uid, object.epoch, object.highest, object.version) = (object.uid + 1, 0, 0, object.version + 1_000);
        object.anew = is_captured;
    }
    state.trouble = true;
    let does = if meddling.anew { "make anew" } else { "put" };
    state.tell("somebody", Some("platform"), || format!("{does} {} = {}", meddling.key, meddling.value), false);
}

/// A message arrives at an object.
pub fn take(world: &World, state: &mut State, message: &Message) -> Result<Seen, PortError> {
    let Message { process, key, request, .. } = message;
    let now = state.now;
    let Some(object) = state.platform.objects.get_mut(key) else {
        return Err(PortError::NotFound { what: key.clone() });
    };
    let is_for_another = message.bound.is_some_and(|(uid, marked)| uid != object.uid || (marked && object.epoch == 0));
    if is_for_another && matches!(request, Request::Fence { .. } | Request::Put { .. }) {
        return Err(PortError::Replaced { what: key.clone(), why: "somebody has made it anew".to_owned() });
    }
    match request {
        Request::Get => {}
        Request::Fence { epoch, version } => {
            if *epoch < object.epoch {
                return Err(PortError::Superseded { ours: *epoch, theirs: object.epoch });
            }
            if version.is_some_and(|version| version != object.version) {
                return Err(PortError::Conflict { found: json!(object.version), expected: json!(version) });
            }
            object.epoch = *epoch;
            object.version += 1;
            laws::accepts_token(world, state, *process, key, *epoch);
        }
        Request::Put { to, epoch, version } => {
            if *epoch < object.epoch {
                return Err(PortError::Superseded { ours: *epoch, theirs: object.epoch });
            }
            if *version != object.version {
                return Err(PortError::Conflict { found: object.value.clone(), expected: json!(version) });
            }
            object.epoch = *epoch;
            object.version += 1;
            let found = std::mem::replace(&mut object.value, to.clone());
            let foreign = object.foreign.take();
            object.theirs = false;
            laws::accepts_token(world, state, *process, key, *epoch);
            laws::accepts_write(world, state, message, &found, foreign.as_ref());
        }
        Request::Command { id, .. } if object.ended.contains(id) => return Err(unreachable("its process was ended")),
        Request::Command { id, to, epoch, last } => {
            object.version += 1;
            // A process acts once.
            object.ended.insert(id.clone());
            let foreign = object.foreign.clone();
            let found = object.value.clone();
            if *last {
                object.value = to.clone();
                object.foreign = None;
                object.theirs = false;
            }
            // What goes on elsewhere comes when it comes; but nobody sends it any more who has lost the run.
            let is_old = message.sent <= object.fenced || world.scenario.apart;
            if !(world.scenario.beyond && is_old && *epoch < object.highest) {
                laws::accepts_token(world, state, *process, key, *epoch);
            }
            laws::accepts_write(world, state, message, &found, foreign.as_ref());
        }
        Request::Of(call) => return Err(unreachable(&format!("{call:?} is for a database"))),
        // Who looks in an earlier term does no harm.
        Request::ObserveContext { epoch } if *epoch > object.highest => (object.highest, object.fenced) = (*epoch, now),
        Request::ObserveContext { .. } => {}
        Request::End { id } => {
            object.ended.insert(id.clone());
            cluster::end_command(state, id);
            end_command(state, key, id);
        }
    }
    let object = &state.platform.objects[key];
    Ok(Seen { value: object.value.clone(), epoch: object.epoch, version: object.version, uid: object.uid })
}

/// Ends the process of a command.
fn end_command(state: &mut State, key: &str, ended: &str) {
    let is_ended = |event: &Event| match event {
        Event::Arrives { message: Message { key: at, request: Request::Command { id, .. }, .. }, .. } => {
            at == key && id == ended
        }
        Event::Arrives { message: Message { request: Request::Of(call), .. }, .. } => call.command() == Some(ended),
        _ => false,
    };
    let ended: Vec<_> = state.queue.iter().filter(|(_, event)| is_ended(event)).map(|(at, _)| *at).collect();
    for at in ended {
        if let Some(Event::Arrives { message, ticket: Some(ticket) }) = state.queue.remove(&at) {
            let heard = Answer::Says(Err(unreachable("the command was ended")));
            state.after(0, Event::Wakes { process: message.process, ticket, heard });
        }
    }
}
