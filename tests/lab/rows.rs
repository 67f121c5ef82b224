//! Tenants in the lab's PostgreSQL: users' requests need its primary, and are well again as soon as it is.

use interlock::lab::{
    http::{Ask, Client},
    load::Report,
};
use serde_json::Value;
use tokio_postgres::{Config, NoTls};

use crate::stage::{Cli, PATIENCE, Setup, Stage};

/// Offers users' requests for a while.
fn offer(stage: &Stage, duration: &str) -> Cli {
    stage.start(&["lab", "load", "--rate", "100", "--duration", duration, "-o", "json"], &[])
}

fn end(load: Cli) -> Report {
    let done = load.wait();
    serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {done:?}"))
}

fn order(stage: &Stage, host: &str, state: &str) {
    let done = stage.ask(&["lab", "host", host, state]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

/// Changes a row at the database itself.
fn rename(stage: &Stage, name: &str) {
    let database = stage.lab().file.database().unwrap();
    let at = database.nodes[0].sql;
    let mut config = Config::new();
    config.host(at.ip().to_string()).port(at.port()).user(&database.user).password(&database.password);
    config.dbname(&database.database);
    let changed = stage.runtime.block_on(async {
        let (client, connection) = config.connect(NoTls).await.unwrap();
        let carried = tokio::spawn(connection);
        let changed = client.execute("update tenant set name = $1 where id = '7'", &[&name]).await.unwrap();
        drop(client);
        carried.await.unwrap().unwrap();
        changed
    });
    assert_eq!(changed, 1, "the tenant is not in the database");
}

fn name(stage: &Stage) -> String {
    let client = Client::new(stage.lab().file.gateway, None);
    let answer = stage.runtime.block_on(client.ask(Ask::get("/tenants/7"), PATIENCE)).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let tenant: Value = answer.json().unwrap();
    tenant["name"].as_str().unwrap().to_owned()
}

#[test]
fn users_suffer_only_while_the_primary_is_away() {
    let stage = Stage::with(Setup { database: Some("postgres"), ..Setup::default() });
    let before = end(offer(&stage, "4s"));
    assert_eq!((before.ok, before.failed), (400, 0), "{:?}", before.examples);

    let load = offer(&stage, "8s");
    std::thread::sleep(std::time::Duration::from_secs(1));
    order(&stage, "pg1", "paused");
    std::thread::sleep(std::time::Duration::from_secs(2));
    order(&stage, "pg1", "running");
    let during = end(load);
    println!("{} of {} requests failed: {:?}", during.failed, during.offered, during.failures);
    assert!(during.failed > 0, "nobody has needed the database");
    assert_eq!(during.failed, during.failures.status_5xx, "{:?}", during.examples);
    assert!(during.ok > 0);

    // The same replicas, and the row is the one of the database.
    rename(&stage, "Renamed");
    assert_eq!(name(&stage), "Renamed");
    let after = end(offer(&stage, "4s"));
    assert_eq!((after.ok, after.failed), (400, 0), "{:?}", after.examples);
    for replica in ["tenant-blue-0", "tenant-blue-1"] {
        assert_eq!(stage.part(replica).exits, 0, "{replica}");
    }
    stage.close();
}

/// The replicas need no database to come up, and say themselves that it is away.
#[test]
fn a_replica_comes_up_without_the_database_and_says_so() {
    let stage = Stage::with(Setup { database: Some("postgres"), ..Setup::default() });
    order(&stage, "pg1", "down");
    stage.signal("tenant-blue-0", interlock::process::Signal::SIGKILL);
    crate::stage::until("the replica is back", || {
        let part = stage.part("tenant-blue-0");
        part.exits == 1 && part.ready
    });
    let client = Client::new(stage.part("tenant-blue-0").address, None);
    let ask = |path: &str| stage.runtime.block_on(client.ask(Ask::get(path), PATIENCE)).unwrap();
    assert_eq!(ask("/version").status, 200);
    let refused = ask("/tenants/7");
    assert_eq!((refused.status.as_u16(), &refused.headers["retry-after"]), (503, &"1".parse().unwrap()), "{refused:?}");
    let problem: Value = refused.json().unwrap();
    assert_eq!(problem["detail"], "tenants cannot be read or kept at the moment");
    order(&stage, "pg1", "running");
    crate::stage::until("the database is back", || ask("/tenants/7").status == 200);
    stage.close();
}
