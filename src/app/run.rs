//! A run, from the lock on its target to its end.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{Prepared, Watchdog, clock};
use crate::{
    error::Error,
    guard::{
        Context, Event, Events, Mode, Outcome, Start, StopSignal, Stored, Strength, ask_again, begin, drive, fold,
        give_up, hold, least_epoch, load,
    },
    journal::Grant,
    model::RunId,
    ports::Store,
    process::StopSignals,
};

/// How long a superseded operator waits to learn how the run ended under its new owner.
const FOLLOW: Duration = Duration::from_secs(300);

/// A run that holds its target's lock.
pub struct Begun {
    prepared: Prepared,
    grant: Grant,
    stop: StopSignal,
}

impl Prepared {
    /// Locks the target, and makes the plan durable. From here on a signal ends the run, and not this process under it.
    ///
    /// # Errors
    /// Where a gate is shut, or the target is locked.
    pub async fn begin(self) -> Result<Begun, Error> {
        self.verdict()?;
        let stop = stop_signal()?;
        let run = RunId::new(clock().now().wall, rand::random());
        let (store, keys) = (&*self.session.store, self.keys.iter().map(|key| key.key.as_str()));
        let least = least_epoch((store, &*self.operation), keys, &self.plan).await?;
        let start = Start { gates: &self.gates, overrides: &self.overrides, least };
        let grant = begin(store, &run, &self.plan, &start).await?;
        Ok(Begun { prepared: self, grant, stop })
    }
}

impl Begun {
    /// The run. Not always the name that was drawn first.
    #[must_use]
    pub const fn run(&self) -> &RunId {
        &self.grant.run
    }

    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        self.prepared.session.store.clone()
    }

    /// Asks the gates again, posts the guardian, and drives the run to its end.
    ///
    /// # Errors
    /// Where a gate is shut now, or no guardian can be posted: nothing was touched.
    pub async fn drive(self, events: Arc<dyn Events>) -> Result<Outcome, Error> {
        let Self { prepared, grant, stop } = self;
        let Prepared { plan, gates, session, operation, preconditions, overrides, notify, .. } = prepared;
        let (store, clock) = (session.store.clone(), clock());
        ask_again((&*store, &*clock), &grant, &*preconditions, (&gates, &overrides), &*events).await?;
        let watchdog = Watchdog::new(session.place.clone(), session.home(), grant.run.clone());
        let guardian = match plan.guard {
            Strength::Local => Some(hold((&*store, &*clock), &grant, watchdog.post()).await?),
            Strength::InCluster | Strength::None => None,
        };
        let guardian = match guardian.transpose() {
            Ok(guardian) => guardian,
            Err(e) => {
                give_up(&*store, &grant, Outcome::Refused { why: e.to_string() }).await?;
                return Err(e);
            }
        };
        // Until the run is over.
        let _watching = guardian.map(|guardian| watchdog.watch(Some(guardian), store.clone(), events.clone()));
        let context = Context { store: store.clone(), operation, clock, events: events.clone(), notify, stop };
        match drive(&context, &grant).await {
            Err(Error::Superseded { .. }) => Ok(follow(&*store, &grant.run).await),
            Err(e) => cut_short(&*store, &grant.run, e, &*events).await,
            Ok(outcome) => Ok(outcome),
        }
    }
}

/// Turns the first INT, TERM or HUP into a reason to put things back. Later ones change nothing: the way back is not
/// abandoned. HUP is none under `nohup`.
///
/// # Errors
/// Where the system takes no handlers.
pub fn stop_signal() -> Result<StopSignal, Error> {
    let (send, receive) = watch::channel(None);
    let mut signals = StopSignals::new().map_err(|e| Error::Store {
        place: "signals".to_owned(),
        why: e.to_string(),
        hint: "nothing was touched".to_owned(),
    })?;
    tokio::spawn(async move {
        loop {
            let name = signals.next().await;
            send.send_if_modified(|reason| {
                let first = reason.is_none();
                reason.get_or_insert_with(|| name.to_owned());
                first
            });
        }
    });
    Ok(receive)
}

/// How a run ended that could not record what it did. No error may claim that nothing was touched where something was.
///
/// # Errors
/// The error itself, where nothing was touched.
pub async fn cut_short(store: &dyn Store, run: &RunId, error: Error, events: &dyn Events) -> Result<Outcome, Error> {
    match load(store, run).await {
        Ok(stored) if !fold(&stored.plan, &stored.entries).is_touched() => Err(error),
        Ok(Stored { plan, entries, .. }) if let Mode::Finished(outcome) = fold(&plan, &entries).mode => {
            let free = format!("{error}; the target is free once its guardian has seen that the run is over");
            events.event(&Event::Remark(&free));
            Ok(outcome)
        }
        Err(Error::Usage { .. } | Error::Tampered { .. }) => Ok(Outcome::Stuck {
            why: format!(
                "{error}; without its journal nobody can put things back: see where things stand, and \
                 `interlock runs resolve {run} --as kept|undone --reason TEXT` gives its target free"
            ),
        }),
        _ => Ok(Outcome::Stuck { why: format!("{error}; its guardian puts things back once that is mended") }),
    }
}

/// Waits for the end of a run that another owner has taken over.
pub async fn follow(store: &dyn Store, run: &RunId) -> Outcome {
    let begun = std::time::Instant::now();
    loop {
        let why = match load(store, run).await.map(|stored| stored.mode()) {
            Ok(Mode::Finished(outcome)) => return outcome,
            Ok(Mode::Held { why, declared: true }) => return Outcome::Held { why },
            Ok(_) => format!("another owner has the run and has not ended it; see `interlock runs show {run}`"),
            // Lock and journal are gone together, such as with their namespace.
            Err(e @ Error::Usage { .. }) => return Outcome::Stuck { why: format!("its journal is gone: {e}") },
            Err(e) => e.to_string(),
        };
        if begun.elapsed() > FOLLOW {
            return Outcome::Stuck { why };
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
