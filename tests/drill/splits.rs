//! Two primaries at once, and rows that should not be as they are: found, and counted as the database counts them.

use std::time::Duration;

use interlock::operation::drill::ledger::{Mark, Micros, Objectives, Outage, Verdict, judge, measure};
use tokio::time::sleep;

use crate::{
    fake::{Host, Twist},
    outages::{Drill, acknowledged, is_quiet, spec, steady},
};

#[tokio::test]
async fn split_brain_is_found_with_the_rows_that_it_costs() {
    let drill = Drill::begin(2, spec()).await;
    drill.recorder.mark(Mark::Fault);
    // `a` is cut off from `b` and goes on; `b` is promoted; `a` is found and made a standby.
    drill.fake.set_flowing(false);
    sleep(Duration::from_millis(400)).await;
    let from = drill.at(drill.fake.promote("b"));
    let before = drill.fake.answered("a");
    sleep(Duration::from_millis(800)).await;
    let during = drill.fake.answered("a") - before;
    let lost = drill.fake.rejoin("a", "b");
    let until = drill.recorder.now();
    steady(&drill.recorder).await;
    let (records, stalled) = drill.end().await;
    let measured = measure(&records).unwrap();
    let fate = measured.fate.as_ref().unwrap();
    assert!(lost.len() > during && during > 100, "{} {during}", lost.len());
    assert_eq!((fate.lost.count, fate.lost_by["a"]), (lost.len() as u64, lost.len() as u64));
    let dual = measured.dual.as_ref().unwrap();
    assert_eq!((dual.winner.as_str(), dual.loser.as_str()), ("b", "a"));
    assert!(dual.from >= from && dual.length <= until.since(from), "{dual:?}");
    assert!(!is_quiet(stalled) || dual.length.0 + 60_000 >= until.since(from).0, "{dual:?} of {}", until.since(from));
    assert!(dual.lost == Some(dual.acknowledged) && dual.acknowledged > 0);
    assert!(dual.acknowledged <= lost.len() as u64);
    // Somebody could write nearly all the time; that it would last, for 400 ms nobody could.
    let durable = measured.gaps.durable.unwrap().length();
    assert!(durable >= Micros::millis(400) && measured.gaps.any.length() < durable, "{:?}", measured.gaps);
    assert_eq!(judge(&measured, &Objectives::default()).verdict, Verdict::Fail);
}

#[tokio::test]
async fn a_stopped_primary_that_wakes_up_after_a_promotion_is_found() {
    let drill = Drill::begin(2, spec()).await;
    drill.recorder.mark(Mark::Fault);
    drill.fake.set_host("a", Host::Stopped);
    sleep(Duration::from_millis(500)).await;
    drill.fake.promote("b");
    sleep(Duration::from_millis(1_500)).await;
    let woke = drill.at(drill.fake.set_host("a", Host::Up));
    sleep(Duration::from_millis(200)).await;
    let lost = drill.fake.rejoin("a", "b");
    steady(&drill.recorder).await;
    let (records, stalled) = drill.end().await;
    let measured = measure(&records).unwrap();
    let Some(dual) = &measured.dual else {
        assert!(!is_quiet(stalled), "no second primary");
        return println!("not shown: this machine polled too seldom, since it kept threads waiting for {stalled} us");
    };
    assert_eq!(dual.loser, "a");
    // Not from the promotion on: until it woke up it wrote nothing.
    assert!(dual.from >= woke, "{dual:?} {woke}");
    assert_eq!(measured.fate.unwrap().lost.count, lost.len() as u64);
}

#[tokio::test]
async fn rows_are_counted_as_the_database_counts_them() {
    let drill = Drill::begin(2, spec()).await;
    drill.recorder.mark(Mark::Fault);
    let twists = [Twist::Twice, Twist::RefusedButThere, Twist::Swallowed, Twist::Warned];
    drill.fake.twist(&[twists, twists, twists].concat());
    drill.fake.plant(77_000_000);
    while drill.fake.twisted().len() < 3 * twists.len() {
        acknowledged(&drill.recorder, 1).await;
    }
    steady(&drill.recorder).await;
    let fake = drill.fake.clone();
    let (records, _) = drill.end().await;
    let measured = measure(&records).unwrap();
    let ids = |twist: Twist| {
        let mut ids: Vec<_> = fake.twisted().into_iter().filter(|(met, _)| *met == twist).map(|(_, id)| id).collect();
        ids.sort_unstable();
        ids
    };
    let fate = measured.fate.as_ref().unwrap();
    assert_eq!(fate.duplicates.ids, ids(Twist::Twice));
    assert_eq!(fate.refused_present.ids, ids(Twist::RefusedButThere));
    assert_eq!((fate.phantoms.count, &fate.phantoms.ids[..]), (1, &[77_000_000][..]));
    assert_eq!((fate.unknown_present, fate.unknown_absent), (3, 0));
    assert_eq!((measured.counts.warned, measured.counts.notices["it was not replicated"]), (3, 3));
    assert_eq!(fate.lost.count, 0);
    assert!(!matches!(measured.outage, Outage::Unended { .. }));
}
