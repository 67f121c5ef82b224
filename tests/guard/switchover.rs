//! What every operation gets for free, for the switchover: applied twice, failing anywhere, cut anywhere.

use interlock::{
    guard::{Action, Mode, Operation as _, Outcome, load},
    model::{Epoch, HumanDuration},
    operation::switchover::Spec,
    ports::{ByHand, PortError, Store as _},
};

use crate::{
    cut_store::{CUTS, Cut, CutStore},
    sample::sample,
    shelf::run_id,
    world::{World, at_end, at_start, spec},
};

/// Both kinds of weights, and as few looks as show each kind of step.
fn short() -> Spec {
    Spec {
        shares: vec![50, 100],
        baseline: HumanDuration::secs(10),
        bake: HumanDuration::secs(10),
        look: HumanDuration::secs(5),
        keep_old: HumanDuration::secs(5),
        ..spec()
    }
}

#[tokio::test]
async fn every_step_applied_twice_leaves_the_same_state() {
    let world = World::new(short());
    let switch = world.switch();
    let mut changes = 0;
    for step in world.plan().steps {
        let Action::Change { key, to, .. } = step.action else { continue };
        let prior = switch.read(&key).await.unwrap();
        switch.write(&key, &prior, &to, &ByHand(Epoch(1))).await.unwrap();
        let (stand, writes) = (world.platform.stand(), world.platform.writes());
        switch.write(&key, &prior, &to, &ByHand(Epoch(1))).await.unwrap();
        assert_eq!(switch.read(&key).await.unwrap(), to);
        assert_eq!((world.platform.stand(), world.platform.writes()), (stand, writes), "{}", step.name);
        changes += 1;
    }
    assert_eq!((changes, world.platform.stand()), (3, at_end()));
}

/// Kept means the end, stuck and held say so, and everything else means the start.
fn check_stand(world: &World, outcome: &Outcome, told: &str) {
    let stand = world.platform.stand();
    match outcome {
        Outcome::Kept { warning: None } => assert_eq!(stand, at_end(), "{told}: {outcome}"),
        Outcome::Kept { warning: Some(why) } => {
            assert_eq!(stand.0, at_end().0, "{told}: {outcome}");
            assert!(!why.is_empty(), "{told}");
        }
        Outcome::Stuck { why } | Outcome::Held { why } => assert!(!why.is_empty(), "{told}"),
        _ => assert_eq!(stand, at_start(), "{told}: {outcome}"),
    }
}

async fn calls_of_a_run() -> u64 {
    let world = World::new(short());
    let outcome = world.run().await;
    assert_eq!(outcome, Outcome::Kept { warning: None });
    assert_eq!(world.platform.stand(), at_end());
    world.platform.calls()
}

/// The call fails once, and the platform is well again.
#[tokio::test]
async fn one_call_failing_anywhere_unwinds_clean_or_is_survived() {
    let calls = calls_of_a_run().await;
    for at in sample("calls of the platform", (0..calls).collect(), 60) {
        let world = World::new(short());
        world.platform.fail_after(at, 1, PortError::unreachable("the platform", "cut"));
        let outcome = world.run().await;
        assert!(!outcome.needs_person(), "call {at}: {outcome}");
        check_stand(&world, &outcome, &format!("call {at}"));
    }
}

/// The platform goes at a call and comes back only after the run: what cannot be put back is said, and put back later.
#[tokio::test]
async fn a_platform_that_goes_and_stays_away_ends_stuck_until_it_is_back() {
    let calls = calls_of_a_run().await;
    let mut stuck = 0;
    for at in sample("calls of the platform", (0..calls).collect(), 40) {
        let world = World::new(short());
        world.platform.fail_after(at, u64::MAX, PortError::unreachable("the platform", "gone"));
        let outcome = world.run().await;
        check_stand(&world, &outcome, &format!("gone at call {at}"));
        world.platform.answer_again();
        if let Outcome::Stuck { why } = &outcome {
            stuck += 1;
            assert!(why.contains("the platform: gone"), "{why}");
            let store = world.store();
            let stored = load(&*store, &run_id()).await.unwrap();
            let context = world.context(store);
            let again = interlock::guard::recover(&context, &stored, interlock::guard::Role::Recover).await.unwrap();
            assert_eq!(world.platform.stand(), at_start(), "gone at call {at}, then {again}");
        }
    }
    assert!(stuck > 0, "no call was lost after the shift");
}

/// The write lands, and its answer is lost: half done is undone.
#[tokio::test]
async fn a_lost_answer_is_undone() {
    let world = World::new(short());
    world.platform.lose_answers(1);
    let outcome = world.run().await;
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(world.platform.stand(), at_start());
}

async fn check_cut(first: (u64, Cut), second: Option<(u64, Cut)>) {
    let told = format!("cut {first:?}, then {second:?}");
    let world = World::new(short());
    world.run_until(Some(first)).await;
    if let Some(second) = second {
        world.heal(Some(second)).await;
    }
    world.heal(None).await;
    let store = CutStore::new(world.folder().to_owned(), std::sync::Arc::new(world.clock.clone()), None);
    let Ok(stored) = load(&store, &run_id()).await else {
        // Cut before the plan was durable: the run never began.
        assert_eq!((world.platform.stand(), world.platform.writes()), (at_start(), 0), "{told}");
        return;
    };
    assert!(store.head(&run_id()).await.is_ok(), "{told}");
    assert!(stored.lock.is_none(), "{told}: the lock is left");
    match stored.mode() {
        Mode::Finished(Outcome::Kept { .. }) => assert_eq!(world.platform.stand(), at_end(), "{told}"),
        Mode::Finished(Outcome::Interrupted { .. }) => assert_eq!(world.platform.stand(), at_start(), "{told}"),
        other => panic!("{told}: {other:?}"),
    }
}

#[tokio::test]
async fn any_cut_is_healed_also_when_the_healing_is_cut() {
    let records = World::new(short()).run_until(None).await;
    let singles: Vec<_> = (1..=records).flat_map(|at| CUTS.map(|cut| (at, cut))).collect();
    for first in &singles {
        check_cut(*first, None).await;
    }
    let pairs = singles
        .iter()
        .flat_map(|first| (1..=6).flat_map(|at| CUTS.map(|cut| (at, cut))).map(|second| (*first, second)))
        .collect();
    for (first, second) in sample("pairs of cuts", pairs, 60) {
        check_cut(first, Some(second)).await;
    }
}
