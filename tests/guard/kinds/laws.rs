//! The laws themselves, which know no operation.

use std::{cell::Cell, fmt::Debug, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use interlock::{
    adapters::store::FolderStore,
    guard::{Action, Context, Entry, Mode, Outcome, Role, Start, begin, drive, load, milestone, recover},
    model::Epoch,
    ports::{ByHand, Fencing, Store},
};

use super::Subject;
use crate::{
    cut_store::{CUTS, Cut, CutStore},
    database::Failure,
    sample::sample,
    shelf::{context, run_id},
};

/// How often a run without any fault is begun until it is kept: one that measures may find the machine too busy.
const TRIES: u32 = 5;

fn open<S: Subject>(subject: &S) -> Arc<FolderStore> {
    Arc::new(FolderStore::new(subject.folder(), subject.clock(), milestone))
}

fn bound<S: Subject>(subject: &S, store: Arc<dyn Store>) -> Context {
    context(store, subject.operation(), subject.clock())
}

/// Runs it to its end.
async fn run<S: Subject>(subject: &S) -> Outcome {
    let store = open(subject);
    let grant = begin(&*store, &run_id(), &subject.plan(), &Start::default()).await.unwrap();
    drive(&bound(subject, store), &grant).await.unwrap()
}

/// Runs it until it ends or is cut; says how many records were written.
async fn run_until<S: Subject>(subject: &S, cut: Option<(u64, Cut)>) -> u64 {
    let store = Arc::new(CutStore::new(subject.folder().to_owned(), subject.clock(), cut));
    if let Ok(grant) = begin(&*store, &run_id(), &subject.plan(), &Start::default()).await {
        let _ = drive(&bound(subject, store.clone()), &grant).await;
    }
    store.appends()
}

/// Recovers it as the guardian does, an hour later, if anything is left to do.
async fn heal<S: Subject>(subject: &S, cut: Option<(u64, Cut)>) {
    subject.pass(Duration::from_hours(1));
    let store = Arc::new(CutStore::new(subject.folder().to_owned(), subject.clock(), cut));
    let Ok(stored) = load(&*store, &run_id()).await else { return };
    if stored.lock.is_some() {
        let _ = recover(&bound(subject, store), &stored, Role::Guardian).await;
    }
}

/// Kept means as planned, stuck and held say why, and everything else means as before.
fn stands<S: Subject>(subject: &S, outcome: &Outcome) -> Result<(), String> {
    let stands = match outcome {
        Outcome::Kept { warning: Some(why) } if why.is_empty() => Err("a warning without a reason".to_owned()),
        Outcome::Kept { warning } => subject.is_as_planned(warning.as_deref()),
        Outcome::Stuck { why } | Outcome::Held { why } if why.is_empty() => Err("it does not say why".to_owned()),
        Outcome::Stuck { .. } | Outcome::Held { .. } => Ok(()),
        _ => subject.is_as_before(),
    };
    stands.map_err(|why| format!("{outcome}, and {why}"))
}

/// A person may be needed only for what the subject says.
fn needs_nobody<S: Subject>(outcome: &Outcome) -> Result<(), String> {
    let allowed = S::NEEDS_PERSON.is_some_and(|reason| outcome.why().contains(reason));
    if !outcome.needs_person() || allowed { Ok(()) } else { Err(outcome.to_string()) }
}

/// A run without any fault is kept; says how many calls of the platform it took.
async fn calls_of_a_run<S: Subject>() -> u64 {
    after_a_run::<S>().await.calls()
}

/// A platform after a run that was kept.
async fn after_a_run<S: Subject>() -> S {
    let mut last = None;
    for _ in 0..TRIES {
        let subject = S::fresh();
        let outcome = run(&subject).await;
        assert_eq!(stands(&subject, &outcome), Ok(()), "without any fault");
        if outcome == (Outcome::Kept { warning: None }) {
            return subject;
        }
        last = Some(outcome);
    }
    panic!("without any fault, {TRIES} times: {last:?}")
}

/// Tries cases, as many side by side as the subject says; tells all that break the law.
async fn each<S: Subject, T: Copy + Debug>(cases: Vec<T>, check: impl AsyncFn(T) -> Result<(), String>) {
    let count = cases.len();
    let tried = cases.into_iter().map(async |case| check(case).await.map_err(|why| format!("{case:?}: {why}")));
    let broken: Vec<String> =
        stream::iter(tried).buffer_unordered(S::EFFORT.beside).filter_map(async |tried| tried.err()).collect().await;
    assert!(broken.is_empty(), "{} of {count} cases break the law:\n{}", broken.len(), broken.join("\n"));
}

pub async fn applied_twice<S: Subject>() {
    let subject = S::fresh();
    let operation = subject.operation();
    let mut changes = 0;
    for step in subject.plan().steps {
        let Action::Change { key, to, .. } = step.action else { continue };
        let prior = operation.read(&key).await.unwrap();
        let before = subject.writes();
        operation.write(&key, &prior, &to, &ByHand(Epoch(1))).await.unwrap();
        if subject.writes() > before {
            changes += 1;
            assert_eq!(operation.read(&key).await.unwrap(), to, "{}", step.name);
        }
        subject.pass(Duration::from_mins(1));
        let (stand, writes) = (subject.stand(), subject.writes());
        operation.write(&key, &prior, &to, &ByHand(Epoch(1))).await.unwrap();
        subject.pass(Duration::from_mins(1));
        assert_eq!((subject.stand(), subject.writes()), (stand, writes), "{}", step.name);
    }
    assert!(changes > 1, "{changes} changes");
    assert_eq!(subject.is_as_planned(None), Ok(()));
}

/// The call fails once, done or not done, and the platform is well again. Where writes are told from other calls, each of them is
/// lost once.
pub async fn failing_once<S: Subject>() {
    let after = after_a_run::<S>().await;
    let (calls, writes) = (after.calls(), if after.lose_write(0) { after.writes() } else { 0 });
    each::<S, _>((0..writes).collect(), async |write| {
        let subject = S::fresh();
        subject.lose_write(write);
        let outcome = run(&subject).await;
        needs_nobody::<S>(&outcome)?;
        stands(&subject, &outcome)
    })
    .await;
    let cases = (0..calls).flat_map(|at| [(at, Failure::Undone), (at, Failure::Unanswered)]).collect();
    each::<S, _>(sample("calls of the platform", cases, S::EFFORT.calls), async |(at, how)| {
        let subject = S::fresh();
        subject.fail_after(at, 1, how);
        let outcome = run(&subject).await;
        needs_nobody::<S>(&outcome)?;
        stands(&subject, &outcome)
    })
    .await;
}

/// Who reads the plan is told which keys have no fence: at those, and only there, may a single call that failed need a person.
/// The plan's keys are declared all of them.
pub async fn what_has_no_fence_is_declared<S: Subject>() {
    let subject = S::fresh();
    let Some(keys) = subject.keys() else { return };
    let is_open = keys.iter().any(|key| key.fence == Fencing::None);
    assert_eq!(is_open, S::NEEDS_PERSON.is_some(), "{keys:?}");
    for step in subject.plan().steps {
        if let Action::Change { key, .. } = step.action {
            assert!(keys.iter().any(|known| known.key == key && known.planned), "{key} among {keys:?}");
        }
    }
    let calls = calls_of_a_run::<S>().await;
    let cases = sample("calls of the platform", (0..calls).collect(), S::EFFORT.calls);
    each::<S, _>(cases, async |at| {
        let subject = S::fresh();
        subject.fail_after(at, 1, Failure::Undone);
        run(&subject).await;
        let entries = load(&*open(&subject), &run_id()).await.unwrap().entries;
        let mut prepared = entries.iter().filter_map(|entry| match entry {
            Entry::Prepared { key, .. } => Some(key),
            _ => None,
        });
        match prepared.find(|key| !keys.iter().any(|known| known.key == **key)) {
            Some(key) => Err(format!("{key} is written to go back, and is not declared")),
            None => Ok(()),
        }
    })
    .await;
}

/// The platform goes at a call and comes back only after the run: what cannot be put back is said, and put back later.
pub async fn gone_for_good<S: Subject>() {
    let calls = calls_of_a_run::<S>().await;
    let stuck = Cell::new(0);
    each::<S, _>(sample("calls of the platform", (0..calls).collect(), S::EFFORT.calls), async |at| {
        let subject = S::fresh();
        subject.fail_after(at, u64::MAX, Failure::Undone);
        let outcome = run(&subject).await;
        subject.answer_again();
        stands(&subject, &outcome)?;
        let Outcome::Stuck { why } = &outcome else { return Ok(()) };
        stuck.set(stuck.get() + 1);
        if !why.contains(S::GONE) {
            return Err(format!("it is stuck for another reason: {why}"));
        }
        let store = open(&subject);
        let stored = load(&*store, &run_id()).await.unwrap();
        let again = recover(&bound(&subject, store), &stored, Role::Recover).await.unwrap();
        needs_nobody::<S>(&again).and_then(|()| subject.is_as_before()).map_err(|why| format!("{outcome}; then {why}"))
    })
    .await;
    assert!(stuck.get() > 0, "no call was lost after the first change");
}

/// Every single cut, and a sample of the pairs; all of them where `INTERLOCK_SOAK` is set.
pub async fn cut_anywhere<S: Subject>() {
    let records = run_until(&S::fresh(), None).await;
    let all: Vec<_> = (1..=records).flat_map(|at| CUTS.map(|cut| (at, cut))).collect();
    let singles = sample("cuts", all.clone(), S::EFFORT.cuts);
    each::<S, _>(singles, async |first| is_healed::<S>(first, None).await).await;
    let seconds: Vec<_> = (1..=S::EFFORT.seconds).flat_map(|at| CUTS.map(|cut| (at, cut))).collect();
    let pairs = all.iter().flat_map(|first| seconds.iter().map(|second| (*first, *second))).collect();
    let pairs = sample("pairs of cuts", pairs, S::EFFORT.pairs);
    each::<S, _>(pairs, async |(first, second)| is_healed::<S>(first, Some(second)).await).await;
}

async fn is_healed<S: Subject>(first: (u64, Cut), second: Option<(u64, Cut)>) -> Result<(), String> {
    let subject = S::fresh();
    run_until(&subject, Some(first)).await;
    if second.is_some() {
        heal(&subject, second).await;
    }
    heal(&subject, None).await;
    let store = open(&subject);
    let Ok(stored) = load(&*store, &run_id()).await else {
        // Cut before the plan was durable: the run never began.
        let lock = store.lock(&subject.plan().target).await.unwrap();
        let untouched = subject.writes() == 0 && lock.is_none_or(|lock| lock.run.is_none());
        return if untouched { subject.is_as_before() } else { Err("it never began, and left something".to_owned()) };
    };
    if store.head(&run_id()).await.is_err() || stored.lock.is_some() {
        return Err(format!("head or lock are not as they should be: {:?}", stored.mode()));
    }
    match stored.mode() {
        Mode::Finished(outcome) if !outcome.needs_person() => stands(&subject, &outcome),
        other => Err(format!("{other:?}")),
    }
}
