//! What is drawn for calls, work, queues, and what overlaps or repeats.

use interlock::{
    model::trace::{Kind, Span, Status},
    sequence::{
        export::{MOST_SPANS, Unfit, export},
        mermaid::{Mode, parse, sequence::Role},
    },
};
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};

use super::spans::{Trace, drawn, read_back};

/// An order that is placed: checked, stored and charged at the same time, three items packed, and a mail sent.
fn order() -> Trace {
    let mut trace = Trace::default();
    let root = trace.add("shop-front", Kind::Server, "POST /orders", None, (0, 100));
    trace.status(root, 201);
    let front = ("shop-front", root);
    trace.add("shop-front", Kind::Internal, "check cart", Some(root), (1, 3));
    let price = trace.call(front, "prices", "GET /prices/{id}", (4, 8));
    trace.status(price, 200);
    let select = trace.add("prices", Kind::Client, "SELECT prices", Some(price), (5, 7));
    trace.peer(select, "db.system.name", "postgresql");
    let store = trace.add("shop-front", Kind::Client, "INSERT orders", Some(root), (10, 30));
    trace.peer(store, "db.system.name", "postgresql");
    let charge = trace.call(front, "tills", "POST /charges", (12, 40));
    trace.status(charge, 402);
    for item in 0..3 {
        let pack = trace.call(front, "packing", "POST /packs", (50 + 10 * item, 55 + 10 * item));
        trace.status(pack, 202);
    }
    let fraud = trace.add("shop-front", Kind::Client, "POST /score", Some(root), (85, 90));
    trace.peer(fraud, "server.address", "scores.example");
    trace.spans[fraud].status = Status::Error("connection refused".to_owned());
    let sent = trace.add("shop-front", Kind::Producer, "publish order", Some(root), (92, 93));
    trace.peer(sent, "messaging.destination.name", "orders");
    let taken = trace.add("mailer", Kind::Consumer, "process order", None, (120, 140));
    trace.link(taken, sent);
    let mail = trace.add("mailer", Kind::Client, "SEND mail", Some(taken), (121, 130));
    trace.peer(mail, "peer.service", "smtp");
    trace
}

#[test]
fn an_order_is_drawn() {
    insta::assert_snapshot!(drawn(&order()), @r"
sequenceDiagram
    actor Client
    participant shop_front as shop-front
    participant prices
    participant postgresql
    participant tills
    participant packing
    participant scores_example as scores.example
    participant orders
    participant mailer
    participant smtp
    Client->>shop_front: POST /orders
    shop_front->>shop_front: check cart
    shop_front->>prices: GET /prices/{id}
    prices->>postgresql: SELECT prices
    postgresql-->>prices: ok
    prices-->>shop_front: 200
    par
        shop_front->>postgresql: INSERT orders
        postgresql-->>shop_front: ok
    and
        shop_front->>tills: POST /charges
        tills-->>shop_front: 402
    end
    loop 3 times
        shop_front->>packing: POST /packs
        packing-->>shop_front: 202
    end
    shop_front-xscores_example: POST /score
    shop_front-)orders: publish order
    par
        orders-)mailer: process order
        mailer->>smtp: SEND mail
        smtp-->>mailer: ok
    and
        shop_front-->>Client: 201
    end
");
}

#[test]
fn the_order_of_the_spans_does_not_matter() {
    let trace = order();
    let text = export(&trace.spans).unwrap();
    let mut rng = SmallRng::seed_from_u64(1);
    for _ in 0..50 {
        let mut spans = trace.spans.clone();
        spans.shuffle(&mut rng);
        assert_eq!(export(&spans).unwrap(), text);
    }
    let twice: Vec<Span> = trace.spans.iter().chain(&trace.spans).cloned().collect();
    assert_eq!(export(&twice).unwrap(), text, "a span that came twice is drawn once");
}

