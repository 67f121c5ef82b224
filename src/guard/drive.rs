//! The one loop: does what `next` says and records it, until the run has come to its end.

use std::{pin::pin, time::Duration};

use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    Action, Context, Entry, Event, Mode, Next, Observation, ObserveContext, Outcome, Plan, Role, Verdict, entries,
    fold,
    heartbeat::Heartbeat,
    looks::{Due, Looks, forget_older},
    next,
    notice::notice,
    object,
    permit::{Note, StepPermit, open},
    recover::append,
    rollback::{Return, SETTLE, put_back, superseded as superseded_by},
    superseded,
};
use crate::{
    error::Error,
    journal::{Grant, Owner},
    model::Epoch,
    ports::PortError,
};

/// How often a new epoch is tried while our own signs of life come between.
const RENEW_TRIES: u32 = 5;

/// How often an owner looks for a successor while something is under way that no epoch holds back.
const LOOK: Duration = Duration::from_millis(500);

const FULL: &str = "the journal is full: nothing more can be recorded than the way back";

/// Drives a run to its end, or to where a person has to decide.
///
/// # Errors
/// [`Error::Superseded`] where another owner has taken the run over, and store errors: after either, nothing more is
/// written anywhere, and whoever owns the run next finds it in the journal as it was.
pub async fn drive(context: &Context, grant: &Grant) -> Result<Outcome, Error> {
    let records = context.store.load(&grant.run).await?;
    let mut history = entries(&records)?;
    let Some(plan) = history.iter().find_map(|entry| match entry {
        Entry::Planned { plan } => Some((**plan).clone()),
        _ => None,
    }) else {
        return Err(Error::usage(format!("run {} has no plan", grant.run), "it never began; nothing was touched"));
    };
    context.events.event(&Event::Driving { run: &grant.run, plan: &plan });
    object::bind(&*context.operation, &plan, &history);
    let heartbeat = Heartbeat::start(context, grant);
    let others = superseded::others(&records, &history, &context.store.owner()?);
    drop(records);
    forget_older(&mut history);
    let (grant, looks) = (grant.clone(), Looks::of(&history));
    let mut driver = Driver { context, grant, plan: &plan, history, looks, heartbeat, wrote: false, others };
    let led = driver.run().await;
    if !matches!(&led, Ok(outcome) if !outcome.needs_person()) {
        // Nothing is under way any more. Whoever has the run next ends us where that cannot be told.
        let _ = context.store.acknowledge(&driver.grant).await;
    }
    let outcome = led?;
    if !outcome.needs_person() {
        context.store.release(&driver.grant).await?;
    }
    Ok(outcome)
}

struct Driver<'a> {
    context: &'a Context,
    grant: Grant,
    plan: &'a Plan,
    history: Vec<Entry>,
    looks: Looks,
    heartbeat: Heartbeat,
    /// Something was written with the present epoch on the way forward, and may still be under way.
    wrote: bool,
    /// Who has had the run before, and may still act.
    others: Vec<(Owner, Epoch)>,
}

impl<'a> Driver<'a> {
    async fn run(&mut self) -> Result<Outcome, Error> {
        self.settle().await?;
        loop {
            if let Some(why) = self.told_to_stop() {
                if let Some(look) = self.looks.flush() {
                    self.record(look).await?;
                }
                self.record(Entry::Interrupted { why }).await?;
            }
            let history = std::mem::take(&mut self.history);
            let entry = self.step(&history).await;
            // What was intended in the step comes behind.
            let intended = std::mem::replace(&mut self.history, history);
            self.history.extend(intended);
            match entry? {
                Step::Record(entry) => self.record(entry).await?,
                Step::Again => {}
                Step::Renews => self.renew().await?,
                Step::Ended(outcome) => return Ok(outcome),
                Step::Finished(outcome) => {
                    self.record(Entry::Finished { outcome: outcome.clone() }).await?;
                    self.tell(&outcome).await?;
                }
                Step::Held(why) => {
                    self.record(Entry::Held { why: why.clone() }).await?;
                    self.tell(&Outcome::Held { why }).await?;
                }
            }
        }
    }

