//! What has to be true at rest and at every write, whatever has happened. Each law is one function.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::FutureExt as _;
use interlock::{
    adapters::store::{Disk as _, FolderStore, Machine, Sight, Work},
    error::Error,
    guard::{Action, Entry, Mode, Outcome, Plan, Stored, load, milestone},
    journal::Owner,
    model::{Moment, RunId, Timestamp},
    ports::Clock,
};
use serde_json::Value;

use crate::{
    cluster,
    machine::ROOT,
    memory_disk::{Left, MemoryDisk},
    objects::Object,
    platform::{Message, Request},
    world::{State, World},
};

/// The run that every schedule is about.
pub fn run_id() -> RunId {
    RunId::parse("20261121-093000-1f2e").unwrap()
}

/// Whoever looks from outside, at once and with nobody else alive.
struct Judge;

#[async_trait]
impl Clock for Judge {
    fn now(&self) -> Moment {
        Moment { wall: Timestamp::from_second(1_795_000_000).unwrap(), boot: Duration::from_secs(1_000_000) }
    }

    async fn sleep(&self, _: Duration) {}
}

impl Machine for Judge {
    fn owner(&self) -> Result<Owner, Error> {
        Owner::current()
    }

    fn look_for(&self, _: &Owner) -> Sight {
        Sight { same_host: true, same_boot: true, here: true, alive: false }
    }

    fn end(&self, _: &Owner) -> std::io::Result<bool> {
        Ok(false)
    }

    fn spawn(&self, work: Work) -> std::io::Result<()> {
        work();
        Ok(())
    }
}

/// The run as a disk has it; an error where it never began.
pub fn stored(disk: &MemoryDisk) -> Result<Stored, Error> {
    let store = FolderStore::of(Arc::new(Judge), Arc::new(disk.clone()), ROOT, Arc::new(Judge), milestone);
    load(&store, &run_id()).now_or_never().expect("a judge waits for nothing")
}

/// Whether the run has given its target free, at a glance.
pub fn is_closed(disk: &MemoryDisk) -> bool {
    let names = disk.list(&Path::new(ROOT).join(run_id().as_str())).unwrap_or_default();
    names.iter().any(|name| name.starts_with("closed-"))
}

/// All that the journal has on a disk, as text.
fn journal(disk: &MemoryDisk) -> String {
    let folder = Path::new(ROOT).join(run_id().as_str());
    let names = disk.list(&folder).unwrap_or_default();
    let parts = names.iter().filter(|name| name.starts_with("journal"));
    parts.map(|name| String::from_utf8_lossy(&disk.read(&folder.join(name)).unwrap_or_default()).into_owned()).collect()
}

/// The steps that write at a key.
fn steps<'a>(plan: &'a Plan, key: &'a str) -> impl Iterator<Item = (usize, &'a Value)> {
    plan.steps.iter().enumerate().filter_map(move |(index, step)| match &step.action {
        Action::Change { key: at, to, .. } if at == key => Some((index, to)),
        _ => None,
    })
}

/// Whether the plan writes this value there.
pub fn is_planned(plan: &Plan, key: &str, value: &Value) -> bool {
    steps(plan, key).any(|(_, to)| to == value)
}

