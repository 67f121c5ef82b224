//! Looks of a run: what they have found is carried from one to the next, and recorded as often as a successor needs it.
//!
//! What grows with the platform, such as where each series stands, is kept apart from the journal in a snapshot that is
//! replaced, and whose digest the journal has. A snapshot may be older than the record that goes with it: what the operation
//! counts anew from there is what was counted before, and the record says how much of it was taken.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Entry, Verdict, entries, summary::is_over};
use crate::{
    error::Error,
    journal::{Digest, Grant},
    model::{Epoch, Moment, RunId},
    ports::Store,
};

/// Looks that only wait are recorded each time until the step has lasted so long; from then on the time between two records is
/// this share of all that the step has lasted, and at most [`SELDOM`].
const SHARE: u32 = 300;
const SELDOM: Duration = Duration::from_secs(60);
/// How many bytes of snapshots are written per second, over time.
const PACE: f64 = 16.0 * 1024.0;
/// A snapshot that is longer is not written, which is said, and a successor goes on from the last one that was: half a million
/// series.
const MOST: usize = 12 * 1024 * 1024;

/// Which snapshot goes with a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Whose it is.
    pub term: Epoch,
    /// Which of the two that each owner has in turn.
    pub turn: u8,
    /// What was written.
    pub digest: Digest,
}

/// What the looks have found, as far as this owner carries it.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// What the last look has found, recorded or not.
    found: Option<Value>,
    /// The part of it that is kept apart, by its places.
    apart: Map<String, Value>,
    /// The last look, where it is not recorded.
    unrecorded: Option<Entry>,
    /// When one was recorded last.
    recorded: Option<Moment>,
    /// The snapshot that the journal names last.
    named: Option<Snapshot>,
    /// When this owner has written one last, and its length.
    saved: Option<(Moment, usize)>,
    /// The snapshot cannot be read, so that nothing may take its place.
    lost: bool,
    /// It was said that snapshots have grown too long.
    said_too_long: bool,
}

impl Looks {
    /// As the journal has them.
    pub fn of(history: &[Entry]) -> Self {
        Self { named: last_named(history), ..Self::default() }
    }

    /// How long the looks at a step have taken that are not recorded.
    pub fn unrecorded(&self, step: usize) -> Duration {
        match &self.unrecorded {
            Some(Entry::Observed { step: of, ms, .. }) if *of == step => Duration::from_millis(*ms),
            _ => Duration::ZERO,
        }
    }

    /// What the next look is told: all that was found, with what is kept apart in its place.
    ///
    /// # Errors
    /// [`Error::Tampered`] where the snapshot is not what was written; where it cannot be read.
    pub async fn so_far(
        &mut self,
        store: &dyn Store,
        run: &RunId,
        recorded: Option<&Value>,
    ) -> Result<Option<Value>, Error> {
        if let Some(named) = self.named.as_ref().filter(|_| self.apart.is_empty()) {
            let read = read(store, run, named).await;
            self.lost = read.is_err();
            self.apart = read?;
        }
        let mut found = self.found.as_ref().or(recorded).cloned();
        if let Some(found) = &mut found {
            for (place, value) in std::mem::take(&mut self.apart) {
                put(found, &place, value);
            }
        }
        Ok(found)
    }

    /// Takes what a look has found: the entry is to be recorded, or carried on until a later one is.
    pub fn take(&mut self, entry: Entry, apart: &[&str], (now, due): (&Moment, Due)) -> Option<Entry> {
        let Entry::Observed { step, ms, verdict, line, mut evidence, snapshot } = entry else { return Some(entry) };
        let ms = ms.saturating_add(u64::try_from(self.unrecorded(step).as_millis()).unwrap_or(u64::MAX));
        let cut = |place: &&str| Some(((*place).to_owned(), cut(&mut evidence, place)?));
        self.apart = apart.iter().filter_map(cut).collect();
        if self.lost {
            self.apart.clear();
        }
        self.found = Some(evidence.clone());
        let waits = verdict == Verdict::Wait;
        let entry = Entry::Observed { step, ms, verdict, line, evidence, snapshot };
        if waits && !due.now(self.recorded.as_ref(), now) {
            self.unrecorded = Some(entry);
            return None;
        }
        Some(entry)
    }

    /// The last look, where it is not recorded.
    pub fn flush(&mut self) -> Option<Entry> {
        self.unrecorded.take()
    }

    /// A look that is not recorded, for people.
    pub fn last(&self) -> Option<&Entry> {
        self.unrecorded.as_ref()
    }

