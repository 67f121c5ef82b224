//! What happens to a cluster under a run: an API server that hangs, hands in the journal, journals that grow long.

use std::time::Duration;

use interlock::{
    error::{Error, Exit},
    journal::{Draft, Grant, Owner},
    ports::{Opening, Store},
};
use serde_json::{Value, json};

use crate::{
    lossy::{Lossy, address, redirect},
    server::Server,
    store::{keeps_the_contract, run, tampering_shows, target},
};

async fn open(store: &dyn Store, name: &str) -> Grant {
    let owner = Owner::current().unwrap();
    store.open(&Opening::new(&run(0), &target(name), &owner, Duration::from_secs(10))).await.unwrap()
}

/// An entry of about so many bytes.
fn entry(number: usize, bytes: usize) -> Draft {
    json!({ "applied": { "step": number, "padding": "x".repeat(bytes) } }).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_api_server_hangs_nothing_is_lost_and_nothing_doubled() {
    let Some(server) = Server::own() else { return };
    server.namespace("hangs");
    let store = server.store("hangs").await;
    let grant = open(&store, "tenant").await;
    let mut written = Vec::new();
    let paused = std::sync::Arc::new(std::sync::Mutex::new(None));
    let pausing = paused.clone();
    let hung = server.clone();
    let outage = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        *pausing.lock().unwrap() = Some(hung.pause());
        tokio::time::sleep(Duration::from_secs(10)).await;
        pausing.lock().unwrap().take();
    });
    let mut step = 0;
    while !outage.is_finished() || step < 20 {
        written.push(store.append(&grant, entry(step, 50)).await.unwrap());
        store.check(&grant).await.unwrap();
        step += 1;
    }
    outage.await.unwrap();
    let elsewhere = server.store("hangs").await;
    assert_eq!(elsewhere.load(&grant.run).await.unwrap(), written);
    assert_eq!(elsewhere.head(&grant.run).await.unwrap(), store.head(&grant.run).await.unwrap());
    store.release(&grant).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_change_nothing_of_the_contract() {
    let Some(server) = Server::shared() else { return };
    let namespace = "lossy";
    server.namespace(namespace);
    let lossy = Lossy::before(address(&server.kubeconfig()), 7).await;
    let folder = tempfile::tempdir().unwrap();
    let mut reach = server.reach(namespace);
    reach.kubeconfig = Some(redirect(&server.kubeconfig(), lossy.at, folder.path()));
    let cluster = interlock::adapters::Cluster::connect(&reach).await.unwrap();
    let store = interlock::adapters::store::KubeStore::new(cluster, interlock::app::clock());
    keeps_the_contract(&store).await;

    let grant = open(&store, "tenant").await;
    let mut written = Vec::new();
    for step in 0..40 {
        written.push(store.append(&grant, entry(step, 20_000)).await.unwrap());
    }
    assert_eq!(server.store(namespace).await.load(&grant.run).await.unwrap(), written);
    assert!(lossy.lost() > 10, "only {} answers were lost", lossy.lost());
}

