//! One replica of a scripted service: its process, its health, and the way of a request to its handler.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use serde_json::json;
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    admission::admit,
    backings::Backings,
    config::Current,
    declared::{Declared, Route},
    dependencies::{self, Dependencies, Dependency},
    directory::Directory,
    doors::{Circuits, Database, Limits},
    faults::ServiceFaults,
    host::{AT_A_TIME, Host},
    listing::{self, Listing},
    observed::{Observed, UNMATCHED},
    program::Program,
    relay::Outbox,
    reload::{Running, migrate},
    reply::Reply,
    request, rpc,
    run::{Call, run},
    turn::Asker,
    webhook::{Secrets, deliver},
};
#[cfg(feature = "sql")]
use crate::lab::primary::Primary;
use crate::{
    error::Error,
    lab::{
        connections::Speaks,
        grpc, host,
        http::{REQUEST_ID, VERSION, problem, problem_with},
        identity::{SERVICES, Verifier},
        page::{Kind, Page},
        state::{Folder, broken},
        telemetry::{Tracing, Work},
    },
    model::Slot,
};

/// The longest body of a request, in bytes.
const BODY: usize = 256 << 10;
/// Why a replica takes no requests yet.
const NOT_STARTED: &str = "the migrations are not applied yet";
/// How long the messages that are being handled may take once the replica was told to end.
const LAST_MESSAGES: Duration = Duration::from_secs(3);

/// What a replica is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The lab's folder.
    pub folder: PathBuf,
    /// The script.
    pub file: PathBuf,
    pub service: String,
    pub replica: String,
    /// The slot that it stands in, if it does in one.
    pub slot: Option<Slot>,
    pub listen: SocketAddr,
    /// The release that it runs.
    pub version: String,
    /// Where the identity provider listens, where the lab has one.
    pub identity: Option<SocketAddr>,
    /// What is wrong with the release.
    pub faults: Vec<String>,
    pub tracing: Tracing,
}

struct Replica {
    host: Arc<Host>,
    running: Running,
    /// Whether its migrations are applied.
    started: AtomicBool,
    stop: CancellationToken,
}

/// Serves until `stop`.
///
/// # Errors
/// Where the script cannot be read, a migration fails, or it cannot listen.
pub async fn serve(options: Options, stop: CancellationToken) -> Result<(), Error> {
    let folder = Folder::new(&options.folder);
    let (service, listen) = (options.service.clone(), options.listen);
    let program = Program::read(&options.file)?;
    let running = Running::new(options.file.clone(), program);
    let host = Arc::new(host_of(options, &folder, &running.program())?);
    let replica = Arc::new(Replica { host, running, started: AtomicBool::new(false), stop: stop.clone() });
    let (listed, published) = (folder.services(), folder.configuration());
    let served = async {
        let served = host::serve_as(&service, (listen, Speaks::Http1And2), router(replica.clone()), stop.clone()).await;
        finish(&replica.host).await;
        served
    };
    tokio::select! {
        served = served => served,
        never = replica.host.directory.follow(&listed, CancellationToken::new()) => Ok(never),
        never = replica.host.config.follow(&published, CancellationToken::new()) => Ok(never),
        never = follow_keys(&replica) => Ok(never),
        failed = start(&replica) => failed,
    }
}

/// Lets the messages come to their end that are being handled; the others are delivered to other replicas.
async fn finish(host: &Host) {
    listing::end(host).await;
    host.handling.close();
    if tokio::time::timeout(LAST_MESSAGES, host.handling.wait()).await.is_err() {
        tracing::warn!("messages were still being handled after {LAST_MESSAGES:?}; they are delivered again");
    }
}

/// Keeps the keys fresh that tokens are checked with, where that is asked for.
async fn follow_keys(replica: &Replica) {
    if let Some(verifier) = replica.host.verifier.as_ref().filter(|_| replica.running.program().requires_tokens()) {
        verifier.follow(replica.stop.clone()).await;
    }
    std::future::pending().await
}

