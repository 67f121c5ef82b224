//! Owners who are stopped or slow inside a disk's sync, and full and broken disks.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use interlock::{
    adapters::store::{Disk as _, FolderStore},
    error::{Error, Exit},
    guard::{Outcome, Role, Start, abort, begin, load, milestone, recover},
    journal::{Draft, Grant, Lock, Owner},
    model::{Epoch, Target},
    ports::{Opening, Store},
};
use serde_json::json;

use crate::{
    memory_disk::MemoryDisk,
    shelf::{HandClock, Shelf, context, plan, run_id, start},
};

pub const ROOT: &str = "/home/runs";
pub const TTL: Duration = Duration::from_secs(10);

/// A disk, a clock, and any number of stores on them.
#[derive(Default)]
pub struct Bench {
    pub disk: MemoryDisk,
    pub clock: Arc<HandClock>,
}

pub fn target() -> Target {
    plan().target
}

pub fn entry(number: usize) -> Draft {
    json!({ "applied": { "step": number } }).into()
}

pub fn claims() -> PathBuf {
    Path::new(ROOT).join("locks/shelf.claims")
}

impl Bench {
    pub fn store(&self) -> Arc<FolderStore> {
        Arc::new(FolderStore::on(Arc::new(self.disk.clone()), ROOT, self.clock.clone(), milestone))
    }

    pub async fn open(&self, store: &FolderStore) -> Grant {
        store.open(&Opening::new(&run_id(), &target(), &Owner::current().unwrap(), TTL)).await.unwrap()
    }

    pub async fn lock(&self) -> Lock {
        self.store().lock(&target()).await.unwrap().unwrap()
    }

    pub async fn take_over(&self, seen: &Lock) -> Result<Grant, Error> {
        self.store().take_over(seen, &Owner::current().unwrap()).await
    }

    /// Begins a run and leaves it where it has captured what stands at a key, and written there.
    pub async fn touch(&self, shelf: &Shelf) -> Grant {
        let store = self.store();
        let grant = begin(&*store, &run_id(), &plan(), &Start::default()).await.unwrap();
        store
            .append(
                &grant,
                json!({ "looked": {
            "step": 0, "ms": 1, "verdict": { "pass": { "reserve": null } }, "line": "", "evidence": 1
        } })
                .into(),
            )
            .await
            .unwrap();
        store.append(&grant, json!({ "captured": { "step": 1, "prior": 0 } }).into()).await.unwrap();
        shelf.meddle("weights", json!(50));
        store.append(&grant, entry(1)).await.unwrap();
        grant
    }

    pub async fn is_put_back(&self, shelf: &Arc<Shelf>, how: &str) {
        let store = self.store();
        let stored = load(&*store, &run_id()).await.unwrap();
        let context = context(store.clone(), shelf.clone(), self.clock.clone());
        let outcome = match how {
            "abort" => abort(&context, &stored).await,
            _ => recover(&context, &stored, Role::Recover).await,
        };
        assert!(matches!(outcome, Ok(Outcome::Interrupted { .. })), "{how}: {outcome:?}");
        assert_eq!(shelf.values(), start().values(), "{how}");
        assert_eq!(self.lock().await.run, None, "{how}");
    }
}

pub fn is_superseded<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Superseded { .. })), "{result:?}");
}

