//! How runs end: kept, rolled back, held, stuck, superseded, interrupted.

use std::{
    path::Path,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use interlock::{
    error::{Error, Exit},
    guard::{
        Action, Entry, Mode, Outcome, Resume, Role, Settled, Start, Verdict, abort, begin, drive, load, recover,
        resolve, resume,
    },
    model::{Epoch, Target},
    ports::{ByHand, Store},
};
use serde_json::json;

use crate::{
    bench::Bench,
    shelf::{context, plan, run_id, start},
    told::OnEntry,
};

#[tokio::test]
async fn a_healthy_change_is_kept() {
    let bench = Bench::new();
    assert_eq!(bench.run().await.unwrap(), Outcome::Kept { warning: None });
    insta::assert_snapshot!(bench.history().await, @r"
    planned
    owned Operator
    0 looked Wait
    0 looked Pass { warning: None }
    1 captured 0
    1 applied
    2 looked Wait
    2 looked Pass { warning: None }
    3 captured 50
    3 applied
    4 captured 2
    4 applied
    5 looked Wait
    5 looked Pass { warning: None }
    finished kept
    ");
}

#[tokio::test]
async fn a_breach_puts_each_key_back_once_and_the_last_first() {
    let bench = Bench::new();
    bench.shelf.say("after", Verdict::Breach { why: "too many errors".to_owned() });
    let outcome = bench.run().await.unwrap();
    assert_eq!(outcome.exit(), Exit::RolledBack);
    assert_eq!(bench.shelf.values(), start().values());
    insta::assert_snapshot!(bench.shelf.writes.lock().unwrap().join("\n"), @r"
    weights=50
    weights=100
    scale=0
    scale=2
    weights=0
    ");
}

#[tokio::test]
async fn failing_at_each_step_unwinds_clean() {
    for key in ["weights", "scale"] {
        let bench = Bench::new();
        *bench.shelf.broken.lock().unwrap() = Some(key.to_owned());
        // The key is broken for going back as well where it was never written; nothing has to be put back there.
        assert_eq!(bench.run().await.unwrap().exit(), Exit::RolledBack, "{key}");
        assert_eq!(bench.shelf.values(), start().values(), "{key}");
    }
}

#[tokio::test]
async fn every_step_applied_twice_leaves_the_same_state() {
    let shelf = start();
    for step in plan().steps {
        let Action::Change { key, to, .. } = step.action else { continue };
        let prior = shelf.values()[&key].clone();
        for _ in 0..2 {
            interlock::guard::Operation::write(&*shelf, &key, &prior, &to, &ByHand(Epoch(1))).await.unwrap();
        }
        assert_eq!(shelf.values()[&key], to);
    }
    assert_eq!(shelf.writes.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn not_fit_means_refused_and_unseen_means_unreachable_while_nothing_is_touched() {
    for (verdict, exit) in [
        (Verdict::Unfit { why: "blue is ill".to_owned() }, Exit::Refused),
        (Verdict::NoData { why: "no data".to_owned() }, Exit::Unreachable),
    ] {
        let bench = Bench::new();
        bench.shelf.say("before", verdict);
        assert_eq!(bench.run().await.unwrap().exit(), exit);
        assert!(bench.shelf.writes.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn blind_holds_and_a_person_decides() {
    for (how, exit, weights) in
        [(Resume::Keep, Exit::Kept, 100), (Resume::Undo, Exit::RolledBack, 0), (Resume::Watch, Exit::Kept, 100)]
    {
        let bench = Bench::new();
        bench.shelf.say("after", Verdict::NoData { why: "metrics are down".to_owned() });
        assert_eq!(bench.run().await.unwrap().exit(), Exit::Held);
        assert_eq!(bench.shelf.values()["weights"], 100, "a hold moves nothing");
        bench.shelf.verdicts.lock().unwrap().clear();
        let store = bench.store();
        let stored = load(&*store, &run_id()).await.unwrap();
        assert!(stored.lock.is_some(), "a hold keeps the lock");
        let context = context(store.clone(), bench.shelf.clone(), bench.clock.clone());
        assert_eq!(recover(&context, &stored, Role::Recover).await.unwrap_err().exit(), Exit::Refused);
        assert_eq!(resume(&context, &stored, Resume::Continue).await.unwrap_err().exit(), Exit::Invalid);
        assert_eq!(resume(&context, &stored, how).await.unwrap().exit(), exit, "{how:?}");
        assert_eq!(bench.shelf.values()["weights"], weights, "{how:?}");
        assert!(store.lock(&plan().target).await.unwrap().unwrap().run.is_none());
    }
}

#[tokio::test]
async fn a_fuse_still_acts_while_a_run_is_held() {
    let bench = Bench::new();
    bench.shelf.say("after", Verdict::NoData { why: "metrics are down".to_owned() });
    bench.run().await.unwrap();
    bench.clock.pass(Duration::from_hours(1));
    bench.shelf.say("after", Verdict::Breach { why: "green crashed".to_owned() });
    let store = bench.store();
    let stored = load(&*store, &run_id()).await.unwrap();
    let context = context(store, bench.shelf.clone(), bench.clock.clone());
    assert_eq!(recover(&context, &stored, Role::Guardian).await.unwrap().exit(), Exit::RolledBack);
    assert_eq!(bench.shelf.values(), start().values());
}

#[tokio::test]
async fn a_held_run_is_looked_at_all_the_time_and_recorded_once_a_minute() {
    let bench = Bench::new();
    bench.shelf.say("after", Verdict::NoData { why: "metrics are down".to_owned() });
    bench.run().await.unwrap();
    bench.clock.pass(Duration::from_hours(1));
    bench.shelf.say("after", Verdict::Wait);
    let store = bench.store();
    let stored = load(&*store, &run_id()).await.unwrap();
    let context = context(store.clone(), bench.shelf.clone(), bench.clock.clone());
    let ten_minutes = async {
        let before = bench.shelf.looks.load(Ordering::SeqCst);
        for look in 1..=120 {
            while bench.shelf.looks.load(Ordering::SeqCst) < before + look {
                tokio::task::yield_now().await;
            }
            bench.clock.pass(Duration::from_secs(5));
        }
        bench.shelf.say("after", Verdict::Breach { why: "green crashed".to_owned() });
    };
    let (outcome, ()) = tokio::join!(recover(&context, &stored, Role::Guardian), ten_minutes);
    assert_eq!(outcome.unwrap().exit(), Exit::RolledBack);

    let entries = load(&*store, &run_id()).await.unwrap().entries;
    let held = entries.iter().position(|entry| matches!(entry, Entry::Held { .. })).unwrap();
    let looks = entries[held..].iter().filter_map(|entry| match entry {
        Entry::Observed { verdict, evidence, .. } => Some((verdict, evidence.as_u64().unwrap())),
        _ => None,
    });
    let looks: Vec<_> = looks.collect();
    let waits = looks.iter().filter(|(verdict, _)| **verdict == Verdict::Wait).count();
    assert!((8..=11).contains(&waits), "{waits} records of ten minutes");
    // What the looks between have found was carried on.
    assert!(looks.last().unwrap().1 > 100, "{looks:?}");
}

#[tokio::test]
async fn what_someone_else_wrote_is_left_alone_and_the_rest_goes_back() {
    let bench = Bench::new();
    bench.shelf.say("after", Verdict::Wait);
    let shelf = bench.shelf.clone();
    // The third party writes once all steps are applied; the watch then fails.
    let meddler = async {
        while shelf.values()["scale"] != 0 {
            tokio::task::yield_now().await;
        }
        shelf.meddle("weights", json!(40));
        shelf.say("after", Verdict::Breach { why: "weights are 40".to_owned() });
    };
    let (outcome, ()) = tokio::join!(bench.run(), meddler);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit(), Exit::Stuck);
    insta::assert_snapshot!(outcome, @"stuck: weights: found 40, which is not what interlock wrote; before the run it was 0");
    assert_eq!((&bench.shelf.values()["weights"], &bench.shelf.values()["scale"]), (&json!(40), &json!(2)));
}

#[tokio::test]
async fn what_someone_writes_right_before_going_back_is_seen_and_left_alone() {
    let bench = Bench::new();
    bench.shelf.say("after", Verdict::Breach { why: "errors".to_owned() });
    *bench.shelf.meddling.lock().unwrap() = Some(("scale".to_owned(), json!(7)));
    let outcome = bench.run().await.unwrap();
    insta::assert_snapshot!(outcome, @"stuck: scale: found 7, which is not what interlock wrote; before the run it was 2");
    assert_eq!((&bench.shelf.values()["weights"], &bench.shelf.values()["scale"]), (&json!(0), &json!(7)));
}

#[tokio::test]
async fn a_dead_old_side_gets_no_traffic_until_it_lives_again() {
    let bench = Bench::new();
    bench.shelf.say("after", Verdict::Breach { why: "errors".to_owned() });
    *bench.shelf.dead.lock().unwrap() = Some("weights".to_owned());
    assert_eq!(bench.run().await.unwrap().exit(), Exit::Stuck);
    assert_eq!(bench.shelf.values()["weights"], 100, "traffic is not moved to a dead side");

    *bench.shelf.dead.lock().unwrap() = None;
    let store = bench.store();
    let stored = load(&*store, &run_id()).await.unwrap();
    assert!(stored.lock.is_some(), "a stuck run keeps its lock");
    let again = context(store, bench.shelf.clone(), bench.clock.clone());
    assert_eq!(recover(&again, &stored, Role::Recover).await.unwrap().exit(), Exit::RolledBack);
    assert_eq!(bench.shelf.values(), start().values());
}

#[tokio::test]
async fn a_stuck_run_is_settled_by_a_person_and_gives_its_target_free() {
    let bench = Bench::new();
    bench.shelf.say("after", Verdict::Breach { why: "errors".to_owned() });
    *bench.shelf.dead.lock().unwrap() = Some("weights".to_owned());
    bench.run().await.unwrap();
    let store = bench.store();
    let stored = load(&*store, &run_id()).await.unwrap();
    let outcome = resolve(&*store, Some(&*bench.shelf), &stored, Settled::Undone, "moved by hand").await.unwrap();
    assert_eq!(outcome.exit(), Exit::RolledBack);
    assert!(store.lock(&plan().target).await.unwrap().unwrap().run.is_none());
}

#[tokio::test]
async fn a_signal_puts_things_back() {
    let bench = Bench::new();
    let (send, stop) = tokio::sync::watch::channel(None);
    let store = bench.store();
    let grant = begin(&*store, &run_id(), &plan(), &Start::default()).await.unwrap();
    let mut context = context(store, bench.shelf.clone(), bench.clock.clone());
    context.stop = stop;
    context.events = Arc::new(OnEntry::new("1 applied", move || {
        send.send_replace(Some("SIGINT".to_owned()));
    }));
    let outcome = drive(&context, &grant).await.unwrap();
    assert_eq!(outcome, Outcome::Interrupted { why: "SIGINT".to_owned() });
    assert_eq!(bench.shelf.values(), start().values());
}

#[tokio::test]
async fn a_superseded_owner_writes_nothing_more() {
    let bench = Bench::new();
    let store = bench.store();
    let grant = begin(&*store, &run_id(), &plan(), &Start::default()).await.unwrap();
    bench.clock.pass(Duration::from_hours(1));
    let stored = load(&*store, &run_id()).await.unwrap();
    let other = context(store.clone(), bench.shelf.clone(), bench.clock.clone());
    assert_eq!(abort(&other, &stored).await.unwrap().exit(), Exit::Interrupted);
    let (records, writes) = (store.load(&run_id()).await.unwrap().len(), bench.shelf.writes.lock().unwrap().len());

    let paused = context(store.clone(), bench.shelf.clone(), bench.clock.clone());
    assert!(matches!(drive(&paused, &grant).await, Err(Error::Superseded { .. })));
    assert_eq!(store.load(&run_id()).await.unwrap().len(), records);
    assert_eq!(bench.shelf.writes.lock().unwrap().len(), writes);
}

#[tokio::test]
async fn of_two_operators_one_proceeds_and_the_other_is_told_of_it() {
    let bench = Bench::new();
    let store = bench.store();
    begin(&*store, &run_id(), &plan(), &Start::default()).await.unwrap();
    let second = interlock::model::RunId::parse("20261121-093000-ffff").unwrap();
    let refused = begin(&*store, &second, &plan(), &Start::default()).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Refused);
    assert!(refused.to_string().contains(run_id().as_str()), "{refused}");
    let stored = load(&*store, &run_id()).await.unwrap();
    let other = context(store, bench.shelf.clone(), bench.clock.clone());
    assert_eq!(recover(&other, &stored, Role::Recover).await.unwrap_err().exit(), Exit::Refused, "the owner is alive");
}

#[tokio::test]
async fn a_jump_of_the_wall_clock_changes_nothing() {
    let bench = Bench::new();
    let store = bench.store();
    let grant = begin(&*store, &run_id(), &plan(), &Start::default()).await.unwrap();
    bench.clock.jump(10 * 365 * 86_400);
    let target = Target::parse("shelf").unwrap();
    let lock = store.lock(&target).await.unwrap().unwrap();
    assert!(!lock.is_abandoned(&interlock::ports::Clock::now(&*bench.clock)), "a jump is no missing sign of life");
    let context = context(store, bench.shelf.clone(), bench.clock.clone());
    assert_eq!(drive(&context, &grant).await.unwrap().exit(), Exit::Kept);
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_stops_the_run_before_its_next_effect() {
    let bench = Bench::new();
    let store = bench.store();
    let grant = begin(&*store, &run_id(), &plan(), &Start::default()).await.unwrap();
    let folder = store.folder(&run_id());
    let gone = Mutex::new(Some(folder.clone()));
    let mut context = context(store, bench.shelf.clone(), bench.clock.clone());
    context.events = Arc::new(OnEntry::new("1 captured", move || hide(&gone)));
    assert!(matches!(drive(&context, &grant).await, Err(Error::Store { .. })));
    // The one effect whose intent was recorded may be there; nothing after it.
    assert!(bench.shelf.writes.lock().unwrap().len() <= 1);
    std::fs::rename(folder.with_extension("hidden"), &folder).unwrap();
    bench.clock.pass(Duration::from_hours(1));
    let store = bench.store();
    let stored = load(&*store, &run_id()).await.unwrap();
    assert_eq!(stored.mode(), Mode::Forward);
    recover(&context_of(&bench), &stored, Role::Guardian).await.unwrap();
    assert_eq!(bench.shelf.values(), start().values());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_beside_a_writer_sees_a_whole_journal() {
    let bench = Bench::new();
    let store = bench.store();
    let grant = begin(&*store, &run_id(), &plan(), &Start::default()).await.unwrap();
    let writing = store.clone();
    let writer = tokio::spawn(async move {
        for step in 0..300 {
            writing.append(&grant, Entry::Applied { step }.draft().unwrap()).await.unwrap();
        }
    });
    let reader = bench.store();
    let mut seen = 0;
    while !writer.is_finished() {
        let records = reader.load(&run_id()).await.unwrap().len();
        assert!(records >= seen);
        seen = records;
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

fn context_of(bench: &Bench) -> interlock::guard::Context {
    context(bench.store(), bench.shelf.clone(), bench.clock.clone())
}

fn hide(folder: &Mutex<Option<std::path::PathBuf>>) {
    if let Some(folder) = folder.lock().unwrap().take() {
        let hidden = Path::new(&folder).with_extension("hidden");
        std::fs::rename(&folder, hidden).unwrap();
    }
}
