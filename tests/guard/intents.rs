//! A key that no epoch holds back: what was begun there is ended, or awaited, before anything is called put back.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use interlock::{
    adapters::store::FolderStore,
    error::Exit,
    guard::{
        Entry, Observation, ObserveContext, Operation, Outcome, Role, Start, begin, drive, load, milestone, recover,
    },
    model::Epoch,
    ports::{Means, Permit, PortError, Store},
};
use serde_json::Value;

use crate::{
    cut_store::{Cut, CutStore},
    shelf::{HandClock, Shelf, context, plan, run_id, start},
};

/// The key that knows no epochs.
const LOOSE: &str = "scale";

/// The shelf, with one key at which whatever was begun goes on by itself.
struct Loose {
    shelf: Arc<Shelf>,
    /// What was begun and has not arrived.
    under_way: Mutex<Vec<(String, Value)>>,
    begun: AtomicUsize,
    /// Nothing that is begun arrives before the test lets it.
    holds: AtomicBool,
    /// Who has begun something is told that nobody answers.
    silent: AtomicBool,
    /// What is under way can be neither ended nor seen.
    out_of_reach: AtomicBool,
    /// Nothing is put back anywhere while something may still act at the loose key.
    awaited: AtomicBool,
}

impl Loose {
    fn new() -> Arc<Self> {
        let off = || AtomicBool::new(false);
        let (under_way, begun) = (Mutex::default(), AtomicUsize::new(0));
        let (holds, silent, out_of_reach, awaited) = (off(), off(), off(), off());
        Arc::new(Self { shelf: start(), under_way, begun, holds, silent, out_of_reach, awaited })
    }

    /// Lets everything arrive that is still under way; says how much that was.
    fn deliver(&self) -> usize {
        let arriving = std::mem::take(&mut *self.under_way.lock().unwrap());
        arriving.iter().for_each(|(_, to)| self.shelf.meddle(LOOSE, to.clone()));
        arriving.len()
    }
}

#[async_trait]
impl Operation for Loose {
    async fn read(&self, key: &str) -> Result<Value, PortError> {
        self.shelf.read(key).await
    }

    async fn fence(&self, key: &str, epoch: Epoch) -> Result<Value, PortError> {
        if key == LOOSE { self.read(key).await } else { self.shelf.fence(key, epoch).await }
    }

    async fn write(&self, key: &str, from: &Value, to: &Value, permit: &dyn Permit) -> Result<(), PortError> {
        if key != LOOSE {
            return self.shelf.write(key, from, to, permit).await;
        }
        if self.read(key).await? == *to {
            return Ok(());
        }
        let id = format!("hand {}", self.begun.load(SeqCst));
        permit.intend(Means::Request { what: id.clone(), primary: String::new() }).await?;
        self.begun.fetch_add(1, SeqCst);
        self.under_way.lock().unwrap().push((id, to.clone()));
        if !self.holds.load(SeqCst) {
            self.deliver();
            return Ok(());
        }
        if self.silent.load(SeqCst) {
            return Err(PortError::unreachable(key, "no answer"));
        }
        std::future::pending().await
    }

    async fn settle(&self, means: &Means, _: Duration) -> Result<(), PortError> {
        if self.out_of_reach.load(SeqCst) {
            return Err(means.never_used());
        }
        self.under_way.lock().unwrap().retain(|(id, _)| id != means.what());
        Ok(())
    }

    fn awaits(&self, _: &str) -> Vec<String> {
        if self.awaited.load(SeqCst) { vec![LOOSE.to_owned()] } else { Vec::new() }
    }

    async fn can_return(&self, key: &str, prior: &Value) -> bool {
        self.shelf.can_return(key, prior).await
    }

    async fn prepare_return(&self, key: &str, prior: &Value, permit: &dyn Permit) -> Result<(), String> {
        self.shelf.prepare_return(key, prior, permit).await
    }

    async fn observe(&self, look: ObserveContext<'_>) -> Observation {
        self.shelf.observe(look).await
    }

    fn say(&self, key: &str, value: &Value) -> String {
        Operation::say(&*self.shelf, key, value)
    }
}

struct Bench {
    folder: tempfile::TempDir,
    clock: Arc<HandClock>,
    loose: Arc<Loose>,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::default(), loose: Loose::new() }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(FolderStore::new(self.folder.path(), self.clock.clone(), milestone))
    }

    async fn run(&self) -> Outcome {
        let store = self.store();
        let grant = begin(&*store, &run_id(), &plan(), &Start::default()).await.unwrap();
        drive(&context(store, self.loose.clone(), self.clock.clone()), &grant).await.unwrap()
    }

    /// Runs until something is under way at the loose key, and dies there.
    async fn die_under_way(&self) {
        self.loose.holds.store(true, SeqCst);
        let store = self.store();
        let grant = begin(&*store, &run_id(), &plan(), &Start::default()).await.unwrap();
        let context = context(store, self.loose.clone(), self.clock.clone());
        let owner = tokio::spawn(async move { drive(&context, &grant).await });
        while self.loose.under_way.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        owner.abort();
        self.loose.holds.store(false, SeqCst);
    }

    async fn heal(&self, role: Role) -> Outcome {
        self.clock.pass(Duration::from_hours(1));
        let store = self.store();
        let stored = load(&*store, &run_id()).await.unwrap();
        recover(&context(store, self.loose.clone(), self.clock.clone()), &stored, role).await.unwrap()
    }

    fn is_as_before(&self) {
        assert_eq!(self.loose.shelf.values(), start().values());
    }
}