#[tokio::test]
async fn an_owner_that_is_stopped_inside_a_sync_for_ever_keeps_nobody_out() {
    let bench = Bench::default();
    let store = bench.store();
    let grant = bench.open(&store).await;
    store.append(&grant, entry(0)).await.unwrap();
    bench.disk.stop_in_sync("journal.jsonl");
    let stopped = {
        let (store, grant) = (store.clone(), grant.clone());
        tokio::spawn(async move { store.append(&grant, entry(1)).await })
    };
    bench.disk.wait_until_stopped().await;
    // It is the owner that is stopped, and not the disk, which whoever takes over syncs the same file with.
    bench.disk.stop_nobody_else();

    bench.clock.pass(TTL * 2);
    let seen = bench.lock().await;
    assert!(seen.is_abandoned(&interlock::ports::Clock::now(&*bench.clock)));
    let taken = bench.take_over(&seen).await.unwrap();
    assert_eq!(taken.epoch, Epoch(2));
    let successor = bench.store();
    successor.append(&taken, entry(2)).await.unwrap();
    let told = successor.load(&taken.run).await.unwrap();
    successor.release(&taken).await.unwrap();

    bench.disk.let_go();
    is_superseded(stopped.await.unwrap());
    is_superseded(store.append(&grant, entry(3)).await);
    is_superseded(store.beat(&grant).await);
    assert_eq!(bench.store().load(&taken.run).await.unwrap(), told, "what it wrote late counts for nothing");
}

#[tokio::test]
async fn what_a_superseded_owner_writes_late_is_void_and_not_tampering() {
    let bench = Bench::default();
    let store = bench.store();
    let grant = bench.open(&store).await;
    store.append(&grant, entry(0)).await.unwrap();
    let path = store.folder(&grant.run).join("journal.jsonl");
    let before = bench.disk.read(&path).unwrap();
    store.append(&grant, entry(1)).await.unwrap();
    let late = bench.disk.read(&path).unwrap();
    // The line has not arrived when the successor reads, and arrives thereafter.
    bench.disk.put(&path, &before);
    bench.disk.put(&store.folder(&grant.run).join("head.json"), b"");
    let taken = bench.take_over(&bench.lock().await).await.unwrap();
    bench.disk.put(&path, &late);
    let successor = bench.store();
    let record = successor.append(&taken, entry(2)).await.unwrap();
    assert_eq!((record.seq, record.epoch), (1, Epoch(2)));
    let entries: Vec<_> = successor.load(&taken.run).await.unwrap().into_iter().map(|record| record.entry).collect();
    assert_eq!(entries, [entry(0).entry, entry(2).entry]);
    assert!(successor.head(&taken.run).await.is_ok());

    // Of what was there it may not lack a byte.
    bench.disk.put(&path, &before[..before.len() - 1]);
    assert!(matches!(successor.load(&taken.run).await, Err(Error::Tampered { .. })));
}

