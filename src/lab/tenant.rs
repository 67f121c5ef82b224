//! The service `tenant`: one replica of it, with whatever faults its release has.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{SERVICE, fault::Fault, http::listen};
use crate::{error::Error, lab::state::broken, model::Slot};

/// How long requests may take to finish once the replica is asked to end.
const DRAIN: Duration = Duration::from_secs(3);
/// How long a hanging request hangs; far beyond any timeout, and yet bounded.
const HANG: Duration = Duration::from_secs(3600);
/// How the process ends when it crashes by its fault; EX_SOFTWARE of sysexits(3).
const CRASH: i32 = 70;

/// What a replica is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Its name.
    pub replica: String,
    /// Its slot.
    pub slot: Slot,
    /// The release that it runs.
    pub version: String,
    /// What is wrong with the release.
    pub faults: Vec<Fault>,
}

struct Service {
    options: Options,
    version: HeaderValue,
    served: AtomicU64,
    burst: AtomicU32,
    leaked: Mutex<Vec<Vec<u8>>>,
    ok: AtomicU64,
    failed: AtomicU64,
}

/// Serves until `stop`.
///
/// # Errors
/// Where it cannot listen, or the version is no header value.
pub async fn serve(options: Options, stop: CancellationToken) -> Result<(), Error> {
    let version = HeaderValue::from_str(&options.version)
        .map_err(|e| Error::usage(format!("version `{}`: {e}", options.version), "use letters, digits and dots"))?;
    let listener = listen(options.listen).await?;
    tracing::info!(replica = options.replica, version = options.version, faults = ?options.faults, "replica serves");
    let service = Arc::new(Service {
        options,
        version,
        served: AtomicU64::new(0),
        burst: AtomicU32::new(0),
        leaked: Mutex::new(Vec::new()),
        ok: AtomicU64::new(0),
        failed: AtomicU64::new(0),
    });
    let app = router(service);
    let drained = stop.clone();
    let server = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
    tokio::select! {
        served = server => served.map_err(|e| broken("replica", e))?,
        () = async { drained.cancelled().await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("requests were still in flight after {DRAIN:?}");
        }
    }
    tracing::info!("replica ended");
    Ok(())
}

fn router(service: Arc<Service>) -> Router {
    let business = Router::new()
        .route("/tenants/{id}", get(tenant))
        .layer(middleware::from_fn_with_state(service.clone(), faulty));
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(|| async { "ready" }))
        .route("/version", get(version))
        .route("/metrics", get(metrics))
        .merge(business)
        .layer(middleware::from_fn_with_state(service.clone(), stamped))
        .with_state(service)
}

async fn tenant(Path(id): Path<String>) -> Response {
    let fits = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !fits {
        return (StatusCode::NOT_FOUND, Json(json!({ "title": "no such tenant" }))).into_response();
    }
    Json(json!({ "id": id, "name": format!("Tenant {id}"), "plan": "standard", "active": true })).into_response()
}

async fn version(State(service): State<Arc<Service>>) -> Response {
    let Options { slot, version, replica, .. } = &service.options;
    Json(json!({ "service": SERVICE, "slot": slot, "version": version, "replica": replica })).into_response()
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let Options { slot, replica, version, .. } = &service.options;
    let labels = format!(r#"service="{SERVICE}",slot="{slot}",replica="{replica}""#);
    let mut text = String::from("# HELP tenant_info The release.\n# TYPE tenant_info gauge\n");
    text += &format!("tenant_info{{{labels},version={}}} 1\n", json!(version));
    text += "# HELP tenant_requests_total Business requests served.\n# TYPE tenant_requests_total counter\n";
    for (outcome, counter) in [("ok", &service.ok), ("error", &service.failed)] {
        let n = counter.load(Ordering::Relaxed);
        if n > 0 {
            text += &format!("tenant_requests_total{{{labels},outcome=\"{outcome}\"}} {n}\n");
        }
    }
    let leaked: usize = service.leaked.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Vec::len).sum();
    text += "# HELP tenant_leaked_bytes Memory kept by the leak fault.\n# TYPE tenant_leaked_bytes gauge\n";
    text += &format!("tenant_leaked_bytes{{{labels}}} {leaked}\n");
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Says which release answered, and logs each request.
async fn stamped(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let logged = tracing::enabled!(tracing::Level::DEBUG).then(|| {
        let id = request.headers().get("x-request-id").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        (request.method().clone(), request.uri().path().to_owned(), id)
    });
    let mut response = next.run(request).await;
    response.headers_mut().insert("x-lab-version", service.version.clone());
    if let Some((method, path, correlation_id)) = logged {
        let status = response.status().as_u16();
        tracing::debug!(%method, path, correlation_id, status, replica = service.options.replica, "request");
    }
    response
}

/// Lets the release's faults act on business requests.
async fn faulty(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let served = service.served.fetch_add(1, Ordering::Relaxed);
    let mut fails = false;
    for fault in &service.options.faults {
        match fault {
            Fault::CrashAfter(n) if served >= *n => {
                tracing::error!(served, "crashes, as its release does");
                std::process::exit(CRASH);
            }
            Fault::Hang { after, share } if served >= *after && chance(*share) => tokio::time::sleep(HANG).await,
            Fault::Latency { delay, share } if chance(*share) => tokio::time::sleep(*delay).await,
            Fault::ErrorRate { share, burst, after } if served >= *after => fails |= service.fails(*share, *burst),
            Fault::Leak { bytes, max } => service.leak(*bytes, *max),
            Fault::CrashAfter(_) | Fault::Hang { .. } | Fault::Latency { .. } | Fault::ErrorRate { .. } => {}
        }
    }
    let response = if fails {
        (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "title": "the release is faulty" }))).into_response()
    } else {
        next.run(request).await
    };
    let counter = if response.status().is_server_error() { &service.failed } else { &service.ok };
    counter.fetch_add(1, Ordering::Relaxed);
    response
}

impl Service {
    /// Whether this request fails: in runs of `burst`, and `share` of all in the long run.
    ///
    /// A run begins with chance p = s / (s + b (1 - s)): then b failures stand against (1 - p) / p successes between
    /// two runs on average, which makes the share of failures s.
    fn fails(&self, share: f64, burst: u32) -> bool {
        let within = self.burst.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if within {
            return true;
        }
        let begins = share >= 1.0 || chance(share / (share + f64::from(burst) * (1.0 - share)));
        if begins {
            self.burst.store(burst - 1, Ordering::Relaxed);
        }
        begins
    }

    fn leak(&self, bytes: u64, max: u64) {
        let mut leaked = self.leaked.lock().unwrap_or_else(PoisonError::into_inner);
        let size = usize::try_from(bytes).unwrap_or(usize::MAX);
        if (leaked.len() as u64 + 1).saturating_mul(bytes) <= max {
            // Not zero, or the pages would never be touched.
            leaked.push(vec![1; size]);
        }
    }
}

fn chance(share: f64) -> bool {
    share > 0.0 && rand::random::<f64>() < share
}