#[tokio::test]
async fn what_a_dead_owner_has_under_way_is_ended_before_the_run_is_put_back() {
    let bench = Bench::new();
    bench.die_under_way().await;
    assert_eq!(bench.heal(Role::Guardian).await.exit(), Exit::Interrupted);
    assert_eq!(bench.loose.deliver(), 0, "nothing may arrive once it is said to be as it was before");
    bench.is_as_before();
}

#[tokio::test]
async fn an_owner_ends_what_it_had_no_answer_to() {
    let bench = Bench::new();
    bench.loose.holds.store(true, SeqCst);
    bench.loose.silent.store(true, SeqCst);
    assert_eq!(bench.run().await.exit(), Exit::RolledBack);
    assert_eq!(bench.loose.deliver(), 0, "nothing may arrive once it is said to be as it was before");
    bench.is_as_before();
}

#[tokio::test]
async fn what_can_be_neither_ended_nor_seen_is_named_and_never_called_as_before() {
    let bench = Bench::new();
    bench.die_under_way().await;
    bench.loose.out_of_reach.store(true, SeqCst);
    let outcome = bench.heal(Role::Guardian).await;
    assert_eq!(outcome.exit(), Exit::Stuck, "{outcome}");
    assert!(outcome.why().contains("hand 0 may still act"), "{outcome}");
    // It arrives after all; whoever tries again finds it, and puts it back.
    assert_eq!(bench.loose.deliver(), 1);
    bench.loose.out_of_reach.store(false, SeqCst);
    assert_eq!(bench.heal(Role::Recover).await.exit(), Exit::Interrupted);
    bench.is_as_before();
}

#[tokio::test]
async fn what_awaits_something_that_may_still_act_is_left_as_it_is() {
    let bench = Bench::new();
    bench.die_under_way().await;
    bench.loose.out_of_reach.store(true, SeqCst);
    bench.loose.awaited.store(true, SeqCst);
    let left = bench.loose.shelf.values();
    let outcome = bench.heal(Role::Guardian).await;
    assert_eq!(outcome.exit(), Exit::Stuck, "{outcome}");
    for key in ["weights", LOOSE] {
        let told = format!("{key} is left as it is while something may still act");
        assert!(outcome.why().contains(&told), "{outcome}");
    }
    assert!(outcome.why().contains("hand 0 may still act"), "{outcome}");
    assert_eq!(bench.loose.shelf.values(), left);
    bench.loose.out_of_reach.store(false, SeqCst);
    assert_eq!(bench.heal(Role::Recover).await.exit(), Exit::Interrupted);
    assert_eq!(bench.loose.deliver(), 0, "nothing may arrive once it is said to be as it was before");
    bench.is_as_before();
}

/// Runs until the store is cut, and says how many intents outlast that.
async fn cut(folder: &Path, loose: &Arc<Loose>, at: u64, cut: Cut) -> (bool, usize) {
    let clock = Arc::new(HandClock::default());
    let store = Arc::new(CutStore::new(folder.to_owned(), clock.clone(), Some((at, cut))));
    let mut ended = false;
    if let Ok(grant) = begin(&*store, &run_id(), &plan(), &Start::default()).await {
        ended = drive(&context(store.clone(), loose.clone(), clock.clone()), &grant).await.is_ok();
    }
    let kept = load(&FolderStore::new(folder, clock, milestone), &run_id())
        .await
        .map_or(0, |stored| stored.entries.iter().filter(|entry| matches!(entry, Entry::Intended { .. })).count());
    (ended, kept)
}

#[tokio::test]
async fn nothing_is_begun_that_the_journal_does_not_know_of() {
    let mut intents = 0;
    for at in 0.. {
        let mut all_ended = true;
        for how in [Cut::Before, Cut::After, Cut::Torn] {
            let (folder, loose) = (tempfile::tempdir().unwrap(), Loose::new());
            let (ended, kept) = cut(folder.path(), &loose, at, how).await;
            let begun = loose.begun.load(SeqCst);
            assert!(begun <= kept, "cut {how:?} at record {at}: {begun} begun, {kept} known");
            intents = intents.max(kept);
            all_ended &= ended;
        }
        if all_ended {
            break;
        }
    }
    assert_eq!(intents, 1);
}
