//! The gates a second time, under the lock: what has changed is told, and what is shut now ends the run untouched.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use interlock::{
    adapters::store::FolderStore,
    error::{Error, Exit},
    guard::{
        Entry, Gate, Mode, Outcome, Override, Preconditions, Resume, Start, ask_again, begin, load, milestone, resume,
    },
    model::RunId,
    ports::{PortError, Store},
};

use crate::{
    shelf::{HandClock, context, plan, run_id, start},
    told::Remarks,
};

/// Gates that answer so, and remember for which run they were asked.
struct Answers(Result<Vec<Gate>, fn() -> Error>, Mutex<Option<RunId>>);

#[async_trait]
impl Preconditions for Answers {
    async fn ask(&self, ours: Option<&RunId>) -> Result<Vec<Gate>, Error> {
        *self.1.lock().unwrap() = ours.cloned();
        self.0.clone().map_err(|error| error())
    }
}

struct Asked {
    verdict: Result<(), Error>,
    remarks: Vec<String>,
    entries: Vec<Entry>,
    mode: Mode,
    is_free: bool,
}

async fn ask(before: &[Gate], now: Result<Vec<Gate>, fn() -> Error>, overrides: &[Override]) -> Asked {
    let folder = tempfile::tempdir().unwrap();
    let (shelf, store) = (start(), FolderStore::new(folder.path(), Arc::new(HandClock::default()), milestone));
    let untouched = shelf.values();
    let grant =
        begin(&store, &run_id(), &plan(), &Start { gates: before, overrides, ..Start::default() }).await.unwrap();
    let opened = load(&store, &run_id()).await.unwrap().entries.len();
    let (remarks, answers) = (Remarks::default(), Answers(now, Mutex::default()));
    let verdict = ask_again((&store, &HandClock::default()), &grant, &answers, (before, overrides), &remarks).await;
    assert_eq!(*answers.1.lock().unwrap(), Some(run_id()));
    assert_eq!(shelf.values(), untouched);
    let stored = load(&store, &run_id()).await.unwrap();
    let is_free = store.lock(&plan().target).await.unwrap().is_none_or(|lock| lock.run.is_none());
    let (mode, entries) = (stored.mode(), stored.entries[opened..].to_vec());
    Asked { verdict, remarks: remarks.0.into_inner().unwrap(), entries, mode, is_free }
}

fn past(gate: &str) -> Override {
    Override { gate: gate.to_owned(), reason: "incident 42".to_owned() }
}

#[tokio::test]
async fn the_same_answers_add_nothing() {
    let before = [Gate::open("lock", "free"), Gate::shut("freeze", "holidays", "wait")];
    let asked = ask(&before, Ok(before.to_vec()), &[past("freeze")]).await;
    assert!(asked.verdict.is_ok() && asked.remarks.is_empty() && asked.entries.is_empty() && !asked.is_free);
}

#[tokio::test]
async fn a_gate_that_is_shut_meanwhile_ends_the_run_untouched() {
    let before = [Gate::open("lock", "free"), Gate::open("replicas", "2 of 2 are ready")];
    let now = vec![before[0].clone(), Gate::shut("replicas", "1 of 2 are ready", "wait")];
    let asked = ask(&before, Ok(now.clone()), &[]).await;
    let refused = asked.verdict.unwrap_err();
    let advice = "wait; or go past it: --override replicas --reason TEXT";
    assert_eq!((refused.exit(), refused.hint()), (Exit::Refused, advice));
    let told = "gate replicas has changed: it was open (2 of 2 are ready); now it is shut (1 of 2 are ready)";
    assert_eq!(asked.remarks, [told]);
    let why = "refused: replicas: 1 of 2 are ready".to_owned();
    assert_eq!(asked.mode, Mode::Finished(Outcome::Refused { why }));
    assert_eq!(asked.entries.first(), Some(&Entry::Gated { gate: now[1].clone(), overridden: None }));
    assert!(asked.is_free);
    // Who has gone past it before has seen another answer; the override names the gate, and stands.
    assert!(ask(&before, Ok(now), &[past("replicas")]).await.verdict.is_ok());
}

#[tokio::test]
async fn what_has_changed_is_told_and_recorded_also_where_it_stays_open() {
    let before = [Gate::open("version", "1.0 on blue, 2.0 on green")];
    let now = vec![Gate::open("version", "1.0 on blue, 3.0 on green")];
    let asked = ask(&before, Ok(now.clone()), &[]).await;
    assert!(asked.verdict.is_ok() && !asked.is_free);
    assert_eq!(asked.remarks.len(), 1);
    assert_eq!(asked.entries, [Entry::Gated { gate: now[0].clone(), overridden: None }]);
}

#[tokio::test]
async fn a_platform_that_does_not_answer_any_more_ends_the_run_untouched() {
    let before = [Gate::open("weights", "blue 100 %")];
    let down = PortError::unreachable("the gateway", "refused");
    let unreachable = Ok(vec![Gate::unasked("weights", &down, "start it")]);
    let failed: Result<_, fn() -> Error> =
        Err(|| Error::port(PortError::unreachable("the cluster", "refused"), "start it"));
    for now in [unreachable, failed] {
        let asked = ask(&before, now, &[]).await;
        assert_eq!(asked.verdict.unwrap_err().exit(), Exit::Unreachable);
        assert!(matches!(asked.mode, Mode::Finished(Outcome::Unreachable { .. })) && asked.is_free);
    }
}

/// Whoever goes on with a run that was stopped before its gates were asked again would go past what has shut meanwhile.
#[tokio::test]
async fn a_run_whose_gates_were_not_asked_again_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(HandClock::default());
    let (shelf, store) = (start(), Arc::new(FolderStore::new(folder.path(), clock.clone(), milestone)));
    let untouched = shelf.values();
    let gates = [Gate::open("replicas", "2 of 2 are ready")];
    begin(&*store, &run_id(), &plan(), &Start { gates: &gates, ..Start::default() }).await.unwrap();
    let stored = load(&*store, &run_id()).await.unwrap();
    let context = context(store.clone(), shelf.clone(), clock);
    let refused = resume(&context, &stored, Resume::Continue).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Refused);
    assert!(refused.hint().contains("runs recover"), "{}", refused.hint());
    assert_eq!(load(&*store, &run_id()).await.unwrap().entries, stored.entries);
    assert_eq!(shelf.values(), untouched);
}
