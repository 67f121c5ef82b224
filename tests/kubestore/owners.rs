//! Owners on other machines: only their silence, as we have seen it, shows that they are gone.

use std::{sync::Arc, time::Duration};

use interlock::{
    adapters::{SystemClock, store::KubeStore},
    error::Error,
    journal::{Lock, Owner},
    model::Moment,
    ports::{Clock as _, Opening, Store},
};
use serde_json::json;

use crate::{
    server::Server,
    store::{run, target},
};

const TTL: Duration = Duration::from_secs(3);

fn elsewhere() -> Owner {
    Owner { host: "another-machine".to_owned(), ..Owner::current().unwrap() }
}

fn now() -> Moment {
    SystemClock.now()
}

async fn lock(store: &dyn Store) -> Lock {
    store.lock(&target("tenant")).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_elsewhere_is_gone_after_we_have_seen_it_silent() {
    let Some(server) = Server::shared() else { return };
    server.namespace("silent");
    let theirs = server.store("silent").await;
    let grant = theirs.open(&Opening::new(&run(1), &target("tenant"), &elsewhere(), TTL)).await.unwrap();
    theirs.append(&grant, json!({ "applied": { "step": 0 } }).into()).await.unwrap();
    tokio::time::sleep(TTL + Duration::from_millis(500)).await;

    let ours = server.store("silent").await;
    let begun = now();
    let seen = lock(&ours).await;
    assert!(seen.remote && !seen.is_abandoned(&now()), "however old its sign of life is, we have only just seen it");
    while !lock(&ours).await.is_abandoned(&now()) {
        assert!(now().since(&begun) < TTL * 3);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(now().since(&begun) >= TTL);
    theirs.beat(&grant).await.unwrap();
    assert!(!lock(&ours).await.is_abandoned(&now()), "it was only slow");

    let taken = ours.take_over(&lock(&ours).await, &Owner::current().unwrap()).await.unwrap();
    assert!(matches!(theirs.beat(&grant).await, Err(Error::Superseded { theirs: 2, .. })));
    assert!(!lock(&ours).await.remote);
    ours.release(&taken).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn time_in_which_the_api_server_hangs_is_no_silence_of_the_owner() {
    let Some(server) = Server::own() else { return };
    server.namespace("hung");
    let theirs = server.store("hung").await;
    let grant = theirs.open(&Opening::new(&run(1), &target("tenant"), &elsewhere(), TTL)).await.unwrap();
    theirs.append(&grant, json!({ "applied": { "step": 0 } }).into()).await.unwrap();
    let ours = server.store("hung").await;
    lock(&ours).await;
    let paused = server.pause();
    let resumed = tokio::spawn(async move {
        tokio::time::sleep(TTL * 2).await;
        drop(paused);
    });
    let seen = lock(&ours).await;
    resumed.await.unwrap();
    assert!(!seen.is_abandoned(&now()), "nobody could have given a sign of life meanwhile");
    theirs.beat(&grant).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_elsewhere_who_never_wrote_a_record_does_not_hold_the_target() {
    let Some(server) = Server::shared() else { return };
    server.namespace("never");
    let theirs = server.store("never").await;
    theirs.open(&Opening::new(&run(1), &target("tenant"), &elsewhere(), TTL)).await.unwrap();
    let ours = KubeStore::new(server.cluster("never").await, Arc::new(SystemClock));
    let begun = now();
    let grant = ours.open(&Opening::new(&run(2), &target("tenant"), &Owner::current().unwrap(), TTL)).await.unwrap();
    assert_eq!(grant.epoch.0, 2);
    assert!(now().since(&begun) >= TTL, "it could not be known sooner");

    // One that does give signs of life is no obstacle to wait for.
    ours.release(&grant).await.unwrap();
    let third =
        theirs.open(&Opening::new(&run(3), &target("tenant"), &elsewhere(), Duration::from_secs(60))).await.unwrap();
    let alive = tokio::spawn(async move {
        loop {
            theirs.beat(&third).await.unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let refused =
        ours.open(&Opening::new(&run(4), &target("tenant"), &Owner::current().unwrap(), TTL)).await.unwrap_err();
    alive.abort();
    assert!(matches!(refused, Error::Refused { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_names_are_locked_apart() {
    let Some(server) = Server::shared() else { return };
    server.namespace("odd");
    let store = server.store("odd").await;
    let owner = Owner::current().unwrap();
    for (number, name) in ["guardian", "Tenant_A", "tenant-a", "tenant.a", "-tenant.A-"].into_iter().enumerate() {
        let number = u32::try_from(number).unwrap();
        store.open(&Opening::new(&run(number), &target(name), &owner, TTL)).await.unwrap();
        assert_eq!(store.lock(&target(name)).await.unwrap().unwrap().run, Some(run(number)));
    }
    assert!(store.guardian().await.unwrap().is_none(), "the lock of a service `guardian` is no guardian");
    assert_eq!(store.holding().await.unwrap().len(), 5);
}
