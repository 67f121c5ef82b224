//! What the cache answers.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};

use super::{
    protocol::{Drops, Fill, Found, Kept, Key, Value},
    table::Table,
};
use crate::lab::{
    backing::{messages::now, serve::Routes},
    page::{Kind, Page},
};

struct Cache {
    table: Mutex<Table>,
    hits: AtomicU64,
    misses: AtomicU64,
    kept: AtomicU64,
    /// Values that were dropped while they were fetched, or came too late.
    refused: AtomicU64,
    dropped: AtomicU64,
}

type Shared = Arc<Cache>;

/// The routes of a cache without values.
#[must_use]
pub fn routes() -> Routes {
    let cache = Arc::new(Cache {
        table: Mutex::new(Table::new(rand::random())),
        hits: AtomicU64::default(),
        misses: AtomicU64::default(),
        kept: AtomicU64::default(),
        refused: AtomicU64::default(),
        dropped: AtomicU64::default(),
    });
    let service = Router::new()
        .route("/reads", post(read))
        .route("/fills", post(fill))
        .route("/values", post(keep))
        .route("/drops", post(drop_all));
    Routes {
        service: service.with_state(cache.clone()),
        operator: Router::new(),
        open: Router::new().route("/metrics", get(exposed)).with_state(cache),
    }
}

impl Cache {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(State(cache): State<Shared>, Json(key): Json<Key>) -> Json<Found> {
    let found = cache.table().read(&key, now());
    let count = if matches!(found, Found::Value(_)) { &cache.hits } else { &cache.misses };
    count.fetch_add(1, Ordering::Relaxed);
    Json(found)
}

async fn fill(State(cache): State<Shared>, Json(key): Json<Key>) -> Json<Fill> {
    Json(cache.table().fill(&key))
}

async fn keep(State(cache): State<Shared>, Json(value): Json<Value>) -> Json<Kept> {
    let kept = cache.table().keep(value, now());
    let count = if kept { &cache.kept } else { &cache.refused };
    count.fetch_add(1, Ordering::Relaxed);
    Json(Kept { kept })
}

async fn drop_all(State(cache): State<Shared>, Json(drops): Json<Drops>) -> StatusCode {
    let dropped = cache.table().forget(&drops);
    cache.dropped.fetch_add(dropped as u64, Ordering::Relaxed);
    StatusCode::NO_CONTENT
}

async fn exposed(State(cache): State<Shared>) -> Page {
    let Cache { hits, misses, kept, refused, dropped, .. } = &*cache;
    let (values, bytes, given_up) = {
        let table = cache.table();
        let (values, bytes) = table.size();
        (values, bytes, table.given_up)
    };
    let counted = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let mut page = Page::new(&[("service", "cache")]);
    for (family, help, count) in [
        ("cache_hits_total", "Reads that found a value.", counted(hits)),
        ("cache_misses_total", "Reads that found none.", counted(misses)),
        ("cache_kept_total", "Values that were taken.", counted(kept)),
        (
            "cache_refused_total",
            "Values that were dropped while they were fetched, or came too late.",
            counted(refused),
        ),
        ("cache_dropped_total", "Values that were dropped.", counted(dropped)),
        ("cache_given_up_total", "Values that were given up before their time, for want of room.", given_up),
    ] {
        page.family(family, Kind::Counter, help);
        page.sample(family, &[], count);
    }
    page.family("cache_values", Kind::Gauge, "Values that are there.");
    page.sample("cache_values", &[], values);
    page.family("cache_bytes", Kind::Gauge, "Bytes of all keys and values.");
    page.sample("cache_bytes", &[], bytes);
    page
}