/// What a journal's text has captured at a key, as it is written there: for a step, or so that another key can go back.
fn captured(durable: &str, plan: &Plan, key: &str) -> Vec<String> {
    let begin = format!(r#""prepared":{{"key":"{key}","prior":"#);
    let prepared = durable.split(&begin).skip(1).filter_map(|rest| rest.split_once(r#","step":"#));
    let priors = durable.split(r#""captured":{"#).skip(1).filter_map(|rest| rest.split_once(r#""prior":"#));
    let priors = priors.filter_map(|(_, rest)| rest.split_once(r#","step":"#));
    let of_key = |step: &str| {
        let step = step.split('}').next().and_then(|step| step.parse::<usize>().ok());
        steps(plan, key).any(|(index, _)| Some(index) == step)
    };
    priors.filter(|(_, step)| of_key(step)).chain(prepared).map(|(prior, _)| prior.to_owned()).collect()
}

/// Whether the run has captured something at a key so far, for good.
pub fn is_captured(world: &World, state: &State, key: &str) -> bool {
    !captured(&journal(&state.disk.after_power_cut(Left::Nothing)), &world.plan, key).is_empty()
}

/// Law 4: what somebody has made anew since it was captured is theirs, to the last mark.
fn is_ours(state: &mut State, name: &str, key: &str) {
    if state.platform.objects[key].anew {
        state
            .violates(format!("law 4: {name} wrote at {key}, which somebody else has made anew since it was captured"));
    }
}

/// Law 1: the tokens that an object accepts never fall, and each belongs to one owner.
pub fn accepts_token(_: &World, state: &mut State, process: usize, key: &str, epoch: u64) {
    let name = state.processes[process].name.clone();
    is_ours(state, &name, key);
    let object = state.platform.objects.get_mut(key).unwrap();
    let highest = object.highest;
    object.highest = highest.max(epoch);
    if epoch < highest {
        state.violates(format!("law 1: {key} took epoch {epoch} of {name} after epoch {highest}"));
    }
    let holder = *state.platform.claims.entry(epoch).or_insert(process);
    if holder != process {
        let other = state.processes[holder].name.clone();
        state.violates(format!("law 1 (claims): {key} took epoch {epoch} of {name}, which {other} has used"));
    }
}

/// What holds of each write that the platform takes: it begins with gates that are open, its capture is durable, and nothing of
/// others is overwritten.
pub fn accepts_write(world: &World, state: &mut State, message: &Message, found: &Value, foreign: Option<&Value>) {
    let Message { process, key, request, .. } = message;
    let name = state.processes[*process].name.clone();
    state.platform.writes += 1;
    gates_were_asked(state, &name, key);
    let plan = &world.plan;
    let durable = journal(&state.disk.after_power_cut(Left::Nothing));
    let captured: Vec<_> = request.keys(key).into_iter().flat_map(|key| captured(&durable, plan, key)).collect();
    let goes_on_elsewhere = world.scenario.beyond && matches!(request, Request::Command { .. });
    if state.platform.contended && !goes_on_elsewhere {
        state.violates(format!("lock: {name} wrote at {key} while another run had the target"));
    }
    // Law of the word: whoever has settled a run by hand has the last word.
    if durable.contains(r#""resolved":"#) && !goes_on_elsewhere {
        state.violates(format!("settled: {name} wrote at {key} after a person had settled the run by hand"));
    }
    // Law 2.
    if captured.is_empty() {
        state
            .violates(format!("law 2: {name} wrote at {key}, and no power cut would leave what stood there ({found})"));
    }
    // Law 4.
    let Some(foreign) = foreign else { return };
    let writes = match request {
        Request::Put { to, .. } => to,
        // Nothing makes a command depend on what stands there when it ends.
        _ => return,
    };
    let is_known = captured.contains(&foreign.to_string());
    if foreign == found && writes != found && !is_known {
        state.violates(format!("law 4: {name} replaced {found} at {key} by {writes}, which somebody else had written"));
    }
}

/// Law of the gates: what was shut when the target was locked lets nobody begin.
fn gates_were_asked(state: &mut State, name: &str, key: &str) {
    let (Some(shut), Some(locked)) = (state.platform.shut_since, state.platform.locked_at) else { return };
    if shut <= locked {
        state.violates(format!("gates: {name} wrote at {key}, and the gate was shut before the target was locked"));
    }
}

/// Law of the lock: no other run gets the target while this one has touched something and has not given it free; nor does
/// this one write while the other has it.
pub fn another_has_the_target(state: &mut State, process: usize) {
    let name = state.processes[process].name.clone();
    if journal(&state.disk).contains(r#""captured":"#) && !is_closed(&state.disk) {
        state.violates(format!("lock: {name} has the target, and so has another run"));
    }
    state.platform.contended = true;
}

/// The other run gives the target free.
pub fn leaves_the_target(state: &mut State) {
    state.platform.contended = false;
}

/// Law 6: the exit code says what the journal says.
pub fn exits_as_the_journal(state: &mut State, process: usize, outcome: &Outcome) {
    let name = state.processes[process].name.clone();
    let finished = serde_json::json!({ "finished": { "outcome": outcome } }).to_string();
    let held = serde_json::json!({ "held": { "why": outcome.why() } }).to_string();
    let text = journal(&state.disk);
    let is_held = matches!(outcome, Outcome::Held { .. }) && text.contains(&held);
    let is_there = is_held || text.contains(&finished);
    if !is_there {
        state.violates(format!("law 6: {name} ended with `{outcome}`, and the journal does not"));
    }
}

/// Law 1: whoever ends as superseded has a successor, and is not held up by what objects remember of a lock that is lost.
pub fn has_a_successor(world: &World, state: &mut State, process: usize, error: &Error) {
    let left = world.scenario.left;
    if let Error::Superseded { theirs, .. } = error
        && *theirs <= left
    {
        let name = state.processes[process].name.clone();
        state.violates(format!("law 1: {name} ended as superseded by epoch {theirs}, which no lock has given"));
    }
}

/// No journal counts as tampered with that nobody has touched.
pub fn nobody_has_tampered(state: &mut State, process: usize, error: &Error) {
    if matches!(error, Error::Tampered { .. }) {
        let name = state.processes[process].name.clone();
        state.violates(format!("store: {name} ended with `{error}`"));
    }
}

/// What has to be true once nothing happens any more.
pub fn at_rest(world: &World, state: &mut State) -> String {
    cluster::rests(state);
    let plan = &world.plan;
    let stored = match stored(&state.disk) {
        Ok(stored) => stored,
        Err(e) => {
            if matches!(e, Error::Tampered { .. }) {
                state.violates(format!("store: {e}"));
            }
            if state.platform.writes > 0 {
                state.violates(format!("law 2: the platform was written to, and the journal is gone: {e}"));
            }
            return "never began".to_owned();
        }
    };
    let mode = stored.mode();
    let is_touched = stored.entries.iter().any(|entry| matches!(entry, Entry::Captured { .. }));
    if !is_touched && state.platform.writes == 0 && stored.lock.is_none() {
        return if let Mode::Finished(outcome) = mode { outcome.word().to_owned() } else { "never began".to_owned() };
    }
    comes_to_rest(state, &mode, stored.lock.is_some());
    let Mode::Finished(outcome) = &mode else { return "open".to_owned() };
    let is_settled = stored.entries.iter().any(|entry| matches!(entry, Entry::Resolved { .. }));
    if !is_settled {
        stands_as_it_ended(state, plan, &stored.entries, outcome);
    }
    outcome.word().to_owned()
}

/// Law 5: every run comes to its end, and gives its target free unless a person is needed.
fn comes_to_rest(state: &mut State, mode: &Mode, is_locked: bool) {
    match mode {
        Mode::Finished(outcome) if outcome.needs_person() => {
            if !state.trouble {
                state.violates(format!("law 5: nobody was in its way, and it is {outcome}"));
            }
        }
        Mode::Finished(_) if !is_locked => {}
        Mode::Finished(outcome) => state.violates(format!("law 5: {outcome}, and its target is locked for ever")),
        other => state.violates(format!("law 5: it never comes to an end: {other:?}")),
    }
}

/// Law 3: kept is as planned, undone is as captured, and stuck names what differs.
fn stands_as_it_ended(state: &mut State, plan: &Plan, entries: &[Entry], outcome: &Outcome) {
    let objects: Vec<(String, Object)> = state.platform.objects.iter().map(|(k, o)| (k.clone(), o.clone())).collect();
    for (key, object) in objects.into_iter().filter(|(key, _)| key != "gate") {
        // What somebody else has written last is theirs.
        if object.theirs {
            continue;
        }
        // Without it something else could not go back: it stays, and is named.
        let is_prepared =
            |entry: &Entry| matches!(entry, Entry::Prepared { key: at, to, .. } if *at == key && *to == object.value);
        if outcome.why().contains(&format!("to go back, {key} was set from")) && entries.iter().any(is_prepared) {
            continue;
        }
        let captured = entries.iter().find_map(|entry| match entry {
            Entry::Captured { step, prior, .. } if steps(plan, &key).any(|(index, _)| index == *step) => Some(prior),
            _ => None,
        });
        let applied = entries.iter().rev().find_map(|entry| match entry {
            Entry::Applied { step } => steps(plan, &key).find(|(index, _)| index == step).map(|(_, to)| to),
            _ => None,
        });
        let before = captured.unwrap_or(&object.first);
        let value = &object.value;
        match outcome {
            Outcome::Kept { .. } => {
                let planned = applied.unwrap_or(before);
                if value != planned {
                    state.violates(format!("law 3: kept, and {key} is {value} where {planned} was planned"));
                }
            }
            Outcome::Stuck { why } => {
                if value != before && !why.contains(key.as_str()) {
                    state.violates(format!("law 3: stuck names `{why}`, and {key} is {value} where it was {before}"));
                }
            }
            _ => {
                if value != before {
                    state.violates(format!("law 3: {}, and {key} is {value} where it was {before}", outcome.word()));
                }
            }
        }
    }
}
