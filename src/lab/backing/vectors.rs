//! Similarity search: vectors in collections, and those that are most like one, by the cosine of the angle between them.

use std::{path::Path, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use rusqlite::{Connection, OptionalExtension as _, params, types::Type};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    disk::{self, Disk, answer, counted, out},
    serve::Routes,
};
use crate::{
    error::Error,
    lab::{http::problem, state::fault},
};

/// The most numbers of a vector.
const NUMBERS: usize = 1024;
/// The most vectors of a collection: all of them are compared.
const VECTORS: i64 = 10_000;
/// The most that are asked for.
pub const NEAREST: usize = 100;
/// Scores are the same where they are the same to so many parts of one: what else tells them apart is rounding.
const PARTS: f64 = 1e9;

const SCHEMA: &str = "
create table if not exists collection(name text primary key, numbers integer not null) strict;
create table if not exists vector(
    collection text not null, id text not null, numbers blob not null, payload text not null,
    primary key (collection, id)
) strict;
";

/// A vector, and what it stands for: `POST /vectors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Put {
    pub collection: String,
    /// What is put under an id that is there takes its place.
    pub id: String,
    pub vector: Vec<f64>,
    pub payload: Value,
}

/// A search: `POST /searches`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    pub collection: String,
    pub vector: Vec<f64>,
    pub count: usize,
}

/// What was found; the most similar first, and by id where they are so alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Near {
    pub id: String,
    /// From 1, which is the same direction, to -1, which is the opposite.
    pub score: f64,
    pub payload: Value,
}

/// A vector that is to go, or a whole collection: `POST /drops`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drop {
    pub collection: String,
    #[serde(default)]
    pub id: Option<String>,
}

/// How many vectors are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    pub vectors: usize,
}

struct Table(Connection);

type Outcome<T> = Result<T, rusqlite::Error>;
/// What was done, or why it is refused.
type Judged<T> = Result<T, String>;
type Shared = Arc<Disk<Table>>;

/// What the vector search answers, with its state in `file`.
///
/// # Errors
/// Where the file cannot be opened.
pub fn routes(file: &Path) -> Result<Routes, Error> {
    let table = Table::open(file).map_err(|e| fault(file, &e))?;
    let table = Arc::new(Disk::new(table));
    let service =
        Router::new().route("/vectors", post(put)).route("/searches", post(search)).route("/drops", post(drop_some));
    Ok(Routes {
        service: service.with_state(table.clone()),
        operator: Router::new(),
        open: Router::new().route("/metrics", get(exposed)).with_state(table),
    })
}

impl Table {
    fn open(path: &Path) -> Outcome<Self> {
        disk::open(path, SCHEMA).map(Self)
    }

    fn put(&mut self, Put { collection, id, vector, payload }: &Put) -> Outcome<Judged<()>> {
        if let Err(why) = direction(vector) {
            return Ok(Err(why));
        }
        let all = self.0.transaction()?;
        all.prepare_cached("insert or ignore into collection values (?1, ?2)")?
            .execute(params![collection, length(vector)])?;
        if let Err(why) = fits(&all, collection, vector)? {
            return Ok(Err(why));
        }
        all.prepare_cached("insert or replace into vector values (?1, ?2, ?3, ?4)")?.execute(params![
            collection,
            id,
            bytes(vector),
            payload.to_string()
        ])?;
        let count = "select count(*) from vector where collection = ?1";
        let count: i64 = all.prepare_cached(count)?.query_row([collection], |row| row.get(0))?;
        if count > VECTORS {
            return Ok(Err(format!("the collection `{collection}` has {VECTORS} vectors already")));
        }
        all.commit()?;
        Ok(Ok(()))
    }

