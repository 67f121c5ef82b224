//! The steps of a request in a full lab: authorization, the store, the answer; and what a deviating release makes of them.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use http::Method;
use serde::Deserialize;

use super::{
    access::{Access, check},
    routes::{is_id, tenant},
    service::Service,
    upstream::{Outage, Upstream},
};
use crate::lab::{
    SERVICE,
    alerts::{Level, Log},
    fault::Deviation,
    http::{REQUEST_ID, problem_of},
    store::Tenant,
    telemetry::Work,
};

/// How long a client should wait after an outage, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");
/// The longest name of a tenant.
const NAME: usize = 200;

/// One request on its way through the steps.
struct Flow<'a> {
    service: &'a Service,
    upstream: &'a Upstream,
    work: &'a Work,
    headers: &'a HeaderMap,
}

/// Why a request comes to nothing.
enum Failure {
    /// Its user may not do that.
    Forbidden(String),
    /// The store does not answer.
    Out(Outage),
}

/// Answers with a tenant.
pub async fn read(
    State(service): State<Arc<Service>>,
    Extension(work): Extension<Arc<Work>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let Some(upstream) = &service.upstream else { return tenant(&service, &headers, &id).await };
    let flow = Flow { service: &service, upstream, work: &work, headers: &headers };
    if !is_id(&id) {
        return flow.problem(StatusCode::NOT_FOUND, "there is no such tenant");
    }
    match flow.in_order(Access::Read, flow.find(&id)).await {
        Ok(Some(tenant)) => flow.construct(|| Json(tenant).into_response()),
        Ok(None) => flow.problem(StatusCode::NOT_FOUND, "there is no such tenant"),
        Err(failure) => flow.failed(failure).await,
    }
}

/// What makes a tenant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    id: Option<String>,
    name: String,
    plan: Option<String>,
}

/// Makes a tenant.
pub async fn create(
    State(service): State<Arc<Service>>,
    Extension(work): Extension<Arc<Work>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(upstream) = &service.upstream else { return StatusCode::NOT_FOUND.into_response() };
    let flow = Flow { service: &service, upstream, work: &work, headers: &headers };
    let tenant = match wanted(&body) {
        Ok(tenant) => tenant,
        Err(why) => return flow.problem(StatusCode::UNPROCESSABLE_ENTITY, &why),
    };
    match flow.in_order(Access::Write, flow.keep(&tenant)).await {
        Ok(()) => flow.construct(|| {
            let place = [(header::LOCATION, format!("/tenants/{}", tenant.id))];
            (StatusCode::CREATED, place, Json(&tenant)).into_response()
        }),
        Err(failure) => flow.failed(failure).await,
    }
}

fn wanted(body: &[u8]) -> Result<Tenant, String> {
    let Wanted { id, name, plan } = serde_json::from_slice(body)
        .map_err(|e| format!(r#"send {{"name": "..."}}, and id and plan if you like: {e}"#))?;
    let id = id.unwrap_or_else(|| format!("t-{:016x}", rand::random::<u64>()));
    let plan = plan.unwrap_or_else(|| "standard".to_owned());
    if !is_id(&id) {
        return Err("an id has 1 to 64 letters, digits and hyphens".to_owned());
    }
    if !(1..=NAME).contains(&name.len()) || !(1..=NAME).contains(&plan.len()) {
        return Err(format!("name and plan have 1 to {NAME} bytes"));
    }
    Ok(Tenant { id, name, plan, active: true })
}

impl Flow<'_> {
    fn deviates(&self, how: Deviation) -> bool {
        self.service.defects.deviates(how)
    }

    fn correlation_id(&self) -> &str {
        self.headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).unwrap_or("none")
    }

    /// Checks the authorization and then asks the store, or the other way round where the release does so.
    async fn in_order<T>(&self, access: Access, asking: impl Future<Output = Result<T, Outage>>) -> Result<T, Failure> {
        let checked = || check(self.headers, access, self.work).map_err(Failure::Forbidden);
        if self.deviates(Deviation::LateAuthorization) {
            let asked = asking.await;
            checked()?;
            return asked.map_err(Failure::Out);
        }
        checked()?;
        asking.await.map_err(Failure::Out)
    }

    /// The answer to a request that came to nothing.
    async fn failed(&self, failure: Failure) -> Response {
        match failure {
            Failure::Forbidden(why) => self.problem(StatusCode::FORBIDDEN, &why),
            Failure::Out(outage) => self.unavailable(outage).await,
        }
    }

    async fn find(&self, id: &str) -> Result<Option<Tenant>, Outage> {
        if self.deviates(Deviation::SkipStore) {
            return Ok(Some(Tenant::plain(id)));
        }
        if self.deviates(Deviation::WrongService) {
            self.upstream.ask_wrongly(self.work, Method::GET, id, None).await;
            return Ok(Some(Tenant::plain(id)));
        }
        let mut found = self.upstream.find(self.work, id).await?;
        if self.deviates(Deviation::DoubleQuery) {
            found = self.upstream.find(self.work, id).await?;
        }
        self.log_needlessly().await;
        Ok(found)
    }

    async fn keep(&self, tenant: &Tenant) -> Result<(), Outage> {
        if self.deviates(Deviation::SkipStore) {
            return Ok(());
        }
        if self.deviates(Deviation::WrongService) {
            self.upstream.ask_wrongly(self.work, Method::PUT, &tenant.id, Some(tenant)).await;
            return Ok(());
        }
        self.upstream.keep(self.work, tenant).await?;
        if self.deviates(Deviation::DoubleQuery) {
            self.upstream.keep(self.work, tenant).await?;
        }
        self.log_needlessly().await;
        Ok(())
    }

    async fn log_needlessly(&self) {
        if self.deviates(Deviation::ExtraLog) {
            self.log(Level::Info, "the store has answered", Vec::new()).await;
        }
    }

    async fn log(&self, level: Level, message: &str, causes: Vec<String>) {
        let log = Log {
            service: SERVICE.to_owned(),
            instance: self.service.options.replica.clone(),
            level,
            correlation_id: self.correlation_id().to_owned(),
            message: message.to_owned(),
            causes,
        };
        self.upstream.log(self.work, &log).await;
    }

    fn construct(&self, response: impl FnOnce() -> Response) -> Response {
        let _constructing = self.work.internal("construct response");
        response()
    }

    /// Tells the sink all that is known, and the user only what helps.
    async fn unavailable(&self, Outage(causes): Outage) -> Response {
        self.work.fail("store outage", "the store is out of order");
        if !self.deviates(Deviation::SkipLog) {
            self.log(Level::Error, "the store is out of order", causes).await;
        }
        self.construct(|| {
            let why = "tenants cannot be read or kept at the moment";
            let mut response = self.problem(StatusCode::SERVICE_UNAVAILABLE, why);
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
            response
        })
    }

    fn problem(&self, status: StatusCode, why: &str) -> Response {
        problem_of(status, why, self.correlation_id()).into_response()
    }
}
