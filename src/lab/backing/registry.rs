//! The service registry: which replicas a service has, each for as long as it renews its lease.

use std::{net::SocketAddr, path::Path, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    disk::{self, Disk, answer, counted, out},
    messages::now,
    serve::Routes,
};
use crate::{error::Error, lab::state::fault};

/// How long a replica is listed after it has renewed its lease, in milliseconds.
pub const LEASE: i64 = 3_000;
/// Where nobody was heard for so long, the registry itself was away, in milliseconds: replicas renew far more often.
const SILENCE: i64 = LEASE / 2;

const SCHEMA: &str = "create table if not exists instance(
    name text not null, id text not null, address text not null, about text not null, until integer not null,
    primary key (name, id)
) strict, without rowid";

/// A replica under a name of its service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// The service's name, or another that it goes by.
    pub name: String,
    /// The replica's.
    pub id: String,
    pub address: SocketAddr,
    /// What else it says of itself.
    #[serde(default)]
    pub about: Map<String, Value>,
}

/// All that a replica goes by: `POST /leases` adds it, or renews its leases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    pub instances: Vec<Instance>,
}

/// A replica that ends: `POST /ends`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    pub id: String,
}

/// A name: `POST /lookups`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    pub name: String,
}

/// The replicas that are listed.
struct Table {
    connection: Connection,
    /// When somebody was heard last.
    heard: i64,
}

type Outcome<T> = Result<T, rusqlite::Error>;
type Shared = Arc<Disk<Table>>;

/// What the registry answers, with its state in `file`.
///
/// # Errors
/// Where the file cannot be opened.
pub fn routes(file: &Path) -> Result<Routes, Error> {
    let table = Table::open(file, now()).map_err(|e| fault(file, &e))?;
    let table = Arc::new(Disk::new(table));
    let service = Router::new().route("/leases", post(renew)).route("/ends", post(end)).route("/lookups", post(lookup));
    Ok(Routes {
        service: service.with_state(table.clone()),
        operator: Router::new(),
        open: Router::new().route("/metrics", get(exposed)).with_state(table),
    })
}

impl Table {
    fn open(path: &Path, now: i64) -> Outcome<Self> {
        let connection = disk::open(path, SCHEMA)?;
        // Nobody could renew a lease while there was no registry.
        connection.execute("update instance set until = ?1", [now + LEASE])?;
        Ok(Self { connection, heard: now })
    }

    /// Forgets replicas whose leases have ended; a lease runs only while the registry can be reached.
    fn advance(&mut self, now: i64) -> Outcome<()> {
        let away = now - self.heard;
        self.heard = now;
        if away > SILENCE {
            tracing::warn!(away, "nobody was heard for a while: leases are longer by that");
            self.connection.execute("update instance set until = until + ?1", [away])?;
        }
        self.connection.prepare_cached("delete from instance where until <= ?1")?.execute([now]).map(drop)
    }

    fn renew(&mut self, instances: &[Instance], now: i64) -> Outcome<()> {
        self.advance(now)?;
        let all = self.connection.transaction()?;
        for Instance { name, id, address, about } in instances {
            all.prepare_cached("insert or replace into instance values (?1, ?2, ?3, ?4, ?5)")?.execute(params![
                name,
                id,
                address.to_string(),
                Value::from(about.clone()).to_string(),
                now + LEASE
            ])?;
        }
        all.commit()
    }

    fn end(&mut self, id: &str, now: i64) -> Outcome<()> {
        self.advance(now)?;
        self.connection.prepare_cached("delete from instance where id = ?1")?.execute([id]).map(drop)
    }

    fn lookup(&mut self, name: &str, now: i64) -> Outcome<Vec<Instance>> {
        self.advance(now)?;
        let mut query = self
            .connection
            .prepare_cached("select name, id, address, about from instance where name = ?1 order by id")?;
        query.query_map([name], instance)?.collect()
    }

