//! What a person sees of runs with kubectl alone.

use std::time::Duration;

use interlock::{
    guard::{Entry, Outcome, Plan, summaries},
    journal::{Draft, Owner},
    ports::{Opening, Store},
};

use crate::{
    server::Server,
    shelf::plan,
    store::{run, target},
};

fn planned(title: &str) -> Draft {
    Entry::Planned { plan: Box::new(Plan { title: title.to_owned(), ..plan() }) }.draft().unwrap()
}

fn finished(outcome: Outcome) -> Draft {
    Entry::Finished { outcome }.draft().unwrap()
}

/// A table of kubectl's without what differs from run to run: ages, process ids, machines.
fn settled(table: &str) -> String {
    let owner = Owner::current().unwrap();
    let table = table
        .replace(&owner.to_string(), "sre@laptop (pid 7)")
        .replace(&Owner { host: "runner-5".to_owned(), ..owner }.to_string(), "ci@runner-5 (pid 9)");
    table
        .lines()
        .map(|line| {
            let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
            // An age is a number and a unit.
            let is_age = |cell: &str| cell.strip_suffix('s').is_some_and(|n| n.parse::<u32>().is_ok());
            cells.map(|cell| if is_age(cell) { "AGE" } else { cell }).collect::<Vec<_>>().join("  ")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_alone_tells_a_person_how_things_stand() {
    let Some(server) = Server::shared() else { return };
    server.namespace("people");
    let store = server.store("people").await;
    let (owner, ttl) = (Owner::current().unwrap(), Duration::from_secs(10));

    let kept = store.open(&Opening::new(&run(1), &target("tenant"), &owner, ttl)).await.unwrap();
    store.append(&kept, planned("switchover tenant from blue to green")).await.unwrap();
    store.append(&kept, Entry::Applied { step: 0 }.draft().unwrap()).await.unwrap();
    store.append(&kept, finished(Outcome::Kept { warning: None })).await.unwrap();
    store.release(&kept).await.unwrap();

    let other = Owner { host: "runner-5".to_owned(), ..owner.clone() };
    let taken = store.open(&Opening::new(&run(2), &target("tenant"), &other, ttl)).await.unwrap();
    store.append(&taken, planned("switchover tenant from green to blue")).await.unwrap();
    let seen = store.lock(&target("tenant")).await.unwrap().unwrap();
    let taken = store.take_over(&seen, &owner).await.unwrap();
    let why = "availability: 12 of 400 requests failed".to_owned();
    store.append(&taken, finished(Outcome::RolledBack { why })).await.unwrap();
    store.release(&taken).await.unwrap();

    let held = store.open(&Opening::new(&run(3), &target("Billing_API"), &owner, ttl)).await.unwrap();
    store.append(&held, planned("switchover Billing_API from blue to green")).await.unwrap();
    let why = "Prometheus has not answered for 30 s".to_owned();
    store.append(&held, Entry::Held { why }.draft().unwrap()).await.unwrap();

    let get = |args: &[&str]| {
        let table = settled(&server.kubectl(&[&["get", "-n", "people"], args].concat()));
        println!("$ kubectl get {}\n{table}\n", args.join(" "));
        table
    };
    insta::assert_snapshot!("leases", get(&["lease"]));
    insta::assert_snapshot!("journals", get(&["cm", "-L", "interlock/target,interlock/state"]));
    let told = "custom-columns=RUN:.metadata.labels.interlock/run,TITLE:.metadata.annotations.interlock/title,\
                OUTCOME:.metadata.annotations.interlock/outcome";
    insta::assert_snapshot!("outcomes", get(&["cm", "-l", "interlock/part=journal", "-o", told]));
    let events = "custom-columns=TYPE:.type,REASON:.reason,OBJECT:.involvedObject.name,MESSAGE:.message";
    insta::assert_snapshot!("events", get(&["events", "--sort-by=.eventTime", "-o", events]));
    assert!(server.kubectl(&["describe", "lease", "interlock-tenant", "-n", "people"]).contains("RunEnded"));
}

/// A list of runs that are over reads no journal, and says the same as the journals do.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_reads_no_journal_of_runs_that_are_over() {
    let Some(server) = Server::shared() else { return };
    server.namespace("lists");
    let store = server.store("lists").await;
    let (owner, ttl) = (Owner::current().unwrap(), Duration::from_secs(10));
    let why = || "availability: 12 of 400 requests failed: too many".to_owned();
    let outcomes = [
        Outcome::Kept { warning: None },
        Outcome::Kept { warning: Some(why()) },
        Outcome::RolledBack { why: why() },
        Outcome::Stuck { why: why() },
    ];
    for (number, outcome) in (1..).zip(outcomes) {
        let grant = store.open(&Opening::new(&run(number), &target(&format!("t{number}")), &owner, ttl)).await.unwrap();
        store.append(&grant, planned(&format!("run {number}"))).await.unwrap();
        store.append(&grant, finished(outcome)).await.unwrap();
        store.release(&grant).await.unwrap();
    }
    let listed = async || {
        let all = summaries(&store).await.unwrap().into_iter().map(Result::unwrap);
        all.map(|run| (run.run, run.title, run.began, run.last, run.mode)).collect::<Vec<_>>()
    };
    let glanced = store.glance().await.unwrap();
    assert_eq!(glanced.len(), 3, "of one that is stuck the journal is read: {glanced:?}");
    let by_glance = listed().await;
    for number in 1..=4 {
        let map = format!("interlock-run-{}-000", run(number));
        server.kubectl(&["annotate", "cm", &map, "-n", "lists", "interlock/ended-"]);
    }
    assert!(store.glance().await.unwrap().is_empty(), "runs of earlier releases say less");
    assert_eq!(listed().await, by_glance);
}