fn host_of(options: Options, folder: &Folder, program: &Program) -> Result<Host, Error> {
    let Options { service, replica, slot, listen, version, identity, faults, tracing, .. } = options;
    let verifier = identity.map(|address| Verifier::new(address, SERVICES, tracing.clone()));
    let config = Current::default();
    // A replica that is started anew runs on what the others run on.
    config.round(&folder.configuration());
    let faults = ServiceFaults::read(&faults, &program.declared.defects);
    Ok(Host {
        #[cfg(feature = "sql")]
        primary: match program.declared.postgres {
            Some(_) => Some(Primary::of(folder.read_lab()?.database()?, &service)),
            None => None,
        },
        database: Database::new(folder.database_of(&service)),
        faults: faults.map_err(|e| Error::usage(e, "deploy the service with faults that it has"))?,
        listing: Listing::of(&service),
        service,
        replica,
        address: listen,
        slot,
        version,
        runtime: Handle::current(),
        tracing,
        directory: Directory::default(),
        config,
        secrets: Secrets::read(&folder.webhook_secrets())?,
        sent: Notify::new(),
        verifier,
        dependencies: Dependencies::default(),
        circuits: Circuits::default(),
        limits: Limits::default(),
        observed: Observed::default(),
        places: Arc::new(Semaphore::new(AT_A_TIME)),
        backings: Backings::new(folder.find_lab()?.map(|lab| lab.token)),
        outbox: Outbox::default(),
        dropped: Notify::new(),
        registered: Mutex::default(),
        handling: TaskTracker::new(),
    })
}

/// Applies the migrations, and keeps schedules and script from then on; returns only where that fails.
async fn start(replica: &Arc<Replica>) -> Result<(), Error> {
    let migrating = replica.clone();
    let migrated = tokio::task::spawn_blocking(move || migrate(&migrating.host, &migrating.running.program())).await;
    migrated.map_err(|e| broken("the migrations", e))??;
    replica.started.store(true, Ordering::Relaxed);
    tracing::info!(service = replica.host.service, "started");
    let Replica { host, running, stop, .. } = &**replica;
    tokio::join!(
        running.follow(host, stop.clone()),
        deliver(host, running, stop),
        listing::keep(host, stop),
        dependencies::follow(host, running, stop)
    );
    std::future::pending().await
}

fn router(replica: Arc<Replica>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/startupz", get(started))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .route("/config", get(config))
        .fallback(handle)
        .with_state(replica)
}

async fn started(State(replica): State<Arc<Replica>>) -> Response {
    match replica.started.load(Ordering::Relaxed) {
        true => "started".into_response(),
        false => problem(StatusCode::SERVICE_UNAVAILABLE, NOT_STARTED).into_response(),
    }
}

async fn ready(State(replica): State<Arc<Replica>>) -> Response {
    let dependencies = replica.host.dependencies.of(&replica.running.program());
    match unready(&replica, &dependencies) {
        None => Json(json!({ "dependencies": dependencies })).into_response(),
        Some(why) => {
            let members = json!({ "dependencies": dependencies });
            problem_with(StatusCode::SERVICE_UNAVAILABLE, &why, members).into_response()
        }
    }
}

/// Why the replica is to get no requests, if it is not.
fn unready(replica: &Replica, dependencies: &[Dependency]) -> Option<String> {
    let (host, program) = (&replica.host, replica.running.program());
    if replica.stop.is_cancelled() {
        return Some("the replica was told to end".to_owned());
    }
    if !replica.started.load(Ordering::Relaxed) {
        return Some(NOT_STARTED.to_owned());
    }
    if let Some(backing) = program.declared.sources().difference(&host.registered()).next() {
        return Some(format!("the {} does not know yet what the service takes from it", backing.name()));
    }
    if program.requires_tokens() && !host.verifier.as_ref().is_some_and(Verifier::is_ready) {
        return Some("the keys are not known yet that tokens are checked with".to_owned());
    }
    let missing = dependencies.iter().find(|one| one.required && !one.ok)?;
    Some(format!("the {}: {}", missing.name, missing.why.as_deref().unwrap_or_default()))
}

async fn metrics(State(replica): State<Arc<Replica>>) -> Page {
    let Host { service, replica: name, slot, observed, outbox, config, dependencies, .. } = &*replica.host;
    let mut page = observed.page((service, *slot, name), &replica.running.program().declared.metrics);
    page.family("outbox_messages", Kind::Gauge, "Messages of committed transactions that are still to be sent.");
    page.sample("outbox_messages", &[], outbox.waiting.load(Ordering::Relaxed));
    config.taken().expose(&mut page);
    dependencies.expose(&replica.running.program(), &mut page);
    page
}

async fn version(State(replica): State<Arc<Replica>>) -> Response {
    let Host { service, replica, version, .. } = &*replica.host;
    Json(json!({ "service": service, "version": version, "replica": replica })).into_response()
}