    /// Writes a new snapshot for a look that is about to be recorded, where it is time for one. Of one that is too long it says
    /// once what that means.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub async fn save(
        &mut self,
        store: &dyn Store,
        grant: &Grant,
        now: Moment,
        entry: &mut Entry,
    ) -> Result<Option<String>, Error> {
        let Entry::Observed { snapshot, .. } = entry else { return Ok(None) };
        (self.unrecorded, self.recorded) = (None, Some(now));
        let due = self.saved.is_none_or(|(at, length)| now.since(&at).as_secs_f64() >= length as f64 / PACE);
        if self.apart.is_empty() || !due {
            return Ok(None);
        }
        let text = serde_json::to_string(&self.apart).map_err(|e| unreadable(&grant.run, &e.to_string()))?;
        self.saved = Some((now, text.len()));
        if text.len() > MOST {
            return Ok(self.too_long(text.len()));
        }
        let turn = self.named.as_ref().map_or(0, |named| 1 - named.turn.min(1));
        store.save_snapshot(grant, turn, &text).await?;
        self.named = Some(Snapshot { term: grant.epoch, turn, digest: Digest::of(text.as_bytes()) });
        snapshot.clone_from(&self.named);
        Ok(None)
    }

    /// What a person has to know of snapshots that are not written, unless it was said.
    fn too_long(&mut self, length: usize) -> Option<String> {
        let successor = match self.named {
            Some(_) => "goes on from the last one that was kept",
            None => "begins to count anew",
        };
        (!std::mem::replace(&mut self.said_too_long, true)).then(|| {
            format!(
                "where the series stand takes {} MiB, and no more than {} MiB are kept: whoever takes this run over {successor}; \
                 narrower `selectors` or queries match fewer series",
                length.div_ceil(1024 * 1024),
                MOST / (1024 * 1024),
            )
        })
    }
}

/// How often looks are recorded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Due {
    /// This one is.
    Now,
    /// After so long.
    After(Duration),
    /// Not while the journal has room left for the way back only.
    Never,
}

impl Due {
    /// For a look that is the first of its step, at a step that has lasted so long, of a run that is held.
    pub fn of(first: bool, spent: Duration, held: bool) -> Self {
        match (first, held) {
            (true, _) => Self::Now,
            (_, true) => Self::After(SELDOM),
            _ if spent < Duration::from_secs(u64::from(SHARE)) => Self::Now,
            _ => Self::After((spent / SHARE).min(SELDOM)),
        }
    }

    fn now(self, last: Option<&Moment>, now: &Moment) -> bool {
        match self {
            Self::Now => true,
            Self::After(time) => last.is_none_or(|last| now.since(last) >= time),
            Self::Never => false,
        }
    }
}

/// How many looks are recorded at most of a step that lasts so long, where one is taken `every` so often.
#[must_use]
pub fn recorded_looks(lasts: Duration, every: Duration) -> u64 {
    let (lasts, every) = (lasts.as_secs_f64(), every.as_secs_f64().max(0.001));
    let share = f64::from(SHARE);
    // From here on the time between two records grows no more.
    let full = share * SELDOM.as_secs_f64();
    let each = lasts.min(share) / every;
    let fewer = share * (lasts.clamp(share, full) / share).ln();
    let seldom = (lasts - full).max(0.0) / SELDOM.as_secs_f64();
    (each + fewer + seldom).min(lasts / every).ceil() as u64 + 1
}

/// Leaves no evidence in a history but the last one: nothing else is ever asked for, and a run may look for days.
pub(super) fn forget_older(history: &mut [Entry]) {
    let found = history.iter_mut().rev().filter_map(|entry| match entry {
        Entry::Observed { evidence, .. } => Some(evidence),
        _ => None,
    });
    // Older ones were forgotten before.
    found.skip(1).take_while(|evidence| !evidence.is_null()).for_each(|evidence| *evidence = Value::Null);
}

/// The snapshot that a history names last.
fn last_named(history: &[Entry]) -> Option<Snapshot> {
    history.iter().rev().find_map(|entry| match entry {
        Entry::Observed { snapshot, .. } => snapshot.clone(),
        _ => None,
    })
}

/// Checks the snapshot that whoever takes a run over would go on from. Nobody does once it no longer holds its target, whatever
/// its records end with, and it has none then.
///
/// # Errors
/// [`Error::Tampered`] where it is gone, or not what was written; where the store cannot be read.
pub async fn verify_snapshot(store: &dyn Store, run: &RunId) -> Result<(), Error> {
    let mut before = None;
    while !is_over(store, run).await? {
        let Ok(history) = entries(&store.load(run).await?) else { break };
        let (Some(Entry::Planned { plan }), Some(named)) = (history.first(), last_named(&history)) else { break };
        if store.lock(&plan.target).await?.is_none_or(|lock| lock.run.as_ref() != Some(run)) {
            break;
        }
        match read(store, run, &named).await {
            // One of a run that is at work may have been replaced meanwhile.
            Err(e) if before.as_ref() == Some(&named) => return Err(e),
            Err(_) => before = Some(named),
            Ok(_) => break,
        }
    }
    Ok(())
}

