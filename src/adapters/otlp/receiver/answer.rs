//! What is answered to a request. Nothing of its headers is logged, for they may hold tokens.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    Limits,
    body::{self, Unread},
    reply::{Encoding, Refusal},
    store::Store,
};
use crate::adapters::otlp::{batch::Batch, json, protobuf};

const TRACES: &str = "/v1/traces";
/// The places of what else a sender may have.
const OTHERS: &[&str] = &["/v1/metrics", "/v1/logs", "/v1development/profiles"];
/// How long the rest of a body is read after its request was refused.
const LINGER: Duration = Duration::from_secs(5);
/// What bodies are counted in while they are read.
const PIECE: usize = 1024;

/// What all requests share.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) store: Store,
    /// The place for bodies that are being read.
    bodies: Semaphore,
    /// Bodies are inflated and decoded by as many threads as there are cores.
    decoders: Semaphore,
}

impl Shared {
    pub(super) fn new(limits: Limits) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let limits = Limits { bodies: limits.bodies.max(limits.body), ..limits };
        Self {
            limits,
            store: Store::new(&limits),
            bodies: Semaphore::new(limits.bodies.div_ceil(PIECE).min(u32::MAX as usize)),
            decoders: Semaphore::new(cores),
        }
    }
}

#[cfg(test)]
impl Shared {
    /// Takes every place that there is for bodies.
    pub(super) fn take_all_bodies(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        self.bodies.try_acquire_many(u32::try_from(self.bodies.available_permits()).ok()?).ok()
    }
}

type Answer = Response<Full<Bytes>>;

pub(super) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let encoding = encoding(&head.headers);
    let told = encoding.unwrap_or(Encoding::Json);
    if head.uri.path() != TRACES || head.method != Method::POST {
        body::discard(body, shared.limits.body, LINGER).await;
        return elsewhere(told, head.uri.path());
    }
    let _busy = shared.store.busy();
    let gzip = is_gzip(&head.headers);
    let (Some(encoding), Some(gzip)) = (encoding, gzip) else {
        body::discard(body, shared.limits.body, LINGER).await;
        shared.store.broke();
        let what = "send application/x-protobuf or application/json, as it is or under gzip";
        return told.refused(Refusal::Unsupported, what.to_owned());
    };
    traces(&shared, encoding, gzip, body).await
}

/// An answer of a place that takes no traces.
///
/// A sender drops what is answered with 404 and says so, and sends nothing twice. Success would be a lie: a metric that
/// was accepted and thrown away is one that somebody looks for.
fn elsewhere(encoding: Encoding, path: &str) -> Answer {
    if path == TRACES {
        return encoding.refused(Refusal::Method, format!("{TRACES} takes POST"));
    }
    let what = if OTHERS.contains(&path) {
        "only traces are taken here: OTEL_METRICS_EXPORTER=none and OTEL_LOGS_EXPORTER=none keep the rest at home"
            .to_owned()
    } else {
        format!("traces are taken at POST {TRACES}")
    };
    encoding.refused(Refusal::NotFound, what)
}

async fn traces(shared: &Arc<Shared>, encoding: Encoding, gzip: bool, mut body: Incoming) -> Answer {
    let limits = &shared.limits;
    // A body of unknown length may become as long as any.
    let told = body.size_hint().exact().and_then(|told| usize::try_from(told).ok()).unwrap_or(limits.body);
    let pieces = u32::try_from(told.min(limits.body).div_ceil(PIECE)).unwrap_or(u32::MAX);
    let Ok(Ok(place)) = timeout(limits.within, shared.bodies.acquire_many(pieces)).await else {
        shared.store.broke();
        return encoding.refused(Refusal::Busy, "too many bodies are on their way at once".to_owned());
    };
    let sent = match body::read(&mut body, limits.body, limits.within).await {
        Ok(sent) => sent,
        Err(why) => {
            // What is thrown away takes no place.
            drop(place);
            body::discard(body, limits.body, LINGER).await;
            return unread(shared, encoding, &why);
        }
    };
    let Ok(_turn) = shared.decoders.acquire().await else {
        return encoding.refused(Refusal::Internal, "the receiver is ending".to_owned());
    };
    let decoding = shared.clone();
    let decoded = tokio::task::spawn_blocking(move || take(&decoding, encoding, gzip, &sent)).await;
    decoded.unwrap_or_else(|e| {
        tracing::error!("a body could not be decoded: {e}");
        shared.store.broke();
        encoding.refused(Refusal::Internal, "the body could not be decoded".to_owned())
    })
}

/// Inflates, decodes and keeps a body.
fn take(shared: &Shared, encoding: Encoding, gzip: bool, sent: &[u8]) -> Answer {
    let inflated;
    let bytes = if gzip {
        match body::inflate(sent, shared.limits.body) {
            Ok(bytes) => inflated = bytes,
            Err(why) => return unread(shared, encoding, &why),
        }
        &inflated
    } else {
        sent
    };
    let mut batch = Batch::new(&shared.store.room);
    let read = match encoding {
        Encoding::Protobuf => protobuf::read(bytes, &mut batch).map_err(|e| format!("{} at byte {}", e.what, e.at)),
        Encoding::Json => match std::str::from_utf8(bytes) {
            Ok(text) => json::one(text, &mut batch).map_err(|e| format!("{} at byte {}", e.what, e.at)),
            Err(e) => Err(format!("no UTF-8 at byte {}", e.valid_up_to())),
        },
    };
    if let Err(why) = read {
        shared.store.broke();
        return encoding.refused(Refusal::Broken, format!("the body is no ExportTraceServiceRequest: {why}"));
    }
    let bound = shared.store.room.bound();
    if batch.is_too_large() {
        shared.store.broke();
        return encoding.refused(Refusal::TooLong, format!("these spans are more than the {bound} that can be held"));
    }
    if batch.is_full() {
        shared.store.refuse(batch.len(), sent);
        return encoding.refused(Refusal::Full, format!("{bound} are held, and not yet looked at; send it again"));
    }
    let answer = encoding.accepted(&batch.rejected);
    shared.store.keep(batch, sent);
    answer
}

fn unread(shared: &Shared, encoding: Encoding, why: &Unread) -> Answer {
    shared.store.broke();
    match why {
        Unread::TooLong => {
            let most = shared.limits.body >> 20;
            encoding.refused(Refusal::TooLong, format!("a body has {most} MiB at most, also once it is inflated"))
        }
        Unread::Slow => {
            let within = shared.limits.within.as_secs();
            encoding.refused(Refusal::Slow, format!("the body did not arrive within {within} s"))
        }
        Unread::Broken(what) => encoding.refused(Refusal::Broken, what.clone()),
    }
}

/// The encoding that a request says its body is in.
fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let bare = text.split(';').next().unwrap_or_default().trim();
    if bare.eq_ignore_ascii_case("application/x-protobuf") {
        Some(Encoding::Protobuf)
    } else if bare.eq_ignore_ascii_case("application/json") {
        Some(Encoding::Json)
    } else {
        None
    }
}

/// Whether a body is under gzip; none where it is under something else.
fn is_gzip(headers: &HeaderMap) -> Option<bool> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Some(false) };
    match value.to_str().ok()?.trim() {
        "" => Some(false),
        text if text.eq_ignore_ascii_case("identity") => Some(false),
        text if text.eq_ignore_ascii_case("gzip") => Some(true),
        _ => None,
    }
}
