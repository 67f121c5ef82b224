//! The contract of the port: every source of traces answers the same for the same spans.

use std::path::Path;

use interlock::{
    adapters::otlp::{FileLimits, Limits, TraceFiles},
    model::trace::{Span, TraceId},
    ports::{PortError, Traces, Wanted},
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use crate::{
    samples::{numbered, request},
    sender::receiver,
};

/// Two services, sixteen valid spans in two traces, one of them twice, and an invalid one.
fn sample() -> ExportTraceServiceRequest {
    let mut all = request("shop", numbered(0, 16));
    let mut more = numbered(3, 1);
    more.push(Default::default());
    all.resource_spans.extend(request("bank", more).resource_spans);
    all
}

fn sorted(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.trace, span.id, span.resource.service.clone()));
    spans
}

fn trace(number: u128) -> TraceId {
    TraceId(number.to_be_bytes())
}

/// What any source has to answer for the sample.
async fn holds(source: &dyn Traces) -> Vec<Span> {
    let collect = async |traces: &[TraceId], most| source.collect(&Wanted { traces: traces.to_vec(), most }).await;
    let all = collect(&[], 17).await.unwrap();
    assert_eq!((all.spans.len(), all.lost), (17, 1));
    // Looking takes nothing away.
    assert_eq!(sorted(collect(&[], usize::MAX).await.unwrap().spans), sorted(all.spans.clone()));
    let one = collect(&[trace(1)], 9).await.unwrap();
    assert!(one.spans.len() == 9 && one.spans.iter().all(|span| span.trace == trace(1)));
    let twice = one.spans.iter().filter(|span| span.name == "GET /orders/3").count();
    assert_eq!((twice, one.lost), (2, 1));
    assert_eq!(collect(&[trace(2), trace(9), trace(2)], 8).await.unwrap().spans.len(), 8);
    assert_eq!(collect(&[trace(9)], 0).await.unwrap().spans, []);
    for (traces, most) in [(&[][..], 16), (&[trace(1)], 8), (&[trace(2)], 0)] {
        let refused = collect(traces, most).await;
        let Err(PortError::UnexpectedResponse { why, .. }) = refused else { panic!("{refused:?}") };
        assert!(why.ends_with(&format!("and at most {most} are taken")), "{why}");
    }
    sorted(all.spans)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_and_files_answer_the_same() {
    let (receiver, sender) = receiver(Limits::default()).await;
    assert_eq!(sender.send(&sample()).await.partial().unwrap().0, 1);
    let received = holds(&receiver).await;
    for bytes in [sample().encode_to_vec(), serde_json::to_vec(&sample()).unwrap()] {
        let files = TraceFiles::of_bytes(Path::new("traces"), bytes, FileLimits::default()).unwrap();
        assert_eq!(holds(&files).await, received);
        // Files cannot know whether more is coming.
        assert_eq!(files.collect(&Wanted { traces: Vec::new(), most: 17 }).await.unwrap().quiet, None);
    }
    assert!(receiver.collect(&Wanted { traces: Vec::new(), most: 17 }).await.unwrap().quiet.is_some());
}
