//! What looks write: no more for a thousand series than for one, days of them in a cluster's journal, and nothing that a successor
//! would miss.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use interlock::{
    error::Error,
    guard::{
        Entry, Event, Events, Outcome, Resume, Start, begin, drive, load, recorded_looks, resume, verify_snapshot,
    },
    journal::Owner,
    model::HumanDuration,
    operation::{
        Kind as _,
        switchover::{Spec, Switch},
    },
    ports::Store,
};

use crate::{
    cut_store::{Cut, CutStore},
    shelf::run_id,
    world::{World, spec},
};

/// What a cluster's journal holds beside the room for the way back.
const CLUSTER: u64 = 60 * 256 * 1024;

/// A record of a look with one objective, hashes and all.
const RECORD: usize = 4 * 1024;

fn baked(series: usize, seconds: u64) -> World {
    let (look, bake) = (HumanDuration::secs(1), HumanDuration::secs(seconds));
    let baseline = HumanDuration::secs(if series > 5_000 { 3 } else { 10 });
    let world = World::new(Spec { look, bake, max_bake: HumanDuration::secs(seconds * 2), baseline, ..spec() });
    let mut feed = world.counters.feed();
    (feed.series, feed.rate) = (series, 20.0 * series as f64);
    drop(feed);
    world
}

/// How long what each look has written is, and the longest that its snapshots have been.
struct Scale {
    folder: PathBuf,
    looks: Mutex<Vec<usize>>,
    snapshots: Mutex<u64>,
}

impl Events for Scale {
    fn event(&self, event: &Event<'_>) {
        if let Event::Recorded(entry) = event
            && matches!(entry, Entry::Observed { .. })
        {
            self.looks.lock().unwrap().push(serde_json::to_string(entry).unwrap().len() + 256);
            let mut most = self.snapshots.lock().unwrap();
            *most = snapshots(&self.folder).iter().map(|path| path.metadata().unwrap().len()).sum::<u64>().max(*most);
        }
    }
}

fn snapshots(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("snapshot-")).collect()
}

async fn weighed(series: usize, seconds: u64) -> (Vec<usize>, u64) {
    let world = baked(series, seconds);
    let folder = world.folder().join(run_id().as_str());
    let scale = Arc::new(Scale { folder: folder.clone(), looks: Mutex::default(), snapshots: Mutex::default() });
    let outcome = world.run_with(scale.clone()).await;
    assert!(matches!(outcome, Outcome::Kept { .. }), "{outcome}");
    let written = scale.looks.lock().unwrap().iter().sum::<usize>() as u64;
    let said = Switch::writes(&world.spec);
    assert!(written <= said, "{written} bytes were written, {said} at most were said before");
    assert_eq!(snapshots(&folder), Vec::<PathBuf>::new(), "a run that is over needs none");
    (scale.looks.lock().unwrap().clone(), *scale.snapshots.lock().unwrap())
}

/// Also where there are so many that two of three looks write no snapshot.
#[tokio::test]
async fn a_look_writes_as_much_for_any_number_of_series() {
    for (series, seconds) in [(10, 60), (1_000, 20), (20_000, 2)] {
        let (looks, snapshots) = weighed(series, seconds).await;
        let most = looks.iter().copied().max().unwrap();
        println!("{series} series: {most} bytes a look at most, snapshots of {snapshots} bytes");
        assert!(most <= RECORD, "{series} series: {most} bytes a look");
        // Two snapshots at a time, of one series for each slot, and its target; errors have none here.
        let bound = 2 * (series as u64 * 2 * 100 + 4_096);
        assert!(snapshots <= bound, "{series} series: snapshots of {snapshots} bytes, {bound} at most");
    }
}

/// A quarter of an hour is baked; the rest of a day follows from how often looks are recorded.
#[tokio::test]
async fn a_day_of_looks_fits_into_a_clusters_journal() {
    let (baked, second) = (Duration::from_secs(900), Duration::from_secs(1));
    let (looks, _) = weighed(10, baked.as_secs()).await;
    // The looks of the other steps are among them.
    let bound = recorded_looks(baked, second) + 30;
    assert!((looks.len() as u64) <= bound, "{} looks were recorded, {bound} at most", looks.len());
    let each = (looks.iter().sum::<usize>() / looks.len()) as u64;
    let hours = (1..2_000).take_while(|hours| recorded_looks(Duration::from_hours(*hours), second) * each <= CLUSTER);
    let hours = hours.last().unwrap();
    println!("{each} bytes a record; {hours} h of looks, one a second, fit into a cluster's journal");
    assert!(hours >= 24, "{hours} h fit");
}

