//! The recorder itself: slots by the schedule, intents before effects, and an end in every case.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use interlock::{
    error::Exit,
    operation::drill::{
        ledger::{Mark, Micros, Records, measure, read},
        record::{Recorder, WriterSpec, read_back},
    },
};
use tokio::time::sleep;

use crate::{
    fake::{Fake, Host},
    outages::{Drill, acknowledged, is_quiet, spec, steady},
};

/// Slots of a stream that were due, taken or missed.
fn due(records: &Records, stream: u16) -> u64 {
    let taken = records.attempts.iter().filter(|attempt| attempt.stream == stream).count() as u64;
    taken + records.missed.iter().filter(|run| run.stream == stream).map(|run| run.slots).sum::<u64>()
}

#[tokio::test]
async fn every_slot_is_taken_once_or_missed_at_a_thousand_a_second_and_stream() {
    let drill = Drill::begin(3, WriterSpec::new(1_000.0)).await;
    drill.recorder.mark(Mark::Fault);
    acknowledged(&drill.recorder, 2_000).await;
    let (records, stalled) = drill.end().await;
    let measured = measure(&records).unwrap();
    for (stream, slots) in (0_u16..).zip(&measured.slots) {
        let attempts = records.attempts.iter().filter(|attempt| attempt.stream == stream);
        let first = attempts.map(|attempt| attempt.due).min().unwrap();
        // The first slot may have been missed itself, so the schedule's is counted from.
        let expected = records.ended.since(first).0 / 1_000;
        let missed = slots.late + slots.busy;
        println!("stream {stream}: {} due, {} late, {} busy; stalled {stalled} us", slots.due, slots.late, slots.busy);
        assert!(due(&records, stream).abs_diff(expected) <= 2 + missed, "{} of {expected}", due(&records, stream));
    }
    let ids: std::collections::BTreeSet<_> = records.attempts.iter().map(|attempt| attempt.id).collect();
    assert_eq!(ids.len(), records.attempts.len());
    // Nothing is sent before it is due.
    assert!(records.attempts.iter().all(|attempt| attempt.begun >= attempt.due));
}

#[tokio::test]
async fn what_was_missed_in_a_hang_is_not_made_up_for() {
    let spec = WriterSpec { workers: 3, ..spec() };
    let drill = Drill::begin(1, spec).await;
    drill.fake.set_host("a", Host::Stopped);
    sleep(Duration::from_millis(500)).await;
    let until = drill.at(drill.fake.set_host("a", Host::Up));
    steady(&drill.recorder).await;
    let (records, _) = drill.end().await;
    for stream in 0..2 {
        let after = records.attempts.iter().filter(|attempt| attempt.stream == stream && attempt.begun >= until);
        let mut due: Vec<_> = after.map(|attempt| attempt.due).collect();
        due.sort_unstable();
        // Only what fell due since, but for the lateness that a slot may have.
        assert!(due.iter().all(|due| due.0 + 10_000 >= until.0), "{:?} {until}", due.first());
        let missed: u64 = records.missed.iter().filter(|run| run.stream == stream).map(|run| run.slots).sum();
        assert!(missed >= 200, "{missed}");
    }
}

#[tokio::test]
async fn the_file_follows_while_it_happens() {
    let drill = Drill::begin(2, spec()).await;
    let early = read(&fs::read_to_string(&drill.file).unwrap()).unwrap().attempts.len();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut late = early;
    while late < early + 300 && Instant::now() < deadline {
        sleep(Duration::from_millis(20)).await;
        late = read(&fs::read_to_string(&drill.file).unwrap()).unwrap().attempts.len();
    }
    assert!(early > 100 && late >= early + 300, "{early} {late}");
}

#[tokio::test]
async fn what_is_in_the_file_at_the_end_are_the_records() {
    let (fake, folder) = (Fake::new(2), tempfile::tempdir().unwrap());
    let file = folder.path().join("ledger.jsonl");
    let recorder = Recorder::start(Arc::new(fake.clone()), spec(), &file, 1_000).await.unwrap();
    acknowledged(&recorder, 150).await;
    let fault = recorder.mark(Mark::Fault);
    fake.set_host("a", Host::Gone);
    sleep(Duration::from_millis(100)).await;
    fake.set_host("a", Host::Up);
    steady(&recorder).await;
    let mut records = recorder.stop().await;
    assert_eq!(read(&fs::read_to_string(&file).unwrap()).unwrap(), records);
    assert_eq!((records.marks.fault, &records.troubles[..]), (Some(fault), &[][..]));
    assert!(records.attempts.iter().all(|attempt| attempt.id >= 1_000));
    read_back(&fake, &mut records, Duration::from_secs(5)).await;
    assert_eq!(records.finals.primary.as_deref(), Some("a"));
    assert!(records.finals.rows["a"].len() > 100);
    assert_eq!(measure(&records).unwrap().fate.unwrap().lost.count, 0);
}

