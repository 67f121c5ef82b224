//! The contract of the run store, as checks that every store has to pass.

use std::time::Duration;

use interlock::{
    error::{Error, Exit},
    journal::{Draft, Grant, Lock, Owner},
    model::{Epoch, RunId, Target},
    ports::{Ends, LAST, Opening, Store},
};
use serde_json::json;

/// Long enough for a busy machine; nobody waits for it to pass.
const TTL: Duration = Duration::from_secs(10);

pub fn target(name: &str) -> Target {
    Target::parse(name).unwrap()
}

pub fn run(number: u32) -> RunId {
    RunId::parse(&format!("20261121-0930{number:02}-1f2e")).unwrap()
}

fn entry(number: usize) -> Draft {
    json!({ "applied": { "step": number, "share": 0.1 } }).into()
}

async fn open(store: &dyn Store, number: u32, name: &str) -> Result<Grant, Error> {
    store.open(&Opening::new(&run(number), &target(name), &Owner::current().unwrap(), TTL)).await
}

async fn lock(store: &dyn Store, name: &str) -> Lock {
    store.lock(&target(name)).await.unwrap().unwrap()
}

async fn ends(store: &dyn Store, run: &RunId) -> Ends {
    store.ends(std::slice::from_ref(run), |_| false).await.remove(0).unwrap()
}

fn is_superseded<T: std::fmt::Debug>(result: Result<T, Error>, theirs: u64) {
    assert!(matches!(&result, Err(Error::Superseded { theirs: t, .. }) if *t == theirs), "{result:?}");
}

/// One run holds a target, and a second one is told which. Another target is free.
pub async fn a_held_target_is_refused(store: &dyn Store) {
    let grant = open(store, 1, "held").await.unwrap();
    let refused = open(store, 2, "held").await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Refused);
    assert!(refused.to_string().contains(run(1).as_str()), "{refused}");
    let other = open(store, 3, "another").await.unwrap();
    let standing = lock(store, "held").await;
    let owner = Owner::current().unwrap();
    assert_eq!((standing.run.as_ref(), standing.owner, standing.ttl), (Some(&run(1)), Some(owner), TTL));
    assert!(!standing.remote, "this very process holds it");
    assert!(store.holding().await.unwrap().contains(&run(1)));
    store.release(&grant).await.unwrap();
    store.release(&other).await.unwrap();
}

/// Epochs only rise, whoever holds the target, and outlive the runs.
pub async fn epochs_rise_and_outlive_runs(store: &dyn Store) {
    let name = "epochs";
    assert!(store.lock(&target(name)).await.unwrap().is_none(), "never locked");
    for (number, epoch) in [(11, 1), (12, 3), (13, 5)] {
        let grant = open(store, number, name).await.unwrap();
        assert_eq!(grant.epoch, Epoch(epoch));
        let taken = store.take_over(&lock(store, name).await, &Owner::current().unwrap()).await.unwrap();
        assert_eq!((taken.epoch, &taken.run), (Epoch(epoch + 1), &grant.run));
        store.release(&taken).await.unwrap();
        let free = lock(store, name).await;
        assert_eq!((free.epoch, free.run, free.owner), (Epoch(epoch + 1), None, None));
    }
}

/// Records come back as they were appended, in order, and the head moves with each.
pub async fn records_come_back_in_order(store: &dyn Store) {
    let grant = open(store, 21, "records").await.unwrap();
    assert!(store.load(&grant.run).await.unwrap().is_empty());
    assert_eq!(ends(store, &grant.run).await, Ends { first: None, last: Vec::new() });
    let mut written = Vec::new();
    let mut heads = vec![store.head(&grant.run).await.unwrap()];
    for number in 0..5 {
        written.push(store.append(&grant, entry(number)).await.unwrap());
        heads.push(store.head(&grant.run).await.unwrap());
    }
    assert_eq!(store.load(&grant.run).await.unwrap(), written);
    for (number, record) in written.iter().enumerate() {
        assert_eq!((record.seq, record.epoch), (number as u64, grant.epoch));
        assert_eq!(record.prev, heads[number]);
        assert_eq!(record.entry, entry(number).entry);
    }
    heads.dedup();
    assert_eq!(heads.len(), 6);
    let last = written[written.len() - LAST..].to_vec();
    assert_eq!(ends(store, &grant.run).await, Ends { first: written.first().cloned(), last });
    let one = store.ends(std::slice::from_ref(&grant.run), |_| true).await.remove(0).unwrap();
    assert_eq!(one, Ends { first: written.first().cloned(), last: written.last().cloned().into_iter().collect() });
    assert!(!store.is_exhausted(&grant.run));
    store.release(&grant).await.unwrap();
    assert_eq!(store.load(&grant.run).await.unwrap(), written, "a run that is over is still there to be read");
}

