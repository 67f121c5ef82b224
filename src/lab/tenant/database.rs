//! The tenants as rows of the lab's database: read, made where they are missing, and tried again while that can help.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::{
    Client, Error, Row,
    error::SqlState,
    types::{ToSql, Type},
};

use crate::lab::{
    LabDatabase, SERVICE,
    http::{REQUEST_ID, problem_of},
    primary::{Primary, said},
    store::Tenant,
};

/// How long one statement may take.
const STATEMENT: Duration = Duration::from_millis(500);
/// How long after a request has come it is still tried again.
const PATIENCE: Duration = Duration::from_secs(1);
/// The wait before it is tried again.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a client should wait after a failure, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Made by whoever needs it first, for a new primary may be without.
const TABLE: &str = "create table if not exists tenant (
    id text primary key, name text not null, plan text not null, active boolean not null
)";
const SELECT: &str = "select id, name, plan, active from tenant where id = $1";
/// Does nothing the second time, so that it may be tried again by whoever does not know whether it was done.
const INSERT: &str = "insert into tenant (id, name, plan, active) values ($1, $2, $3, $4) on conflict do nothing";

pub struct Database {
    primary: Primary,
}

/// Why a statement came to nothing.
enum Trouble {
    /// Nothing was answered in time.
    Silent,
    /// The database said so, or the connection broke.
    Said(Error),
    /// Somebody has taken the row away again.
    Gone,
}

impl Database {
    /// That of a lab. It need not be up yet.
    #[must_use]
    pub fn of(database: &LabDatabase) -> Self {
        Self { primary: Primary::of(database, SERVICE) }
    }

    /// Answers with a tenant, which is made where it is missing; or says when to ask again.
    pub async fn answer(&self, id: &str, headers: &HeaderMap) -> Response {
        match self.find(id).await {
            Ok(tenant) => Json(tenant).into_response(),
            Err(why) => {
                let correlation_id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or("none");
                tracing::debug!(correlation_id, "the database is out of order: {why}");
                let told = "tenants cannot be read or kept at the moment";
                let mut response = problem_of(StatusCode::SERVICE_UNAVAILABLE, told, correlation_id).into_response();
                response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
                response
            }
        }
    }

    /// The tenant, as soon as one try succeeds; or why the last one did not. All that is tried may be done twice.
    async fn find(&self, id: &str) -> Result<Tenant, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut why = "all connections were in use".to_owned();
        let tries = async {
            let _place = self.primary.place().await;
            loop {
                match self.try_find(id).await {
                    Ok(tenant) => return tenant,
                    Err(e) => why = e,
                }
                sleep(PAUSE).await;
            }
        };
        let found = timeout_at(deadline, tries).await;
        found.map_err(|_| why)
    }

    async fn try_find(&self, id: &str) -> Result<Tenant, String> {
        let line = self.primary.line().await?;
        // A connection on which anything failed ends here: the next one is asked anew whether its node takes writes.
        match found_or_made(&line.client, id).await {
            Ok(tenant) => {
                self.primary.put(line);
                Ok(tenant)
            }
            Err(Trouble::Silent) => {
                self.primary.forget();
                Err(format!("no answer within {STATEMENT:?}"))
            }
            Err(Trouble::Said(error)) => Err(said(&error)),
            Err(Trouble::Gone) => Err("the row has gone again".to_owned()),
        }
    }
}

async fn found_or_made(client: &Client, id: &str) -> Result<Tenant, Trouble> {
    match select(client, id).await {
        Ok(Some(tenant)) => return Ok(tenant),
        Ok(None) => {}
        Err(Trouble::Said(e)) if e.code() == Some(&SqlState::UNDEFINED_TABLE) => {
            answered(client.batch_execute(TABLE)).await?;
        }
        Err(trouble) => return Err(trouble),
    }
    insert(client, &Tenant::plain(id)).await?;
    // Another one may have made it meanwhile, by another name.
    select(client, id).await?.ok_or(Trouble::Gone)
}

async fn select(client: &Client, id: &str) -> Result<Option<Tenant>, Trouble> {
    let row = answered(client.query_typed_opt(SELECT, &[(&id, Type::TEXT)])).await?;
    row.map(|row| tenant(&row).map_err(Trouble::Said)).transpose()
}

async fn insert(client: &Client, tenant: &Tenant) -> Result<(), Trouble> {
    let Tenant { id, name, plan, active } = tenant;
    let values: [(&(dyn ToSql + Sync), Type); 4] =
        [(id, Type::TEXT), (name, Type::TEXT), (plan, Type::TEXT), (active, Type::BOOL)];
    answered(client.query_typed(INSERT, &values)).await.map(|_| ())
}

fn tenant(row: &Row) -> Result<Tenant, Error> {
    Ok(Tenant { id: row.try_get(0)?, name: row.try_get(1)?, plan: row.try_get(2)?, active: row.try_get(3)? })
}

async fn answered<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Trouble> {
    timeout(STATEMENT, asked).await.map_err(|_| Trouble::Silent)?.map_err(Trouble::Said)
}