    /// Why the run has to end, if it has to and does not do so already.
    fn told_to_stop(&self) -> Option<String> {
        let forward = matches!(fold(self.plan, &self.history).mode, Mode::Forward);
        let full = || self.context.store.is_exhausted(&self.grant.run).then(|| FULL.to_owned());
        self.context.stop.borrow().clone().or_else(full).filter(|_| forward)
    }

    /// Does the one thing that is next; what it did is recorded by the caller before anything else is done.
    async fn step(&mut self, history: &[Entry]) -> Result<Step, Error> {
        let state = fold(self.plan, history);
        let entry = match next(self.plan, &state) {
            Next::Capture(step) => {
                self.begins(step);
                self.capture(step, history).await?
            }
            Next::Apply { step, prior } => self.apply(step, prior).await?,
            Next::Skip { step, why } => Entry::Skipped { step, why },
            Next::ObserveContext { step, held } => {
                let first = !state.steps[step].looked;
                if first {
                    self.begins(step);
                }
                let spent = state.steps[step].spent + self.looks.unrecorded(step);
                return self.look(step, state.evidence, (first, spent, held)).await;
            }
            Next::Undo { .. } if self.wrote => return Ok(Step::Renews),
            Next::Undo { step, prior, written, prepared } => {
                let key = self.key(step).0;
                let awaited = self.context.operation.awaits(key);
                let awaits = !awaited.is_empty();
                let back = Return { step, key, prior, written: &written, prepared: &prepared, awaits };
                let concerns = |at: &str| at == key || awaited.iter().any(|awaited| awaited == at);
                let open = open(history).into_iter().filter(|(step, _)| concerns(self.key(*step).0));
                let open = open.map(|(_, means)| means).collect();
                let (grant, (permit, notes)) = (self.grant.clone(), StepPermit::new(self.context, &self.grant, step));
                self.let_act(notes, put_back(self.context, &grant, back, &permit, open)).await??
            }
            Next::Hold(why) => return Ok(Step::Held(why)),
            Next::Finish(outcome) => return Ok(Step::Finished(outcome)),
            Next::Leave(outcome) | Next::Done(outcome) => return Ok(Step::Ended(outcome)),
        };
        Ok(Step::Record(entry))
    }

    /// Begins a new epoch before anything is put back: what this owner has sent so far, and has not heard the end of, is refused
    /// by every object that is fenced with it. So the owner goes back on the same way as whoever would take over from it.
    async fn renew(&mut self) -> Result<(), Error> {
        let Context { store, .. } = self.context;
        let role = fold(self.plan, &self.history).role;
        let owner = store.owner()?;
        for _ in 0..RENEW_TRIES {
            store.check(&self.grant).await?;
            let Some(lock) = store.lock(&self.grant.target).await? else { break };
            match store.take_over(&lock, &owner).await {
                // Our own sign of life came between; on a busy machine after we had looked silent to ourselves.
                Err(Error::Superseded { .. } | Error::Refused { .. }) => {}
                grant => {
                    self.grant = grant?;
                    self.heartbeat = Heartbeat::start(self.context, &self.grant);
                    self.wrote = false;
                    self.record(Entry::Owned { owner, role }).await?;
                    return self.settle().await;
                }
            }
        }
        store.check(&self.grant).await?;
        Err(Error::Store {
            place: self.grant.target.to_string(),
            why: "its lock was changed again and again while a new epoch was begun".to_owned(),
            hint: format!("`interlock runs recover {}` tries again", self.grant.run),
        })
    }

