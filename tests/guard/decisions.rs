//! What a person decides of a run that waits, while its guardian acts.

use std::time::Duration;

use interlock::{
    error::Exit,
    guard::{Entry, Mode, Operation, Resume, Role, Settled, Stored, Verdict, load, recover, resolve, resume},
    journal::Owner,
    ports::{ByHand, PortError, Store as _},
};
use serde_json::json;

use crate::{
    bench::Bench,
    shelf::{context, plan, run_id, start},
};

/// A run that is held, as a person has read it.
async fn held(bench: &Bench) -> Stored {
    bench.shelf.say("after", Verdict::NoData { why: "no data".to_owned() });
    assert_eq!(bench.run().await.unwrap().exit(), Exit::Held);
    load(&*bench.store(), &run_id()).await.unwrap()
}

#[tokio::test]
async fn what_a_guardian_has_begun_meanwhile_is_not_decided_over() {
    for decision in ["keep", "watch", "resolve"] {
        let bench = Bench::new();
        let stored = held(&bench).await;
        let store = bench.store();
        let lock = store.lock(&plan().target).await.unwrap().unwrap();
        let guardian = store.take_over(&lock, &Owner::current().unwrap()).await.unwrap();
        let begun = Entry::Interrupted { why: "green crashes".to_owned() };
        store.append(&guardian, begun.draft().unwrap()).await.unwrap();
        let context = context(store.clone(), bench.shelf.clone(), bench.clock.clone());
        let refused = match decision {
            "keep" => resume(&context, &stored, Resume::Keep).await,
            "watch" => resume(&context, &stored, Resume::Watch).await,
            _ => resolve(&*store, None, &stored, Settled::Kept, "looks fine").await,
        };
        assert_eq!(refused.map_err(|e| e.exit()), Err(Exit::Refused), "{decision}");
        // The person is gone, and somebody comes who puts it back to the end.
        bench.clock.pass(Duration::from_hours(1));
        let now = load(&*store, &run_id()).await.unwrap();
        assert_eq!(now.mode(), Mode::Unwinding, "{decision}");
        assert_eq!(recover(&context, &now, Role::Recover).await.unwrap().exit(), Exit::Interrupted, "{decision}");
        assert_eq!(bench.shelf.values(), start().values(), "{decision}");
    }
}

#[tokio::test]
async fn what_a_guardian_has_sent_before_lands_no_more_once_a_person_has_decided() {
    for decision in ["keep", "resolve"] {
        let bench = Bench::new();
        let stored = held(&bench).await;
        let store = bench.store();
        let theirs = ByHand(stored.lock.as_ref().unwrap().epoch);
        if decision == "keep" {
            bench.shelf.say("after", Verdict::Pass { warning: None });
            let context = context(store.clone(), bench.shelf.clone(), bench.clock.clone());
            assert_eq!(resume(&context, &stored, Resume::Keep).await.unwrap().exit(), Exit::Kept);
        } else {
            resolve(&*store, Some(&*bench.shelf), &stored, Settled::Kept, "looks fine").await.unwrap();
        }
        for (key, left, prior) in [("weights", json!(100), json!(0)), ("scale", json!(0), json!(2))] {
            let late = Operation::write(&*bench.shelf, key, &left, &prior, &theirs).await;
            assert!(matches!(late, Err(PortError::Superseded { .. })), "{decision}: {key}: {late:?}");
        }
    }
}

#[tokio::test]
async fn what_was_put_back_before_a_person_has_decided_is_not_kept() {
    let bench = Bench::new();
    let stored = held(&bench).await;
    bench.shelf.meddle("weights", json!(0));
    let context = context(bench.store(), bench.shelf.clone(), bench.clock.clone());
    let refused = resume(&context, &stored, Resume::Keep).await.unwrap_err();
    assert!(refused.to_string().contains("weights is 0 now"), "{refused}");
}
