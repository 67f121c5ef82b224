//! The event bus: its process, its subscribers and its publishers die, and every event that was accepted is handled once.

use std::{fs, process::Command};

use http::Method;
use interlock::{lab::http::Ask, process::Signal};
use serde_json::{Value, json};

use super::stage::Model;
#[cfg(feature = "otlp")]
use crate::full::collector::Collector;
use crate::stage::until;

const ORDERS: &str = r#"
migration("orders", "create table orders(id text primary key) strict");

post("/orders/{id}", |request| {
    sql::transaction(|| {
        sql::run("insert into orders values (?)", [request.params.id]);
        bus::publish("order.created", #{ id: request.params.id, site: request.site });
        if request.query.fails == "yes" { throw problem(422, "as it was asked to"); }
    });
    reply(201)
});
post("/announcements/{id}", |request| {
    bus::publish("order.created", #{ id: request.params.id, site: request.site });
    reply(202)
});
"#;

const BILLING: &str = r#"
replicas(2);
deadline("1s");
migration("bill", "create table bill(order_id text not null) strict");
on("order.*", |event| {
    pause("5ms");
    sql::once(event.id, || sql::run("insert into bill values (?)", [event.value.id]))
});
get("/bills", |request| sql::all("select order_id as id, count(*) as times from bill group by 1 order by 1"));
"#;

const STOCK: &str = r#"
deadline("1s");
migration("pick", "create table pick(order_id text not null) strict");
on("order.created", |event| {
    pause("5ms");
    sql::run("insert into pick values (?)", [event.value.id]);
});
get("/picks", |request| sql::all("select order_id as id, count(*) as times from pick group by 1 order by 1"));
"#;

/// The orders that a subscriber has handled, each with how often.
fn handled(model: &Model, replica: &str, path: &str) -> Vec<(String, u64)> {
    let (status, rows) = model.get(replica, path);
    assert_eq!(status, 200, "{rows}");
    let row = |row: &Value| (row["id"].as_str().unwrap().to_owned(), row["times"].as_u64().unwrap());
    rows.as_array().unwrap().iter().map(row).collect()
}

fn post(model: &Model, path: &str) -> u16 {
    let ask = Ask { method: Method::POST, ..Ask::get(path) };
    model.try_ask("orders-0", ask).map_or(0, |answer| answer.status.as_u16())
}

/// The value of a series of a replica or a backing process; 0 where it is not there.
fn sample(model: &Model, name: &str, series: &str) -> f64 {
    let page = model.metrics(name);
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

#[test]
fn a_bus_that_is_killed_again_and_again_loses_nothing_and_nothing_is_handled_twice() {
    let model = Model::up(&[("orders", ORDERS), ("billing", BILLING), ("stock", STOCK)]);
    let mut accepted = Vec::new();
    for n in 0..150 {
        if n % 40 == 20 {
            model.signal("bus", Signal::SIGKILL);
        }
        let id = format!("o-{n:03}");
        let (path, expected) = if n % 2 == 0 { ("orders", 201) } else { ("announcements", 202) };
        if post(&model, &format!("/{path}/{id}")) == expected {
            accepted.push(id);
        }
    }
    assert!(accepted.len() >= 75, "what is written with its event is accepted while there is no bus: {accepted:?}");
    for (replica, path) in [("billing-0", "/bills"), ("stock-0", "/picks")] {
        let all = || {
            let found = handled(&model, replica, path);
            accepted.iter().all(|id| found.iter().any(|(one, _)| one == id))
        };
        until("every event is handled", all);
    }
    let idle = || {
        let held = |subscriber: &str, subscription: &str, state: &str| {
            let labels = format!("subscriber=\"{subscriber}\",subscription=\"{subscription}\",state=\"{state}\"");
            sample(&model, "bus", &format!("bus_messages{{service=\"bus\",{labels}}}"))
        };
        let of = [("billing", "order.*"), ("stock", "order.created")];
        of.iter().all(|(subscriber, subscription)| {
            ["waiting", "held", "dead"].iter().all(|state| held(subscriber, subscription, state) == 0.0)
        })
    };
    until("all of it is acknowledged", idle);
    let exits = model.part("bus").exits;
    for (replica, path) in [("billing-0", "/bills"), ("stock-0", "/picks")] {
        let found = handled(&model, replica, path);
        println!("{exits} kills, {} accepted, {} handled by {replica}", accepted.len(), found.len());
        assert!(found.iter().all(|(_, times)| *times == 1), "{replica}: {found:?}");
    }
    assert!(exits >= 3, "{exits}");
    model.close();
}

#[test]
fn an_event_whose_acknowledgement_is_lost_is_handled_once() {
    // Time enough to cut the bus off meanwhile.
    let slow = STOCK.replace("1s", "10s").replace("pause(\"5ms\");", "log::info(\"picking\"); pause(\"5s\");");
    let model = Model::up(&[("orders", ORDERS), ("stock", &slow)]);
    assert_eq!(post(&model, "/announcements/o-1"), 202);
    until("its handler runs", || !model.logged("stock-0", "picking").is_empty());
    assert_eq!(model.run(&["lab", "break", "bus"]).code, Some(0));
    until("nobody hears that it has ended", || !model.logged("stock-0", "not heard what came of a message").is_empty());
    // The next one is not cut off.
    model.restart("bus");
    let counted = |outcome: &str| {
        let labels = format!("source=\"bus\",subscription=\"order.created\",outcome=\"{outcome}\"");
        let own = "service=\"stock\",replica=\"stock-0\"";
        sample(&model, "stock-0", &format!("messaging_process_duration_seconds_count{{{own},{labels}}}"))
    };
    until("it was delivered again", || counted("repeated") >= 1.0);
    assert_eq!((counted("handled"), counted("failed")), (1.0, 0.0));
    assert_eq!(handled(&model, "stock-0", "/picks"), [("o-1".to_owned(), 1)]);
    model.close();
}

const HALFWAY: &str = r#"
deadline("2s");
migration("step", "create table step(name text not null) strict");
fn step(name) { sql::run("insert into step values (?)", [name]) }

on("order.created", |event| {
    sql::once(event.id, || step("charged"));
    if event.attempt == 1 { pause("1500ms"); }
    step("shipped");
});
get("/steps", |request| sql::all("select name, count(*) as times from step group by 1 order by 1"));
"#;

#[test]
fn a_consumer_that_is_killed_in_the_middle_goes_on_where_it_was() {
    let model = Model::up(&[("orders", ORDERS), ("halfway", HALFWAY)]);
    assert_eq!(post(&model, "/announcements/o-1"), 202);
    until("the first half is done", || {
        model.get("halfway-0", "/steps").1 == json!([{ "name": "charged", "times": 1 }])
    });
    model.restart("halfway-0");
    let whole = json!([{ "name": "charged", "times": 1 }, { "name": "shipped", "times": 1 }]);
    until("the second half is done", || model.get("halfway-0", "/steps").1 == whole);
    model.close();
}

const PICKY: &str = r#"
migration("bill", "create table bill(order_id text not null, attempt integer not null) strict");
on("order.*", #{ attempts: 3, back_off: "20ms" }, |event| {
    if event.value.id == "o-bad" { throw "no paper"; }
    sql::run("insert into bill values (?, ?)", [event.value.id, event.attempt]);
});
get("/bills", |request| sql::all("select order_id, attempt from bill"));
"#;

#[test]
fn what_always_fails_is_a_dead_letter_and_is_sent_again_once_it_is_mended() {
    let model = Model::up(&[("orders", ORDERS), ("billing", PICKY)]);
    let none = model.run(&["lab", "letters"]);
    assert_eq!((none.code, none.out.as_str()), (Some(0), "no dead letters\n"));
    let headers = [("x-request-id", "order-4711")];
    let ask = Ask { method: Method::POST, headers: &headers, ..Ask::get("/announcements/o-bad") };
    assert_eq!(model.try_ask("orders-0", ask).unwrap().status, 202);
    until("it is given up", || model.run(&["lab", "letters"]).out.contains("bus/1"));
    insta::assert_snapshot!(model.run(&["lab", "letters"]).out);
    let told = model.logged("billing-0", "no paper");
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|line| line["correlation_id"] == "order-4711"), "{told:?}");
    assert_eq!(post(&model, "/announcements/o-good"), 202);
    let billed = || model.get("billing-0", "/bills").1;
    until("others go on", || billed() == json!([{ "order_id": "o-good", "attempt": 1 }]));

    model.write("billing", &PICKY.replace("if event.value.id == \"o-bad\" { throw \"no paper\"; }", ""));
    until("the script is taken over", || !model.logged("billing-0", "the script was reloaded").is_empty());
    let unknown = model.run(&["lab", "letters", "--send", "bus/99"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    let sent = model.run(&["lab", "letters", "--send", "all"]);
    assert_eq!((sent.code, sent.out.as_str()), (Some(0), "sent again: 1\n"), "{sent:?}");
    let both = json!([{ "order_id": "o-good", "attempt": 1 }, { "order_id": "o-bad", "attempt": 1 }]);
    until("it is handled", || billed() == both);
    until("no letter is left", || model.run(&["lab", "letters"]).out == "no dead letters\n");
    model.close();
}

#[test]
fn a_script_that_subscribes_no_more_is_sent_nothing_more() {
    let model = Model::up(&[("orders", ORDERS), ("stock", STOCK)]);
    let is_known = || model.metrics("bus").contains("subscriber=\"stock\"");
    until("the bus knows it", is_known);
    model.write("stock", "get(\"/picks\", |request| []);\n");
    until("the bus knows it no more", || !is_known());
    assert_eq!(post(&model, "/announcements/o-1"), 202);
    model.write("stock", STOCK);
    until("the bus knows it again", is_known);
    assert_eq!(post(&model, "/announcements/o-2"), 202);
    until("only the later one is handled", || handled(&model, "stock-0", "/picks") == [("o-2".to_owned(), 1)]);
    model.close();
}

#[test]
fn an_event_goes_out_with_its_transaction_or_not_at_all() {
    let model = Model::up(&[("orders", ORDERS), ("billing", BILLING)]);
    assert_eq!(post(&model, "/orders/o-0?fails=yes"), 422);
    let broken = model.run(&["lab", "break", "bus"]);
    assert_eq!(
        (broken.code, broken.out.as_str()),
        (Some(0), "the bus is out of order; `interlock lab mend bus` ends that\n")
    );
    // Without a transaction there is nothing that could keep it.
    let refused = model.ask("orders-0", Method::POST, "/announcements/o-1", None);
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
    assert_eq!(post(&model, "/orders/o-2"), 201);
    let waiting = || sample(&model, "orders-0", "outbox_messages{service=\"orders\",replica=\"orders-0\"}");
    until("it waits in the outbox", || waiting() == 1.0);
    model.restart("orders-0");
    until("it waits there still", || waiting() == 1.0);
    assert!(handled(&model, "billing-0", "/bills").is_empty());
    let mended = model.run(&["lab", "mend", "bus"]);
    assert_eq!((mended.code, mended.out.as_str()), (Some(0), "the bus is in order\n"));
    until("it is sent", || handled(&model, "billing-0", "/bills") == [("o-2".to_owned(), 1)]);
    until("the outbox is empty", || waiting() == 0.0);
    assert_eq!(post(&model, "/orders/o-3"), 201);
    let both = [("o-2".to_owned(), 1), ("o-3".to_owned(), 1)];
    until("nothing else was published", || handled(&model, "billing-0", "/bills") == both);
    model.close();
}

/// A small disk under all databases of the lab, which begin anew on it.
#[test]
fn a_bus_whose_disk_is_full_accepts_nothing_and_loses_nothing_that_it_has_accepted() {
    const LARGE: &str = r#"
post("/large/{id}", |request| {
    bus::publish("order.created", #{ id: request.params.id, text: request.body });
    reply(202)
});
"#;
    let model = Model::up(&[("large", LARGE), ("stock", STOCK)]);
    let databases = model.lab_folder().join("databases");
    let mount = |args: &[&str]| Command::new("mount").args(args).arg(&databases).status().unwrap().success();
    assert!(mount(&["-t", "tmpfs", "-o", "size=1m", "scripts"]), "a tmpfs takes root (CAP_SYS_ADMIN)");
    for name in ["bus", "stock-0", "large-0"] {
        model.restart(name);
    }
    model.signal("stock-0", Signal::SIGSTOP);
    let text = json!("x".repeat(20_000));
    let large = |id: usize| model.ask("large-0", Method::POST, &format!("/large/o-{id:03}"), Some(text.clone()));
    let mut accepted = 0;
    let refused = loop {
        let answer = large(accepted);
        if answer.status != 202 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 200, "the disk never fills up");
    };
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(!model.logged("bus", "the file of the state").is_empty());
    assert!(mount(&["-o", "remount,size=16m"]));
    assert_eq!(large(accepted).status, 202);
    model.signal("stock-0", Signal::SIGCONT);
    let all: Vec<_> = (0..=accepted).map(|id| (format!("o-{id:03}"), 1)).collect();
    println!("{} accepted", all.len());
    until("all that was accepted is handled", || handled(&model, "stock-0", "/picks") == all);
    for name in ["bus", "stock-0"] {
        model.signal(name, Signal::SIGKILL);
    }
    assert!(Command::new("umount").arg("-l").arg(&databases).status().unwrap().success());
    fs::create_dir_all(&databases).unwrap();
    until("they are back", || model.part("bus").ready && model.part("stock-0").ready);
    model.close();
}

const SITES: &str = r#"
migration("seen", "create table seen(who text not null, site text not null) strict");
fn seen(who, event) { sql::run("insert into seen values (?, ?)", [who, event.value.site]) }

on("order.created", #{ only: #{ site: "north" } }, |event| seen("north", event));
on("order.created", #{ only: #{ site: ["north", "west"] } }, |event| seen("north or west", event));
on("order.**", |event| seen("all", event));
get("/seen", |request| sql::all("select who, group_concat(site, ' ' order by site) as sites from seen group by 1 order by 1"));
"#;

#[test]
fn rules_choose_events_by_their_fields() {
    let model = Model::up(&[("orders", ORDERS), ("sites", SITES)]);
    for site in ["north", "west", "south"] {
        let headers = [("x-site-id", site)];
        let path = format!("/announcements/o-{site}");
        let ask = Ask { method: Method::POST, headers: &headers, ..Ask::get(&path) };
        assert_eq!(model.try_ask("orders-0", ask).unwrap().status, 202);
    }
    let seen = json!([
        { "who": "all", "sites": "north south west" },
        { "who": "north", "sites": "north" },
        { "who": "north or west", "sites": "north west" },
    ]);
    until("each has its own", || model.get("sites-0", "/seen").1 == seen);
    model.close();
}

#[cfg(feature = "otlp")]
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// An order as a tree of spans: the event is written with it, and sent later.
#[cfg(feature = "otlp")]
const TREE: &str = "\
orders server POST /orders/{id} 201
  orders internal transaction
    orders internal statement
    orders producer create order.created
      stock consumer process order.created
        stock internal statement
";

#[cfg(feature = "otlp")]
#[test]
fn an_order_and_what_its_event_leads_to_are_one_trace() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let collector = Collector::start(&runtime);
    let model =
        Model::with(&[("orders", ORDERS), ("stock", STOCK)], &["--otlp", &format!("http://{}", collector.address)]);
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = [
        ("traceparent", &*parent),
        ("x-request-id", "order-4711"),
        ("x-claim-subject", "ada"),
        ("x-claim-role", "buyer"),
        ("x-site-id", "north"),
    ];
    let ask = Ask { method: Method::POST, headers: &headers, ..Ask::get("/orders/o-1") };
    assert_eq!(model.try_ask("orders-0", ask).unwrap().status, 201);
    collector.expect(TRACE, TREE);
    let spans = collector.of(TRACE);
    let named = |name: &str| spans.iter().find(|seen| seen.span.name == name).unwrap();
    let (made, handled) = (named("create order.created"), named("process order.created"));
    assert_eq!(handled.span.links.len(), 1);
    assert_eq!(handled.span.links[0].span_id, made.span.span_id, "by its link an event is followed");
    for (key, value) in [
        ("messaging.system", "bus"),
        ("messaging.destination.name", "order.created"),
        ("messaging.message.conversation_id", "order-4711"),
        ("messaging.consumer.group.name", "stock"),
    ] {
        assert_eq!(handled.attributes[key], value);
    }
    assert_eq!(handled.attributes["messaging.message.id"], made.attributes["messaging.message.id"]);
    model.close();
}
