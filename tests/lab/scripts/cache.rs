//! The cache: it dies, hangs and is cut off while values change; nobody reads one that was dropped, and no request fails.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use http::Method;
use interlock::{lab::http::Ask, process::Signal};
use serde_json::{Value, json};

use super::stage::Model;
use crate::stage::until;

const CATALOGUE: &str = r#"
replicas(2);
migration("product", `create table product(sku text primary key, price integer not null) strict;
    insert into product values ('mug', 0)`);
get("/products/{sku}", |request| cache::through(`product/${request.params.sku}`, "1h", || {
    sql::one("select price from product where sku = ?", [request.params.sku])
}));
get("/slowly/{sku}", |request| cache::through(`product/${request.params.sku}`, "1h", || {
    let product = sql::one("select price from product where sku = ?", [request.params.sku]);
    log::info("fetching");
    pause("2s");
    product
}));
put("/products/{sku}/{price}", |request| {
    sql::transaction(|| {
        sql::run("update product set price = ? where sku = ?", [parse_int(request.params.price), request.params.sku]);
        cache::drop(`product/${request.params.sku}`);
        if request.query.fails == "yes" { throw problem(422, "as it was asked to"); }
    });
});
"#;

const REPLICAS: [&str; 2] = ["catalogue-0", "catalogue-1"];

/// What a reader is told; nothing where the request has failed.
fn price(model: &Model, replica: &str) -> Option<u64> {
    let answer = model.try_ask(replica, Ask::get("/products/mug")).ok().filter(|answer| answer.status == 200)?;
    answer.json::<Value>().ok()?["price"].as_u64()
}

fn change(model: &Model, replica: &str, price: u64) -> bool {
    let path = format!("/products/mug/{price}");
    model.try_ask(replica, Ask { method: Method::PUT, ..Ask::get(&path) }).is_ok_and(|answer| answer.status == 204)
}

/// Fills the cache, until a replica finds the value there.
fn warm(model: &Model, replica: &str) {
    let hits = || model.asked(replica, "cache", "hit");
    let before = hits();
    until("the value is cached", || {
        price(model, replica);
        hits() > before
    });
}

