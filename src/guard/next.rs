//! Folds the journal into the one thing to do next; touches nothing, not even the clock.
//!
//! Waits are bounded by time that was *spent*, checkpointed look by look, so that neither a restart nor a jump of
//! the wall clock changes what comes next.

use std::time::Duration;

use serde_json::Value;

use super::{
    Action, Entry, NoData, Outcome, Plan, Resume, Role, Settled, Verdict,
    prepared::{Prepared, with_prepared},
    reasons::joined,
};

/// The one thing to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<'a> {
    /// Read what stands at the step's key.
    Capture(usize),
    /// Write the step's value over `prior`.
    Apply {
        /// The step.
        step: usize,
        /// What was captured.
        prior: &'a Value,
    },
    /// Leave the step out.
    Skip {
        /// The step.
        step: usize,
        /// Why.
        why: String,
    },
    /// Look once.
    ObserveContext {
        /// The step.
        step: usize,
        /// The run is held; only what acts at once counts.
        held: bool,
    },
    /// Put a key back.
    Undo {
        /// The first step with the key.
        step: usize,
        /// What stood there before the run.
        prior: &'a Value,
        /// All that the run may have written there.
        written: Vec<&'a Value>,
        /// What stands there stays, where it is one of these: another key cannot go back, or stay back, without it.
        prepared: Vec<&'a Value>,
    },
    /// Record that the run is held.
    Hold(String),
    /// Leave a held run to its guardian and to a person.
    Leave(Outcome),
    /// Record the end.
    Finish(Outcome),
    /// The end is recorded.
    Done(Outcome),
}

/// Why things are put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The platform failed under the change, a step failed, or a person said so.
    Failed(String),
    /// The platform was not fit to begin with.
    Unfit(String),
    /// It could not be seen whether the change does harm.
    NoData(String),
    /// A signal, an abort, or the owner's death.
    Interrupted(String),
}

/// Which way a run goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Through the plan.
    Forward,
    /// Nowhere, until a person decides.
    Held {
        /// What could not be seen.
        why: String,
        /// Whether that is in the journal already.
        declared: bool,
    },
    /// Back.
    Unwinding,
    /// A person has settled it.
    Settled(Outcome),
    /// It is over.
    Finished(Outcome),
}

impl Mode {
    /// How a run that is over has ended, in one word; empty for every other.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Finished(outcome) => outcome.word(),
            _ => "",
        }
    }
}

/// How far one step is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepState<'a> {
    /// What stood at its key before it.
    pub captured: Option<&'a Value>,
    /// It is applied, passed or skipped.
    pub done: bool,
    /// What was not as it should be when a watch passed.
    pub warning: Option<&'a str>,
    /// Its key is as it was before the run.
    pub undone: bool,
    /// Its key could not be put back.
    pub stuck: Option<&'a str>,
    /// How long its looks took.
    pub spent: Duration,
    /// Whether it was looked at.
    pub looked: bool,
}

/// A whole run, folded.
#[derive(Debug, Clone, PartialEq)]
pub struct State<'a> {
    /// Which way it goes.
    pub mode: Mode,
    /// Why it goes back, if it does.
    pub why: Option<Why>,
    /// Its steps.
    pub steps: Vec<StepState<'a>>,
    /// What the last look has found, in any step.
    pub evidence: Option<&'a Value>,
    /// In which role its owner acts.
    pub role: Role,
    /// What was written so that something can go back.
    pub prepared: Vec<Prepared<'a>>,
}

impl State<'_> {
    fn unwind(&mut self, why: Why) {
        self.mode = Mode::Unwinding;
        self.why = Some(why);
    }

    /// The first step that is not done.
    #[must_use]
    pub fn current(&self) -> Option<usize> {
        self.steps.iter().position(|step| !step.done)
    }

    /// Whether anything was, or may have been, written.
    #[must_use]
    pub fn is_touched(&self) -> bool {
        self.steps.iter().any(|step| step.captured.is_some())
    }
}

/// Folds a run's entries.
#[must_use]
pub fn fold<'a>(plan: &'a Plan, entries: &'a [Entry]) -> State<'a> {
    let mut state = State {
        mode: Mode::Forward,
        why: None,
        steps: vec![StepState::default(); plan.steps.len()],
        evidence: None,
        role: Role::Operator,
        prepared: Vec::new(),
    };
    for entry in entries {
        fold_one(plan, &mut state, entry);
    }
    state
}

