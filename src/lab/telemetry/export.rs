//! Where the spans of this process go: over OTLP to a collector, or nowhere.

use std::time::Duration;

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};

use super::{told::Told, work::Tracing};
use crate::{error::Error, lab::state::broken, model::Slot};

/// How often spans are sent.
const EVERY: Duration = Duration::from_millis(200);
/// How long the collector may take to accept them.
const SEND_WITHIN: Duration = Duration::from_secs(2);
/// How long the last spans may take at the process's end.
const LAST_WITHIN: Duration = Duration::from_secs(3);
/// How many spans wait at most; what is beyond that is lost, and the SDK says so in the end.
const QUEUE: usize = 65_536;
/// How many spans are sent at a time.
const BATCH: usize = 4096;

/// What a process does about traces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Traces {
    /// It makes no spans; the headers of a trace go on as they came.
    #[default]
    Pass,
    /// It makes no spans, and passes no header of a trace on, as a service without instrumentation.
    Silent,
    /// It makes spans, and sends them to the collector with this base address.
    Otlp(String),
}

/// Who makes spans.
#[derive(Debug, Clone)]
pub struct Source {
    pub service: String,
    pub version: String,
    pub instance: String,
    pub slot: Option<Slot>,
}

/// The traces of this process; made before its runtime, and ended after it.
pub struct Telemetry {
    /// Makes spans.
    pub tracing: Tracing,
    provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Gets ready to send, if that is wanted. Call it outside of any runtime: the exporter's client blocks.
    ///
    /// # Errors
    /// Where the collector's address makes no sense.
    pub fn start(traces: &Traces, source: Source) -> Result<Self, Error> {
        let endpoint = match traces {
            Traces::Pass => return Ok(Self { tracing: Tracing::Pass, provider: None }),
            Traces::Silent => return Ok(Self { tracing: Tracing::Silent, provider: None }),
            Traces::Otlp(endpoint) => endpoint,
        };
        // The client of the exporter wants a provider of TLS, also for plain HTTP. A second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(SEND_WITHIN)
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .map_err(|e| broken("the exporter of traces", format!("{endpoint}: {e}")))?;
        let config = BatchConfigBuilder::default()
            .with_scheduled_delay(EVERY)
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(source))
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_span_processor(BatchSpanProcessor::builder(Told::new(exporter)).with_batch_config(config).build())
            .build();
        Ok(Self { tracing: Tracing::On(provider.tracer("interlock-lab")), provider: Some(provider) })
    }

    /// Sends what is left. Call it after the runtime has ended.
    pub fn end(self) {
        if let Some(provider) = self.provider
            && let Err(e) = provider.shutdown_with_timeout(LAST_WITHIN)
        {
            tracing::warn!("the last spans: {e}");
        }
    }
}

fn resource(source: Source) -> Resource {
    let Source { service, version, instance, slot } = source;
    Resource::builder()
        .with_service_name(service)
        .with_attributes([KeyValue::new("service.version", version), KeyValue::new("service.instance.id", instance)])
        .with_attributes(slot.map(|slot| KeyValue::new("slot", slot.name())))
        .build()
}