    /// Ends what was begun in an earlier term and no epoch holds back, or waits a little for its end. What may still act then is
    /// named by whatever is put back.
    async fn settle(&mut self) -> Result<(), Error> {
        if matches!(fold(self.plan, &self.history).mode, Mode::Finished(_)) {
            return Ok(());
        }
        let open = open(&self.history);
        if !open.is_empty() {
            let others = std::mem::take(&mut self.others);
            tokio::select! {
                biased;
                Some(lost) = self.heartbeat.stopped() => return Err(lost),
                () = superseded::end(self.context, &self.grant, others) => {}
            }
        }
        for (step, means) in open {
            let settled = tokio::select! {
                biased;
                Some(lost) = self.heartbeat.stopped() => return Err(lost),
                settled = self.context.operation.settle(&means, SETTLE) => settled,
            };
            match settled {
                Ok(()) => self.record(Entry::Over { step, means }).await?,
                Err(e) => self.context.events.event(&Event::Remark(&e.to_string())),
            }
        }
        Ok(())
    }

    /// Lets an effect act: what it intends is recorded before it goes on, and it is dropped once the run is no longer ours.
    async fn let_act<T>(
        &mut self,
        mut notes: mpsc::Receiver<Note>,
        effect: impl Future<Output = T> + Send,
    ) -> Result<T, Error> {
        let mut effect = pin!(effect);
        let mut intends = false;
        loop {
            let note = tokio::select! {
                biased;
                Some(lost) = self.heartbeat.stopped() => return Err(lost),
                Some(note) = notes.recv() => note,
                done = &mut effect => return Ok(done),
                // Whoever takes the run over waits for us, and not for long.
                () = self.context.clock.pause(LOOK), if intends => {
                    match self.context.store.check(&self.grant).await {
                        Err(lost @ Error::Superseded { .. }) => return Err(lost),
                        _ => continue,
                    }
                }
            };
            intends |= matches!(note.entry, Entry::Intended { .. });
            self.record(note.entry).await?;
            // It goes on if it is still there.
            let _ = note.durable.send(());
        }
    }

    fn begins(&self, step: usize) {
        self.context.events.event(&Event::Begins { step });
    }

    fn key(&self, step: usize) -> (&'a str, &'a Value) {
        match &self.plan.steps[step].action {
            Action::Change { key, to, .. } => (key, to),
            Action::Watch { what } => ("", what),
        }
    }

    fn what(&self, step: usize) -> &Value {
        self.key(step).1
    }

    /// What stands at a key, fenced: no owner of old writes there any more.
    async fn capture(&mut self, step: usize, history: &[Entry]) -> Result<Entry, Error> {
        let (key, to) = self.key(step);
        self.context.store.check(&self.grant).await?;
        let found = tokio::select! {
            biased;
            Some(lost) = self.heartbeat.stopped() => return Err(lost),
            found = object::fence(&*self.context.operation, key, self.grant.epoch) => found,
        };
        Ok(match found {
            Err(PortError::Superseded { theirs, .. }) => return Err(superseded_by(&self.grant, theirs)),
            Err(e) => Entry::Failed { step, why: e.to_string() },
            Ok((prior, object)) => match self.left_there(key, history) {
                // A platform may come back by itself to what this step is to bring about; that is nobody's change.
                Some(ours) if *ours != prior && prior != *to => Entry::Failed {
                    step,
                    why: format!("someone else has changed it to {}", self.context.operation.say(key, &prior)),
                },
                _ => Entry::Captured { step, prior, object },
            },
        })
    }

    /// What this run has last written at a key.
    fn left_there(&self, key: &str, history: &[Entry]) -> Option<&Value> {
        history.iter().rev().find_map(|entry| match entry {
            Entry::Applied { step } if self.key(*step).0 == key => Some(self.key(*step).1),
            _ => None,
        })
    }

