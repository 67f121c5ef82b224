//! What scripted services tell without a line of their own, as a real Jaeger and a real Prometheus have it.

mod jaeger;
mod platform;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use http::Method;
use interlock::lab::http::Ask;
use serde_json::json;

use jaeger::{Jaeger, drawn};
use platform::Platform;

/// Ten times what the slowest awaited thing takes.
const PATIENCE: Duration = Duration::from_secs(60);
const CARD: &str = "4111-1111-1111-1111";
const BOUGHT: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const REFUSED: &str = "8a3c60f7d188f8fa79d48a391a778fa6";

/// A purchase as a tree of spans: the event is written with the order, and sent later.
const TREE: &str = "\
shop server POST /baskets/{id} 201
  shop client POST /orders/{id} 201
    orders server POST /orders/{id} 201
      orders client POST /cards/{card}/charges 201
        payments server POST /cards/{card}/charges 201
          payments internal statement
      orders internal transaction
        orders internal statement
        orders producer create order.paid
          shipping consumer process order.paid
            shipping client PUT /orders/{id}/state 204
              orders server PUT /orders/{id}/state 204
                orders internal statement";

/// The replica of each service.
const REPLICAS: [&str; 4] = ["shop-0", "orders-0", "payments-0", "shipping-0"];

async fn until<T, F: Future<Output = Option<T>>>(what: &str, found: impl Fn() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Buys something as a part of a trace; gives the status.
async fn buy(platform: &Platform, order: &str, trace: &str) -> u16 {
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers =
        [("traceparent", &*parent), ("x-request-id", order), ("x-claim-subject", "ada"), ("x-site-id", "north")];
    let (path, body) = (format!("/baskets/{order}"), json!({ "card": CARD, "value": 3 }));
    let ask = Ask { method: Method::POST, path: &path, headers: &headers, body: Some(body) };
    platform.ask("shop-0", ask).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_through_four_services_and_the_bus_is_told_by_jaeger_prometheus_and_logs() {
    let jaeger = Jaeger::start().await;
    let platform = Platform::up(&jaeger.otlp).await;
    until("the services find each other", async || {
        (platform.ask("shop-0", Ask::get("/shop/way")).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(buy(&platform, "order-1", BOUGHT).await, 201);
    assert_eq!(buy(&platform, "bad-2", REFUSED).await, 500);
    is_one_trace(&jaeger).await;
    is_counted(&platform).await;
    is_in_the_logs(&platform);
    shows_no_card(&jaeger, &platform).await;
    platform.down();
}

async fn is_one_trace(jaeger: &Jaeger) {
    let lines = TREE.lines().count();
    let spans = until("Jaeger has the whole trace", async || {
        let spans = jaeger.spans(BOUGHT).await;
        (spans.len() >= lines).then_some(spans)
    })
    .await;
    let found = drawn(&spans);
    assert!(found == TREE, "found\n{found}\n\nwanted\n{TREE}");
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let (made, handled) = (named("create order.paid"), named("process order.paid"));
    assert_eq!(handled.links, [(BOUGHT.to_owned(), made.id.clone())], "by its link an event is followed");
}

/// Rate, errors and duration of each route and of the subscription, as the lab's Prometheus has scraped them.
async fn is_counted(platform: &Platform) {
    let counted = [
        ("http_server_request_duration_seconds_count{service=\"shop\",route=\"/baskets/{id}\",status=\"201\"}", 1.0),
        ("http_server_request_duration_seconds_count{service=\"shop\",route=\"/baskets/{id}\",status=\"500\"}", 1.0),
        ("http_server_request_duration_seconds_count{service=\"orders\",route=\"/orders/{id}\",status=\"201\"}", 1.0),
        ("http_server_request_duration_seconds_count{service=\"orders\",route=\"/orders/{id}\",status=\"500\"}", 1.0),
        (
            "http_server_request_duration_seconds_count{service=\"payments\",route=\"/cards/{card}/charges\",status=\"201\"}",
            1.0,
        ),
        (
            "http_server_request_duration_seconds_count{service=\"payments\",route=\"/cards/{card}/charges\",status=\"500\"}",
            1.0,
        ),
        (
            "http_server_request_duration_seconds_count{service=\"orders\",route=\"/orders/{id}/state\",status=\"204\"}",
            1.0,
        ),
        (
            "messaging_process_duration_seconds_count{service=\"shipping\",subscription=\"order.paid\",outcome=\"handled\"}",
            1.0,
        ),
        (
            "messaging_process_duration_seconds_bucket{service=\"shipping\",subscription=\"order.paid\",le=\"+Inf\"}",
            1.0,
        ),
        ("charges_total{service=\"payments\"}", 1.0),
    ];
    for (series, count) in counted {
        let sum = format!("sum({series})");
        until(&format!("{series} is {count}"), async || (platform.value(&sum).await == Some(count)).then_some(()))
            .await;
        assert_eq!(platform.value(&format!("count({series})")).await, Some(1.0), "{series}");
    }
    for family in
        ["http_server_request_duration_seconds_sum{route=\"/baskets/{id}\"}", "messaging_process_duration_seconds_sum"]
    {
        assert!(platform.value(&format!("sum({family})")).await.unwrap() > 0.0, "{family}");
    }
}

fn is_in_the_logs(platform: &Platform) {
    let told = [
        ("shop-0", "basket taken"),
        ("shop-0", "on its way"),
        ("orders-0", "order paid"),
        ("payments-0", "card charged"),
        ("shipping-0", "parcel packed"),
    ];
    for (replica, message) in told {
        let lines = platform.logged(replica, BOUGHT);
        let line =
            lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("{message}: {lines:#?}"));
        assert_eq!(line["trace_id"], BOUGHT, "{line}");
        assert_eq!(line["correlation_id"], "order-1", "{line}");
        assert_eq!((&line["actor"], &line["site"]), (&json!("ada"), &json!("north")), "{line}");
    }
    for replica in REPLICAS {
        let others = platform.logged(replica, "\"order-1\"").into_iter().filter(|line| line["trace_id"] != BOUGHT);
        assert_eq!(others.collect::<Vec<_>>(), Vec::<serde_json::Value>::new(), "{replica}");
    }
    let failed = platform.logged("payments-0", REFUSED);
    assert!(failed.iter().any(|line| line["level"] == "ERROR" && line["line"] == 9), "{failed:#?}");
}

/// The card went through bodies, a path, a query, an event, a label and an error: it is shown nowhere, and its place is.
async fn shows_no_card(jaeger: &Jaeger, platform: &Platform) {
    let mut told = platform.all_logs();
    for trace in [BOUGHT, REFUSED] {
        told.push((format!("the trace {trace}"), jaeger.text(trace).await.unwrap()));
    }
    for replica in REPLICAS {
        let page = platform.ask(replica, Ask::get("/metrics")).await;
        told.push((format!("the metrics of {replica}"), String::from_utf8(page.body.to_vec()).unwrap()));
    }
    let series = platform.prometheus("/api/v1/series", ("match[]", "{__name__=~\".+\"}")).await;
    told.push(("the series of Prometheus".to_owned(), series.to_string()));
    let showing: Vec<_> = told
        .iter()
        .flat_map(|(place, text)| {
            text.lines().filter(|line| line.contains(CARD)).map(move |line| format!("{place}: {line}"))
        })
        .collect();
    assert!(showing.is_empty(), "{showing:#?}");
    let hides = |of: &str, sign: &str| told.iter().any(|(place, text)| place.contains(of) && text.contains(sign));
    for (of, sign) in [
        ("shop-0.log", "[redacted]"),
        ("shipping-0.log", "[redacted]"),
        (BOUGHT, "/cards/REDACTED/charges?card=REDACTED"),
        ("metrics of payments-0", "card=\"[redacted]\""),
        ("Prometheus", "[redacted]"),
    ] {
        assert!(hides(of, sign), "{of} has no {sign}");
    }
}
