//! The guardian of one run: what is in its way is told once, and never makes it give the run up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use interlock::{
    adapters::store::FolderStore,
    error::{Error, Exit},
    guard::{Events, Guard, Operation, Outcome, Plan, Rebuild, Start, Verdict, begin, drive, keep_guard, milestone},
    model::RunId,
    ports::{Clock, Notify, Store},
};

use crate::{
    bench::Bench,
    cut_store::{Cut, CutStore},
    shelf::{HandClock, Shelf, context, plan, run_id, start},
    told::Remarks,
};

/// How often the guardian looks: a quarter of an hour is over after some 700 looks that fail.
const PACE: Duration = Duration::from_millis(250);

/// A platform that cannot be bound so many times, for one of two reasons in turn.
struct Away(AtomicU32, Arc<Shelf>);

#[async_trait]
impl Rebuild for Away {
    async fn operation(&self, _: &Plan) -> Result<Arc<dyn Operation>, Error> {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Err(_) => Ok(self.1.clone()),
            Ok(left) => Err(Error::usage(if left % 2 == 0 { "no lab" } else { "no database" }, "start it")),
        }
    }

    fn notify(&self, _: &Plan) -> Vec<Arc<dyn Notify>> {
        Vec::new()
    }
}

/// A run whose operator was cut in the middle, and the guard over it.
async fn abandoned(folder: &std::path::Path, failures: u32) -> (Guard, Arc<Shelf>, Arc<HandClock>) {
    let (shelf, clock) = (start(), Arc::new(HandClock::default()));
    let port: Arc<dyn Clock> = clock.clone();
    let store = Arc::new(CutStore::new(folder.to_owned(), port.clone(), Some((8, Cut::After))));
    let grant = begin(&*store, &run_id(), &plan(), &Start::default()).await.unwrap();
    assert!(drive(&context(store, shelf.clone(), port.clone()), &grant).await.is_err());
    clock.pass(Duration::from_secs(60));
    let store: Arc<dyn Store> = Arc::new(FolderStore::new(folder, port.clone(), milestone));
    let rebuild = Arc::new(Away(AtomicU32::new(failures), shelf.clone()));
    (Guard { store, clock: port, rebuild, pace: PACE }, shelf, clock)
}

#[tokio::test]
async fn a_guardian_goes_on_for_as_long_as_its_run_is_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let (guard, shelf, clock) = abandoned(folder.path(), 3_000).await;
    assert_ne!(shelf.values(), start().values(), "something is there to be put back");
    let (remarks, begun) = (Arc::new(Remarks::default()), clock.now());
    let events: Arc<dyn Events> = remarks.clone();
    let outcome = keep_guard(&guard, &events, &run_id()).await.unwrap();
    assert!(matches!(outcome, Outcome::Interrupted { .. }), "{outcome}");
    assert_eq!(shelf.values(), start().values());
    assert!(clock.now().since(&begun) > Duration::from_secs(3_600), "it was in its way for long");
    let told = remarks.0.lock().unwrap();
    assert_eq!(told[..], ["no lab".to_owned(), "no database".to_owned()], "each is told once");
}

/// Whatever of the store is removed under a guardian that looks after a held run, and the run's platform with it.
#[tokio::test]
async fn a_guardian_of_a_held_run_ends_once_its_journal_is_gone() {
    for removed in ["run", "store"] {
        let bench = Bench::new();
        let root = bench.folder.path().to_owned();
        bench.shelf.say("after", Verdict::NoData { why: "metrics are down".to_owned() });
        assert_eq!(bench.run().await.unwrap().exit(), Exit::Held);
        bench.clock.pass(Duration::from_hours(1));
        bench.shelf.say("after", Verdict::Wait);
        let rebuild = Arc::new(Away(AtomicU32::new(0), bench.shelf.clone()));
        let guard = Guard { store: bench.store(), clock: bench.clock.clone(), rebuild, pace: PACE };
        let (events, run): (Arc<dyn Events>, _) = (Arc::new(Remarks::default()), run_id());
        let half_an_hour = async {
            let before = bench.shelf.looks.load(Ordering::SeqCst);
            while bench.shelf.looks.load(Ordering::SeqCst) < before + 3 {
                tokio::task::yield_now().await;
            }
            let gone = if removed == "run" { root.join(run_id().as_str()) } else { root };
            std::fs::remove_dir_all(gone).unwrap();
            for _ in 0..360 {
                bench.clock.pass(Duration::from_secs(5));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let guarded = tokio::select! {
            ended = keep_guard(&guard, &events, &run) => ended,
            () = half_an_hour => panic!("{removed}: it goes on for ever"),
        };
        assert_eq!(guarded.unwrap_err().exit(), Exit::Invalid, "{removed}");
    }
}

#[tokio::test]
async fn a_guardian_ends_where_its_journal_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (guard, ..) = abandoned(folder.path(), 0).await;
    let other = RunId::parse("20261121-093000-9999").unwrap();
    let events: Arc<dyn Events> = Arc::new(Remarks::default());
    assert_eq!(keep_guard(&guard, &events, &other).await.unwrap_err().exit(), Exit::Invalid);
}
