//! An exporter that says in the log when spans are lost; the SDK would not.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};

/// Exports by another exporter, and tells of what fails.
#[derive(Debug)]
pub struct Told<E> {
    inner: E,
    /// How many spans could not be sent since the last that could.
    lost: AtomicU64,
}

impl<E> Told<E> {
    /// Tells of what `inner` loses.
    pub const fn new(inner: E) -> Self {
        Self { inner, lost: AtomicU64::new(0) }
    }
}

impl<E: SpanExporter> SpanExporter for Told<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        let sent = self.inner.export(batch).await;
        match &sent {
            Ok(()) => {
                let lost = self.lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    tracing::warn!(lost, "spans can be sent again");
                }
            }
            Err(e) => {
                // Once is enough, however long it takes.
                if self.lost.fetch_add(count, Ordering::Relaxed) == 0 {
                    tracing::warn!("spans are lost: {e}");
                }
            }
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "spans could not be sent to the end");
        }
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