/// The record has landed, its writer has not heard of it, and another owner has read it meanwhile: it is theirs to act on.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_landed_before_a_takeover_is_no_leave_to_go_on() {
    let Some(server) = Server::shared() else { return };
    let namespace = "taken";
    server.namespace(namespace);
    let lossy = Lossy::before(address(&server.kubeconfig()), u64::MAX).await;
    let folder = tempfile::tempdir().unwrap();
    let mut reach = server.reach(namespace);
    reach.kubeconfig = Some(redirect(&server.kubeconfig(), lossy.at, folder.path()));
    let cluster = interlock::adapters::Cluster::connect(&reach).await.unwrap();
    let store = interlock::adapters::store::KubeStore::new(cluster, interlock::app::clock());
    let grant = open(&store, "tenant").await;
    store.append(&grant, entry(0, 10)).await.unwrap();

    let successor = server.store(namespace).await;
    let take_over = async {
        let owner = Owner::current().unwrap();
        let lock = successor.lock(&grant.target).await.unwrap().unwrap();
        let theirs = successor.take_over(&lock, &owner).await.unwrap();
        (theirs, successor.load(&grant.run).await.unwrap())
    };
    let ((_, read), appended) = tokio::join!(lossy.meanwhile(take_over), store.append(&grant, entry(1, 10)));
    assert_eq!(read.len(), 2, "the record has landed");
    assert!(matches!(appended, Err(Error::Superseded { .. })), "{appended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_gone_is_unreachable() {
    let Some(server) = Server::shared() else { return };
    let mut reach = server.reach("gone");
    reach.outage = Duration::from_millis(300);
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    reach.kubeconfig = Some(redirect(&server.kubeconfig(), nowhere, folder.path()));
    let cluster = interlock::adapters::Cluster::connect(&reach).await.unwrap();
    let store = interlock::adapters::store::KubeStore::new(cluster, interlock::app::clock());
    let refused = store.runs().await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Unreachable, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_allowed_is_told_which_role_is_missing() {
    let Some(server) = Server::shared() else { return };
    server.namespace("strange");
    let text = std::fs::read_to_string(server.kubeconfig()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Impersonation needs no second account: an administrator may become somebody who may nothing.
    let text = text.replace("    token:", "    as: nobody\n    token:");
    std::fs::write(folder.path().join("kubeconfig"), text).unwrap();
    let mut reach = server.reach("strange");
    reach.kubeconfig = Some(folder.path().join("kubeconfig"));
    let cluster = interlock::adapters::Cluster::connect(&reach).await.unwrap();
    let store = interlock::adapters::store::KubeStore::new(cluster, interlock::app::clock());
    let owner = Owner::current().unwrap();
    let refused =
        store.open(&Opening::new(&run(1), &target("tenant"), &owner, Duration::from_secs(10))).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Refused, "{refused}");
    assert!(refused.hint().contains("manifests/rbac"), "{}", refused.hint());
}

#[tokio::test(flavor = "multi_thread")]
async fn hands_in_the_journal_are_noticed() {
    let Some(server) = Server::shared() else { return };
    server.namespace("tampered");
    let store = server.store("tampered").await;
    let patch = |patch: fn(&Value) -> Value| {
        let server = server.clone();
        async move |run: &interlock::model::RunId| {
            let name = format!("interlock-run-{run}-000");
            let map = server.kubectl(&["get", "cm", &name, "-n", "tampered", "-o", "json"]);
            let patch = patch(&serde_json::from_str(&map).unwrap()).to_string();
            server.kubectl(&["patch", "cm", &name, "-n", "tampered", "--type", "merge", "-p", &patch]);
        }
    };
    let edited = |map: &Value| {
        let line = map["data"]["000002"].as_str().unwrap().replace("\"step\":2", "\"step\":3");
        json!({ "data": { "000002": line } })
    };
    tampering_shows(&store, 2, patch(edited)).await;
    tampering_shows(&store, 3, patch(|_| json!({ "data": { "000001": null } }))).await;
    tampering_shows(&store, 4, patch(|_| json!({ "data": { "000003": null } }))).await;
    let swapped = |map: &Value| json!({ "data": { "000001": map["data"]["000002"], "000002": map["data"]["000001"] } });
    tampering_shows(&store, 5, patch(swapped)).await;
    tampering_shows(&store, 6, patch(|_| json!({ "data": { "note": "hello" } }))).await;
    let headless = |_: &Value| json!({ "metadata": { "annotations": { "interlock/head": null } } });
    tampering_shows(&store, 7, patch(headless)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_whose_journal_was_rewritten_under_it_writes_nothing_more() {
    let Some(server) = Server::shared() else { return };
    server.namespace("rewritten");
    let store = server.store("rewritten").await;
    let grant = open(&store, "tenant").await;
    for step in 0..3 {
        store.append(&grant, entry(step, 10)).await.unwrap();
    }
    let first = store.load(&grant.run).await.unwrap()[1].prev.clone();
    let patch = json!({
        "metadata": { "annotations": { "interlock/head": format!("0 {first}") } },
        "data": { "000001": null, "000002": null },
    });
    let name = format!("interlock-run-{}-000", grant.run);
    server.kubectl(&["patch", "cm", &name, "-n", "rewritten", "--type", "merge", "-p", &patch.to_string()]);
    let refused = store.append(&grant, entry(3, 10)).await;
    assert!(matches!(refused, Err(Error::Tampered { .. })), "{refused:?}");
    // What a person notes on the ConfigMap beside the journal is no change of it.
    let elsewhere = server.store("rewritten").await;
    let other = elsewhere
        .open(&Opening::new(&run(2), &target("other"), &Owner::current().unwrap(), Duration::from_secs(10)))
        .await
        .unwrap();
    elsewhere.append(&other, entry(0, 10)).await.unwrap();
    let name = format!("interlock-run-{}-000", other.run);
    server.kubectl(&["annotate", "cm", &name, "-n", "rewritten", "note=seen-by-me"]);
    assert_eq!(elsewhere.append(&other, entry(1, 10)).await.unwrap().seq, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_journal_goes_on_in_further_parts_and_ends_while_there_is_room() {
    let Some(server) = Server::shared() else { return };
    server.namespace("long");
    let store = server.store("long").await;
    let grant = open(&store, "tenant").await;
    let mut written = Vec::new();
    for step in 0..30 {
        written.push(store.append(&grant, entry(step, 50_000)).await.unwrap());
    }
    let parts = |server: &Server| {
        server.kubectl(&["get", "cm", "-n", "long", "-l", "interlock/part=journal", "-o", "name"]).lines().count()
    };
    assert_eq!(parts(&server), 6, "1.5 MB in parts of at most 256 KiB");
    let elsewhere = server.store("long").await;
    assert_eq!(elsewhere.load(&grant.run).await.unwrap(), written);
    // Another owner begins wherever the last one has stopped, and the first one is out.
    let seen = elsewhere.lock(&grant.target).await.unwrap().unwrap();
    let taken = elsewhere.take_over(&seen, &Owner::current().unwrap()).await.unwrap();
    assert!(matches!(store.append(&grant, entry(30, 10)).await, Err(Error::Superseded { .. })));
    written.push(elsewhere.append(&taken, entry(30, 10)).await.unwrap());
    // One record is more than a part should have: it gets a part of its own.
    let mut step = 31;
    while !elsewhere.is_exhausted(&taken.run) {
        written.push(elsewhere.append(&taken, entry(step, 300_000)).await.unwrap());
        step += 1;
        assert!(step < 200);
    }
    assert_eq!(parts(&server), 61);
    for _ in 0..100 {
        written.push(elsewhere.append(&taken, entry(step, 5_000)).await.unwrap());
        step += 1;
    }
    assert_eq!(store.load(&grant.run).await.unwrap(), written, "the way back had room for half a megabyte");
    assert_eq!(store.runs().await.unwrap(), [grant.run], "one run, however many parts");

    let name = format!("interlock-run-{}-062", taken.run);
    server.kubectl(&["delete", "cm", &name, "-n", "long"]);
    assert!(matches!(store.load(&taken.run).await, Err(Error::Tampered { .. })), "the last part was taken away");
}
