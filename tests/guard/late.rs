//! A write whose end nobody has heard of lands once the run is over: what was put back stays put back.

use std::sync::Arc;

use interlock::{
    guard::{Outcome, Start, begin, drive},
    model::{HumanDuration, Slot, Weights},
    operation::switchover::Spec,
    ports::Store as _,
};

use crate::{
    cut_store::CutStore,
    shelf::run_id,
    world::{World, at_end, at_start, spec},
};

/// A switchover whose release is good, in two moves; or bad from its first request on.
fn world(bad: bool) -> World {
    let shares = if bad { vec![100] } else { vec![50, 100] };
    let world = World::new(Spec { shares, keep_old: HumanDuration::secs(5), ..spec() });
    if bad {
        world.counters.feed().bad = [0.0, 0.5];
    }
    world
}

/// Lets the write arrive that was held up, and looks whether anything has changed by it.
fn arrives_without_effect(world: &World, outcome: &Outcome, told: &str) {
    let before = world.platform.stand();
    assert_eq!(world.platform.deliver(), 1, "{told}");
    assert_eq!(world.platform.stand(), before, "{told}: {outcome}, and then a write of old has landed");
    match outcome {
        Outcome::Kept { .. } => assert_eq!(before.0, at_end().0, "{told}"),
        _ => assert_eq!(before, at_start(), "{told}: {outcome}"),
    }
}

/// The owner itself goes back, and no successor takes part.
#[tokio::test]
async fn an_owners_own_write_that_lands_late_changes_nothing() {
    for bad in [false, true] {
        let mut held = 0;
        for passing in 0.. {
            let world = world(bad);
            world.platform.hold_write(passing, false);
            let outcome = world.run().await;
            if world.platform.held() == 0 {
                break;
            }
            held += 1;
            arrives_without_effect(&world, &outcome, &format!("bad: {bad}, write {passing} held up"));
        }
        // 50 %, 100 % and the scale of the old side; or 100 % and its undo.
        assert_eq!(held, if bad { 2 } else { 3 }, "bad: {bad}");
    }
}

/// The owner is killed, or stopped for good, while its write is on its way, and the guardian goes back.
#[tokio::test]
async fn a_write_that_outlives_its_owner_changes_nothing() {
    for bad in [false, true] {
        let mut held = 0;
        for passing in 0.. {
            let world = world(bad);
            world.platform.hold_write(passing, true);
            let store = world.store();
            let grant = begin(&*store, &run_id(), &world.plan(), &Start::default()).await.unwrap();
            let context = world.context(store);
            let owner = tokio::spawn(async move { drive(&context, &grant).await });
            while world.platform.held() == 0 && !owner.is_finished() {
                tokio::task::yield_now().await;
            }
            if owner.is_finished() {
                break;
            }
            owner.abort();
            held += 1;
            let outcome = world.heal().await.unwrap();
            arrives_without_effect(&world, &outcome, &format!("bad: {bad}, killed at write {passing}"));
        }
        assert_eq!(held, if bad { 2 } else { 3 }, "bad: {bad}");
    }
}

/// A write of the way back arrives once more after the run: whoever has switched by hand since is not overwritten.
#[tokio::test]
async fn a_late_undo_does_not_overwrite_a_person() {
    let world = world(true);
    // The undo; its sender tries again, and that one lands.
    world.platform.hold_write(1, false);
    let outcome = world.run().await;
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    let theirs = Weights::giving(Slot::Green, 50);
    world.platform.meddle(theirs);
    assert_eq!(world.platform.deliver(), 1);
    assert_eq!(world.platform.stand().0, theirs);
}

/// Each owner begins an epoch of its own before it goes back, and the journal tells.
#[tokio::test]
async fn who_goes_back_begins_a_new_epoch() {
    let world = world(true);
    world.run().await;
    let history = world.history().await.unwrap();
    let owned = history.lines().filter(|line| *line == "owned Operator").count();
    assert_eq!(owned, 2, "{history}");
    let records = world.store().load(&run_id()).await.unwrap();
    let epochs: Vec<_> = records.iter().map(|record| record.epoch.0).collect();
    assert!(epochs.is_sorted() && epochs.last() == Some(&2), "{epochs:?}");
}

/// A machine that is too busy for signs of life: the owner looks silent to itself, and gives one while it begins its new epoch.
#[tokio::test]
async fn an_owner_that_finds_itself_alive_goes_back_all_the_same() {
    let world = world(true);
    let store = Arc::new(CutStore::coming_back(world.folder().to_owned(), Arc::new(world.clock.clone())));
    let grant = begin(&*store, &run_id(), &world.plan(), &Start::default()).await.unwrap();
    let outcome = drive(&world.context(store), &grant).await;
    assert!(matches!(outcome, Ok(Outcome::RolledBack { .. })), "{outcome:?}");
    assert_eq!(world.platform.stand(), at_start());
}
