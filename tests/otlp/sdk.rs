//! The real OpenTelemetry SDK as a sender.

use std::time::Duration;

use interlock::{
    adapters::otlp::{Limits, Receiver},
    model::trace::{Kind, Status, Value},
    ports::{Traces, Wanted},
};
use opentelemetry::{
    Context, KeyValue,
    trace::{Link, Span as _, SpanKind, TraceContextExt, Tracer, TracerProvider as _},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};

/// Makes spans and sends them; off the runtime, since the SDK's client blocks.
fn work(endpoint: String) {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let resource = Resource::builder().with_service_name("checkout").build();
    let provider = SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
    let tracer = provider.tracer("test");
    for order in 0..300_i64 {
        let mut root = tracer
            .span_builder("POST /orders")
            .with_kind(SpanKind::Server)
            .with_attributes([KeyValue::new("order", order)])
            .start(&tracer);
        root.add_event("queued", vec![KeyValue::new("after", 0.5)]);
        let context = Context::current().with_span(root);
        let mut call = tracer
            .span_builder("charge")
            .with_kind(SpanKind::Client)
            .with_links(vec![Link::with_context(context.span().span_context().clone())])
            .start_with_context(&tracer, &context);
        call.set_status(opentelemetry::trace::Status::error("declined"));
        call.end();
        context.span().end();
    }
    provider.force_flush().unwrap();
    provider.shutdown_with_timeout(Duration::from_secs(30)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sdk_sends_arrives_whole() {
    interlock::adapters::install_crypto();
    let receiver = Receiver::start("127.0.0.1:0".parse().unwrap(), Limits::default()).await.unwrap();
    let endpoint = format!("http://{}/v1/traces", receiver.address());
    tokio::task::spawn_blocking(move || work(endpoint)).await.unwrap();
    let collected = receiver.collect(&Wanted { traces: Vec::new(), most: 600 }).await.unwrap();
    assert_eq!((collected.spans.len(), collected.lost), (600, 0));
    let roots: Vec<_> = collected.spans.iter().filter(|span| span.parent.is_none()).collect();
    assert_eq!(roots.len(), 300);
    let mut orders: Vec<_> = roots.iter().map(|root| root.attributes.int("order").unwrap()).collect();
    orders.sort_unstable();
    assert_eq!(orders, (0..300).collect::<Vec<_>>());
    for root in roots {
        assert_eq!((root.name.as_str(), root.kind, &root.status), ("POST /orders", Kind::Server, &Status::Unset));
        assert_eq!(root.resource.service, "checkout");
        assert_eq!(
            (root.events[0].name.as_str(), root.events[0].attributes.get("after")),
            ("queued", Some(&Value::Double(0.5)))
        );
        assert!(root.start <= root.events[0].at && root.events[0].at <= root.end);
        let call = collected.spans.iter().find(|span| span.parent == Some(root.id)).unwrap();
        assert_eq!((call.trace, call.kind), (root.trace, Kind::Client));
        assert_eq!(call.status, Status::Error("declined".to_owned()));
        assert_eq!((call.links[0].trace, call.links[0].span), (root.trace, root.id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_sends_again_what_was_refused_for_want_of_room() {
    interlock::adapters::install_crypto();
    // A batch of the SDK has 512 spans: one finds room, and not both of its 600.
    let limits = Limits { spans: 550, ..Limits::default() };
    let receiver = Receiver::start("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
    let endpoint = format!("http://{}/v1/traces", receiver.address());
    let working = tokio::task::spawn_blocking(move || work(endpoint));
    while receiver.counts().refused == 0 && !working.is_finished() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(receiver.counts().refused > 0);
    let first = receiver.drain().spans.len();
    working.await.unwrap();
    assert_eq!(first + receiver.drain().spans.len(), 600);
    assert_eq!((receiver.counts().accepted, receiver.counts().lost()), (600, 0));
}
