//! Similarity search, and a stand-in for a model that makes vectors of texts.

use std::time::Duration;

use http::StatusCode;
use rhai::{Array, Dynamic, FuncRegistration, Module, NativeCallContext};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{EMBED, Given, placed, refused};
use crate::lab::{
    backing::{
        Backing,
        vectors::{Drop, Dropped, NEAREST, Near, Put, Search},
    },
    script::{
        backings::{Unsent, call, insist},
        reply::Reply,
        turn, value,
    },
};

/// How long one request may take.
const WITHIN: Duration = Duration::from_secs(2);
/// The longest name of a collection, and the longest id, in bytes.
const NAME: usize = 200;
/// How many numbers a text has.
const EMBEDDED: usize = 64;

/// The functions of the door.
pub fn module() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("put").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, collection: &str, id: &str, vector: Array| {
            placed(&context, put(collection, id, &vector, &Dynamic::UNIT))
        },
    );
    FuncRegistration::new("put").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, collection: &str, id: &str, vector: Array, payload: Dynamic| {
            placed(&context, put(collection, id, &vector, &payload))
        },
    );
    FuncRegistration::new("near").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, collection: &str, vector: Array, count: i64| {
            placed(&context, near(collection, &vector, count))
        },
    );
    FuncRegistration::new("drop").set_into_module(&mut module, |context: NativeCallContext<'_>, collection: &str| {
        placed(&context, dropped(collection, None))
    });
    FuncRegistration::new("drop")
        .set_into_module(&mut module, |context: NativeCallContext<'_>, collection: &str, id: &str| {
            placed(&context, dropped(collection, Some(id)))
        });
    FuncRegistration::new(EMBED).set_into_module(&mut module, |text: &str| embed(text));
    module
}

/// Keeps a vector under an id; what stood there is replaced.
fn put(collection: &str, id: &str, vector: &Array, payload: &Dynamic) -> Given<()> {
    let (collection, id) = (named(collection)?, named(id)?);
    let (vector, payload) = (numbers(vector)?, value::json(payload).map_err(refused)?);
    ask::<Value>("/vectors", &json!(Put { collection, id, vector, payload })).map(drop)
}

/// The most similar vectors, each with `id`, `score` and `payload`.
fn near(collection: &str, vector: &Array, count: i64) -> Given<Array> {
    let wanted = usize::try_from(count).ok().filter(|count| (1..=NEAREST).contains(count));
    let count = wanted.ok_or_else(|| refused(format!("one can ask for 1 to {NEAREST} vectors")))?;
    let search = Search { collection: named(collection)?, vector: numbers(vector)?, count };
    let found: Vec<Near> = ask("/searches", &json!(search))?;
    Ok(found.into_iter().map(|near| value::dynamic(json!(near))).collect())
}

/// Removes a vector, or a whole collection; gives how many there were.
fn dropped(collection: &str, id: Option<&str>) -> Given<i64> {
    let drop = Drop { collection: named(collection)?, id: id.map(named).transpose()? };
    let Dropped { vectors } = ask("/drops", &json!(drop))?;
    Ok(i64::try_from(vectors).unwrap_or(i64::MAX))
}

/// Asks until it is accepted, for a moment: everything here may be done twice.
fn ask<T: DeserializeOwned>(path: &str, body: &Value) -> Given<T> {
    let turn = turn::current().map_err(refused)?;
    let (host, work) = (&turn.host, turn.work());
    let once = || call(host, &work, Backing::Vectors, (path, body.clone()), WITHIN);
    let asked = host.runtime.block_on(insist(once, turn.left()));
    host.observed.asked(Backing::Vectors, if asked.is_ok() { "answered" } else { "failed" });
    asked.map_err(|unsent| match unsent {
        Unsent::Refused(why) => refused(why),
        Unsent::Away(why) => {
            tracing::warn!("the vector search does not answer: {why}");
            Reply::later(StatusCode::SERVICE_UNAVAILABLE, 1, "the vector search does not answer").into()
        }
    })
}

fn named(name: &str) -> Given<String> {
    match (1..=NAME).contains(&name.len()) {
        true => Ok(name.to_owned()),
        false => Err(refused(format!("a collection and an id have 1 to {NAME} bytes"))),
    }
}

fn numbers(vector: &Array) -> Given<Vec<f64>> {
    let number = |one: &Dynamic| one.as_float().or_else(|_| one.as_int().map(|whole| whole as f64));
    let number = |one| number(one).ok().filter(|number| number.is_finite());
    let numbers: Option<Vec<_>> = vector.iter().map(number).collect();
    numbers.ok_or_else(|| refused("a vector is an array of numbers"))
}

/// Texts that share words are alike: each word counts at one place of the vector. It stands in for a model, and knows no meaning.
fn embed(text: &str) -> Array {
    let mut counts = [0.0; EMBEDDED];
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    for word in words {
        counts[place(&word.to_lowercase())] += 1.0;
    }
    counts.into_iter().map(Dynamic::from_float).collect()
}

/// FNV-1a of the word, as a place.
fn place(word: &str) -> usize {
    let hash = word
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from(hash % EMBEDDED as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_the_same_words_have_the_same_vector() {
        let numbers = |text| numbers(&embed(text)).unwrap();
        assert_eq!(numbers("Blue mug, large"), numbers("large BLUE mug"));
        assert_ne!(numbers("blue mug"), numbers("green lamp"));
        assert_eq!(numbers("mug mug").iter().sum::<f64>(), 2.0);
    }
}
