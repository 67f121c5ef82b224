//! Locks and runs that were lost, ids that are taken, owners who cannot be seen, and stores of earlier releases.

use std::{path::Path, time::Duration};

use interlock::{
    adapters::store::Disk as _,
    error::{Error, Exit},
    guard::{Mode, Outcome, Role, Settled, Start, begin, load, recover, resolve},
    journal::{Lock, Owner},
    model::{Epoch, Target},
    ports::{Opening, Store},
};
use serde_json::{Value, json};

use crate::{
    shelf::{context, plan, run_id, start},
    stopped::{Bench, ROOT, TTL, claims, entry, target},
};

/// What can become of a lock: its claim is emptied, garbled or gone, or all of its folder is.
#[tokio::test]
async fn a_lost_lock_ends_neither_recovery_nor_abort_nor_resolve() {
    for how in ["recover", "abort", "resolve"] {
        for lost in ["empty", "garbled", "claim", "beat", "folder"] {
            let (bench, shelf) = (Bench::default(), start());
            let grant = bench.touch(&shelf).await;
            let claim = claims().join("0000000001.json");
            let stuck = json!({ "finished": { "outcome": { "stuck": { "why": "somebody was there" } } } });
            if how == "resolve" {
                bench.store().append(&grant, stuck.into()).await.unwrap();
            }
            match lost {
                "empty" => bench.disk.put(&claim, b""),
                "garbled" => bench.disk.put(&claim, b"{\"target\":\"shelf\"\0\0"),
                "claim" => bench.disk.remove(&claim).unwrap(),
                "beat" => bench.disk.put(&claims().join("0000000001.beat"), b""),
                _ => bench.disk.remove_folder(&claims()).unwrap(),
            }
            let told = format!("{how} without {lost}");
            let refused = bench
                .store()
                .open(&Opening::new(&run_id().another(), &target(), &Owner::current().unwrap(), TTL))
                .await;
            assert_eq!(refused.map(drop).map_err(|e| e.exit()), Err(Exit::Refused), "{told}");
            bench.store().check(&grant).await.unwrap();
            bench.clock.pass(TTL * 2);
            if how != "resolve" {
                bench.is_put_back(&shelf, how).await;
                continue;
            }
            let store = bench.store();
            let stored = load(&*store, &run_id()).await.unwrap();
            resolve(&*store, None, &stored, Settled::Undone, "by hand").await.unwrap();
            assert_eq!(bench.lock().await.run, None, "{told}");
        }
    }
}

#[tokio::test]
async fn a_lost_lock_gives_no_epoch_twice() {
    let bench = Bench::default();
    let store = bench.store();
    let grant = bench.open(&store).await;
    store.append(&grant, entry(0)).await.unwrap();
    let taken = bench.take_over(&bench.lock().await).await.unwrap();
    store.release(&taken).await.unwrap();
    bench.disk.remove_folder(&claims()).unwrap();
    let next = run_id().another();
    let grant = store.open(&Opening::new(&next, &target(), &Owner::current().unwrap(), TTL)).await.unwrap();
    assert_eq!(grant.epoch, Epoch(3));
}

#[tokio::test]
async fn a_run_whose_folder_is_gone_holds_nothing_once_its_owner_is_gone() {
    let bench = Bench::default();
    let store = bench.store();
    let grant = bench.touch(&start()).await;
    bench.disk.remove_folder(&store.folder(&grant.run)).unwrap();
    assert_eq!(bench.lock().await.run, Some(run_id()));
    bench.clock.pass(TTL * 2);
    assert_eq!(bench.lock().await.run, None);
}

#[tokio::test]
async fn a_run_id_that_is_taken_leaves_the_run_that_has_it_alone() {
    let bench = Bench::default();
    let store = bench.store();
    let grant = bench.touch(&start()).await;
    let records = store.load(&grant.run).await.unwrap();
    let mut other = plan();
    other.target = Target::parse("another").unwrap();
    let begun = begin(&*bench.store(), &run_id(), &other, &Start::default()).await.unwrap();
    assert_eq!(begun.run, run_id().another());
    assert_eq!(store.load(&grant.run).await.unwrap(), records);
    store.append(&grant, entry(2)).await.unwrap();
    let taken =
        store.open(&Opening::new(&run_id(), &Target::parse("third").unwrap(), &Owner::current().unwrap(), TTL)).await;
    assert!(matches!(taken, Err(Error::Taken { .. })), "{taken:?}");
}