/// One record is left of a run that is over; what was noted of it still tells whether it was this one, and its target's epochs rise.
pub async fn a_pruned_run_leaves_one_record(store: &dyn Store) {
    let name = "pruned";
    let grant = open(store, 22, name).await.unwrap();
    for number in 0..5 {
        store.append(&grant, entry(number)).await.unwrap();
    }
    let taken = store.take_over(&lock(store, name).await, &Owner::current().unwrap()).await.unwrap();
    store.append(&taken, entry(5)).await.unwrap();
    store.save_snapshot(&taken, 0, "where series stand").await.unwrap();
    store.release(&taken).await.unwrap();
    let head = store.head(&grant.run).await.unwrap();

    let left = store.prune(&grant.run, json!({ "left": true }).into()).await.unwrap();
    assert_eq!((left.seq, &left.prev, left.epoch), (6, &head, taken.epoch));
    assert_eq!(store.load(&grant.run).await.unwrap(), std::slice::from_ref(&left));
    assert_eq!(store.head(&grant.run).await.unwrap(), head);
    assert_eq!(ends(store, &grant.run).await, Ends { first: Some(left.clone()), last: vec![left.clone()] });
    assert_eq!(store.snapshot(&grant.run, taken.epoch, 0).await.unwrap(), None);
    assert_eq!(store.half_pruned().await.unwrap(), Vec::new());
    let again = store.prune(&grant.run, json!({ "left": "again" }).into()).await.unwrap();
    assert_eq!(store.load(&grant.run).await.unwrap(), [again], "what is there stays");
    assert!(store.runs().await.unwrap().contains(&grant.run));
    assert!(matches!(open(store, 22, "another").await, Err(Error::Taken { .. })), "its name is not given again");
    let free = lock(store, name).await;
    assert_eq!((free.epoch, free.run), (taken.epoch, None));
    let next = open(store, 23, name).await.unwrap();
    assert_eq!(next.epoch, taken.epoch.next());
    store.release(&next).await.unwrap();
}

/// A snapshot is read as it was saved, whoever reads it and however long it is; each owner has two of its own.
pub async fn snapshots_are_replaced(store: &dyn Store) {
    let name = "snapshots";
    let grant = open(store, 24, name).await.unwrap();
    store.append(&grant, entry(0)).await.unwrap();
    assert_eq!(store.snapshot(&grant.run, grant.epoch, 0).await.unwrap(), None);
    let long = "wo steht, was wächst; ".repeat(120_000);
    for (turn, text) in [(0, "first"), (1, long.as_str()), (0, "third")] {
        store.save_snapshot(&grant, turn, text).await.unwrap();
        assert_eq!(store.snapshot(&grant.run, grant.epoch, turn).await.unwrap().as_deref(), Some(text));
    }
    let taken = store.take_over(&lock(store, name).await, &Owner::current().unwrap()).await.unwrap();
    is_superseded(store.save_snapshot(&grant, 1, "too late").await, 2);
    store.save_snapshot(&taken, 1, "of another term").await.unwrap();
    assert_eq!(store.snapshot(&grant.run, grant.epoch, 1).await.unwrap().as_deref(), Some(long.as_str()));
    store.release(&taken).await.unwrap();
}