/// Requests of the new slot: what the last look has taken for counted, and what the counters had then.
async fn counted(world: &World) -> (u64, u64) {
    let stored = load(&*world.store(), &run_id()).await.unwrap();
    let evidence = stored.entries.iter().rev().find_map(|entry| match entry {
        Entry::Observed { evidence, .. } => Some(evidence.clone()),
        _ => None,
    });
    let counted = &evidence.unwrap()["counted"];
    let newest = counted["newest"].as_str().unwrap().parse().unwrap();
    (counted["slo"]["objectives"][0]["totals"]["total"].as_u64().unwrap(), world.counters.requests_at(1, newest))
}

/// Runs it until its owner dies at an append.
async fn cut(world: &World, at: u64, how: Cut) {
    let store = Arc::new(CutStore::new(world.folder().to_owned(), Arc::new(world.clock.clone()), Some((at, how))));
    let grant = begin(&*store, &run_id(), &world.plan(), &Start::default()).await.unwrap();
    drive(&world.context(store), &grant).await.unwrap_err();
    world.clock.advance(Duration::from_secs(30));
}

/// Wherever the owner dies, and however old its snapshot is: each request is counted, and none is counted twice.
#[tokio::test]
async fn a_successor_has_counted_what_the_owner_would_have() {
    let mut between = 0;
    for at in 32..34 {
        for how in [Cut::Before, Cut::After] {
            let world = baked(300, 20);
            cut(&world, at, how).await;
            let stored = load(&*world.store(), &run_id()).await.unwrap();
            between += u32::from(matches!(stored.entries.last(), Some(Entry::Observed { snapshot: None, .. })));
            let outcome = resume(&world.context(world.store()), &stored, Resume::Continue).await.unwrap();
            assert_eq!(outcome, Outcome::Kept { warning: None }, "{at} {how:?}");
            let (taken, stood) = counted(&world).await;
            assert_eq!(taken, stood, "{at} {how:?}");
        }
    }
    assert!(between > 0, "some of them died while their snapshot was older than their last look");
}

/// What somebody has changed there is not gone on from, nor is it taken for nothing; the rest of the run is what it was.
#[tokio::test]
async fn a_snapshot_that_was_changed_is_noticed() {
    type Harm = fn(&Path);
    let harms: [Harm; 3] = [
        |path| fs::write(path, fs::read_to_string(path).unwrap().replacen("\"}", "1\"}", 1)).unwrap(),
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, b"\xff{}").unwrap(),
    ];
    for harm in harms {
        let world = baked(10, 20);
        cut(&world, 32, Cut::After).await;
        let store = world.store();
        verify_snapshot(&*store, &run_id()).await.unwrap();
        snapshots(&world.folder().join(run_id().as_str())).iter().for_each(|path| harm(path));
        let verified = verify_snapshot(&*store, &run_id()).await;
        assert!(matches!(verified, Err(Error::Tampered { .. })), "{verified:?}");
        let stored = load(&*store, &run_id()).await.unwrap();
        let outcome = resume(&world.context(store.clone()), &stored, Resume::Continue).await.unwrap();
        assert!(matches!(&outcome, Outcome::Held { why } if why.contains("snapshot")), "{outcome}");
        let stored = load(&*store, &run_id()).await.unwrap();
        let outcome = resume(&world.context(store.clone()), &stored, Resume::Undo).await.unwrap();
        assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
        assert!(store.load(&run_id()).await.is_ok());
        assert!(verify_snapshot(&*store, &run_id()).await.is_ok(), "a run that is over needs none");
    }
}

/// Whoever finds a run finished whose owner has not let go adds a name of its own, and lets go: the records then end with that name.
#[tokio::test]
async fn a_snapshot_is_needed_only_while_the_target_is_held() {
    let world = baked(10, 20);
    cut(&world, 32, Cut::After).await;
    let store = world.store();
    let lock = store.lock(&world.plan().target).await.unwrap().unwrap();
    let taken = store.take_over(&lock, &Owner::current().unwrap()).await.unwrap();
    verify_snapshot(&*store, &run_id()).await.unwrap();
    store.release(&taken).await.unwrap();
    assert_eq!(snapshots(&world.folder().join(run_id().as_str())), Vec::<PathBuf>::new());
    verify_snapshot(&*store, &run_id()).await.unwrap();
}