#[tokio::test]
async fn whoever_cannot_be_asked_from_here_is_gone_only_by_its_silence() {
    let here = Owner::current().unwrap();
    let mut ended = here.clone();
    ended.process.start_ticks -= 1;
    let other_namespace = Owner { pid_namespace: Some("pid:[1]".to_owned()), ..ended.clone() };
    let mut other_machine = Owner { host: "another".to_owned(), ..ended.clone() };
    "another boot".clone_into(&mut other_machine.process.boot_id);
    let mut before_reboot = ended.clone();
    "another boot".clone_into(&mut before_reboot.process.boot_id);
    for (owner, remote, gone_at_once) in
        [(here, false, false), (ended, false, true), (other_namespace, true, false), (other_machine, true, false)]
    {
        let bench = Bench::default();
        let store = bench.store();
        let now = || interlock::ports::Clock::now(&*bench.clock);
        let grant = store.open(&Opening::new(&run_id(), &target(), &owner, TTL)).await.unwrap();
        store.append(&grant, entry(0)).await.unwrap();
        let seen = store.lock(&target()).await.unwrap().unwrap();
        assert_eq!((seen.remote, seen.is_abandoned(&now())), (remote, gone_at_once), "{owner:?}");
        bench.clock.pass(TTL * 2);
        assert!(store.lock(&target()).await.unwrap().unwrap().is_abandoned(&now()), "{owner:?}");
        store.beat(&grant).await.unwrap();
        assert_eq!(store.lock(&target()).await.unwrap().unwrap().is_abandoned(&now()), gone_at_once, "{owner:?}");
    }
    // Of this machine before it was started again: nobody is there any more, unless another one has its name.
    let bench = Bench::default();
    let store = bench.store();
    let now = || interlock::ports::Clock::now(&*bench.clock);
    let grant = store.open(&Opening::new(&run_id(), &target(), &before_reboot, TTL)).await.unwrap();
    store.append(&grant, entry(0)).await.unwrap();
    assert!(!bench.lock().await.is_abandoned(&now()));
    bench.clock.pass(TTL * 2);
    assert!(bench.lock().await.is_abandoned(&now()), "also to whoever has only just begun to look");
}

#[tokio::test]
async fn journals_and_locks_of_earlier_releases_are_recovered() {
    for lost in ["nothing", "emptied", "gone"] {
        let (bench, shelf) = (Bench::default(), start());
        let grant = bench.touch(&shelf).await;
        let folder = bench.store().folder(&grant.run);
        // As they were: one lock file, and no claim beside the journal.
        let Lock { target, epoch, run, owner, beat, beat_at, ttl, .. } = bench.lock().await;
        let owner = owner.map(|owner| json!(owner));
        let earlier = json!({ "target": target, "epoch": epoch, "run": run, "owner": owner, "beat": beat,
            "beat_at": beat_at, "ttl": ttl });
        bench.disk.remove_folder(&claims()).unwrap();
        bench.disk.remove(&folder.join("run.json")).unwrap();
        let path = Path::new(ROOT).join("locks/shelf.json");
        if lost != "gone" {
            bench.disk.create(&path, earlier.to_string().as_bytes()).unwrap();
        }
        if lost == "emptied" {
            bench.disk.put(&path, b"");
        }
        let store = bench.store();
        assert_eq!(store.runs().await.unwrap(), [run_id()]);
        let seen = store.lock(&target).await.unwrap().unwrap();
        assert_eq!((seen.epoch, seen.run.as_ref()), (Epoch(1), Some(&run_id())), "{lost}");
        let refused = store.open(&Opening::new(&run_id().another(), &target, &Owner::current().unwrap(), TTL)).await;
        assert!(matches!(refused, Err(Error::Refused { .. })), "{lost}: {refused:?}");
        drop(store);
        let store = bench.store();
        store.lock(&target).await.unwrap();
        bench.clock.pass(Duration::from_mins(2));
        let stored = load(&*store, &run_id()).await.unwrap();
        let context = context(store.clone(), shelf.clone(), bench.clock.clone());
        let outcome = recover(&context, &stored, Role::Recover).await;
        assert!(matches!(outcome, Ok(Outcome::Interrupted { .. })), "{lost}: {outcome:?}");
        assert_eq!(shelf.values(), start().values());
        assert!(matches!(load(&*store, &run_id()).await.unwrap().mode(), Mode::Finished(_)));
        assert_eq!(store.lock(&target).await.unwrap().unwrap().run, None, "{lost}");
        if lost != "gone" {
            let told: Value = serde_json::from_slice(&bench.disk.read(&path).unwrap()).unwrap();
            assert_eq!((&told["epoch"], &told["run"]), (&json!(2), &Value::Null), "an earlier release sees it, too");
        }
    }
}