/// After a takeover the earlier owner can do nothing any more, and is told which term is the later one.
pub async fn a_stale_grant_is_refused_everywhere(store: &dyn Store) {
    let name = "stale";
    let stale = open(store, 31, name).await.unwrap();
    store.append(&stale, entry(0)).await.unwrap();
    let seen = lock(store, name).await;
    let owner = Owner::current().unwrap();
    let taken = store.take_over(&seen, &owner).await.unwrap();
    is_superseded(store.append(&stale, entry(1)).await, 2);
    is_superseded(store.check(&stale).await, 2);
    is_superseded(store.beat(&stale).await, 2);
    is_superseded(store.release(&stale).await, 2);
    is_superseded(store.take_over(&seen, &owner).await, 2);
    assert_eq!(store.load(&stale.run).await.unwrap().len(), 1);
    store.check(&taken).await.unwrap();
    store.beat(&taken).await.unwrap();
    let record = store.append(&taken, entry(1)).await.unwrap();
    assert_eq!((record.seq, record.epoch), (1, Epoch(2)));
    store.release(&taken).await.unwrap();
}

/// An owner may take over from itself, and goes on where it was.
pub async fn an_owner_takes_over_from_itself(store: &dyn Store) {
    let name = "itself";
    let mut grant = open(store, 35, name).await.unwrap();
    for step in 0..3 {
        let record = store.append(&grant, entry(step)).await.unwrap();
        assert_eq!((record.seq, record.epoch), (step as u64, Epoch(step as u64 + 1)));
        let taken = store.take_over(&lock(store, name).await, &Owner::current().unwrap()).await.unwrap();
        is_superseded(store.append(&grant, entry(step)).await, taken.epoch.0);
        grant = taken;
    }
    assert_eq!(store.load(&grant.run).await.unwrap().len(), 3);
    store.release(&grant).await.unwrap();
}

/// A run whose id another run has is not begun, and leaves the other one as it is.
pub async fn a_run_id_that_is_taken_is_refused(store: &dyn Store) {
    let grant = open(store, 37, "taken").await.unwrap();
    let record = store.append(&grant, entry(0)).await.unwrap();
    let taken = open(store, 37, "taken-too").await;
    assert!(matches!(taken, Err(Error::Taken { .. })), "{taken:?}");
    assert_eq!(store.load(&grant.run).await.unwrap(), [record]);
    store.append(&grant, entry(1)).await.unwrap();
    let other = open(store, 38, "taken-too").await.unwrap();
    store.release(&other).await.unwrap();
    store.release(&grant).await.unwrap();
    let over = open(store, 37, "taken").await;
    assert!(matches!(over, Err(Error::Taken { .. })), "a run that is over has its id still: {over:?}");
    assert_eq!(store.load(&grant.run).await.unwrap().len(), 2);
}

/// Who has given a target free holds nothing any more, also when another run has it.
pub async fn a_released_grant_is_refused(store: &dyn Store) {
    let name = "released";
    let grant = open(store, 41, name).await.unwrap();
    store.append(&grant, entry(0)).await.unwrap();
    store.release(&grant).await.unwrap();
    for theirs in [1, 2] {
        is_superseded(store.append(&grant, entry(1)).await, theirs);
        is_superseded(store.check(&grant).await, theirs);
        is_superseded(store.beat(&grant).await, theirs);
        is_superseded(store.release(&grant).await, theirs);
        if theirs == 1 {
            open(store, 42, name).await.unwrap();
        }
    }
    assert_eq!(store.load(&grant.run).await.unwrap().len(), 1);
}

/// A sign of life moves the lock's beat on, and nothing else.
pub async fn a_beat_is_seen(store: &dyn Store) {
    let name = "beat";
    let grant = open(store, 51, name).await.unwrap();
    let before = lock(store, name).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    store.beat(&grant).await.unwrap();
    let after = lock(store, name).await;
    assert!(after.beat_at > before.beat_at && after.beat > before.beat, "{before:?} {after:?}");
    assert_eq!((after.epoch, after.run, after.owner), (before.epoch, before.run, before.owner));
    store.release(&grant).await.unwrap();
}

/// Runs are listed by age, those that are over too, and only those that hold a target as such.
pub async fn runs_are_listed_oldest_first(store: &dyn Store) {
    let mut grants = Vec::new();
    for number in [63, 61, 62] {
        grants.push(open(store, number, &format!("list-{number}")).await.unwrap());
    }
    store.release(&grants[0]).await.unwrap();
    let runs = store.runs().await.unwrap();
    let ours: Vec<_> = runs.iter().filter(|id| (61..=63).any(|number| **id == run(number))).collect();
    assert_eq!(ours, [&run(61), &run(62), &run(63)]);
    assert!(runs.is_sorted());
    let holding = store.holding().await.unwrap();
    assert!(holding.contains(&run(61)) && holding.contains(&run(62)));
}