async fn config(State(replica): State<Arc<Replica>>) -> Response {
    let (Host { service, replica: name, config, .. }, program) = (&*replica.host, replica.running.program());
    let Declared { settings, redacted, .. } = &program.declared;
    Json(config.taken().shown((service, name), settings, redacted)).into_response()
}

/// Everything that the script answers.
async fn handle(State(replica): State<Arc<Replica>>, request: Request) -> Response {
    // By a task of its own: a client that waits no longer takes back no request, and what it asked for is counted all the same.
    let answered = tokio::spawn(answer(replica, request)).await;
    answered.unwrap_or_else(|e| {
        tracing::error!("the task of a request has ended: {e}");
        problem(StatusCode::INTERNAL_SERVER_ERROR, "the request was given up").into_response()
    })
}

async fn answer(replica: Arc<Replica>, request: Request) -> Response {
    if grpc::is_call(request.headers()) {
        let is_started = replica.started.load(Ordering::Relaxed);
        return rpc::answer(&replica.host, replica.running.program(), is_started, request).await;
    }
    let begun = Instant::now();
    let host = &replica.host;
    let _active = host.observed.begin();
    let (parts, body) = request.into_parts();
    let asker = request::asker(&parts.headers);
    let id = asker.correlation_id.clone();
    let program = replica.running.program();
    let found = find(&program.declared.routes, &parts);
    let route = found.as_ref().ok().map(|(route, _)| route.template.text());
    let path = program.declared.redacted.path(&program.declared.routes, parts.uri.path());
    let work = Arc::new(host.tracing.server(&parts.headers, &parts.method, route, &path));
    let reply = match &found {
        Err(reply) => reply.clone(),
        Ok(_) if !replica.started.load(Ordering::Relaxed) => {
            Reply::later(StatusCode::SERVICE_UNAVAILABLE, 1, NOT_STARTED)
        }
        Ok(_) if host.faults.common.act().await => {
            Reply::problem(StatusCode::INTERNAL_SERVER_ERROR, "the release is faulty")
        }
        Ok((route, params)) => {
            let call = call(host, route, (&parts, params, body), asker, work.clone()).await;
            match call {
                Ok(call) => run(host, program.clone(), call).await,
                Err(reply) => reply,
            }
        }
    };
    let status = reply.status;
    work.answered(status);
    let took = begun.elapsed();
    host.observed.answered(parts.method.as_str(), route.unwrap_or(UNMATCHED), status.as_u16(), took);
    let trace_id = work.trace_id();
    tracing::debug!(method = %parts.method, path, trace_id, correlation_id = id, status = status.as_u16(), ?took, "request");
    stamped(reply.response(&id), host, &id)
}

type Params = std::collections::BTreeMap<String, String>;

/// What the handler of a route is called for, if the route lets the request in.
async fn call(
    host: &Host,
    route: &Route,
    (parts, params, body): (&Parts, &Params, Body),
    asker: Asker,
    work: Arc<Work>,
) -> Result<Call, Reply> {
    let asker = match &route.requires {
        Some(required) => admit(host, required, (&parts.headers, params), asker, &work).await?,
        None => asker,
    };
    let too_long = |_| Reply::problem(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has {BODY} bytes at most"));
    let body = to_bytes(body, BODY).await.map_err(too_long)?;
    let request = Some(request::map(parts, params.clone(), &body, &asker)?);
    Ok(Call { handler: route.handler.clone(), at: route.at, request, body, message: None, within: None, asker, work })
}

/// The route that a request is for, and the parts of its path.
fn find<'a>(routes: &'a [Route], parts: &Parts) -> Result<(&'a Route, Params), Reply> {
    let path = parts.uri.path();
    let fitting: Vec<_> = routes.iter().filter_map(|route| Some((route, route.template.matches(path)?))).collect();
    if fitting.is_empty() {
        return Err(Reply::problem(StatusCode::NOT_FOUND, "there is nothing at this path"));
    }
    let methods: Vec<Method> = fitting.iter().map(|(route, _)| route.method.clone()).collect();
    fitting.into_iter().find(|(route, _)| route.method == parts.method).ok_or_else(|| {
        let allowed = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        let reply = Reply::problem(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {allowed}"));
        reply.clone().with_header(header::ALLOW.as_str(), &allowed).unwrap_or(reply)
    })
}

/// Says which request was answered, and by which release.
fn stamped(mut response: Response, host: &Host, id: &str) -> Response {
    for (name, value) in [(REQUEST_ID, id), (VERSION, &host.version)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
