//! Services without instrumentation: the trace ends at them, or goes through them unseen.

use interlock::lab::http::Ask;

use super::{
    collector::{Collector, hex},
    user::{ask, token},
};
use crate::stage::{Setup, Stage, until};

/// A full lab whose traces go to a collector, but for some services.
fn stage(collector: &Collector, untraced: &str) -> Stage {
    let otlp = format!("--otlp=http://{}", collector.address);
    let untraced = format!("--untraced={untraced}");
    let more = vec!["--full".to_owned(), "--replicas=1".to_owned(), otlp, untraced];
    Stage::with(Setup { more, ..Setup::default() })
}

#[test]
fn a_trace_ends_at_a_service_without_instrumentation_unless_that_passes_it_on() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let collector = Collector::start(&runtime);
    let of_store = |collector: &Collector| {
        let all = collector.all().into_iter();
        let mut found = all.filter(|seen| seen.resource["service.name"] == "store");
        found.next()
    };

    let silent = stage(&collector, "tenant");
    let asked = ask(&silent, Some(&token(&silent, &[])), &[], Ask::get("/tenants/7"));
    assert_eq!(asked.status(), 200);
    collector.expect(
        &asked.trace,
        "\
gateway server GET /tenants/{id} 200
  gateway internal validate token
  gateway client GET /tenants/{id} -> tenant 200",
    );
    until("the store's span", || of_store(&collector).is_some());
    let alone = of_store(&collector).unwrap().span;
    assert!(alone.parent_span_id.is_empty() && hex(&alone.trace_id) != asked.trace, "{alone:?}");
    silent.close_keeping(|| {
        assert!(collector.all().iter().all(|seen| seen.resource["service.name"] != "tenant"));
    });

    let passing = stage(&collector, "tenant:passes");
    let asked = ask(&passing, Some(&token(&passing, &[])), &[], Ask::get("/tenants/7"));
    assert_eq!(asked.status(), 200);
    collector.expect(
        &asked.trace,
        "\
gateway server GET /tenants/{id} 200
  gateway internal validate token
  gateway client GET /tenants/{id} -> tenant 200
    store server GET /tenants/{id} 200",
    );
    passing.close();
}
