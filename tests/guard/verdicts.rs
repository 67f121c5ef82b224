//! What a switchover decides: on errors, silence, hangs, exits, shared outages, and a clock that jumps.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use interlock::{
    guard::{Action, Entry, ObserveContext, Operation as _, Outcome, Resume, Verdict, load, resume},
    model::{Epoch, HumanDuration, Slot, Weights},
    operation::switchover::Spec,
    ports::{ByHand, Clock as _, InFlight},
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
    insta::assert_snapshot!(outcome, @"rolled-back: availability: 540 of 10,800 bad (5.00 %), tolerated 1.00 %; evidence 361 reaches the bound of 200");
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
async fn how_long_an_answer_may_take_is_for_the_platform_file_to_say() {
    for (within, ends) in [(1, "refused"), (5, "kept")] {
        let world = World::new(Spec { answer_within: HumanDuration::secs(within), ..spec() });
        for slot in Slot::ALL {
            world.platform.answer(slot, 200, Duration::from_secs(3));
        }
        let outcome = run(&world, || {}).await;
        assert!(outcome.to_string().starts_with(ends), "{within} s: {outcome}");
    }
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

/// Time would not change it.
#[tokio::test]
async fn a_drain_of_which_nothing_can_be_seen_is_not_waited_for() {
    let world = World::new(spec());
    world.platform.hide_in_flight(Slot::Blue);
    let outcome = run(&world, || {}).await;
    insta::assert_snapshot!(outcome, @"kept: blue stays as it is: what blue has in flight cannot be seen: no count of what is in flight");
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
async fn users_who_cannot_get_through_blow_the_fuse() {
    let world = World::new(spec());
    let (counters, platform) = (world.counters.clone(), world.platform.clone());
    let cut = move || {
        counters.feed().rate = 2.0;
        platform.cut_live();
    };
    let outcome = world.run_with(Arc::new(OnEntry::new("4 looked", cut))).await;
    insta::assert_snapshot!(outcome, @"rolled-back: 2.0 requests/s arrive at both slots together, where 200 were expected; 5 of 5 live requests were not served by green: cannot reach the platform: no route to it");
    assert_eq!(world.platform.stand(), at_start());
}

#[tokio::test]
async fn users_who_pause_are_neither_a_fault_nor_health() {
    for pause in [20, 1_000] {
        let world = World::new(Spec { max_bake: HumanDuration::secs(120), ..spec() });
        let (counters, clock) = (world.counters.clone(), world.clock.clone());
        let paused = Mutex::new(None);
        let pulse = move || {
            let began = *paused.lock().unwrap().get_or_insert(clock.now().boot);
            let over = clock.now().boot - began >= Duration::from_secs(pause);
            counters.feed().rate = if over { 200.0 } else { 0.0 };
        };
        let outcome = world.run_with(Arc::new(OnEntry::every("5 looked", pulse))).await;
        if pause == 20 {
            assert_eq!(outcome, Outcome::Kept { warning: None });
        } else {
            insta::assert_snapshot!(outcome, @"held: 0.0 requests/s arrive at both slots together, where 200 were expected; our own live requests are answered; availability: above 0.75 % excluded");
            assert_eq!(world.platform.stand().0, Weights::all(Slot::Green));
        }
    }
}

/// However late its samples come, a bake is served by what the new slot did in it, and not by what was sampled before.
#[tokio::test]
async fn late_samples_serve_the_bake_for_what_they_cover() {
    for late in [0, 4, 8] {
        let world = World::new(spec());
        world.counters.feed().late = Duration::from_secs(late);
        assert_eq!(world.run().await, Outcome::Kept { warning: None }, "{late}");
        let counted = totals(&world).await;
        // 20 s of 200 requests/s were to be seen.
        assert!(counted >= 20 * 200, "{late} s late: kept on {counted} requests");
    }
    let world = World::new(spec());
    for _ in 0..60 {
        world.clock.advance(Duration::from_secs(1));
        world.counters.feed().late = Duration::from_secs(40);
    }
    let outcome = world.run().await;
    assert!(matches!(outcome, Outcome::Unreachable { .. }), "{outcome}");
    insta::assert_snapshot!(outcome, @"unreachable: the newest samples of blue that counters in memory has are 40s old, and may be 10s (`freshness`)");
    assert_eq!(world.platform.stand(), at_start());
    let world = World::new(spec());
    let counters = world.counters.clone();
    let outcome = run(&world, move || counters.feed().late = Duration::from_secs(40)).await;
    insta::assert_snapshot!(outcome, @"held: the newest samples of green that counters in memory has are 40s old, and may be 10s (`freshness`); availability: above 0.075 % excluded");
}

/// The new slot's requests that the last look had counted.
async fn totals(world: &World) -> u64 {
    last_evidence(world).await["counted"]["slo"]["objectives"][0]["totals"]["total"].as_u64().unwrap()
}

async fn last_evidence(world: &World) -> serde_json::Value {
    let stored = load(&*world.store(), &run_id()).await.unwrap();
    let evidence = stored.entries.iter().rev().find_map(|entry| match entry {
        Entry::Observed { evidence, .. } => Some(evidence.clone()),
        _ => None,
    });
    evidence.unwrap()
}

/// Its series is born with its first request, and what it counted up to the first look is not lost.
#[tokio::test]
async fn the_new_slots_requests_are_counted_from_the_first_on() {
    let world = World::new(spec());
    assert_eq!(world.run().await, Outcome::Kept { warning: None });
    let evidence = last_evidence(&world).await;
    let newest = evidence["counted"]["newest"].as_str().unwrap().parse().unwrap();
    let stand = world.counters.requests_at(1, newest);
    assert!(stand > 0);
    assert_eq!(totals(&world).await, stand, "all that the series has counted since its birth");
}

/// A warm-up judges by what is tolerated: one request that fails is asked again, and says nothing alone.
#[tokio::test]
async fn a_warm_up_refuses_what_fails_more_often_than_is_tolerated() {
    for every in [0, 15] {
        let world = World::new(Spec { warm_up: 20, ..spec() });
        world.platform.stumble(every);
        assert_eq!(world.run().await, Outcome::Kept { warning: None }, "{every}");
    }
    let refused = async |every| {
        let world = World::new(Spec { warm_up: 20, ..spec() });
        world.platform.stumble(every);
        let outcome = world.run().await;
        assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome}");
        assert_eq!(world.platform.stand(), at_start());
        outcome.to_string()
    };
    insta::assert_snapshot!(refused(1).await, @"refused: green fails its warm-up: /version on green: cannot reach the platform: connection reset, 3 times in a row");
    insta::assert_snapshot!(refused(3).await, @"refused: green fails its warm-up: 9 of 29 requests failed, such as /version on green: cannot reach the platform: connection reset; 1.00 % are tolerated");
}

/// Somebody scales the old slot to nothing while the new one fails: that excuses nothing, and the way back brings it up.
#[tokio::test]
async fn an_old_slot_that_is_gone_excuses_nothing() {
    let world = World::new(spec());
    let (counters, platform) = (world.counters.clone(), world.platform.clone());
    let gone = move || {
        counters.feed().bad = [0.0, 0.3];
        platform.meddle_scale(Slot::Blue, 0);
    };
    let outcome = run(&world, gone).await;
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
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
    let (bake, max_bake) = (HumanDuration::secs(20), HumanDuration::secs(180));
    let mut spec = Spec { shares: vec![5, 50, 100], bake, max_bake, ..spec() };
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
    insta::assert_snapshot!(outcome, @"rolled-back: availability: 42 of 840 bad (5.00 %), tolerated 1.00 %; evidence 419 reaches the bound of 400");
    assert_eq!(world.platform.stand(), at_start());

    // What both slots share is not the release's fault, though it is far above what is tolerated.
    let world = World::new(in_parts());
    let counters = world.counters.clone();
    let outcome = run(&world, move || counters.feed().bad = [0.05, 0.05]).await;
    insta::assert_snapshot!(outcome, @"held: availability: 5.00 % bad of late, at most 2.00 % is healthy; availability: 5.0 % of 1800 requests are bad, availability: above 5.93 % excluded");
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

/// What every release has journalled of its looks; whatever came later may be missing.
const JOURNALLED_BY_ALL: [&str; 8] =
    ["counted", "exits_before", "unready", "quiet", "expected_rate", "dead_looks", "served_before", "in_vain"];

#[tokio::test]
async fn a_bake_that_an_earlier_release_began_comes_to_its_end() {
    let world = World::new(spec());
    let switch = world.switch();
    let mut evidence = None;
    for step in world.plan().steps {
        let what = match step.action {
            Action::Watch { what } => what,
            Action::Change { key, to, .. } => {
                let prior = switch.read(&key).await.unwrap();
                switch.write(&key, &prior, &to, &ByHand(Epoch(1))).await.unwrap();
                continue;
            }
        };
        let (mut looks, mut spent) = (0, Duration::ZERO);
        loop {
            let begun = world.clock.now();
            let look =
                ObserveContext { what: &what, evidence: evidence.as_ref(), spent, first: looks == 0, held: false };
            let looked = switch.observe(look).await;
            spent += world.clock.now().since(&begun);
            looks += 1;
            let mut found = looked.evidence;
            if looks == 2 {
                found.as_object_mut().unwrap().retain(|field, _| JOURNALLED_BY_ALL.contains(&field.as_str()));
                found["counted"].as_object_mut().unwrap().remove("served_until");
            }
            evidence = Some(found);
            match looked.verdict {
                Verdict::Wait if looks < 100 => {}
                Verdict::Pass { .. } => break,
                other => panic!("{} after {looks} looks: {other:?}, {}", step.name, looked.line),
            }
        }
    }
}
