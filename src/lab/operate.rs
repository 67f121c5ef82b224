//! What can be had and ordered from outside of the services of a full lab.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::json;

use super::{
    alerts::Told,
    client::Lab,
    http::{Answer, Ask, Client},
    identity::{Order, TENANTS, Token},
    store::Outage,
};
use crate::{error::Error, ports::PortError};

/// How long one question may take.
const WITHIN: Duration = Duration::from_secs(5);
/// How long our own token holds.
const PASS: Duration = Duration::from_secs(600);
const HINT: &str = "the logs in the lab's folder say more";

/// Has a token signed.
///
/// # Errors
/// Where the lab has no identity provider, or it does not answer or refuses.
pub async fn token(lab: &Lab, order: &Order) -> Result<Token, Error> {
    let client = Client::new(lab.file.identity()?, Some(lab.file.token.clone()));
    let answer = ask("the identity provider", &client, Ask::post("/token", json!(order))).await?;
    read("the identity provider", &answer)
}

/// What our own requests for tenants show to the gateway; nothing where the lab is not full.
///
/// # Errors
/// Where the identity provider does not answer.
pub async fn pass(lab: &Lab) -> Result<Option<String>, PortError> {
    if lab.file.full.is_none() {
        return Ok(None);
    }
    let mut pass = lab.pass.lock().await;
    if let Some((shown, issued)) = &*pass
        && issued.elapsed() < PASS / 2
    {
        return Ok(Some(shown.clone()));
    }
    let order = Order {
        subject: "interlock".to_owned(),
        audience: TENANTS.to_owned(),
        role: "viewer".to_owned(),
        scope: "tenants:read".to_owned(),
        site: None,
        lifetime: PASS.as_secs(),
    };
    let issued = Instant::now();
    let token = token(lab, &order).await.map_err(|e| PortError::unreachable("the identity provider", e))?;
    let shown = format!("Bearer {}", token.access_token);
    *pass = Some((shown.clone(), issued));
    Ok(Some(shown))
}

/// Breaks or mends the store.
///
/// # Errors
/// Where the lab has no store, or it does not answer.
pub async fn set_outage(lab: &Lab, out: bool) -> Result<Outage, Error> {
    let client = Client::new(lab.file.full()?.store, Some(lab.file.token.clone()));
    let answer = ask("the store", &client, Ask::put("/outage", json!(Outage { out }))).await?;
    read("the store", &answer)
}

/// What was logged, and the alerts that were raised.
///
/// # Errors
/// Where the lab has no sink of alerts, or it does not answer.
pub async fn alerts(lab: &Lab) -> Result<Told, Error> {
    let client = Client::new(lab.file.full()?.alerts, Some(lab.file.token.clone()));
    let answer = ask("the sink of alerts", &client, Ask::get("/alerts")).await?;
    read("the sink of alerts", &answer)
}

async fn ask(what: &str, client: &Client, ask: Ask<'_>) -> Result<Answer, Error> {
    let answer = client.ask(ask, WITHIN).await.map_err(|e| Error::port(PortError::unreachable(what, e), HINT))?;
    match answer.status {
        StatusCode::OK => Ok(answer),
        StatusCode::UNPROCESSABLE_ENTITY => {
            let why =
                answer.json::<serde_json::Value>().ok().and_then(|body| Some(body.get("detail")?.as_str()?.to_owned()));
            Err(Error::usage(why.unwrap_or_else(|| format!("{what} refuses the order")), "say it differently"))
        }
        status => Err(Error::port(PortError::unexpected(what, status), HINT)),
    }
}

fn read<T: serde::de::DeserializeOwned>(what: &str, answer: &Answer) -> Result<T, Error> {
    answer.json().map_err(|e| Error::port(PortError::unexpected(what, e), HINT))
}