fn fold_one<'a>(plan: &'a Plan, state: &mut State<'a>, entry: &'a Entry) {
    match entry {
        Entry::Planned { .. }
        | Entry::Gated { .. }
        | Entry::Notified { .. }
        | Entry::Intended { .. }
        | Entry::Over { .. } => {}
        Entry::Owned { owner, role } => {
            state.role = *role;
            change_owner(plan, state, *role, &owner.to_string());
        }
        Entry::Captured { step, prior, .. } => with(state, *step, |s| s.captured = Some(prior)),
        Entry::Prepared { key, prior, to, .. } => {
            let prepared = Prepared { key, prior, to };
            state.prepared.retain(|known| *known != prepared);
            state.prepared.push(prepared);
        }
        Entry::Applied { step } | Entry::Skipped { step, .. } => with(state, *step, |s| s.done = true),
        Entry::Failed { step, why } => {
            let name = plan.steps.get(*step).map_or("a step", |s| s.name.as_str());
            state.unwind(Why::Failed(format!("{name} failed: {why}")));
        }
        Entry::Observed { step, ms, verdict, evidence, .. } => {
            with(state, *step, |s| {
                s.spent += Duration::from_millis(*ms);
                s.looked = true;
            });
            state.evidence = Some(evidence);
            fold_verdict(plan, state, *step, verdict);
        }
        Entry::Undone { step } => with_key(plan, state, *step, |s| s.undone = true),
        Entry::Stuck { step, why } => with_key(plan, state, *step, |s| s.stuck = Some(why)),
        Entry::Held { why } => state.mode = Mode::Held { why: why.clone(), declared: true },
        Entry::Resumed { how } => fold_resume(state, *how),
        Entry::Interrupted { why } => {
            if matches!(state.mode, Mode::Forward | Mode::Held { .. }) {
                state.unwind(Why::Interrupted(why.clone()));
            }
        }
        Entry::Resolved { settled, reason } => {
            state.mode = Mode::Settled(match settled {
                Settled::Kept => Outcome::Kept { warning: Some(format!("settled by hand: {reason}")) },
                Settled::Undone => Outcome::RolledBack { why: format!("settled by hand: {reason}") },
            });
        }
        Entry::Finished { outcome } | Entry::Pruned { outcome, .. } => state.mode = Mode::Finished(outcome.clone()),
    }
}

/// What a new owner means for where the run goes.
fn change_owner(plan: &Plan, state: &mut State<'_>, role: Role, owner: &str) {
    match (&state.mode, role) {
        (Mode::Forward | Mode::Held { .. }, Role::Abort) => {
            state.unwind(Why::Interrupted(format!("aborted by {owner}")));
        }
        (Mode::Forward, Role::Guardian | Role::Recover) => {
            state.unwind(Why::Interrupted("its operator was gone".to_owned()));
        }
        (Mode::Forward, Role::Resume) => {
            // The effect of a step whose record is missing may or may not be there.
            if let Some(half) = state.current().filter(|step| state.steps[*step].captured.is_some()) {
                let name = &plan.steps[half].name;
                state.unwind(Why::Interrupted(format!("`{name}` may have been done by half when its owner died")));
            }
        }
        // A person who asks again after a stuck end gets another try.
        (Mode::Finished(Outcome::Stuck { .. }), Role::Recover) => {
            state.mode = Mode::Unwinding;
            state.steps.iter_mut().for_each(|step| step.stuck = None);
        }
        _ => {}
    }
}

fn fold_verdict<'a>(plan: &Plan, state: &mut State<'a>, step: usize, verdict: &'a Verdict) {
    let held = matches!(state.mode, Mode::Held { .. });
    match verdict {
        Verdict::Breach { why } => state.unwind(Why::Failed(why.clone())),
        _ if held => {}
        Verdict::Wait => {}
        Verdict::Pass { warning } => with(state, step, |s| {
            s.done = true;
            s.warning = warning.as_deref();
        }),
        Verdict::Unfit { why } => state.unwind(Why::Unfit(why.clone())),
        Verdict::NoData { why } if state.is_touched() && plan.no_data == NoData::Hold => {
            state.mode = Mode::Held { why: why.clone(), declared: false };
        }
        Verdict::NoData { why } => state.unwind(Why::NoData(why.clone())),
    }
}

fn fold_resume(state: &mut State<'_>, how: Resume) {
    let Mode::Held { .. } = state.mode else {
        if how == Resume::Undo && state.mode == Mode::Forward {
            state.unwind(Why::Failed("a person asked to undo it".to_owned()));
        }
        return;
    };
    let Some(current) = state.current() else { return };
    match how {
        Resume::Continue => {}
        Resume::Keep => {
            state.mode = Mode::Forward;
            state.steps[current].done = true;
            state.steps[current].warning = Some("kept by a person without enough evidence");
        }
        Resume::Undo => state.unwind(Why::Failed("a person asked to undo it".to_owned())),
        Resume::Watch => {
            state.mode = Mode::Forward;
            state.steps[current].spent = Duration::ZERO;
        }
    }
}

fn with<'a>(state: &mut State<'a>, step: usize, change: impl FnOnce(&mut StepState<'a>)) {
    if let Some(step) = state.steps.get_mut(step) {
        change(step);
    }
}

