//! What can be had and ordered from outside of the services of a lab.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use hyper::StatusCode;
use serde_json::json;

use super::{
    alerts::Told,
    backing::{
        Backing,
        messages::{Letter, Selection, Sent},
    },
    client::Lab,
    http::{Answer, Ask, Client},
    identity::{Order, TENANTS, Token},
    script::Instance,
    state,
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

/// What can be put out of order, and in order again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakable {
    /// The store of a full lab.
    Store,
    /// What stands behind a door of scripts.
    Backing(Backing),
}

impl Breakable {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Backing(backing) => backing.name(),
        }
    }
}

/// Breaks or mends a part of the lab.
///
/// # Errors
/// Where the lab has no such part, or it does not answer.
pub async fn set_outage(lab: &Lab, what: Breakable, out: bool) -> Result<Outage, Error> {
    let address = match what {
        Breakable::Store => lab.file.full()?.store,
        Breakable::Backing(backing) => address(lab, backing)?.ok_or_else(|| {
            let hint = "a lab has one where a script uses its door; docs/lab.md has them";
            Error::usage(format!("this lab has no {}", backing.name()), hint)
        })?,
    };
    let (name, client) = (format!("the {}", what.name()), Client::new(address, Some(lab.file.token.clone())));
    read(&name, &ask(&name, &client, Ask::put("/outage", json!(Outage { out }))).await?)
}

/// Where a process behind a door listens, if the lab has one.
fn address(lab: &Lab, backing: Backing) -> Result<Option<SocketAddr>, Error> {
    let listed = state::read::<Vec<Instance>>(&lab.folder.services())?.unwrap_or_default();
    Ok(listed.into_iter().find(|one| one.service == backing.name()).map(|one| one.address))
}

/// The dead letters of bus and queue.
///
/// # Errors
/// Where one of them does not answer.
pub async fn letters(lab: &Lab) -> Result<Vec<(Backing, Letter)>, Error> {
    let mut all = Vec::new();
    for (backing, client) in backings(lab, &Backing::MESSAGING)? {
        let answer = ask(backing.name(), &client, Ask::get("/letters")).await?;
        let letters: Vec<Letter> = read(backing.name(), &answer)?;
        all.extend(letters.into_iter().map(|letter| (backing, letter)));
    }
    Ok(all)
}

/// Has dead letters sent again: one, or all; gives how many were.
///
/// # Errors
/// Where bus or queue does not answer.
pub async fn send_again(lab: &Lab, one: Option<(Backing, i64)>) -> Result<Sent, Error> {
    let of = one.map_or_else(|| Backing::MESSAGING.to_vec(), |(backing, _)| vec![backing]);
    let mut letters = 0;
    for (backing, client) in backings(lab, &of)? {
        let selection = Selection { number: one.map(|(_, number)| number) };
        let answer = ask(backing.name(), &client, Ask::post("/letters", json!(selection))).await?;
        letters += read::<Sent>(backing.name(), &answer)?.letters;
    }
    Ok(Sent { letters })
}

/// Those of these that the lab has.
fn backings(lab: &Lab, of: &[Backing]) -> Result<Vec<(Backing, Client)>, Error> {
    let client = |backing: &Backing| match address(lab, *backing) {
        Ok(address) => Ok(address.map(|address| (*backing, Client::new(address, Some(lab.file.token.clone()))))),
        Err(e) => Err(e),
    };
    of.iter().filter_map(|backing| client(backing).transpose()).collect()
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
