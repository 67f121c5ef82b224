//! An object that somebody makes anew in the middle of a run, or takes our mark from, is theirs: nobody of the run writes there
//! any more, and the run says what it has found.

use std::sync::Arc;

use interlock::{
    guard::{Outcome, Start, begin, drive, load},
    model::{Epoch, HumanDuration, Slot, Weights},
    operation::switchover::Spec,
    ports::Store as _,
};

use crate::{
    cut_store::{Cut, CutStore},
    platform::MemoryPlatform,
    shelf::run_id,
    told::OnEntry,
    world::{World, spec},
};

/// The entry at which all traffic has been moved.
const MOVED: &str = "2 applied";

/// A release that is bad from its first request on.
fn world() -> World {
    let world = World::new(Spec { keep_old: HumanDuration::secs(5), ..spec() });
    world.counters.feed().bad = [0.0, 0.5];
    world
}

/// What others do, for people and to the platform, and how the object that routes stands then.
type Others = (&'static str, fn(&MemoryPlatform), Weights);

/// What others may do to the object that routes.
fn others() -> Vec<Others> {
    let quarter = Weights::giving(Slot::Green, 25);
    vec![
        ("made anew as it was", |platform| platform.make_anew(Weights::all(Slot::Blue)), Weights::all(Slot::Blue)),
        ("made anew otherwise", |platform| platform.make_anew(Weights::giving(Slot::Green, 25)), quarter),
        // As interlock has left it, but for who has made it.
        (
            "made anew as we left it",
            |platform| platform.make_anew(Weights::all(Slot::Green)),
            Weights::all(Slot::Green),
        ),
        ("without our mark", MemoryPlatform::unmark, Weights::all(Slot::Green)),
    ]
}

/// Nobody of the run has written there, and the outcome says how it stands.
fn is_left_alone(world: &World, mark: (Epoch, u64), stands: Weights, outcome: &Outcome, told: &str) {
    assert_eq!((world.platform.stand().0, world.platform.traffic_mark()), (stands, mark), "{told}: {outcome}");
    match outcome {
        Outcome::Stuck { why } => assert!(why.contains("weights") && why.contains("was left alone"), "{told}: {why}"),
        _ => assert_eq!(stands, Weights::all(Slot::Blue), "{told}: {outcome}"),
    }
}

#[tokio::test]
async fn whoever_goes_back_leaves_it_alone() {
    for (told, happens, stands) in others() {
        let world = world();
        let platform = world.platform.clone();
        let outcome = world.run_with(Arc::new(OnEntry::new(MOVED, move || happens(&platform)))).await;
        let version = if told == "without our mark" { world.platform.traffic_mark().1 } else { 0 };
        is_left_alone(&world, (Epoch(0), version), stands, &outcome, told);
    }
}

/// A successor knows of the object by the journal alone.
#[tokio::test]
async fn a_successor_leaves_it_alone() {
    for (told, happens, stands) in others() {
        let world = world();
        let at = cut_behind(&world).await;
        let store = CutStore::new(world.folder().to_owned(), Arc::new(world.clock.clone()), Some((at, Cut::Before)));
        let store = Arc::new(store);
        let grant = begin(&*store, &run_id(), &world.plan(), &Start::default()).await.unwrap();
        drive(&world.context(store), &grant).await.unwrap_err();
        happens(&world.platform);
        let mark = world.platform.traffic_mark();
        let outcome = world.heal().await.unwrap();
        is_left_alone(&world, mark, stands, &outcome, told);
    }
}

/// The number of the record after the one that says that traffic was moved, in a run like this one.
async fn cut_behind(like: &World) -> u64 {
    let twin = World::new(like.spec.clone());
    twin.counters.feed().bad = [0.0, 0.5];
    twin.run().await;
    let entries = load(&*twin.store(), &run_id()).await.unwrap().entries;
    let moved = entries.iter().position(|entry| crate::told::told(entry).starts_with(MOVED)).unwrap();
    u64::try_from(moved).unwrap() + 2
}

/// A write that is under way when the object is made anew does not land on the new one, nor is it tried there again.
#[tokio::test]
async fn a_write_that_is_under_way_does_not_land_on_it() {
    for (told, happens, stands) in others() {
        let world = world();
        world.platform.hold_write(1, true);
        let store = world.store();
        let grant = begin(&*store, &run_id(), &world.plan(), &Start::default()).await.unwrap();
        let context = world.context(store);
        let owner = tokio::spawn(async move { drive(&context, &grant).await });
        while world.platform.held() == 0 && !owner.is_finished() {
            tokio::task::yield_now().await;
        }
        owner.abort();
        happens(&world.platform);
        let mark = world.platform.traffic_mark();
        world.platform.deliver();
        assert_eq!((world.platform.stand().0, world.platform.traffic_mark()), (stands, mark), "{told}");
        let outcome = world.heal().await.unwrap();
        is_left_alone(&world, mark, stands, &outcome, told);
    }
}

/// Journals of earlier releases, and platforms that have no such thing, name no object.
#[tokio::test]
async fn a_capture_names_the_object() {
    let world = world();
    world.run().await;
    let records = world.store().load(&run_id()).await.unwrap();
    let captures: Vec<_> = records.iter().filter_map(|record| record.entry.get("captured")).collect();
    assert!(!captures.is_empty() && captures.iter().all(|captured| captured["object"] == "1"), "{captures:?}");
}