fn with_key<'a>(plan: &Plan, state: &mut State<'a>, step: usize, change: impl Fn(&mut StepState<'a>)) {
    let key = key_of(plan, step);
    for (index, step) in state.steps.iter_mut().enumerate() {
        if key.is_some() && key_of(plan, index) == key {
            change(step);
        }
    }
}

pub(super) fn key_of(plan: &Plan, step: usize) -> Option<&str> {
    match &plan.steps.get(step)?.action {
        Action::Change { key, .. } => Some(key),
        Action::Watch { .. } => None,
    }
}

/// Says the one thing to do next.
#[must_use]
pub fn next<'a>(plan: &'a Plan, state: &State<'a>) -> Next<'a> {
    match &state.mode {
        Mode::Forward => forward(plan, state),
        Mode::Held { why, declared: false } => Next::Hold(why.clone()),
        Mode::Held { why, declared: true } => match (state.role, state.current()) {
            (Role::Guardian, Some(step)) => Next::ObserveContext { step, held: true },
            _ => Next::Leave(Outcome::Held { why: why.clone() }),
        },
        Mode::Unwinding => backward(plan, state),
        Mode::Settled(outcome) => Next::Finish(outcome.clone()),
        Mode::Finished(outcome) => Next::Done(outcome.clone()),
    }
}

fn forward<'a>(plan: &'a Plan, state: &State<'a>) -> Next<'a> {
    let Some(step) = state.current() else {
        let warnings: Vec<_> = state.steps.iter().filter_map(|step| step.warning).collect();
        let warning = (!warnings.is_empty()).then(|| warnings.join("; "));
        return Next::Finish(Outcome::Kept { warning });
    };
    match (&plan.steps[step].action, state.steps[step].captured) {
        (Action::Watch { .. }, _) => Next::ObserveContext { step, held: false },
        (Action::Change { .. }, Some(prior)) => Next::Apply { step, prior },
        (Action::Change { only_if_clean, .. }, None) => {
            match only_if_clean.as_ref().and_then(|n| warning(plan, state, n)) {
                Some(why) => Next::Skip { step, why: why.to_owned() },
                None => Next::Capture(step),
            }
        }
    }
}

fn warning<'a>(plan: &Plan, state: &State<'a>, name: &str) -> Option<&'a str> {
    let step = plan.steps.iter().position(|step| step.name == name)?;
    state.steps[step].warning
}

fn backward<'a>(plan: &'a Plan, state: &State<'a>) -> Next<'a> {
    let first_of_key =
        |step: usize| (0..=step).find(|i| key_of(plan, *i) == key_of(plan, step) && state.steps[*i].captured.is_some());
    let open = |step: &usize| {
        let s = &state.steps[*step];
        s.captured.is_some() && !s.undone && s.stuck.is_none() && first_of_key(*step) == Some(*step)
    };
    let last = (0..plan.steps.len()).rev().find(open);
    let Some((step, prior)) = last.and_then(|step| Some((step, state.steps[step].captured?))) else {
        return Next::Finish(end_of_unwinding(plan, state));
    };
    let written = plan.steps.iter().enumerate().filter_map(|(index, other)| match &other.action {
        Action::Change { to, .. }
            if state.steps[index].captured.is_some() && key_of(plan, index) == key_of(plan, step) =>
        {
            Some(to)
        }
        _ => None,
    });
    let of_key = |prepared: &&Prepared<'a>| key_of(plan, step) == Some(prepared.key);
    let prepared = state.prepared.iter().filter(of_key).map(|prepared| prepared.to).collect();
    // What goes back is the latest change of the key; what stood there before the first one is where it goes.
    let is_latest = |at: &usize| key_of(plan, *at) == key_of(plan, step) && state.steps[*at].captured.is_some();
    let step = (step..plan.steps.len()).rev().find(is_latest).unwrap_or(step);
    Next::Undo { step, prior, written: written.collect(), prepared }
}

fn end_of_unwinding(plan: &Plan, state: &State<'_>) -> Outcome {
    let stuck: Vec<_> = state.steps.iter().filter_map(|step| step.stuck).collect();
    if !stuck.is_empty() {
        return Outcome::Stuck { why: with_prepared(plan, state, joined(stuck)) };
    }
    let told = |why: String| with_prepared(plan, state, why);
    match state.why.clone() {
        Some(Why::Unfit(why)) if !state.is_touched() => Outcome::Refused { why },
        Some(Why::NoData(why)) if !state.is_touched() => Outcome::Unreachable { why },
        Some(Why::NoData(why)) => Outcome::Inconclusive { why: told(why) },
        Some(Why::Interrupted(why)) => Outcome::Interrupted { why: told(why) },
        Some(Why::Failed(why) | Why::Unfit(why)) => Outcome::RolledBack { why: told(why) },
        None => Outcome::RolledBack { why: told(String::new()) },
    }
}
