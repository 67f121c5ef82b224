//! The power fails at every call that a whole run makes of the disk, and at those of whoever takes it over: what is left
//! is always enough to put things back, or to see that nothing was touched.

use std::{path::Path, sync::Arc, time::Duration};

use interlock::{
    adapters::store::FolderStore,
    guard::{Mode, Outcome, Role, Start, begin, drive, load, milestone, recover},
    journal::Owner,
    ports::{Opening, Store as _},
};

use crate::{
    memory_disk::{LEFT, Left, MemoryDisk},
    sample::sample,
    shelf::{HandClock, Shelf, context, plan, run_id, start},
};

const ROOT: &str = "/home/runs";

fn store(disk: &MemoryDisk, clock: &Arc<HandClock>) -> Arc<FolderStore> {
    Arc::new(FolderStore::on(Arc::new(disk.clone()), ROOT, clock.clone(), milestone))
}

async fn operate(disk: &MemoryDisk, clock: &Arc<HandClock>, shelf: &Arc<Shelf>) {
    let store = store(disk, clock);
    if let Ok(grant) = begin(&*store, &run_id(), &plan(), &Start::default()).await {
        let _ = drive(&context(store, shelf.clone(), clock.clone()), &grant).await;
    }
}

/// Recovers as a guardian does, an hour later.
async fn heal(disk: &MemoryDisk, clock: &Arc<HandClock>, shelf: &Arc<Shelf>) {
    clock.pass(Duration::from_hours(1));
    let store = store(disk, clock);
    let Ok(stored) = load(&*store, &run_id()).await else { return };
    if stored.lock.is_some() {
        let _ = recover(&context(store, shelf.clone(), clock.clone()), &stored, Role::Guardian).await;
    }
}

async fn check(first: (u64, Left), second: Option<(u64, Left)>) {
    let told = format!("power cut before call {first:?}, then {second:?}");
    let (clock, shelf) = (Arc::new(HandClock::default()), start());
    let disk = MemoryDisk::default();
    disk.cut_at(first.0);
    operate(&disk, &clock, &shelf).await;
    let mut disk = disk.after_power_cut(first.1);
    if let Some((at, left)) = second {
        disk.cut_at(at);
        heal(&disk, &clock, &shelf).await;
        disk = disk.after_power_cut(left);
    }
    heal(&disk, &clock, &shelf).await;

    let store = store(&disk, &clock);
    let lock = store.lock(&plan().target).await.unwrap();
    assert!(lock.is_none_or(|lock| lock.run.is_none()), "{told}: the lock is left");
    match load(&*store, &run_id()).await {
        Err(_) => assert!(shelf.writes.lock().unwrap().is_empty(), "{told}: it never began, but something was touched"),
        Ok(stored) => match stored.mode() {
            Mode::Finished(Outcome::Kept { .. }) => assert_eq!(shelf.values()["weights"], 100, "{told}"),
            Mode::Finished(Outcome::Interrupted { .. }) => assert_eq!(shelf.values(), start().values(), "{told}"),
            other => panic!("{told}: {other:?}"),
        },
    }
    // And the next run can begin.
    let next = begin(&*store, &run_id().another(), &plan(), &Start::default()).await;
    assert!(next.is_ok(), "{told}: {next:?}");
}

#[tokio::test]
async fn a_power_cut_at_any_write_leaves_what_recovery_needs() {
    let (clock, shelf, disk) = (Arc::new(HandClock::default()), start(), MemoryDisk::default());
    operate(&disk, &clock, &shelf).await;
    assert_eq!(shelf.values()["weights"], 100);
    let calls = disk.calls();
    assert!(disk.files(Path::new(ROOT)).iter().any(|path| path.ends_with("closed-0000000001")), "it was closed");

    let singles: Vec<_> = (1..=calls).flat_map(|at| LEFT.map(|left| (at, left))).collect();
    println!("{} power cuts in {calls} calls", singles.len());
    for first in &singles {
        check(*first, None).await;
    }
    let pairs: Vec<_> = singles
        .iter()
        .flat_map(|first| (1..=60).flat_map(|at| LEFT.map(|left| (at, left))).map(|second| (*first, second)))
        .collect();
    for (first, second) in sample("pairs of power cuts", pairs, 150) {
        check(first, Some(second)).await;
    }
}

/// An owner is killed between a line and its sync; whoever takes over counts the line, and then the power fails.
#[tokio::test]
async fn what_a_successor_counts_outlasts_a_power_cut() {
    for left in LEFT {
        let (clock, disk) = (Arc::new(HandClock::default()), MemoryDisk::default());
        let owner = Owner::current().unwrap();
        let first = store(&disk, &clock);
        let grant =
            first.open(&Opening::new(&run_id(), &plan().target, &owner, Duration::from_secs(10))).await.unwrap();
        first.append(&grant, serde_json::json!({ "applied": { "step": 0 } }).into()).await.unwrap();
        disk.break_syncs(Some("journal.jsonl"));
        first.append(&grant, serde_json::json!({ "applied": { "step": 1 } }).into()).await.unwrap_err();
        disk.break_syncs(None);
        let successor = store(&disk, &clock);
        let seen = successor.lock(&plan().target).await.unwrap().unwrap();
        successor.take_over(&seen, &owner).await.unwrap();
        let counted = successor.load(&run_id()).await.unwrap();
        assert_eq!(counted.len(), 2, "the line is there for every process");
        let after = store(&disk.after_power_cut(left), &clock);
        assert_eq!(after.load(&run_id()).await.unwrap(), counted, "{left:?}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_outlasts_a_power_cut_right_after_it() {
    let (clock, disk) = (Arc::new(HandClock::default()), MemoryDisk::default());
    let owner = Owner::current().unwrap();
    let first = store(&disk, &clock);
    let mut grant =
        first.open(&Opening::new(&run_id(), &plan().target, &owner, Duration::from_secs(10))).await.unwrap();
    for number in 0..12 {
        first.append(&grant, serde_json::json!({ "applied": { "step": number } }).into()).await.unwrap();
        for left in LEFT {
            let after = store(&disk.after_power_cut(left), &clock);
            let records = after.load(&run_id()).await.unwrap();
            assert_eq!(records, first.load(&run_id()).await.unwrap(), "record {number}, {left:?}");
            let lock = after.lock(&plan().target).await.unwrap().unwrap();
            assert_eq!((lock.epoch, lock.run), (grant.epoch, Some(run_id())), "record {number}, {left:?}");
        }
        if number % 3 == 2 {
            let seen = first.lock(&plan().target).await.unwrap().unwrap();
            grant = first.take_over(&seen, &owner).await.unwrap();
            let after = store(&disk.after_power_cut(Left::Nothing), &clock);
            assert_eq!(after.lock(&plan().target).await.unwrap().unwrap().epoch, grant.epoch, "a claim is durable");
        }
    }
    first.release(&grant).await.unwrap();
    let after = store(&disk.after_power_cut(Left::Nothing), &clock);
    assert_eq!(after.lock(&plan().target).await.unwrap().unwrap().run, None, "so is its end");
}