    async fn apply(&mut self, step: usize, prior: &Value) -> Result<Entry, Error> {
        self.wrote = true;
        let (key, to) = self.key(step);
        self.context.store.check(&self.grant).await?;
        let (permit, notes) = StepPermit::new(self.context, &self.grant, step);
        match self.let_act(notes, self.context.operation.write(key, prior, to, &permit)).await? {
            Ok(()) => Ok(Entry::Applied { step }),
            Err(PortError::Superseded { theirs, .. }) => Err(superseded_by(&self.grant, theirs)),
            Err(e) => Ok(Entry::Failed { step, why: e.to_string() }),
        }
    }

    /// Looks once. A held run, which may wait for days, and a step that lasts record what they find less and less often; meanwhile
    /// it is carried on in memory, and not recorded where the journal has room left for the way back only.
    async fn look(
        &mut self,
        step: usize,
        recorded: Option<&Value>,
        (first, spent, held): (bool, Duration, bool),
    ) -> Result<Step, Error> {
        let store = &*self.context.store;
        let evidence = match self.looks.so_far(store, &self.grant.run, recorded).await {
            Ok(evidence) => evidence,
            // The fuses of a held run need no counters.
            Err(_) if held => recorded.cloned(),
            Err(e) => {
                let evidence = recorded.cloned().unwrap_or_default();
                let verdict = Verdict::NoData { why: e.to_string() };
                return Ok(Step::Record(Entry::Observed {
                    step,
                    ms: 0,
                    verdict,
                    line: String::new(),
                    evidence,
                    snapshot: None,
                }));
            }
        };
        let look = ObserveContext { what: self.what(step), evidence: evidence.as_ref(), spent, first, held };
        let begun = self.context.clock.now();
        let mut stop = self.context.stop.clone();
        // A reason that is already known was recorded before; only a new one ends the look.
        stop.mark_unchanged();
        let looked = tokio::select! {
            biased;
            Some(lost) = self.heartbeat.stopped() => return Err(lost),
            looked = self.context.operation.observe(look) => looked,
            Ok(()) = stop.changed() => return Ok(Step::Again),
        };
        let now = self.context.clock.now();
        let ms = u64::try_from(now.since(&begun).as_millis()).unwrap_or(u64::MAX);
        let Observation { evidence, verdict, line } = looked;
        let entry = Entry::Observed { step, ms, verdict, line, evidence, snapshot: None };
        let full = held && store.is_exhausted(&self.grant.run);
        let due = if full { Due::Never } else { Due::of(first, spent, held) };
        match self.looks.take(entry, self.context.operation.apart(), (&now, due)) {
            Some(entry) => Ok(Step::Record(entry)),
            None => {
                if let Some(look) = self.looks.last().filter(|_| !held) {
                    self.context.events.event(&Event::Looked(look));
                }
                Ok(Step::Again)
            }
        }
    }

    async fn record(&mut self, mut entry: Entry) -> Result<(), Error> {
        let now = self.context.clock.now();
        if let Some(said) = self.looks.save(&*self.context.store, &self.grant, now, &mut entry).await? {
            self.context.events.event(&Event::Remark(&said));
        }
        append(&*self.context.store, &self.grant, &entry).await?;
        self.context.events.event(&Event::Recorded(&entry));
        self.history.push(entry);
        forget_older(&mut self.history);
        Ok(())
    }

    /// Tells people of an end that they would want to know of.
    async fn tell(&mut self, outcome: &Outcome) -> Result<(), Error> {
        let by_guardian = fold(self.plan, &self.history).role == Role::Guardian;
        let bad = matches!(outcome, Outcome::RolledBack { .. } | Outcome::Stuck { .. } | Outcome::Held { .. });
        if !bad && !by_guardian {
            return Ok(());
        }
        let notice = notice(&self.grant, self.plan, outcome);
        for receiver in self.context.notify.clone() {
            let failed = receiver.notify(&notice).await.err().map(|e| e.to_string());
            self.record(Entry::Notified { receiver: receiver.name(), failed }).await?;
        }
        Ok(())
    }
}

enum Step {
    Record(Entry),
    Again,
    Renews,
    Held(String),
    Finished(Outcome),
    Ended(Outcome),
}
