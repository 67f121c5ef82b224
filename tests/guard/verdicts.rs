//! What a switchover decides: on errors, silence, hangs, exits, shared outages, and a clock that jumps.

use std::{sync::Arc, time::Duration};

use interlock::{
    guard::{Action, ObserveContext, Operation as _, Outcome, Resume, Verdict, load, resume},
    model::{HumanDuration, Slot, Weights},
    operation::switchover::Spec,
    ports::{Clock as _, InFlight},
};

use crate::{
    shelf::run_id,
    told::OnEntry,
    world::{World, at_end, at_start, spec},
};

/// Runs it, and lets something happen right after traffic was shifted.
async fn run(world: &World, happens: impl Fn() + Send + Sync + 'static) -> Outcome {
    world.run_with(Arc::new(OnEntry::new("2 applied", happens))).await
}

#[tokio::test]
async fn a_healthy_release_is_kept() {
    let world = World::new(spec());
    assert_eq!(world.run().await, Outcome::Kept { warning: None });
    assert_eq!(world.platform.stand(), at_end());
    insta::assert_snapshot!(world.history().await.unwrap(), @r#"
    planned
    owned Operator
    0 looked 5 times: Pass { warning: None }
    1 looked 1 times: Pass { warning: None }
    2 captured {"blue":100,"green":0}
    2 applied
    3 looked 1 times: Pass { warning: None }
    4 looked 1 times: Pass { warning: None }
    5 looked 10 times: Pass { warning: None }
    6 looked 1 times: Pass { warning: None }
    7 captured 2
    7 applied
    finished kept
    "#);
}

#[tokio::test]
async fn five_percent_of_errors_are_put_back() {
    let world = World::new(spec());
    world.counters.feed().bad = [0.0, 0.05];
    let outcome = world.run().await;
    insta::assert_snapshot!(outcome, @"rolled-back: availability: 300 of 6,000 bad (5.00 %), tolerated 1.00 %; evidence 3.6e2 against 2e2");
    assert_eq!(world.platform.stand(), at_start());
}

#[tokio::test]
async fn silent_metrics_hold_and_never_put_back() {
    for still in [false, true] {
        let world = World::new(spec());
        let counters = world.counters.clone();
        let silence = move || {
            let mut feed = counters.feed();
            (feed.down, feed.still) = (!still, still);
        };
        let outcome = run(&world, silence).await;
        assert!(matches!(outcome, Outcome::Held { .. }), "{outcome}");
        if !still {
            insta::assert_snapshot!(outcome, @"held: counters in memory: cannot reach counters in memory: connection refused; availability: no share of bad requests can be excluded");
        }
        assert_eq!(world.platform.stand().0, Weights::all(Slot::Green), "a hold moves nothing");

        // The metrics are back, and a person lets it watch again.
        {
            let mut feed = world.counters.feed();
            (feed.down, feed.still) = (false, false);
        }
        let store = world.store();
        let stored = load(&*store, &run_id()).await.unwrap();
        let outcome = resume(&world.context(store), &stored, Resume::Watch).await.unwrap();
        assert!(matches!(outcome, Outcome::Kept { .. }), "{outcome}");
    }
}

#[tokio::test]
async fn an_outage_that_blue_shares_is_not_blamed_on_green() {
    let world = World::new(spec());
    let (counters, platform) = (world.counters.clone(), world.platform.clone());
    let outage = move || {
        counters.feed().bad = [0.3, 0.3];
        platform.answer(Slot::Blue, 500, Duration::from_millis(5));
    };
    let outcome = run(&world, outage).await;
    insta::assert_snapshot!(outcome, @"held: the old slot fails as well; 10 blocks count for nobody; availability: no share of bad requests can be excluded");
    assert_eq!(world.platform.stand().0, Weights::all(Slot::Green));
}

#[tokio::test]
async fn a_release_that_only_our_probes_find_dead_is_put_back_without_metrics() {
    let world = World::new(spec());
    let (counters, platform) = (world.counters.clone(), world.platform.clone());
    let dies = move || {
        counters.feed().down = true;
        platform.answer(Slot::Green, 200, Duration::from_secs(5));
    };
    // Asking who serves would see it first; here it answers that, and dies in the bake.
    let outcome = world.run_with(Arc::new(OnEntry::new("4 looked", dies))).await;
    insta::assert_snapshot!(outcome, @"rolled-back: green failed all our probes in 3 looks in a row, while blue passed them");
    assert_eq!(world.platform.stand(), at_start());
}

#[tokio::test]
async fn requests_that_hang_blow_the_fuse() {
    let world = World::new(spec());
    let platform = world.platform.clone();
    let hang = move || {
        let examples = vec!["GET /tenants/7 for 41s".to_owned()];
        let in_flight =
            InFlight { count: 4, oldest: Duration::from_secs(41), older: 4, examples, ..InFlight::default() };
        platform.set_in_flight(Slot::Green, in_flight);
    };
    let outcome = run(&world, hang).await;
    insta::assert_snapshot!(outcome, @"rolled-back: 4 requests have hung on green for more than 5s, such as GET /tenants/7 for 41s");
    assert_eq!(world.platform.stand(), at_start());
}

#[tokio::test]
async fn processes_that_exit_blow_the_fuse_whatever_their_readiness_says() {
    let world = World::new(spec());
    let platform = world.platform.clone();
    let exit = move || {
        for _ in 0..3 {
            platform.crash(Slot::Green, 1);
        }
        platform.repair(Slot::Green);
    };
    let outcome = run(&world, exit).await;
    insta::assert_snapshot!(outcome, @"rolled-back: 1 of 2 processes of green exited, 3 times in all");
    assert_eq!(world.platform.stand(), at_start());
}

#[tokio::test]
async fn traffic_that_stays_away_blows_the_fuse() {
    let world = World::new(spec());
    let counters = world.counters.clone();
    let outcome = run(&world, move || counters.feed().rate = 2.0).await;
    insta::assert_snapshot!(outcome, @"rolled-back: 2.0 requests/s arrive at both slots together, where 200 were expected");
    assert_eq!(world.platform.stand(), at_start());
}

#[tokio::test]
async fn weights_of_someone_else_are_left_alone() {
    let world = World::new(spec());
    let platform = world.platform.clone();
    let outcome = run(&world, move || platform.meddle(Weights::giving(Slot::Green, 30))).await;
    insta::assert_snapshot!(outcome, @"stuck: weights: found blue 70 %, green 30 %, which is not what interlock wrote; before the run it was blue 100 %, green 0 %");
    assert_eq!(world.platform.stand().0, Weights::giving(Slot::Green, 30));
}

/// Ten years forward, or one hour back, in the middle of the bake.
#[tokio::test]
async fn a_jump_of_the_wall_clock_changes_nothing() {
    let calm = World::new(spec());
    calm.run().await;
    for seconds in [10 * 365 * 86_400, -3_600] {
        let world = World::new(spec());
        let clock = world.clock.clone();
        let jump = move || {
            let now = clock.now().wall;
            clock.jump(now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap());
        };
        assert_eq!(run(&world, jump).await, Outcome::Kept { warning: None }, "{seconds}");
        assert_eq!(world.history().await.unwrap(), calm.history().await.unwrap(), "{seconds}");
    }
}

fn in_parts() -> Spec {
    let mut spec = Spec { shares: vec![5, 50, 100], bake: HumanDuration::secs(20), ..spec() };
    spec.rules.both_live = true;
    spec
}

#[tokio::test]
async fn in_parts_with_both_slots_live() {
    let world = World::new(in_parts());
    assert_eq!(world.run().await, Outcome::Kept { warning: None });
    assert_eq!(world.platform.stand(), at_end());

    let world = World::new(in_parts());
    world.counters.feed().bad = [0.0, 0.05];
    let outcome = world.run().await;
    insta::assert_snapshot!(outcome, @"rolled-back: availability: 9 of 180 bad (5.00 %), tolerated 1.00 %; evidence 6.3e2 against 4e2");
    assert_eq!(world.platform.stand(), at_start());

    // What both slots share is not the release's fault, though it is far above what is tolerated.
    let world = World::new(in_parts());
    let counters = world.counters.clone();
    let outcome = run(&world, move || counters.feed().bad = [0.05, 0.05]).await;
    insta::assert_snapshot!(outcome, @"held: availability: 5.00 % bad of late, at most 2.00 % is healthy; availability: above 6.72 % excluded");
}

/// An e-process that began anew would forget what counts against the release.
#[tokio::test]
async fn evidence_that_cannot_be_read_is_not_taken_for_none() {
    let world = World::new(spec());
    let what = world.plan().steps.into_iter().find(|step| step.name.starts_with("bake")).map(|step| step.action);
    let Some(Action::Watch { what }) = what else { panic!() };
    let found = serde_json::json!({"counted": "by a later release"});
    for held in [false, true] {
        let look = ObserveContext { what: &what, evidence: Some(&found), spent: Duration::ZERO, first: false, held };
        let looked = world.switch().observe(look).await;
        let wanted = if held { Verdict::Wait } else { Verdict::NoData { why: looked.line.clone() } };
        assert_eq!(looked.verdict, wanted);
        assert!(looked.line.starts_with("what the looks before have found cannot be read"), "{}", looked.line);
        assert_eq!(looked.evidence, found, "what could not be read is kept");
    }
}