#[test]
fn nothing_is_drawn_as_nothing() {
    assert_eq!(export(&[]).unwrap(), "sequenceDiagram\n");
    assert!(parse("sequenceDiagram\n", Mode::Strict).accepted());
}

#[test]
fn what_overlaps_is_parallel_and_what_repeats_is_a_loop() {
    let mut trace = Trace::default();
    let root = trace.add("a", Kind::Server, "go", None, (0, 100));
    for round in 0..4 {
        let at = 20 * round;
        trace.call(("a", root), "b", "one", (at, at + 5));
        trace.call(("a", root), "c", "two", (at + 6, at + 12));
        trace.call(("a", root), "d", "three", (at + 7, at + 11));
    }
    trace.call(("a", root), "b", "one", (90, 91));
    insta::assert_snapshot!(drawn(&trace), @r"
sequenceDiagram
    actor Client
    participant a
    participant b
    participant c
    participant d
    Client->>a: go
    loop 4 times
        a->>b: one
        b-->>a: ok
        par
            a->>c: two
            c-->>a: ok
        and
            a->>d: three
            d-->>a: ok
        end
    end
    a->>b: one
    b-->>a: ok
    a-->>Client: ok
");
}

#[test]
fn exchanges_that_nothing_orders_stand_beside_each_other() {
    let mut trace = Trace::default();
    for (at, name) in [(0, "GET /a"), (10, "GET /b"), (20, "GET /a"), (25, "GET /a")] {
        trace.add("api", Kind::Server, name, None, (at, at + 8));
    }
    let text = drawn(&trace);
    insta::assert_snapshot!(text, @r"
sequenceDiagram
    actor Client
    participant api
    actor Client_2 as Client 2
    actor Client_3 as Client 3
    par
        loop 2 times
            Client->>api: GET /a
            api-->>Client: ok
        end
    and
        Client_2->>api: GET /b
        api-->>Client_2: ok
    and
        Client_3->>api: GET /a
        api-->>Client_3: ok
    end
");
    let actors = read_back(&text).participants.iter().filter(|who| who.role == Role::Actor).count();
    assert_eq!(actors, 3, "one for each branch");
}

#[test]
fn a_span_whose_parent_was_not_collected_begins_an_exchange() {
    let mut trace = order();
    let made = trace.spans.iter().position(|span| span.name == "POST /charges" && span.kind == Kind::Client).unwrap();
    trace.spans.remove(made);
    let sequence = read_back(&export(&trace.spans).unwrap());
    let begun = sequence.messages().iter().filter(|message| sequence.id(message.from).starts_with("Client")).count();
    assert_eq!(begun, 2);
}

#[test]
fn too_many_and_too_deep_is_refused() {
    let mut many = Trace::default();
    for at in 0..=MOST_SPANS as u64 {
        many.add("a", Kind::Internal, "x", None, (at, at + 1));
    }
    assert_eq!(export(&many.spans), Err(Unfit::TooMany { spans: MOST_SPANS + 1 }));
    many.spans.pop();
    assert!(export(&many.spans).unwrap().contains(&format!("loop {MOST_SPANS} times")));
    let mut deep = Trace::default();
    let mut parent = None;
    for _ in 0..1_000 {
        parent = Some(deep.add("a", Kind::Internal, "x", parent, (0, 1)));
    }
    assert!(matches!(export(&deep.spans), Err(Unfit::TooDeep { .. })));
    assert!(export(&deep.spans[..100]).is_ok());
}

#[test]
fn spans_that_are_their_own_ancestors_are_left_out() {
    let mut trace = order();
    let text = export(&trace.spans).unwrap();
    let a = trace.add("a", Kind::Internal, "x", None, (0, 1));
    let b = trace.add("a", Kind::Internal, "x", Some(a), (0, 1));
    trace.spans[a].parent = Some(trace.spans[b].id);
    assert_eq!(export(&trace.spans).unwrap(), text);
}
