//! A whole switchover whose runs are kept in a cluster: to its end, and by another owner after the first is gone.

use std::{sync::Arc, time::Duration};

use interlock::{
    adapters::store::KubeStore,
    error::{Error, Exit},
    guard::{Entry, Event, Events, Outcome, Role, Start, begin, drive, entries, load, recover},
    journal::Owner,
    ports::{Opening, Store},
};
use tokio::sync::Notify;

use crate::{
    server::Server,
    shelf::run_id,
    store::target,
    told::told,
    world::{World, at_end, at_start, spec},
};

/// Says when an entry is there whose line has these words.
struct Until(&'static str, Notify);

impl Events for Until {
    fn event(&self, event: &Event<'_>) {
        if let Event::Recorded(entry) = event
            && told(entry).contains(self.0)
        {
            self.1.notify_one();
        }
    }
}

/// Whether something was said that has these words.
#[derive(Default)]
struct Heard(std::sync::Mutex<Vec<String>>);

impl Events for Heard {
    fn event(&self, event: &Event<'_>) {
        if let Event::Remark(text) = event {
            self.0.lock().unwrap().push((*text).to_owned());
        }
    }
}

async fn store(server: &Server, namespace: &str, world: &World) -> Arc<KubeStore> {
    Arc::new(KubeStore::new(server.cluster(namespace).await, Arc::new(world.clock.clone())))
}

/// Drives a run until an entry is there, and is gone then.
async fn abandon(world: &World, store: &Arc<KubeStore>, at: &'static str) {
    let grant = begin(&**store, &run_id(), &world.plan(), &Start::default()).await.unwrap();
    let events = Arc::new(Until(at, Notify::new()));
    let mut context = world.context(store.clone());
    context.events = events.clone();
    tokio::select! {
        outcome = drive(&context, &grant) => panic!("{outcome:?}"),
        () = events.1.notified() => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_is_kept_and_its_journal_read_elsewhere() {
    let Some(server) = Server::shared() else { return };
    server.namespace("kept");
    let world = World::new(spec());
    let ours = store(&server, "kept", &world).await;
    let grant = begin(&*ours, &run_id(), &world.plan(), &Start::default()).await.unwrap();
    let outcome = drive(&world.context(ours.clone()), &grant).await.unwrap();
    assert_eq!(outcome, Outcome::Kept { warning: None });
    assert_eq!(world.platform.stand(), at_end());

    let elsewhere = server.store("kept").await;
    let stored = load(&elsewhere, &run_id()).await.unwrap();
    assert!(stored.lock.is_none());
    assert_eq!(stored.entries.last(), Some(&Entry::Finished { outcome }));
    assert_eq!(stored.entries, entries(&ours.load(&run_id()).await.unwrap()).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_machine_puts_back_what_an_owner_who_is_gone_has_left() {
    let Some(server) = Server::shared() else { return };
    server.namespace("gone");
    let world = World::new(spec());
    let first = store(&server, "gone", &world).await;
    abandon(&world, &first, " applied").await;
    drop(first);
    assert_ne!(world.platform.stand(), at_start());

    let second = store(&server, "gone", &world).await;
    let stored = load(&*second, &run_id()).await.unwrap();
    let refused = recover(&world.context(second.clone()), &stored, Role::Guardian).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Refused, "it may be alive, for all that we have seen");
    world.clock.advance(Duration::from_secs(11));
    let stored = load(&*second, &run_id()).await.unwrap();
    let outcome = recover(&world.context(second.clone()), &stored, Role::Guardian).await.unwrap();
    assert!(matches!(outcome, Outcome::Interrupted { .. }), "{outcome}");
    assert_eq!(world.platform.stand(), at_start());
    assert!(load(&*second, &run_id()).await.unwrap().lock.is_none());
}

/// Begins a run as an owner on another machine would, and leaves it there.
async fn begin_elsewhere(world: &World, store: &KubeStore) -> interlock::journal::Grant {
    let owner = Owner { host: "another-machine".to_owned(), ..Owner::current().unwrap() };
    let plan = world.plan();
    let grant = store.open(&Opening::new(&run_id(), &plan.target, &owner, plan.ttl.0)).await.unwrap();
    for entry in [Entry::Planned { plan: Box::new(plan) }, Entry::Owned { owner, role: Role::Operator }] {
        store.append(&grant, entry.draft().unwrap()).await.unwrap();
    }
    grant
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_recovers_from_elsewhere_waits_for_silence_and_is_told_so() {
    let Some(server) = Server::shared() else { return };
    server.namespace("waits");
    let world = World::new(spec());
    begin_elsewhere(&world, &*store(&server, "waits", &world).await).await;

    let ours = store(&server, "waits", &world).await;
    let stored = load(&*ours, &run_id()).await.unwrap();
    let heard = Arc::new(Heard::default());
    let mut context = world.context(ours.clone());
    context.events = heard.clone();
    let outcome = recover(&context, &stored, Role::Recover).await.unwrap();
    assert!(matches!(outcome, Outcome::Interrupted { .. }), "{outcome}");
    let heard = heard.0.lock().unwrap();
    assert!(heard.iter().any(|said| said.contains("another machine: waiting 10 s")), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_of_life_from_elsewhere_ends_the_wait() {
    let Some(server) = Server::shared() else { return };
    server.namespace("alive");
    let world = World::new(spec());
    let theirs = store(&server, "alive", &world).await;
    let grant = begin_elsewhere(&world, &theirs).await;
    let ours = store(&server, "alive", &world).await;
    let stored = load(&*ours, &run_id()).await.unwrap();
    let alive = tokio::spawn(async move {
        while theirs.beat(&grant).await.is_ok() {}
        panic!("it was taken over");
    });
    let refused = recover(&world.context(ours.clone()), &stored, Role::Recover).await;
    assert!(matches!(&refused, Err(Error::Refused { what, .. }) if what.contains("is alive")), "{refused:?}");
    assert!(!alive.is_finished());
    alive.abort();
    assert_eq!(ours.lock(&target("tenant")).await.unwrap().unwrap().epoch.0, 1);
}
