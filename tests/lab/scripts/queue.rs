//! The job queue: jobs are done once, by one replica, whoever dies meanwhile.

use std::time::Instant;

use http::Method;
use interlock::{lab::http::Ask, process::Signal};
use serde_json::{Value, json};

use super::stage::Model;
use crate::stage::until;

const DESK: &str = r#"
post("/mails/{id}", |request| {
    queue::add("send-mail", request.params.id, #{ key: request.query.key ?? request.params.id });
    reply(202)
});
post("/late/{id}", |request| {
    queue::add("send-mail", request.params.id, #{ after: "1s" });
    reply(202)
});
post("/jobs/{name}", |request| { queue::add(request.params.name); reply(202) });
"#;

const POST: &str = r#"
replicas(2);
deadline("1s");
migration("mail", "create table mail(id text not null, attempt integer not null, age real not null) strict");
job("send-mail", |job| {
    log::info("sending", #{ id: job.value });
    if job.value == "slow" && job.attempt == 1 { pause("900ms"); }
    sql::once(job.id, || sql::run("insert into mail values (?, ?, ?)", [job.value, job.attempt, job.age]))
});
get("/mails", |request| sql::all("select id, count(*) as times, max(attempt) as attempt, min(age) as age from mail group by 1 order by 1"));
"#;

fn mails(model: &Model, replica: &str) -> Vec<Value> {
    let (status, rows) = model.get(replica, "/mails");
    assert_eq!(status, 200, "{rows}");
    rows.as_array().unwrap().clone()
}

fn post(model: &Model, path: &str) -> u16 {
    model.ask("desk-0", Method::POST, path, None).status.as_u16()
}

/// The replica that has begun with the slow job.
fn holder(model: &Model) -> &'static str {
    let mut found = None;
    until("a replica has the job", || {
        found = ["post-0", "post-1"].into_iter().find(|replica| !model.logged(replica, "sending").is_empty());
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn a_job_whose_holder_hangs_is_done_by_another_replica_after_the_lease() {
    let model = Model::up(&[("desk", DESK), ("post", POST)]);
    assert_eq!(post(&model, "/mails/slow"), 202);
    let holder = holder(&model);
    model.signal(holder, Signal::SIGSTOP);
    let other = if holder == "post-0" { "post-1" } else { "post-0" };
    until("the other one has done it", || mails(&model, other).len() == 1);
    assert_eq!(mails(&model, other)[0]["attempt"], 2);
    assert_eq!(model.logged(other, "sending").len(), 1);
    model.signal(holder, Signal::SIGCONT);
    until("the first one hears that it has lost the job", || {
        !model.logged(holder, "the lease of the message has ended").is_empty()
    });
    assert_eq!(mails(&model, other)[0]["times"], 1, "it was done once all the same");
    model.close();
}

#[test]
fn a_job_whose_holder_is_killed_is_done_once() {
    let model = Model::up(&[("desk", DESK), ("post", POST)]);
    assert_eq!(post(&model, "/mails/slow"), 202);
    let holder = holder(&model);
    model.signal(holder, Signal::SIGKILL);
    let other = if holder == "post-0" { "post-1" } else { "post-0" };
    until("it is done", || mails(&model, other).len() == 1);
    assert_eq!((&mails(&model, other)[0]["times"], &mails(&model, other)[0]["attempt"]), (&json!(1), &json!(2)));
    model.close();
}

#[test]
fn a_replica_that_is_replaced_does_its_jobs_first() {
    let slow = POST.replace("replicas(2)", "replicas(1)").replace("\"1s\"", "\"10s\"").replace("900ms", "2500ms");
    let model = Model::up(&[("desk", DESK), ("post", &slow)]);
    assert_eq!(post(&model, "/mails/slow"), 202);
    until("the replica has the job", || !model.logged("post-0", "sending").is_empty());
    let deployed = model.run(&["lab", "deploy", "post", "--version", "1.1.0"]);
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
    until("the job is done", || mails(&model, "post-0").len() == 1);
    assert_eq!(mails(&model, "post-0")[0]["attempt"], 1, "nobody had to wait for its lease");
    model.close();
}

#[test]
fn a_queue_that_is_killed_loses_no_job_and_none_is_done_twice() {
    let model = Model::up(&[("desk", DESK), ("post", POST)]);
    let mut accepted = Vec::new();
    for n in 0..100 {
        if n % 40 == 20 {
            model.signal("queue", Signal::SIGKILL);
        }
        let path = format!("/mails/m-{n:03}");
        let ask = Ask { method: Method::POST, ..Ask::get(&path) };
        if model.try_ask("desk-0", ask).is_ok_and(|answer| answer.status == 202) {
            accepted.push(json!(format!("m-{n:03}")));
        }
    }
    let ids = || mails(&model, "post-0").into_iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    until("every job is done", || {
        let done = ids();
        accepted.iter().all(|id| done.contains(id))
    });
    println!("{} accepted, {} done, {} kills", accepted.len(), ids().len(), model.part("queue").exits);
    assert!(accepted.len() >= 50, "most get through: {accepted:?}");
    let done = mails(&model, "post-0");
    assert!(done.iter().all(|row| row["times"] == 1), "{done:?}");
    model.close();
}

#[test]
fn jobs_wait_for_their_time_one_for_each_key_and_only_those_that_there_are() {
    let model = Model::up(&[("desk", DESK), ("post", POST)]);
    let begun = Instant::now();
    assert_eq!(post(&model, "/late/later"), 202);
    until("it is done", || mails(&model, "post-0").len() == 1);
    assert!(begun.elapsed().as_secs_f64() >= 1.0);
    assert!(mails(&model, "post-0")[0]["age"].as_f64().unwrap() >= 1.0, "{:?}", mails(&model, "post-0"));
    // The first goes on while the second comes.
    assert_eq!(post(&model, "/mails/slow?key=ada"), 202);
    holder(&model);
    assert_eq!(post(&model, "/mails/again?key=ada"), 202);
    assert_eq!(post(&model, "/mails/other"), 202);
    until("both are done", || mails(&model, "post-0").len() == 3);
    assert!(mails(&model, "post-0").iter().all(|row| row["id"] != "again"));
    assert_eq!(post(&model, "/jobs/send-male"), 500);
    let told = model.logged("desk-0", "no service has a job").pop().unwrap();
    assert_eq!(told["message"], "no service has a job `send-male`");
    let broken = model.run(&["lab", "break", "queue"]);
    assert_eq!(broken.code, Some(0), "{broken:?}");
    assert_eq!(post(&model, "/mails/refused"), 503);
    model.close();
}

const TALLY: &str = r#"
replicas(3);
migration("run", "create table run(kind text not null) strict");
cron("shared", "300ms", || sql::run("insert into run values ('shared')"));
every("own", "300ms", || sql::run("insert into run values ('own')"));
cron("failing", "300ms", || 1 / 0);
get("/runs", |request| sql::one("select count(*) filter (where kind = 'shared') as shared, count(*) filter (where kind = 'own') as own from run"));
"#;

#[test]
fn a_shared_schedule_runs_once_however_many_replicas_there_are() {
    let model = Model::up(&[("tally", TALLY)]);
    let runs = || {
        let runs = model.get("tally-0", "/runs").1;
        (runs["shared"].as_f64().unwrap(), runs["own"].as_f64().unwrap())
    };
    let begun = Instant::now();
    let before = runs();
    until("it has run for a while", || runs().0 >= before.0 + 10.0);
    let now = runs();
    let (shared, own) = (now.0 - before.0, now.1 - before.1);
    let most = begun.elapsed().as_secs_f64() / 0.3 + 1.0;
    println!("{shared} shared runs, {own} of single replicas, {most:.0} at most");
    assert!(shared <= most, "{shared} runs of {most} at most");
    assert!(own > shared, "those of every replica are more");
    let failed = || (0..3).any(|n| !model.logged(&format!("tally-{n}"), "zero").is_empty());
    until("the one that fails is in a log", failed);
    assert_eq!(model.run(&["lab", "letters"]).out, "no dead letters\n");
    model.signal("queue", Signal::SIGKILL);
    let before = runs().0;
    until("it goes on after the queue was away", || runs().0 > before + 2.0);
    model.close();
}
