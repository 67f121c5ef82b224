//! An owner that has lost its run and does not say so is ended before what it has begun is; only where it can be seen from here.

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use interlock::{
    adapters::store::FolderStore,
    guard::milestone,
    journal::{Grant, Owner},
    model::{Epoch, Target},
    ports::{Opening, Store},
    process::Identity,
};

use crate::shelf::{HandClock, run_id};

/// An owner of another process, and a store that has been taken over from it.
struct Lost {
    child: Child,
    owner: Owner,
    grant: Grant,
    store: FolderStore,
    _folder: tempfile::TempDir,
}

impl Lost {
    async fn new() -> Self {
        let child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let process = Identity::of(i32::try_from(child.id()).unwrap()).unwrap();
        let owner = Owner { process, ..Owner::current().unwrap() };
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path(), Arc::new(HandClock::default()), milestone);
        let target = Target::parse("shelf").unwrap();
        let grant = store.open(&Opening::new(&run_id(), &target, &owner, Duration::from_secs(10))).await.unwrap();
        let seen = store.lock(&target).await.unwrap().unwrap();
        store.take_over(&seen, &Owner::current().unwrap()).await.unwrap();
        Self { child, owner, grant, store, _folder: folder }
    }

    async fn end(&self, owner: &Owner) -> bool {
        self.store.end(&run_id(), owner, self.grant.epoch).await.unwrap()
    }
}

impl Drop for Lost {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn an_owner_that_says_nothing_is_ended() {
    let lost = Lost::new().await;
    assert!(lost.end(&lost.owner).await);
    assert!(!lost.owner.process.is_alive());
    assert!(!lost.end(&lost.owner).await, "it is gone");
}

#[tokio::test]
async fn an_owner_that_acknowledges_is_left_alone() {
    let lost = Lost::new().await;
    lost.store.acknowledge(&lost.grant).await.unwrap();
    assert!(!lost.end(&lost.owner).await);
    assert!(lost.owner.process.is_alive());
    // What it says of one term says nothing of another.
    assert!(lost.store.end(&run_id(), &lost.owner, Epoch(7)).await.unwrap());
}

#[tokio::test]
async fn an_owner_elsewhere_is_never_ended_nor_one_that_only_has_its_pid() {
    let lost = Lost::new().await;
    let with = |process: Identity| Owner { process, ..lost.owner.clone() };
    let process = lost.owner.process.clone();
    for (told, owner) in [
        ("another machine", Owner { host: "another".to_owned(), ..lost.owner.clone() }),
        ("another pid namespace", Owner { pid_namespace: Some("pid:[1]".to_owned()), ..lost.owner.clone() }),
        ("a release that did not say which", Owner { pid_namespace: None, ..lost.owner.clone() }),
        ("before the last boot", with(Identity { boot_id: "another".to_owned(), ..process.clone() })),
        ("another process with its pid", with(Identity { start_ticks: process.start_ticks + 1, ..process.clone() })),
        ("ourselves", Owner::current().unwrap()),
    ] {
        assert!(!lost.end(&owner).await, "{told}");
        assert!(lost.owner.process.is_alive(), "{told}");
    }
}