#[tokio::test]
async fn a_full_disk_is_said_and_costs_no_record() {
    let fake = Fake::new(1);
    let recorder = Recorder::start(Arc::new(fake.clone()), spec(), Path::new("/dev/full"), 1).await.unwrap();
    acknowledged(&recorder, 100).await;
    recorder.mark(Mark::Fault);
    acknowledged(&recorder, 100).await;
    let mut records = recorder.stop().await;
    read_back(&fake, &mut records, Duration::from_secs(1)).await;
    let measured = measure(&records).unwrap();
    assert!(matches!(&measured.troubles[..], [one] if one.contains("cannot be written")), "{:?}", measured.troubles);
    assert_eq!(measured.counts.acknowledged, fake.answered("a") as u64);
}

#[tokio::test]
async fn it_ends_in_time_when_nothing_answers() {
    let spec = WriterSpec { statement_within: Duration::from_secs(1), ..spec() };
    let drill = Drill::begin(2, spec).await;
    drill.fake.set_host("a", Host::Stopped);
    drill.fake.set_host("b", Host::Stopped);
    sleep(Duration::from_millis(200)).await;
    let begun = Instant::now();
    let Drill { recorder, fake, .. } = drill;
    let mut records = recorder.stop().await;
    read_back(&fake, &mut records, Duration::from_millis(100)).await;
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
    assert_eq!((records.finals.primary, records.finals.troubles.len()), (None, 2));
    assert!(records.troubles.is_empty(), "{:?}", records.troubles);
}

#[tokio::test]
async fn dropped_it_lets_go_of_everything() {
    let drill = Drill::begin(2, spec()).await;
    let fake = drill.fake.clone();
    assert!(fake.sessions() > 0);
    drop(drill);
    let deadline = Instant::now() + Duration::from_secs(60);
    while fake.sessions() > 0 && Instant::now() < deadline {
        sleep(Duration::from_millis(5)).await;
    }
    let answered = fake.answered("a");
    sleep(Duration::from_millis(50)).await;
    assert_eq!((fake.sessions(), fake.answered("a")), (0, answered));
}

#[tokio::test]
async fn without_pinned_writers_there_is_the_routed_one() {
    let spec = WriterSpec { per_node: None, ..spec() };
    let drill = Drill::begin(2, spec).await;
    drill.recorder.mark(Mark::Fault);
    let from = drill.at(drill.fake.set_host("a", Host::Gone));
    sleep(Duration::from_millis(200)).await;
    let until = drill.at(drill.fake.promote("b"));
    steady(&drill.recorder).await;
    drill.fake.rejoin("a", "b");
    let (records, stalled) = drill.end().await;
    let measured = measure(&records).unwrap();
    assert_eq!((measured.slots.len(), measured.new.as_deref()), (1, Some("b")));
    let window = measured.outage.window().unwrap();
    assert!(measured.outage.lower() <= until.since(from) && until.since(from) <= window.until.since(window.from));
    // The one writer tries both nodes in turn, so that both are known to have refused.
    assert!(!is_quiet(stalled) || measured.outage.lower() > Micros::millis(100), "{:?}", measured.outage);
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_anything_is_written() {
    let fake = Arc::new(Fake::new(1));
    let folder = tempfile::tempdir().unwrap();
    let start = async |spec: WriterSpec, file: &Path| Recorder::start(fake.clone(), spec, file, 1).await.err().unwrap();
    let e = start(WriterSpec { workers: 0, ..spec() }, &folder.path().join("l")).await;
    assert_eq!(e.exit(), Exit::Invalid);
    let e = start(spec(), folder.path()).await;
    assert!(e.to_string().contains(&folder.path().display().to_string()) && !e.hint().is_empty(), "{e}");
    let none = Arc::new(Fake::new(0));
    assert!(Recorder::start(none, spec(), &folder.path().join("l"), 1).await.is_err());
    assert_eq!(fake.answered("a"), 0);
}