/// Reads the snapshot that a journal names.
///
/// # Errors
/// [`Error::Tampered`] where it is not what was written; where it cannot be read.
async fn read(store: &dyn Store, run: &RunId, named: &Snapshot) -> Result<Map<String, Value>, Error> {
    let text = store.snapshot(run, named.term, named.turn).await?;
    let text = text.ok_or_else(|| unreadable(run, "it is gone"))?;
    if Digest::of(text.as_bytes()) != named.digest {
        return Err(unreadable(run, "it is not what was written"));
    }
    serde_json::from_str(&text).map_err(|e| unreadable(run, &e.to_string()))
}

fn unreadable(run: &RunId, why: &str) -> Error {
    Error::Tampered {
        what: format!("the snapshot of run {run}, which says where its series stand: {why}"),
        hint: "put things back or keep them: `interlock runs resume` with --undo or --keep".to_owned(),
    }
}

/// Takes a place of a JSON pointer out of an object.
fn cut(from: &mut Value, place: &str) -> Option<Value> {
    let (above, name) = place.rsplit_once('/')?;
    from.pointer_mut(above)?.as_object_mut()?.remove(name)
}

/// Puts it in.
fn put(into: &mut Value, place: &str, value: Value) {
    let above =
        place.rsplit_once('/').and_then(|(above, name)| Some((into.pointer_mut(above)?.as_object_mut()?, name)));
    if let Some((above, name)) = above {
        above.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn looked(evidence: Value) -> Entry {
        Entry::Observed { step: 3, ms: 1_000, verdict: Verdict::Wait, line: String::new(), evidence, snapshot: None }
    }

    /// What a successor may miss of the blocks is bounded, and so are the records.
    #[test]
    fn looks_are_recorded_less_and_less_often() {
        let (mut looks, mut now) =
            (Looks::default(), Moment { wall: "2026-11-21T09:30:00Z".parse().unwrap(), boot: Duration::ZERO });
        let (mut recorded, mut waited) = (0_u64, Duration::ZERO);
        let (mut spent, second) = (Duration::ZERO, Duration::from_secs(1));
        let mut journaled = Duration::ZERO;
        for hours in 1..=24 {
            while spent < Duration::from_hours(hours) {
                let due = Due::of(spent.is_zero(), spent, false);
                now.boot += second;
                spent += second;
                waited += second;
                let Some(Entry::Observed { ms, .. }) = looks.take(looked(json!({})), &[], (&now, due)) else {
                    assert!(waited <= SELDOM && waited <= (spent / SHARE).max(second), "{waited:?} after {spent:?}");
                    assert_eq!(journaled + looks.unrecorded(3), spent);
                    continue;
                };
                journaled += Duration::from_millis(ms);
                (looks.recorded, looks.unrecorded, waited) = (Some(now), None, Duration::ZERO);
                recorded += 1;
            }
            let bound = recorded_looks(spent, second);
            assert!(recorded <= bound && bound <= recorded + recorded / 5 + 10, "{recorded} of {bound} in {hours} h");
        }
    }

    /// An owner that looks for a day holds one evidence, not one for each look.
    #[test]
    fn a_history_keeps_one_evidence() {
        let mut history = Vec::new();
        for look in 0..100 {
            history.push(looked(json!({ "look": look })));
            history.push(Entry::Notified { receiver: "nobody".to_owned(), failed: None });
            forget_older(&mut history);
            let kept =
                history.iter().filter(|entry| matches!(entry, Entry::Observed { evidence, .. } if !evidence.is_null()));
            assert_eq!(kept.count(), 1);
        }
        assert!(history.contains(&looked(json!({ "look": 99 }))));
    }

    /// What is not kept is said before anybody needs it, and once.
    #[test]
    fn a_snapshot_that_is_too_long_is_said_once() {
        let mut looks = Looks::default();
        let said = looks.too_long(MOST + 1).unwrap();
        assert!(said.contains("takes 13 MiB") && said.contains("begins to count anew"), "{said}");
        assert_eq!(looks.too_long(MOST + 2), None);
        let named = Snapshot { term: Epoch(1), turn: 0, digest: Digest::of(b"") };
        let said = Looks { named: Some(named), ..Looks::default() }.too_long(MOST + 1).unwrap();
        assert!(said.contains("goes on from the last one that was kept"), "{said}");
    }

    #[test]
    fn what_is_kept_apart_goes_back_to_its_place() {
        let whole = json!({ "counted": { "old": [1], "new": [2], "slo": 3 }, "quiet": 4 });
        let mut evidence = whole.clone();
        let old = cut(&mut evidence, "/counted/old").unwrap();
        assert_eq!(evidence, json!({ "counted": { "new": [2], "slo": 3 }, "quiet": 4 }));
        put(&mut evidence, "/counted/old", old);
        assert_eq!(evidence, whole);
        assert_eq!(cut(&mut json!({ "counted": null }), "/counted/old"), None);
        assert_eq!(cut(&mut Value::Null, "/counted/old"), None);
    }
}
