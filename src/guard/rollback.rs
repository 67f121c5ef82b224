//! Putting one step back: what is looked at first, the write, and trying again.

use std::time::Duration;

use serde_json::Value;

use super::{
    Context, Entry, Event,
    permit::StepPermit,
    undo::{Undo, undo},
};
use crate::{
    error::Error,
    journal::Grant,
    model::Moment,
    ports::{Means, PortError},
};

/// How often going back is tried before a person is needed.
const RETURN_TRIES: u32 = 12;
/// The longest pause between two of these tries; they double from a tenth of it.
const RETURN_PAUSE: Duration = Duration::from_secs(1);
/// How long something that can only be awaited delays what can be put back meanwhile.
pub(super) const SETTLE: Duration = Duration::from_secs(5);
/// How long it is awaited once everything else is done.
const SETTLE_LAST: Duration = Duration::from_secs(60);

/// A step that is put back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Return<'a> {
    pub step: usize,
    pub key: &'a str,
    /// What stood there before the run.
    pub prior: &'a Value,
    /// What the run has written there, the latest last.
    pub written: &'a [&'a Value],
    /// What stays where it stands there, since something else needs it to go back.
    pub prepared: &'a [&'a Value],
    /// Nothing is done while something that is open may still act.
    pub awaits: bool,
}

/// What has to be known before anything is put back.
struct Survey {
    at: Moment,
    found: Result<Value, PortError>,
    /// Whether the run is still ours.
    ours: Result<(), Error>,
    /// Whether the platform takes back what stood there as it is.
    ready: bool,
}

/// Fences the key and reads what stands there, who owns the run, and whether the platform can go back; at the same time, since
/// users wait. A fence of an owner that was superseded meanwhile does no harm: it keeps the value.
async fn survey(context: &Context, grant: &Grant, key: &str, prior: &Value) -> Survey {
    let at = context.clock.now();
    let (found, ours, ready) = futures::join!(
        context.operation.fence(key, grant.epoch),
        context.store.check(grant),
        context.operation.can_return(key, prior)
    );
    Survey { at, found, ours, ready }
}

enum Back {
    Done,
    Again(String),
    Never(String),
}

/// Puts a step back, and says how that went. It is not as it was before while something that is `open` may still act on it.
pub(super) async fn put_back(
    context: &Context,
    grant: &Grant,
    back: Return<'_>,
    permit: &StepPermit,
    mut open: Vec<Means>,
) -> Result<Entry, Error> {
    let Return { step, key, prior, awaits, .. } = back;
    context.events.event(&Event::Returns { step, to: context.operation.say(key, prior) });
    let mut pause = RETURN_PAUSE / 10;
    let mut last = String::new();
    for attempt in 0..RETURN_TRIES {
        let mut within = SETTLE_LAST;
        if attempt > 0 {
            context.clock.sleep(pause).await;
            pause = (pause * 2).min(RETURN_PAUSE);
            open.extend(permit.take_intended());
            within = SETTLE;
        }
        if (attempt > 0 || awaits)
            && let Some(why) = settle(context, &mut open, within).await
            && awaits
        {
            last = format!("{key} is left as it is while something may still act: {why}");
            continue;
        }
        let surveyed = survey(context, grant, key, prior).await;
        match try_back(context, grant, back, surveyed, permit).await? {
            Back::Done if open.is_empty() => return Ok(Entry::Undone { step }),
            Back::Done => {
                // What has ended meanwhile may have changed it once more.
                if let Some(why) = settle(context, &mut open, SETTLE_LAST).await {
                    return Ok(Entry::Stuck { step, why: format!("{key} is as it was before, but {why}") });
                }
            }
            Back::Never(why) => return Ok(Entry::Stuck { step, why }),
            Back::Again(why) => last = why,
        }
    }
    Ok(Entry::Stuck { step, why: last })
}

/// Ends what is open, or waits for its end; keeps what may still act, and says why that may.
async fn settle(context: &Context, open: &mut Vec<Means>, within: Duration) -> Option<String> {
    let mut why = None;
    for means in std::mem::take(open) {
        if let Err(e) = context.operation.settle(&means, within).await {
            why = Some(e.to_string());
            open.push(means);
        }
    }
    why
}

async fn try_back(
    context: &Context,
    grant: &Grant,
    back: Return<'_>,
    survey: Survey,
    permit: &StepPermit,
) -> Result<Back, Error> {
    let Return { key, prior, written, prepared, .. } = back;
    let operation = &context.operation;
    survey.ours?;
    let found = match survey.found {
        Ok(found) => found,
        Err(PortError::Superseded { theirs, .. }) => return Err(superseded(grant, theirs)),
        Err(e @ PortError::Replaced { .. }) => return Ok(replaced(context, key, prior, &e).await),
        Err(e) => return Ok(Back::Again(format!("{key} cannot be read: {e}"))),
    };
    if prepared.contains(&&found) {
        return Ok(Back::Done);
    }
    match undo(prior, written, &found) {
        Undo::Nothing => return Ok(Back::Done),
        Undo::Foreign => {
            let (found, prior) = (operation.say(key, &found), operation.say(key, prior));
            return Ok(Back::Never(format!(
                "{key}: found {found}, which is not what interlock wrote; before the run it was {prior}"
            )));
        }
        Undo::PutBack => {}
    }
    if !survey.ready
        && let Err(why) = operation.prepare_return(key, prior, permit).await
    {
        return Ok(Back::Again(format!("{key} stays at {}: {why}", operation.say(key, &found))));
    }
    if context.clock.now().since(&survey.at) > grant.ttl / 3 {
        context.store.check(grant).await?;
    }
    match operation.write(key, &found, prior, permit).await {
        Ok(()) => {}
        Err(PortError::Superseded { theirs, .. }) => return Err(superseded(grant, theirs)),
        Err(e) => return Ok(Back::Again(format!("{key}: {e}"))),
    }
    match operation.read(key).await {
        Ok(now) if now == *prior => Ok(Back::Done),
        Ok(now) => Ok(Back::Again(format!("{key} is {} right after it was put back", operation.say(key, &now)))),
        Err(e) => Ok(Back::Again(format!("{key} cannot be read back: {e}"))),
    }
}

/// Somebody has made the object anew, or taken our mark from it: it is theirs, and stays as they have left it. Nothing of ours
/// lands there any more, since all that we send is for the object that was captured.
async fn replaced(context: &Context, key: &str, prior: &Value, why: &PortError) -> Back {
    let operation = &context.operation;
    match operation.read(key).await {
        Ok(found) if found == *prior => Back::Done,
        Ok(found) => {
            let (found, prior) = (operation.say(key, &found), operation.say(key, prior));
            Back::Never(format!("{key}: {why}; it was left alone: found {found}; before the run it was {prior}"))
        }
        Err(e) => Back::Again(format!("{key}: {why}; it cannot be read: {e}")),
    }
}

pub(super) fn superseded(grant: &Grant, theirs: u64) -> Error {
    Error::Superseded { run: grant.run.to_string(), ours: grant.epoch.0, theirs }
}
