//! Shapes that spans come in, each with its drawing, which holds for it.

use std::sync::Arc;

use interlock::{
    model::trace::{Kind, Resource, Value},
    sequence::conform::Verdict,
};

use super::{
    law::{law, verified},
    spans::{Trace, sequence},
};

/// A server span that is over when its mail is sent: the reply comes first.
#[test]
fn what_comes_behind_a_reply_is_drawn_behind_it() {
    let mut trace = Trace::default();
    let root = trace.add("desk", Kind::Server, "POST /order", None, (0, 100));
    trace.call(("desk", root), "mail", "POST /mail", (200, 300));
    let (text, ..) = law(&trace, "reply");
    insta::assert_snapshot!(text, @r"
sequenceDiagram
    actor Client
    participant desk
    participant mail
    Client->>desk: POST /order
    desk-->>Client: ok
    desk->>mail: POST /mail
    mail-->>desk: ok
");
    let wrong = "sequenceDiagram\n  actor Client\n  Client->>desk: POST /order\n  desk->>mail: POST /mail\n  mail-->>desk: ok\n  desk-->>Client: ok\n";
    let report = verified(&sequence(wrong), trace.spans.clone());
    let said: Vec<&String> = report.instances[0].deviations.iter().map(|deviation| &deviation.what).collect();
    assert_eq!(said, ["`desk` answered out of order: ok; what is drawn above it began later: POST /mail"]);
    assert_eq!(report.verdict, Verdict::Fail);
}

/// What a called one does behind its reply runs beside what its caller goes on with.
#[test]
fn what_is_done_behind_an_inner_reply_runs_beside_its_caller() {
    let mut trace = Trace::default();
    let root = trace.add("desk", Kind::Server, "POST /order", None, (0, 300));
    let made = trace.add("desk", Kind::Client, "POST /pack", Some(root), (10, 50));
    let pack = trace.add("pack", Kind::Server, "POST /pack", Some(made), (11, 49));
    trace.call(("pack", pack), "mail", "POST /mail", (60, 90));
    trace.call(("desk", root), "till", "POST /pay", (55, 80));
    let (text, ..) = law(&trace, "inner reply");
    insta::assert_snapshot!(text, @r"
sequenceDiagram
    actor Client
    participant desk
    participant pack
    participant mail
    participant till
    Client->>desk: POST /order
    desk->>pack: POST /pack
    pack-->>desk: ok
    par
        pack->>mail: POST /mail
        mail-->>pack: ok
    and
        desk->>till: POST /pay
        till-->>desk: ok
        desk-->>Client: ok
    end
");
}

#[test]
fn a_redirect_is_two_calls_with_their_own_replies() {
    let mut trace = Trace::default();
    let made = trace.add("shop", Kind::Client, "GET", None, (0, 100));
    trace.status(made, 200);
    for (name, status, times) in [("GET /old", 308, (10, 30)), ("GET /new", 200, (50, 90))] {
        let served = trace.add("till", Kind::Server, name, Some(made), times);
        trace.status(served, status);
    }
    let (text, ..) = law(&trace, "redirect");
    insta::assert_snapshot!(text, @r"
sequenceDiagram
    participant shop
    participant till
    shop->>till: GET /old
    till-->>shop: 308
    shop->>till: GET /new
    till-->>shop: 200
");
    let wrong = text.replace("GET /old", "GET /x").replace("GET /new", "GET /old").replace("GET /x", "GET /new");
    assert_eq!(verified(&sequence(&wrong), trace.spans.clone()).verdict, Verdict::Fail, "{wrong}");
    // Another try that another process serves: no clock tells the order, and it is not asked for.
    let replica = Resource { service: "till".into(), attributes: Default::default() };
    let mut other = trace.spans[2].clone();
    let mut resource = replica;
    resource.attributes.0.push(("service.instance.id".into(), Value::Text("2".into())));
    other.resource = Arc::new(resource);
    trace.spans[2] = other;
    law(&trace, "another try");
}

#[test]
fn client_spans_within_each_other_are_one_call() {
    let [one, other] = [false, true].map(|inner| {
        let mut trace = Trace::default();
        let root = trace.add("shop", Kind::Server, "GET /page", None, (0, 100));
        let made = trace.add("shop", Kind::Client, "lookup", Some(root), (10, 90));
        let library = trace.add("shop", Kind::Client, "Flags/Get", Some(made), (12, 88));
        trace.peer(library, "server.address", "flags");
        trace.add("flags", Kind::Server, "Flags/Get", Some(if inner { library } else { made }), (20, 80));
        let (text, ..) = law(&trace, "nested");
        text
    });
    assert_eq!(one, other);
    insta::assert_snapshot!(one, @r"
    sequenceDiagram
        actor Client
        participant shop
        participant flags
        Client->>shop: GET /page
        shop->>flags: Flags/Get
        flags-->>shop: ok
        shop-->>Client: ok
    ");
}

#[test]
fn what_is_sent_is_handed_on_where_it_is_sent() {
    let [one, other] = [false, true].map(|parent| {
        let mut trace = Trace::default();
        let root = trace.add("desk", Kind::Server, "POST /order", None, (0, 50));
        let sent = trace.add("desk", Kind::Producer, "orders publish", Some(root), (10, 20));
        trace.peer(sent, "messaging.destination.name", "orders");
        let taken = trace.add("packer", Kind::Consumer, "orders process", parent.then_some(sent), (100, 200));
        if !parent {
            trace.link(taken, sent);
        }
        let (text, ..) = law(&trace, "bus");
        text
    });
    assert_eq!(one, other);
    insta::assert_snapshot!(one, @r"
    sequenceDiagram
        actor Client
        participant desk
        participant orders
        participant packer
        Client->>desk: POST /order
        desk-)orders: orders publish
        par
            orders-)packer: orders process
        and
            desk-->>Client: ok
        end
    ");
}

#[test]
fn own_work_alone_is_seen() {
    let mut trace = Trace::default();
    let root = trace.add("cron", Kind::Internal, "tidy up", None, (0, 50));
    trace.add("cron", Kind::Internal, "drop old rows", Some(root), (10, 20));
    let (_, _, report) = law(&trace, "own");
    assert_eq!(report.verdict, Verdict::Pass);
}

#[test]
fn a_service_may_call_its_caller_back() {
    let mut trace = Trace::default();
    let root = trace.add("shop", Kind::Server, "POST /order", None, (0, 100));
    let pay = trace.call(("shop", root), "till", "POST /pay", (10, 90));
    trace.call(("till", pay), "shop", "POST /paid", (20, 40));
    law(&trace, "callback");
}

/// The shapes of the OpenTelemetry demo: a frontend that asks for many products at once, nested clients of flags, a checkout
/// that calls on and publishes, and two that take what it published.
#[test]
fn the_shapes_of_the_demo_hold() {
    let mut trace = Trace::default();
    let root = trace.add("frontend-proxy", Kind::Server, "ingress", None, (0, 900));
    let front = trace.call(("frontend-proxy", root), "frontend", "POST /api/checkout", (1, 880));
    for product in 0..10 {
        let at = 10 + product;
        let get = trace.call(
            ("frontend", front),
            "product-catalog",
            "oteldemo.ProductCatalogService/GetProduct",
            (at, 60 + at),
        );
        let made = trace.add("product-catalog", Kind::Client, "resolve", Some(get), (at + 1, at + 20));
        let flags = trace.add(
            "product-catalog",
            Kind::Client,
            "flagd.evaluation.v1.Service/ResolveBoolean",
            Some(made),
            (at + 2, at + 19),
        );
        trace.peer(flags, "server.address", "flagd");
        trace.add("flagd", Kind::Server, "flagd.evaluation.v1.Service/ResolveBoolean", Some(flags), (at + 3, at + 18));
    }
    let checkout = trace.call(("frontend", front), "checkout", "oteldemo.CheckoutService/PlaceOrder", (200, 800));
    for (at, to) in ["cart", "currency", "shipping", "payment", "email"].into_iter().enumerate() {
        let at = 210 + 50 * at as u64;
        let served = trace.call(("checkout", checkout), to, "call", (at, at + 40));
        let redis = trace.add(to, Kind::Client, "HGET", Some(served), (at + 5, at + 10));
        trace.peer(redis, "db.system.name", "redis");
        trace.peer(redis, "server.address", "valkey-cart");
    }
    let sent = trace.add("checkout", Kind::Producer, "orders publish", Some(checkout), (700, 710));
    trace.peer(sent, "messaging.destination.name", "orders");
    for to in ["accounting", "fraud-detection"] {
        let taken = trace.add(to, Kind::Consumer, "orders process", Some(sent), (1_000, 1_100));
        let row = trace.add(to, Kind::Client, "INSERT", Some(taken), (1_010, 1_050));
        trace.peer(row, "db.system.name", "postgresql");
    }
    let (_, _, report) = law(&trace, "demo");
    assert_eq!(report.verdict, Verdict::Pass);
}