#[tokio::test]
async fn whoever_is_stopped_while_it_claims_finds_that_another_has_claimed_since() {
    let bench = Bench::default();
    let grant = bench.open(&bench.store()).await;
    bench.store().append(&grant, entry(0)).await.unwrap();
    let run_folder = format!("{}$", run_id());
    for at in ["shelf.claims/.", "shelf.claims$", "journal-", &run_folder] {
        bench.clock.pass(TTL * 2);
        let seen = bench.lock().await;
        bench.disk.stop_in_sync(at);
        let store = bench.store();
        let stopped = {
            let seen = seen.clone();
            tokio::spawn(async move { store.take_over(&seen, &Owner::current().unwrap()).await })
        };
        bench.disk.wait_until_stopped().await;
        bench.disk.stop_nobody_else();
        bench.clock.pass(TTL * 2);
        let taken = bench.take_over(&bench.lock().await).await.unwrap();
        assert!(taken.epoch > seen.epoch, "{at}");
        bench.disk.let_go();
        is_superseded(stopped.await.unwrap());
        let store = bench.store();
        store.append(&taken, entry(1)).await.unwrap();
        store.check(&taken).await.unwrap();
    }
    assert_eq!(bench.store().load(&run_id()).await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_slow_sync_is_not_taken_for_death() {
    let bench = Bench::default();
    let store = bench.store();
    let grant = bench.open(&store).await;
    bench.disk.stop_in_sync("journal.jsonl");
    let slow = {
        let (store, grant) = (store.clone(), grant.clone());
        tokio::spawn(async move { store.append(&grant, entry(0)).await })
    };
    bench.disk.wait_until_stopped().await;
    for _ in 0..10 {
        bench.clock.pass(TTL / 2);
        store.beat(&grant).await.unwrap();
        assert!(!bench.lock().await.is_abandoned(&interlock::ports::Clock::now(&*bench.clock)));
    }
    bench.disk.let_go();
    assert_eq!(slow.await.unwrap().unwrap().epoch, Epoch(1));
}

#[tokio::test]
async fn an_owner_that_has_come_back_is_not_taken_over_from() {
    let bench = Bench::default();
    let store = bench.store();
    let grant = bench.open(&store).await;
    store.append(&grant, entry(0)).await.unwrap();
    bench.clock.pass(TTL * 2);
    let seen = bench.lock().await;
    store.beat(&grant).await.unwrap();
    let refused = bench.take_over(&seen).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Refused, "{refused}");

    // Under the claim as well: it comes back while the claim is written.
    bench.clock.pass(TTL * 2);
    let seen = bench.lock().await;
    bench.disk.stop_in_sync("shelf.claims/.");
    let other = bench.store();
    let stopped = tokio::spawn(async move { other.take_over(&seen, &Owner::current().unwrap()).await });
    bench.disk.wait_until_stopped().await;
    store.beat(&grant).await.unwrap();
    bench.disk.let_go();
    assert_eq!(stopped.await.unwrap().unwrap_err().exit(), Exit::Refused);
    store.append(&grant, entry(1)).await.unwrap();

    // A person takes it also from an owner who is alive, and an owner from itself.
    assert_eq!(bench.take_over(&bench.lock().await).await.unwrap().epoch, Epoch(2));
}

#[tokio::test]
async fn an_owner_takes_over_from_itself() {
    let bench = Bench::default();
    let store = bench.store();
    let mut grant = bench.open(&store).await;
    for number in 0..4 {
        store.append(&grant, entry(number)).await.unwrap();
        let seen = store.lock(&target()).await.unwrap().unwrap();
        let before = bench.disk.calls();
        grant = store.take_over(&seen, &Owner::current().unwrap()).await.unwrap();
        assert!(bench.disk.calls() - before < 20, "it takes {} calls", bench.disk.calls() - before);
    }
    store.append(&grant, entry(4)).await.unwrap();
    let records = bench.store().load(&grant.run).await.unwrap();
    assert_eq!(records.iter().map(|record| record.epoch.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(bench.disk.list(&claims()).unwrap().len(), 2, "earlier claims are gone");
}

#[tokio::test]
async fn a_full_disk_is_taken_over_on_the_reserve() {
    let bench = Bench::default();
    let shelf = start();
    let grant = bench.touch(&shelf).await;
    bench.clock.pass(TTL * 2);
    bench.disk.leave_room(Some(0));
    assert!(!bench.store().is_exhausted(&grant.run));
    bench.is_put_back(&shelf, "recover").await;
}

#[tokio::test]
async fn only_a_full_disk_gives_the_reserve_up() {
    let bench = Bench::default();
    let store = bench.store();
    let grant = bench.open(&store).await;
    bench.disk.break_syncs(Some("journal.jsonl"));
    let broken = store.append(&grant, entry(0)).await.unwrap_err().to_string();
    assert!(broken.contains("os error 5"), "{broken}");
    assert!(!store.is_exhausted(&grant.run));
    bench.disk.break_syncs(None);
    store.append(&grant, entry(1)).await.unwrap();
    let entries: Vec<_> = store.load(&grant.run).await.unwrap().into_iter().map(|record| record.entry).collect();
    assert_eq!(entries, [entry(0).entry, entry(1).entry], "what may have been read already stays");

    bench.disk.leave_room(Some(0));
    store.append(&grant, entry(2)).await.unwrap();
    assert!(store.is_exhausted(&grant.run));
    bench.disk.leave_room(Some(0));
    let full = store.append(&grant, entry(3)).await.unwrap_err();
    assert!(full.to_string().contains("no storage space"), "{full}");
    bench.disk.leave_room(None);
    store.append(&grant, entry(4)).await.unwrap();
    assert_eq!(bench.store().load(&grant.run).await.unwrap().len(), 4);
}