    fn search(&self, Search { collection, vector, count }: &Search) -> Outcome<Judged<Vec<Near>>> {
        let wanted = match direction(vector) {
            Ok(wanted) => wanted,
            Err(why) => return Ok(Err(why)),
        };
        if let Err(why) = fits(&self.0, collection, vector)? {
            return Ok(Err(why));
        }
        let mut query = self.0.prepare_cached("select id, numbers from vector where collection = ?1")?;
        let scored = query.query_map([collection], |row| {
            let numbers: Vec<u8> = row.get(1)?;
            Ok((row.get::<_, String>(0)?, score(&wanted, &numbers)))
        })?;
        let mut scored = scored.collect::<Outcome<Vec<_>>>()?;
        scored.sort_by(|(a, of_a), (b, of_b)| of_b.total_cmp(of_a).then_with(|| a.cmp(b)));
        scored.truncate((*count).min(NEAREST));
        scored.into_iter().map(|(id, score)| self.near(collection, id, score)).collect::<Outcome<_>>().map(Ok)
    }

    fn near(&self, collection: &str, id: String, score: f64) -> Outcome<Near> {
        let query = "select payload from vector where collection = ?1 and id = ?2";
        let payload: String = self.0.prepare_cached(query)?.query_row([collection, &id], |row| row.get(0))?;
        let payload = serde_json::from_str(&payload)
            .map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, e.into()))?;
        Ok(Near { id, score, payload })
    }

    fn forget(&mut self, Drop { collection, id }: &Drop) -> Outcome<Dropped> {
        let all = self.0.transaction()?;
        let vectors = all
            .execute("delete from vector where collection = ?1 and (?2 is null or id = ?2)", params![collection, id])?;
        if id.is_none() {
            all.execute("delete from collection where name = ?1", [collection])?;
        }
        all.commit()?;
        Ok(Dropped { vectors })
    }

    fn counts(&self) -> Outcome<Vec<(String, i64)>> {
        let mut query = self.0.prepare_cached("select collection, count(*) from vector group by collection")?;
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }
}

/// A vector has as many numbers as the first of its collection.
fn fits(connection: &Connection, collection: &str, vector: &[f64]) -> Outcome<Judged<()>> {
    let mut query = connection.prepare_cached("select numbers from collection where name = ?1")?;
    let numbers: Option<i64> = query.query_row([collection], |row| row.get(0)).optional()?;
    Ok(match numbers {
        Some(numbers) if numbers != length(vector) => {
            Err(format!("the vectors of `{collection}` have {numbers} numbers, and this one has {}", vector.len()))
        }
        _ => Ok(()),
    })
}

fn length(vector: &[f64]) -> i64 {
    i64::try_from(vector.len()).unwrap_or(i64::MAX)
}