/// A run that is not there is a slip of who typed it.
pub async fn an_unknown_run_is_a_usage_error(store: &dyn Store) {
    let unknown = run(99);
    assert_eq!(store.load(&unknown).await.unwrap_err().exit(), Exit::Invalid);
}

/// Of two stores that see the same place one gets a target, and both see whatever either writes.
pub async fn two_stores_are_one_place(one: &dyn Store, other: &dyn Store) {
    for number in 71..75 {
        let name = format!("two-{number}");
        let (first, second) = tokio::join!(open(one, number, &name), open(other, number + 10, &name));
        let (grant, loser) = match (first, second) {
            (Ok(grant), Err(loser)) | (Err(loser), Ok(grant)) => (grant, loser),
            both => panic!("{both:?}"),
        };
        assert_eq!(loser.exit(), Exit::Refused, "{loser}");
        assert!(loser.to_string().contains(grant.run.as_str()), "{loser}");
        for (step, store) in [one, other, one, other].into_iter().enumerate() {
            assert_eq!(store.append(&grant, entry(step)).await.unwrap().seq, step as u64);
        }
        assert_eq!(one.load(&grant.run).await.unwrap(), other.load(&grant.run).await.unwrap());
        let seen = lock(one, &name).await;
        let owner = Owner::current().unwrap();
        let (first, second) = tokio::join!(one.take_over(&seen, &owner), other.take_over(&seen, &owner));
        // Both are the same process: that the lock names it is no proof that it was this call that got it.
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    }
}

/// A journal that was changed behind the store's back is not read as if it was not.
pub async fn tampering_shows(store: &dyn Store, number: u32, tamper: impl AsyncFnOnce(&RunId)) {
    let grant = open(store, number, &format!("tampered-{number}")).await.unwrap();
    for step in 0..4 {
        store.append(&grant, entry(step)).await.unwrap();
    }
    tamper(&grant.run).await;
    for result in [store.load(&grant.run).await.map(drop), store.head(&grant.run).await.map(drop)] {
        assert!(matches!(result, Err(Error::Tampered { .. })), "{result:?}");
    }
    a_target_is_freed(store, &grant).await;
}

/// A target is given free whatever has become of the journal of its run, and its owner can do nothing more.
pub async fn a_target_is_freed(store: &dyn Store, grant: &Grant) {
    let (name, owner) = (grant.target.as_str(), Owner::current().unwrap());
    let seen = lock(store, name).await;
    assert_eq!(seen.run.as_ref(), Some(&grant.run));
    store.free(&seen, &owner, "looked at it").await.unwrap();
    let free = lock(store, name).await;
    assert_eq!((free.run, free.owner), (None, None));
    assert!(free.epoch > grant.epoch);
    assert!(store.check(grant).await.is_err() && store.append(grant, entry(9)).await.is_err());
    let next = store.open(&Opening::new(&grant.run.another(), &grant.target, &owner, TTL)).await.unwrap();
    assert!(next.epoch > free.epoch);
    let stale = store.free(&seen, &owner, "too late").await;
    assert!(matches!(stale, Err(Error::Superseded { .. })), "{stale:?}");
    assert_eq!(lock(store, name).await.run, Some(next.run.clone()));
    store.release(&next).await.unwrap();
}

/// All of the contract that needs one store only, each on targets of its own.
pub async fn keeps_the_contract(store: &dyn Store) {
    a_held_target_is_refused(store).await;
    epochs_rise_and_outlive_runs(store).await;
    records_come_back_in_order(store).await;
    a_pruned_run_leaves_one_record(store).await;
    snapshots_are_replaced(store).await;
    a_stale_grant_is_refused_everywhere(store).await;
    an_owner_takes_over_from_itself(store).await;
    a_run_id_that_is_taken_is_refused(store).await;
    a_released_grant_is_refused(store).await;
    a_beat_is_seen(store).await;
    runs_are_listed_oldest_first(store).await;
    an_unknown_run_is_a_usage_error(store).await;
}