fn order(model: &Model, what: &str) {
    let done = model.run(&["lab", what, "cache"]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

/// What readers have seen.
#[derive(Default)]
struct Seen {
    reads: AtomicU64,
    stale: AtomicU64,
    failed: AtomicU64,
}

/// Prices rise while the cache is killed, stopped and cut off, and two readers ask all the time.
fn rise(model: &Model, changes: u64) -> Seen {
    let (seen, confirmed, is_over) = (Seen::default(), AtomicU64::new(0), AtomicBool::new(false));
    let read = |replica: &str| {
        while !is_over.load(Ordering::SeqCst) {
            let least = confirmed.load(Ordering::SeqCst);
            let count = match price(model, replica) {
                None => &seen.failed,
                Some(price) if price < least => &seen.stale,
                Some(_) => &seen.reads,
            };
            count.fetch_add(1, Ordering::SeqCst);
        }
    };
    std::thread::scope(|scope| {
        let readers = REPLICAS.map(|replica| scope.spawn(move || read(replica)));
        for price in 1..=changes {
            let was_away = matches!(price % 30, 13..=18 | 23..=27);
            if !was_away {
                warm(model, REPLICAS[0]);
            }
            match price % 30 {
                5 => model.signal("cache", Signal::SIGKILL),
                12 => order(model, "break"),
                18 => order(model, "mend"),
                22 => model.signal("cache", Signal::SIGSTOP),
                27 => model.signal("cache", Signal::SIGCONT),
                _ => {}
            }
            assert!(change(model, REPLICAS[usize::try_from(price % 2).unwrap()], price), "no change fails");
            confirmed.store(price, Ordering::SeqCst);
        }
        is_over.store(true, Ordering::SeqCst);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    seen
}

#[test]
fn nobody_reads_what_was_dropped_however_often_the_cache_goes_and_comes() {
    let model = Model::up(&[("catalogue", CATALOGUE)]);
    let Seen { reads, stale, failed } = rise(&model, 90);
    let total = |outcome: &str| REPLICAS.map(|replica| model.asked(replica, "cache", outcome)).iter().sum::<f64>();
    let [hit, miss, dropped, away] = ["hit", "miss", "dropped", "away"].map(total);
    println!(
        "{reads:?} fresh, {stale:?} stale, {failed:?} failed; {hit} hits, {miss} misses, {dropped} dropped, {away} away"
    );
    println!("{} kills of the cache", model.part("cache").exits);
    assert_eq!((stale.into_inner(), failed.into_inner()), (0, 0));
    assert!(hit > 0.0 && away > 0.0 && model.part("cache").exits >= 3);
    assert!(!model.logged(REPLICAS[0], "the cache is done without").is_empty());
    model.close();
}

/// What the one above would see: a change that drops nothing.
#[test]
fn a_change_that_drops_nothing_is_seen_by_readers() {
    let silent = CATALOGUE.replace("cache::drop(", "print(");
    let model = Model::up(&[("catalogue", &silent)]);
    let Seen { reads, stale, failed } = rise(&model, 30);
    println!("{reads:?} fresh, {stale:?} stale, {failed:?} failed");
    assert!(stale.into_inner() > 0);
    model.close();
}

#[test]
fn what_could_not_be_dropped_is_not_read_after_the_cache_is_back() {
    let model = Model::up(&[("catalogue", CATALOGUE)]);
    warm(&model, REPLICAS[0]);
    order(&model, "break");
    assert!(change(&model, REPLICAS[1], 7));
    assert_eq!(price(&model, REPLICAS[0]), Some(7));
    // Whoever has changed it can tell nobody any more.
    model.signal(REPLICAS[1], Signal::SIGKILL);
    order(&model, "mend");
    assert_eq!(price(&model, REPLICAS[0]), Some(7));
    warm(&model, REPLICAS[0]);
    assert_eq!(price(&model, REPLICAS[0]), Some(7));
    let rolled_back = model.ask(REPLICAS[0], Method::PUT, "/products/mug/8?fails=yes", None);
    assert_eq!((rolled_back.status.as_u16(), price(&model, REPLICAS[0])), (422, Some(7)));
    model.close();
}

#[test]
fn what_is_dropped_while_it_is_fetched_is_not_kept() {
    let model = Model::up(&[("catalogue", CATALOGUE)]);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| model.get(REPLICAS[0], "/slowly/mug").1);
        until("it is fetched", || !model.logged(REPLICAS[0], "fetching").is_empty());
        assert!(change(&model, REPLICAS[1], 7));
        // The one who was there before the change may have what was there before it.
        assert_eq!(slow.join().unwrap(), json!({ "price": 0 }));
    });
    assert_eq!(REPLICAS.map(|replica| price(&model, replica)), [Some(7); 2]);
    model.close();
}

const NOTES: &str = r#"
get("/notes/{key}", |request| #{ found: cache::get(request.params.key) });
put("/notes/{key}/{text}", |request| cache::set(request.params.key, request.params.text, request.query.time ?? "1h"));
put("/missed/{key}/{text}", |request| {
    if cache::get(request.params.key) == () { cache::set(request.params.key, request.params.text, "1h"); }
});
delete("/notes/{key}", |request| cache::drop(request.params.key));
delete("/all/{prefix}", |request| cache::drop_all(request.params.prefix));
get("/fresh", |request| cache::through("fresh", "1s", || now()));
get("/failing", |request| cache::through("failing", "1s", || { throw problem(404, "there is nothing"); }));
get("/long", |request| { let key = "k"; key.pad(201, 'k'); cache::get(key) });
get("/odd", |request| cache::set("k", 1, "30 parsecs"));
"#;

#[test]
fn values_are_kept_until_their_time_is_over_and_dropped_by_key_or_prefix() {
    let model = Model::up(&[("notes", NOTES)]);
    let put = |path: &str| assert_eq!(model.ask("notes-0", Method::PUT, path, None).status, 204);
    let delete = |path: &str| assert_eq!(model.ask("notes-0", Method::DELETE, path, None).status, 204);
    let found = |key: &str| model.get("notes-0", &format!("/notes/{key}")).1["found"].clone();
    let keep = |path: &str, key: &str| {
        until("it is kept", || {
            put(path);
            !found(key).is_null()
        })
    };
    keep("/notes/a.1/x", "a.1");
    keep("/missed/a.2/y", "a.2");
    keep("/notes/b/z", "b");
    put("/missed/a.2/other");
    assert_eq!(found("a.2"), "y", "it was there");
    delete("/notes/b");
    assert_eq!((found("a.1"), found("b")), (json!("x"), Value::Null));
    delete("/all/a.");
    assert_eq!((found("a.1"), found("a.2")), (Value::Null, Value::Null));
    keep("/notes/c/x", "c");
    model.restart("cache");
    assert_eq!(found("c"), Value::Null, "it begins without values");

    let begun = Instant::now();
    let first = model.get("notes-0", "/fresh").1;
    let known = Instant::now();
    until("the time of the value is over", || model.get("notes-0", "/fresh").1 != first);
    assert!(begun.elapsed() >= Duration::from_secs(1) || model.asked("notes-0", "cache", "away") > 0.0);
    println!("fetched anew after {:?}", known.elapsed());
    assert_eq!(model.get("notes-0", "/failing").0, 404);
    for (path, why) in [("/long", "a key of the cache has 200 bytes at most"), ("/odd", "30 parsecs")] {
        assert_eq!(model.get("notes-0", path).0, 500, "{path}");
        let told = model.logged("notes-0", why).pop().unwrap();
        assert!(told["line"].as_u64().is_some_and(|line| line > 10), "{told}");
    }
    model.close();
}

#[test]
fn without_a_cache_everything_comes_from_its_source() {
    let model = Model::up(&[("catalogue", CATALOGUE)]);
    for outage in ["break", "mend"] {
        order(&model, outage);
        if outage == "mend" {
            model.signal("cache", Signal::SIGSTOP);
        }
        let before = model.asked(REPLICAS[0], "cache", "away");
        let begun = Instant::now();
        let prices: Vec<_> = (0..50).map(|_| price(&model, REPLICAS[0])).collect();
        assert_eq!(prices, [Some(0); 50]);
        println!("50 requests without a cache took {:?}", begun.elapsed());
        assert_eq!(model.asked(REPLICAS[0], "cache", "away") - before, 50.0);
    }
    model.signal("cache", Signal::SIGCONT);
    warm(&model, REPLICAS[0]);
    model.close();
}