    fn counts(&self) -> Outcome<Vec<(String, i64)>> {
        let mut query = self.connection.prepare_cached("select name, count(*) from instance group by name")?;
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }
}

fn instance(row: &Row<'_>) -> Outcome<Instance> {
    let unreadable = |column, e: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, e)
    };
    let (address, about): (String, String) = (row.get(2)?, row.get(3)?);
    Ok(Instance {
        name: row.get(0)?,
        id: row.get(1)?,
        address: address.parse().map_err(|e: std::net::AddrParseError| unreadable(2, e.into()))?,
        about: serde_json::from_str(&about).map_err(|e| unreadable(3, e.into()))?,
    })
}

async fn renew(State(table): State<Shared>, Json(Lease { instances }): Json<Lease>) -> Response {
    done(table.run(move |table| table.renew(&instances, now())).await)
}

async fn end(State(table): State<Shared>, Json(End { id }): Json<End>) -> Response {
    done(table.run(move |table| table.end(&id, now())).await)
}

fn done(done: Result<(), String>) -> Response {
    done.map_or_else(|why| out(&why), |()| StatusCode::NO_CONTENT.into_response())
}

async fn lookup(State(table): State<Shared>, Json(Lookup { name }): Json<Lookup>) -> Response {
    answer(table.run(move |table| table.lookup(&name, now())).await)
}

async fn exposed(State(table): State<Shared>) -> Response {
    let counts = table.run(|table| table.counts()).await;
    counted("registry", ("registry_instances", "Replicas that are listed, by name."), "name", counts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table(folder: &tempfile::TempDir, now: i64) -> Table {
        Table::open(&folder.path().join("registry.sqlite"), now).unwrap()
    }

    fn instance(id: &str) -> Instance {
        let about = json!({ "version": "1.0.0" }).as_object().unwrap().clone();
        Instance { name: "orders".to_owned(), id: id.to_owned(), address: ([127, 0, 0, 1], 4711).into(), about }
    }

    fn ids(table: &mut Table, now: i64) -> Vec<String> {
        table.lookup("orders", now).unwrap().into_iter().map(|one| one.id).collect()
    }

    #[test]
    fn a_replica_is_listed_while_it_renews_its_lease() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = table(&folder, 0);
        table.renew(&[instance("orders-1"), instance("orders-0")], 0).unwrap();
        assert_eq!(table.lookup("orders", 0).unwrap(), [instance("orders-0"), instance("orders-1")]);
        assert_eq!(table.lookup("order", 0).unwrap(), []);
        table.renew(&[instance("orders-0")], 1_000).unwrap();
        table.renew(&[instance("orders-0")], 2_000).unwrap();
        assert_eq!(ids(&mut table, LEASE - 1), ["orders-0", "orders-1"]);
        assert_eq!(ids(&mut table, LEASE), ["orders-0"]);
        table.end("orders-0", LEASE).unwrap();
        assert!(ids(&mut table, LEASE).is_empty());
    }

    #[test]
    fn a_lease_does_not_run_while_the_registry_is_away() {
        let folder = tempfile::tempdir().unwrap();
        let mut before = table(&folder, 0);
        before.renew(&[instance("orders-0")], 0).unwrap();
        // It was stopped for ten seconds, and its first second is over.
        assert_eq!(ids(&mut before, 1_000), ["orders-0"]);
        assert_eq!(ids(&mut before, 11_000), ["orders-0"]);
        assert_eq!(ids(&mut before, 12_000), ["orders-0"]);
        assert!(ids(&mut before, 13_000).is_empty());
        before.renew(&[instance("orders-0")], 13_000).unwrap();
        drop(before);
        let mut after = table(&folder, 60_000);
        assert_eq!(ids(&mut after, 61_000), ["orders-0"], "it had no chance to renew");
        assert_eq!(ids(&mut after, 62_000), ["orders-0"]);
        assert!(ids(&mut after, 63_000).is_empty());
    }
}
