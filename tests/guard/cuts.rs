//! Cut at every journal write, and again in the recovery from it: the start is always restored, or the end kept.

use std::{path::Path, sync::Arc, time::Duration};

use interlock::{
    guard::{Mode, Outcome, Role, begin, drive, load, recover},
    ports::Store,
};

use crate::{
    cut_store::{CUTS, Cut, CutStore},
    sample::sample,
    shelf::{HandClock, Shelf, context, plan, run_id, start},
};

/// Runs the plan until it ends or is cut; says how many records it wrote.
async fn operate(folder: &Path, clock: &Arc<HandClock>, shelf: &Arc<Shelf>, cut: Option<(u64, Cut)>) -> u64 {
    let store = Arc::new(CutStore::new(folder.to_owned(), clock.clone(), cut));
    if let Ok(grant) = begin(&*store, &run_id(), &plan(), &[], &[]).await {
        let _ = drive(&context(store.clone(), shelf.clone(), clock.clone()), &grant).await;
    }
    store.appends()
}

/// Recovers the run as the guardian does, an hour later; `None` where that was cut as well or nothing was left to do.
async fn heal(folder: &Path, clock: &Arc<HandClock>, shelf: &Arc<Shelf>, cut: Option<(u64, Cut)>) -> Option<Outcome> {
    clock.pass(Duration::from_hours(1));
    let store = Arc::new(CutStore::new(folder.to_owned(), clock.clone(), cut));
    let stored = load(&*store, &run_id()).await.ok()?;
    stored.lock.as_ref()?;
    recover(&context(store, shelf.clone(), clock.clone()), &stored, Role::Guardian).await.ok()
}

async fn check(first: (u64, Cut), second: Option<(u64, Cut)>) {
    let folder = tempfile::tempdir().unwrap();
    let (clock, shelf) = (Arc::new(HandClock::default()), start());
    operate(folder.path(), &clock, &shelf, Some(first)).await;
    if let Some(second) = second {
        heal(folder.path(), &clock, &shelf, Some(second)).await;
    }
    heal(folder.path(), &clock, &shelf, None).await;

    let told = format!("cut {first:?}, then {second:?}");
    let store = CutStore::new(folder.path().to_owned(), clock, None);
    let run = store.runs().await.unwrap();
    let Ok(stored) = load(&store, &run_id()).await else {
        // Cut before the plan was durable: the run never began.
        assert!(run.len() <= 1 && shelf.writes.lock().unwrap().is_empty(), "{told}");
        let lock = store.lock(&plan().target).await.unwrap();
        assert!(lock.is_none_or(|lock| lock.run.is_none()), "{told}: the lock is left");
        return;
    };
    assert!(store.head(&run_id()).await.is_ok(), "{told}");
    assert!(stored.lock.is_none(), "{told}: the lock is left");
    match stored.mode() {
        Mode::Finished(Outcome::Kept { .. }) => assert_eq!(shelf.values()["weights"], 100, "{told}"),
        Mode::Finished(Outcome::Interrupted { .. }) => assert_eq!(shelf.values(), start().values(), "{told}"),
        other => panic!("{told}: {other:?}"),
    }
}

/// Every single cut, and a sample of the pairs; all pairs where `INTERLOCK_SOAK` is set.
#[tokio::test]
async fn any_cut_is_healed_also_when_the_healing_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, shelf) = (Arc::new(HandClock::default()), start());
    let records = operate(folder.path(), &clock, &shelf, None).await;
    assert_eq!(shelf.values()["weights"], 100);

    let singles: Vec<_> = (1..=records).flat_map(|at| CUTS.map(|cut| (at, cut))).collect();
    for first in &singles {
        check(*first, None).await;
    }
    let pairs = singles
        .iter()
        .flat_map(|first| (1..=8).flat_map(|at| CUTS.map(|cut| (at, cut))).map(|second| (*first, second)))
        .collect();
    for (first, second) in sample("pairs of cuts", pairs, 150) {
        check(first, Some(second)).await;
    }
}
