//! Whatever the way back writes beside the key that goes back is captured first, and what it leaves so is named.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use interlock::{
    guard::{Entry, Event, Events, Outcome, Start, begin, drive, load},
    model::{HumanDuration, Slot, Weights},
    operation::switchover::Spec,
};
use serde_json::json;

use crate::{
    cut_store::{CUTS, CutStore},
    platform::MemoryPlatform,
    shelf::run_id,
    told::told,
    world::{World, spec},
};

/// The entry from which on the run goes back; before it, the old slot is what the new one is held against.
const BREACH: &str = "5 looked Breach";

/// A release that is bad from its first request on.
fn world() -> World {
    let world = World::new(Spec { keep_old: HumanDuration::secs(5), ..spec() });
    world.counters.feed().bad = [0.0, 0.5];
    world
}

/// Somebody else scales the old slot at these entries.
struct Scales(MemoryPlatform, Vec<(&'static str, u32)>, AtomicBool);

impl Scales {
    fn at(world: &World, when: &[(&'static str, u32)]) -> Arc<Self> {
        Arc::new(Self(world.platform.clone(), when.into(), AtomicBool::new(false)))
    }
}

impl Events for Scales {
    fn event(&self, event: &Event<'_>) {
        let Event::Recorded(entry) = event else { return };
        for (_, scale) in self.1.iter().filter(|(at, _)| told(entry).starts_with(at)) {
            self.0.meddle_scale(Slot::Blue, *scale);
            self.2.store(true, SeqCst);
        }
    }
}

async fn prepared(world: &World) -> Vec<Entry> {
    let mut entries = load(&*world.store(), &run_id()).await.unwrap().entries;
    entries.retain(|entry| matches!(entry, Entry::Prepared { .. }));
    entries
}

#[tokio::test]
async fn an_old_slot_that_is_scaled_up_to_go_back_is_captured_and_named() {
    let world = world();
    let outcome = world.run_with(Scales::at(&world, &[(BREACH, 0)])).await;
    assert_eq!(world.platform.stand(), (Weights::all(Slot::Blue), [2, 2]));
    let captured = Entry::Prepared { step: 2, key: "scale/blue".to_owned(), prior: json!(0), to: json!(2) };
    assert_eq!(prepared(&world).await, [captured]);
    let Outcome::RolledBack { why } = &outcome else { panic!("{outcome}") };
    assert!(why.ends_with("; to go back, scale/blue was set from 0 to 2"), "{why}");
}

#[tokio::test]
async fn nothing_is_prepared_that_no_power_cut_would_leave() {
    let whole = world();
    whole.run_with(Scales::at(&whole, &[(BREACH, 0)])).await;
    let entries = load(&*whole.store(), &run_id()).await.unwrap().entries;
    let first = entries.iter().position(|entry| told(entry).starts_with(BREACH)).unwrap();
    let mut cuts = 0;
    for at in u64::try_from(first).unwrap().. {
        let mut is_whole = true;
        for cut in CUTS {
            let world = world();
            let clock = Arc::new(world.clock.clone());
            let store = Arc::new(CutStore::new(world.folder().to_owned(), clock, Some((at, cut))));
            let scales = Scales::at(&world, &[(BREACH, 0)]);
            let Ok(grant) = begin(&*store, &run_id(), &world.plan(), &Start::default()).await else {
                is_whole = false;
                continue;
            };
            let mut context = world.context(store);
            context.events = scales.clone();
            is_whole &= drive(&context, &grant).await.is_ok();
            if scales.2.load(SeqCst) && world.platform.stand().1[0] > 0 {
                assert_eq!(prepared(&world).await.len(), 1, "cut {cut:?} at record {at}");
                cuts += 1;
            }
            world.heal().await;
            assert_eq!(world.platform.stand().0, Weights::all(Slot::Blue), "cut {cut:?} at record {at}");
        }
        if is_whole {
            break;
        }
    }
    assert!(cuts > 2, "{cuts} cuts behind what was prepared");
}

#[tokio::test]
async fn what_somebody_scales_right_before_stays_theirs() {
    let world = world();
    let outcome = world.run_with(Scales::at(&world, &[(BREACH, 0), ("2 prepared", 5)])).await;
    assert_eq!(world.platform.stand(), (Weights::all(Slot::Blue), [5, 2]), "{outcome}");
}
