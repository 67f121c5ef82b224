//! Outages whose length the database itself knows: the interval holds it, and is as narrow as was promised.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use interlock::operation::drill::{
    ledger::{Mark, Measurement, Micros, Outage, Records, measure},
    record::{Progress, Recorder, WriterSpec, read_back},
};
use tempfile::TempDir;
use tokio::{
    sync::{Mutex, MutexGuard},
    time::sleep,
};

use crate::{
    fake::{Fake, Host},
    witness::Witness,
};

/// One at a time: what is measured is time.
static ALONE: Mutex<()> = Mutex::const_new(());
/// Slots a second of each stream.
const RATE: f64 = 500.0;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for the writers. A fault lasts as long as a test says; everything else lasts as long as it takes.
async fn until(recorder: &Recorder, what: &str, so: impl Fn(&Progress) -> bool) {
    let begun = Instant::now();
    while !so(&recorder.progress()) {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}: {:?}", recorder.progress());
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until writes have been acknowledged for a while from now on: a short silence alone does not interrupt what is steady.
pub async fn steady(recorder: &Recorder) {
    const WHILE: Micros = Micros::millis(200);
    let begun = recorder.progress();
    let so = |now: &Progress| now.at.since(begun.at) >= WHILE && now.steady >= WHILE && now.routed > begun.routed;
    until(recorder, "steady writes", so).await;
}

/// Waits until so many more writes are acknowledged.
pub async fn acknowledged(recorder: &Recorder, more: u64) {
    let enough = recorder.progress().acknowledged + more;
    until(recorder, "more writes", |progress| progress.acknowledged >= enough).await;
}

/// A drill under way on a database in memory.
pub struct Drill {
    pub fake: Fake,
    pub recorder: Recorder,
    pub file: PathBuf,
    zero: Instant,
    witness: Witness,
    _folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Drill {
    /// Begins, and takes a baseline.
    pub async fn begin(nodes: usize, spec: WriterSpec) -> Self {
        let alone = ALONE.lock().await;
        let (fake, folder) = (Fake::new(nodes), tempfile::tempdir().unwrap());
        let file = folder.path().join("ledger.jsonl");
        let recorder = Recorder::start(Arc::new(fake.clone()), spec, &file, 1).await.unwrap();
        let zero = Instant::now().checked_sub(recorder.now().into()).unwrap();
        let witness = Witness::begin();
        acknowledged(&recorder, 400).await;
        steady(&recorder).await;
        recorder.mark(Mark::BaselineEnded);
        Self { fake, recorder, file, zero, witness, _folder: folder, _alone: alone }
    }

    /// An instant on the ledger's clock.
    pub fn at(&self, instant: Instant) -> Micros {
        instant.saturating_duration_since(self.zero).into()
    }

    /// Ends, and reads the tables back; also how long this machine kept others waiting.
    pub async fn end(self) -> (Records, u64) {
        let mut records = self.recorder.stop().await;
        read_back(&self.fake, &mut records, Duration::from_secs(1)).await;
        (records, self.witness.worst())
    }
}

pub fn spec() -> WriterSpec {
    WriterSpec::new(RATE)
}

/// The interval holds the truth, and is as narrow as promised; says whether the machine was quiet enough to show the latter.
fn holds(measured: &Measurement, from: Micros, until: Micros, stalled: u64) -> bool {
    let truth = until.since(from);
    let Outage::Seen { lower, upper, from: seen_from, until: seen_until } = measured.outage else {
        panic!("{:?} of {truth}", measured.outage)
    };
    let limit = Micros(measured.resolution.periods.0 + 10_000 + measured.resolution.baseline.0);
    let wide = upper.since(lower);
    let (baseline, stall) = (measured.resolution.baseline, Micros(stalled));
    println!("{truth}: {lower} to {upper}, {wide} wide of {limit} allowed; baseline {baseline}, stalled {stall}");
    assert!(lower <= truth && truth <= upper, "{truth} is not from {lower} to {upper}");
    if !is_quiet(stalled) {
        return false;
    }
    assert!(seen_from <= from && until <= seen_until, "{from}, {until} is not within {seen_from}, {seen_until}");
    // What a stall of this machine did to both ends is no fault of the ledger's.
    assert!(wide <= limit + stall * 2, "{wide} is wider than {limit}, with stalls of {stall}");
    true
}

/// Whether figures of time can be held against their promises.
pub fn is_quiet(stalled: u64) -> bool {
    stalled <= 15_000
}

/// Tries until the machine was quiet for once. That the interval holds the truth is shown by every try.
async fn when_quiet(course: impl AsyncFn() -> bool) {
    for _ in 0..4 {
        if course().await {
            return;
        }
    }
    println!(
        "not shown to be narrow: it takes a machine that does not keep a thread waiting for 15 ms in each of 4 tries"
    );
}

async fn refusing(millis: u64) -> bool {
    let drill = Drill::begin(2, spec()).await;
    drill.recorder.mark(Mark::Fault);
    let from = drill.at(drill.fake.set_host("a", Host::Gone));
    sleep(Duration::from_millis(millis)).await;
    let until = drill.at(drill.fake.set_host("a", Host::Up));
    drill.recorder.mark(Mark::Released);
    steady(&drill.recorder).await;
    let (records, stalled) = drill.end().await;
    let measured = measure(&records).unwrap();
    let shown = holds(&measured, from, until, stalled);
    let fate = measured.fate.unwrap();
    assert_eq!((fate.lost.count, fate.duplicates.count, fate.phantoms.count), (0, 0, 0));
    assert!(measured.counts.refused.contains_key("connect"), "{:?}", measured.counts);
    shown
}

#[tokio::test]
async fn connections_refused_for_50_ms() {
    when_quiet(async || refusing(50).await).await;
}

#[tokio::test]
async fn connections_refused_for_200_ms() {
    when_quiet(async || refusing(200).await).await;
}

#[tokio::test]
async fn connections_refused_for_1000_ms() {
    when_quiet(async || refusing(1_000).await).await;
}

#[tokio::test]
async fn a_failover_loses_what_had_not_flowed() {
    when_quiet(failover).await;
}

async fn failover() -> bool {
    let drill = Drill::begin(2, spec()).await;
    drill.fake.set_flowing(false);
    acknowledged(&drill.recorder, 100).await;
    drill.recorder.mark(Mark::Fault);
    let from = drill.at(drill.fake.set_host("a", Host::Gone));
    sleep(Duration::from_millis(300)).await;
    let until = drill.at(drill.fake.promote("b"));
    steady(&drill.recorder).await;
    let lost = drill.fake.rejoin("a", "b");
    steady(&drill.recorder).await;
    assert_eq!(drill.recorder.progress().primary.as_deref(), Some("b"));
    let (records, stalled) = drill.end().await;
    let measured = measure(&records).unwrap();
    let shown = holds(&measured, from, until, stalled);
    let fate = measured.fate.as_ref().unwrap();
    assert!(lost.len() > 20, "{}", lost.len());
    assert_eq!(fate.lost.count, lost.len() as u64);
    assert_eq!(fate.lost.ids, lost[..10], "the first ten");
    assert_eq!(fate.divergent["a"], 0);
    // Each row moves the position on by 100; what was written after the last poll nobody knows.
    let overhang = measured.overhang.unwrap();
    assert!(overhang > 0 && overhang <= 100 * lost.len() as u64, "{overhang} of {}", lost.len());
    assert!(measured.risk.rows >= lost.len() as u64, "{:?} of {}", measured.risk, lost.len());
    assert_eq!(measured.gaps.nodes["a"].map(|gap| gap.ended), Some(false));
    shown
}

#[tokio::test]
async fn a_host_that_is_stopped_hangs_and_goes_on() {
    let drill = Drill::begin(2, spec()).await;
    drill.recorder.mark(Mark::Fault);
    let from = drill.at(drill.fake.set_host("a", Host::Stopped));
    sleep(Duration::from_millis(600)).await;
    let until = drill.at(drill.fake.set_host("a", Host::Up));
    steady(&drill.recorder).await;
    let (records, stalled) = drill.end().await;
    let measured = measure(&records).unwrap();
    let Outage::Seen { lower, upper, from: seen_from, until: seen_until } = measured.outage else {
        panic!("{:?}", measured.outage)
    };
    // Nobody refused, so nothing is known of the lower bound; that it took so long is certain.
    assert!(lower <= until.since(from) && until.since(from) <= upper, "{lower} {upper}");
    assert!(!is_quiet(stalled) || (seen_from <= from && until <= seen_until));
    // All workers waited, and nothing was made up for.
    let routed = &measured.slots[0];
    assert!(routed.busy > 100 && routed.unexplained < routed.late + routed.busy / 2, "{routed:?}");
    assert_eq!(measured.fate.unwrap().lost.count, 0);
}

#[tokio::test]
async fn a_stopped_host_does_not_keep_the_writer_from_the_next_primary() {
    let spec = WriterSpec { statement_within: Duration::from_millis(200), ..spec() };
    let drill = Drill::begin(3, spec).await;
    drill.recorder.mark(Mark::Fault);
    let from = drill.at(drill.fake.set_host("a", Host::Stopped));
    sleep(Duration::from_millis(400)).await;
    let until = drill.at(drill.fake.promote("c"));
    steady(&drill.recorder).await;
    let (mut records, _) = drill.end().await;
    records.finals.primary = Some("c".to_owned());
    let measured = measure(&records).unwrap();
    let Outage::Seen { lower, upper, until: seen_until, .. } = measured.outage else { panic!("{:?}", measured.outage) };
    assert!(lower <= until.since(from) && until.since(from) <= upper, "{lower} {upper}");
    // Far less than one deadline of each worker after another.
    assert!(seen_until.since(until) < Micros::millis(1_000), "{seen_until} for {until}");
    assert!(measured.counts.unknown["timeout"] >= 8, "{:?}", measured.counts);
    assert!(measured.fate.unwrap().unread.contains(&"a".to_owned()));
}

#[tokio::test]
async fn no_outage_is_seen_where_there_was_none() {
    let drill = Drill::begin(2, spec()).await;
    drill.recorder.mark(Mark::Fault);
    acknowledged(&drill.recorder, 400).await;
    let (records, stalled) = drill.end().await;
    let measured = measure(&records).unwrap();
    match measured.outage {
        Outage::BelowResolution { .. } => {}
        // This machine was busier than in the baseline: then nobody refused, and nothing is claimed.
        Outage::Seen { lower, upper, .. } => assert!(lower == Micros(0) && upper.0 < 20_000 + 4 * stalled, "{upper}"),
        Outage::Unended { .. } => panic!("{:?}", measured.outage),
    }
    assert_eq!(measured.fate.unwrap().lost.count, 0);
}

#[tokio::test]
async fn an_outage_that_does_not_end_is_said_to_go_on() {
    let drill = Drill::begin(2, spec()).await;
    drill.recorder.mark(Mark::Fault);
    let from = drill.at(drill.fake.set_host("a", Host::Gone));
    sleep(Duration::from_millis(500)).await;
    let progress = drill.recorder.progress();
    assert_eq!(progress.steady, Micros(0));
    assert!(progress.since_last.is_some_and(|silent| silent >= Micros::millis(490)), "{progress:?}");
    let (records, _) = drill.end().await;
    let measured = measure(&records).unwrap();
    let Outage::Unended { lower, silent, .. } = measured.outage else { panic!("{:?}", measured.outage) };
    let truth = records.ended.since(from);
    assert!(lower <= truth && truth <= silent, "{lower} {truth} {silent}");
    assert_eq!((measured.new, measured.fate), (None, None));
}