/// A vector of length 1 in the same direction.
fn direction(vector: &[f64]) -> Judged<Vec<f64>> {
    if !(1..=NUMBERS).contains(&vector.len()) {
        return Err(format!("a vector has 1 to {NUMBERS} numbers, and this one has {}", vector.len()));
    }
    let largest = vector.iter().fold(0.0, |largest: f64, number| largest.max(number.abs()));
    if largest == 0.0 {
        return Err("a vector of zeros has no direction".to_owned());
    }
    let scaled: Vec<_> = vector.iter().map(|number| number / largest).collect();
    let norm = dot(&scaled, &scaled).sqrt();
    Ok(scaled.into_iter().map(|number| number / norm).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The cosine, rounded so that what is equally similar has the same score.
fn score(wanted: &[f64], numbers: &[u8]) -> f64 {
    let numbers: Vec<_> = numbers.as_chunks::<8>().0.iter().map(|eight| f64::from_le_bytes(*eight)).collect();
    let cosine = direction(&numbers).map_or(0.0, |found| dot(wanted, &found));
    // Without a negative zero, which would come after the other one.
    (cosine.clamp(-1.0, 1.0) * PARTS).round() / PARTS + 0.0
}

fn bytes(vector: &[f64]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

async fn put(State(table): State<Shared>, Json(put): Json<Put>) -> Response {
    let done = table.run(move |table| table.put(&put)).await;
    judged(done, |()| StatusCode::NO_CONTENT.into_response())
}

async fn search(State(table): State<Shared>, Json(search): Json<Search>) -> Response {
    let found = table.run(move |table| table.search(&search)).await;
    judged(found, |found| Json(found).into_response())
}

async fn drop_some(State(table): State<Shared>, Json(drop): Json<Drop>) -> Response {
    answer(table.run(move |table| table.forget(&drop)).await)
}

fn judged<T>(done: Result<Judged<T>, String>, say: impl FnOnce(T) -> Response) -> Response {
    match done {
        Ok(Ok(done)) => say(done),
        Ok(Err(why)) => problem(StatusCode::UNPROCESSABLE_ENTITY, &why).into_response(),
        Err(why) => out(&why),
    }
}

async fn exposed(State(table): State<Shared>) -> Response {
    let counts = table.run(|table| table.counts()).await;
    counted("vectors", ("vectors_stored", "Vectors that are there, by collection."), "collection", counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(folder: &tempfile::TempDir) -> Table {
        Table::open(&folder.path().join("vectors.sqlite")).unwrap()
    }

    fn put(id: &str, vector: &[f64]) -> Put {
        Put { collection: "books".to_owned(), id: id.to_owned(), vector: vector.to_vec(), payload: Value::from(id) }
    }

    fn search(vector: &[f64], count: usize) -> Search {
        Search { collection: "books".to_owned(), vector: vector.to_vec(), count }
    }

    fn found(table: &Table, vector: &[f64], count: usize) -> Vec<(String, f64)> {
        let near = table.search(&search(vector, count)).unwrap().unwrap();
        near.into_iter().map(|near| (near.id, near.score)).collect()
    }

    #[test]
    fn the_most_similar_come_first_and_by_id_where_they_are_alike() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = table(&folder);
        for (id, vector) in [
            ("opposite", [-1.0, -1.0]),
            ("c", [7.0, 7.0]),
            ("a", [0.1, 0.1]),
            ("b", [1e300, 1e300]),
            ("across", [1.0, -1.0]),
            ("near", [1.0, 0.9]),
        ] {
            table.put(&put(id, &vector)).unwrap().unwrap();
        }
        let all = found(&table, &[3.0, 3.0], 10);
        let ids: Vec<_> = all.iter().map(|(id, _)| &**id).collect();
        assert_eq!(ids, ["a", "b", "c", "near", "across", "opposite"]);
        assert_eq!((all[0].1, all[2].1, all[4].1, all[5].1), (1.0, 1.0, 0.0, -1.0));
        assert_eq!(found(&table, &[3.0, 3.0], 2), all[..2]);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = table(&folder);
        table.put(&put("a", &[1.0, 0.0])).unwrap().unwrap();
        let refused = |done: Judged<()>| done.unwrap_err();
        let told = [
            refused(table.put(&put("a", &[1.0, 0.0, 0.0])).unwrap()),
            refused(table.put(&put("a", &[])).unwrap()),
            refused(table.put(&put("a", &[0.0, 0.0])).unwrap()),
            refused(table.search(&search(&[1.0], 1)).unwrap().map(drop)),
        ];
        insta::assert_snapshot!(told.join("\n"), @r"
        the vectors of `books` have 2 numbers, and this one has 3
        a vector has 1 to 1024 numbers, and this one has 0
        a vector of zeros has no direction
        the vectors of `books` have 2 numbers, and this one has 1
        ");
        assert_eq!(found(&table, &[1.0, 0.0], 10), [("a".to_owned(), 1.0)]);
    }

    #[test]
    fn what_was_put_is_there_after_a_restart_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let mut before = table(&folder);
        before.put(&put("a", &[1.0, 0.0])).unwrap().unwrap();
        before.put(&put("a", &[0.0, 1.0])).unwrap().unwrap();
        before.put(&put("b", &[1.0, 1.0])).unwrap().unwrap();
        drop(before);
        let mut after = table(&folder);
        assert_eq!(found(&after, &[0.0, 1.0], 1), [("a".to_owned(), 1.0)]);
        let one = Drop { collection: "books".to_owned(), id: Some("a".to_owned()) };
        assert_eq!((after.forget(&one).unwrap().vectors, after.forget(&one).unwrap().vectors), (1, 0));
        assert!(after.put(&put("c", &[1.0])).unwrap().is_err(), "its vectors still have two numbers");
        assert_eq!(after.forget(&Drop { id: None, ..one }).unwrap(), Dropped { vectors: 1 });
        assert!(after.put(&put("c", &[1.0])).unwrap().is_ok());
    }
}
