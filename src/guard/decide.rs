//! What a person decides of a run that waits for one: asked again once the run is theirs, since its guardian may have acted
//! meanwhile.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Action, Context, Entry, Mode, Operation, Outcome, Resume, Role, Settled, Stored, drive, fold, load, object,
    recover::{append, seize, take},
};
use crate::{
    error::Error,
    journal::Grant,
    ports::{PortError, Store},
};

/// Lets a held or abandoned run go on.
///
/// # Errors
/// [`Error::Usage`] where the run is not in a state that this way of going on fits; [`Error::Refused`] where it was when it was
/// read, and is not any more, and where its gates may not have been asked again since the target was locked.
pub async fn resume(context: &Context, stored: &Stored, how: Resume) -> Result<Outcome, Error> {
    let held = matches!(stored.mode(), Mode::Held { .. });
    let run = &stored.run;
    if held && how == Resume::Continue {
        return Err(Error::usage(
            format!("run {run} is held"),
            format!("say how: `interlock runs resume {run} --keep`, `--undo` or `--watch`"),
        ));
    }
    if !held && matches!(how, Resume::Keep | Resume::Watch) {
        return Err(Error::usage(
            format!("run {run} is not held"),
            format!("`interlock runs resume {run}` goes on where it stopped, `--undo` puts things back"),
        ));
    }
    if how == Resume::Continue && !is_driven(stored) {
        return Err(Error::Refused {
            what: format!("run {run} has not begun, and its gates may have shut since they were asked"),
            hint: format!("`interlock runs recover {run}` ends it and touches nothing; then begin anew"),
        });
    }
    let store = &*context.store;
    // A held run is looked after by its guardian, who is alive and gives way to a person.
    let grant =
        if held { seize(store, stored, Role::Resume).await? } else { take(context, stored, Role::Resume).await? };
    if held {
        let stored = still_waits(store, stored).await?;
        if how != Resume::Undo {
            is_as_left(&*context.operation, &grant, &stored).await?;
        }
    }
    append(store, &grant, &Entry::Resumed { how }).await?;
    drive(context, &grant).await
}

/// Records that a person has settled a stuck or held run by hand, and gives its target free. Changes nothing of the platform;
/// where that can be reached, whatever was sent there before can land no more.
///
/// # Errors
/// [`Error::Usage`] where the run is neither stuck nor held; [`Error::Refused`] where it was when it was read, and is not any
/// more.
pub async fn resolve(
    store: &dyn Store,
    operation: Option<&dyn Operation>,
    stored: &Stored,
    settled: Settled,
    reason: &str,
) -> Result<Outcome, Error> {
    if !waits(stored) {
        return Err(Error::usage(
            format!("run {} is neither stuck nor held", stored.run),
            "`interlock runs list` shows what each run waits for",
        ));
    }
    let grant = seize(store, stored, Role::Resume).await?;
    let stored = still_waits(store, stored).await?;
    if let Some(operation) = operation {
        object::bind(operation, &stored.plan, &stored.entries);
        for key in left(&stored).keys() {
            // The person decides, also where the platform does not answer.
            let _ = operation.fence(key, grant.epoch).await;
        }
    }
    let resolved = Entry::Resolved { settled, reason: reason.to_owned() };
    append(store, &grant, &resolved).await?;
    let entries = [resolved];
    let Mode::Settled(outcome) = fold(&stored.plan, &entries).mode else {
        return Err(Error::usage("nothing was settled", "`interlock runs show` tells how the run stands"));
    };
    append(store, &grant, &Entry::Finished { outcome: outcome.clone() }).await?;
    store.release(&grant).await?;
    Ok(outcome)
}

/// Whether the run's steps have begun, which they do only once the gates were asked again under the lock.
fn is_driven(stored: &Stored) -> bool {
    let is_step = |entry: &Entry| {
        matches!(
            entry,
            Entry::Observed { .. } | Entry::Captured { .. } | Entry::Intended { .. } | Entry::Applied { .. }
        )
    };
    stored.entries.iter().any(is_step)
}

fn waits(stored: &Stored) -> bool {
    matches!(stored.mode(), Mode::Held { .. } | Mode::Finished(Outcome::Stuck { .. }))
}

/// The run as it stands now that it is ours: its guardian may have begun to put it back before.
async fn still_waits(store: &dyn Store, stored: &Stored) -> Result<Stored, Error> {
    let now = load(store, &stored.run).await?;
    if waits(&now) {
        return Ok(now);
    }
    Err(Error::Refused {
        what: format!("run {} waits for nobody any more: it was being put back meanwhile", stored.run),
        hint: format!("`interlock runs recover {}` puts it back to the end", stored.run),
    })
}

/// What the run has last written, by key.
fn left(stored: &Stored) -> BTreeMap<&str, &Value> {
    let applied = stored.entries.iter().filter_map(|entry| match entry {
        Entry::Applied { step } => stored.plan.steps.get(*step),
        _ => None,
    });
    let written = applied.filter_map(|step| match &step.action {
        Action::Change { key, to, .. } => Some((key.as_str(), to)),
        Action::Watch { .. } => None,
    });
    written.collect()
}

/// Makes sure that nothing of an earlier owner lands any more, and that the platform stands as the run has left it.
async fn is_as_left(operation: &dyn Operation, grant: &Grant, stored: &Stored) -> Result<(), Error> {
    object::bind(operation, &stored.plan, &stored.entries);
    let hint = format!("`interlock runs resume {} --undo` puts back what is left of it", stored.run);
    for (key, to) in left(stored) {
        let found = operation.fence(key, grant.epoch).await.map_err(|e| match e {
            PortError::Superseded { ours, theirs } => Error::Superseded { run: stored.run.to_string(), ours, theirs },
            other => Error::port(other, &hint),
        })?;
        if found != *to {
            let (found, to) = (operation.say(key, &found), operation.say(key, to));
            return Err(Error::Refused { what: format!("{key} is {found} now; the run has left it at {to}"), hint });
        }
    }
    Ok(())
}
