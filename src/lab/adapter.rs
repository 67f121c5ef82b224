//! The lab as a platform: its gateway, its replicas, and requests to it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    client::Lab,
    gateway::{FenceWeights, SetWeights, Stand},
    http::{Answer, Ask, Client, SLOT},
    operate,
    status::SlotStatus,
    supervisor::{FenceScale, SetScale},
};
use crate::{
    error::Error,
    model::{Epoch, Slot, Weights},
    ports::{
        Fence, Field, Footprint, InFlight, Manager, Missing, PortError, Preflight, Replica, Reply, Requests, Route,
        Traffic, Workload,
    },
};

/// How long one call may take.
const WITHIN: Duration = Duration::from_secs(5);
const GATEWAY: &str = "the lab's gateway";
const SUPERVISOR: &str = "the lab's supervisor";

/// Implements the ports over the interfaces of a lab that is up.
pub struct LabPlatform(Lab);

impl LabPlatform {
    /// Finds the lab that is up in `folder`.
    ///
    /// # Errors
    /// Where none is.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Lab::open(folder).map(Self)
    }

    /// The lab itself, for what no port speaks of.
    #[must_use]
    pub const fn lab(&self) -> &Lab {
        &self.0
    }
}

impl From<Lab> for LabPlatform {
    fn from(lab: Lab) -> Self {
        Self(lab)
    }
}

#[derive(Deserialize)]
struct Superseded {
    superseded: Epoch,
}

#[derive(Deserialize)]
struct Scale {
    replicas: u32,
}

/// How often a value that was written or fenced by others right before our write is read and tried again.
const TRIES: u32 = 5;

impl LabPlatform {
    async fn stand(&self) -> Result<Stand, PortError> {
        let answer = fine(GATEWAY, "read weights", self.0.admin.ask(Ask::get("/weights"), WITHIN).await)?;
        read(GATEWAY, &answer)
    }

    async fn slot(&self, slot: Slot) -> Result<SlotStatus, PortError> {
        let found = self.0.status().await?.slots.into_iter().find(|s| s.slot == slot);
        found.ok_or_else(|| PortError::unexpected(SUPERVISOR, "the slot is missing"))
    }
}

/// Sends an order that lands only on what was read; `None` where something else stands there by now.
async fn order(client: &Client, what: &str, path: &str, body: Value, ours: Epoch) -> Result<Option<Answer>, PortError> {
    let answer = client.ask(Ask::put(path, body), WITHIN).await.map_err(|e| PortError::unreachable(what, e))?;
    match answer.status {
        StatusCode::CONFLICT => Err(superseded(what, &answer, ours)),
        StatusCode::PRECONDITION_FAILED => Ok(None),
        _ => fine(what, &format!("write {path}"), Ok(answer)).map(Some),
    }
}

/// Others write again and again what we are to write to.
fn restless(what: &str) -> PortError {
    PortError::unexpected(what, format!("it was changed by others {TRIES} times in a row, right before our write"))
}

#[async_trait]
impl Traffic for LabPlatform {
    async fn weights(&self) -> Result<Weights, PortError> {
        Ok(self.stand().await?.weights)
    }

    async fn weights_epoch(&self) -> Result<Epoch, PortError> {
        Ok(self.stand().await?.epoch)
    }

    async fn fence_weights(&self, epoch: Epoch) -> Result<Weights, PortError> {
        let body = json!(FenceWeights { epoch });
        let answer = order(&self.0.admin, GATEWAY, "/weights/fence", body, epoch).await?;
        Ok(read::<Stand>(GATEWAY, &answer.ok_or_else(|| restless(GATEWAY))?)?.weights)
    }

    async fn set_weights(&self, to: &Weights, fence: &Fence<Weights>) -> Result<(), PortError> {
        let Fence { epoch, from } = *fence;
        for _ in 0..TRIES {
            let Stand { weights: found, version, .. } = self.stand().await?;
            if found != from && found != *to {
                return Err(PortError::Conflict { found: json!(found), expected: json!(from) });
            }
            let body = json!(SetWeights { to: *to, from, epoch, version });
            if order(&self.0.admin, GATEWAY, "/weights", body, epoch).await?.is_some() {
                return Ok(());
            }
        }
        Err(restless(GATEWAY))
    }

    async fn in_flight(&self, slot: Slot, older_than: Duration) -> Result<InFlight, PortError> {
        let path = format!("/in-flight?slot={slot}&older_than_ms={}", older_than.as_millis());
        let answer = self.0.admin.ask(Ask::get(&path), WITHIN).await;
        read(GATEWAY, &fine(GATEWAY, "read what is in flight", answer)?)
    }
}

#[async_trait]
impl Workload for LabPlatform {
    async fn replicas(&self, slot: Slot) -> Result<Vec<Replica>, PortError> {
        let status = self.0.status().await?;
        let replica = |part: &super::PartStatus| Replica {
            name: part.name.clone(),
            ready: part.ready,
            version: part.version.clone().unwrap_or_default(),
            exits: part.exits,
            trouble: None,
        };
        Ok(status.replicas(slot).map(replica).collect())
    }

    async fn scale(&self, slot: Slot) -> Result<u32, PortError> {
        Ok(self.slot(slot).await?.replicas)
    }

    async fn scale_epoch(&self, slot: Slot) -> Result<Epoch, PortError> {
        Ok(self.slot(slot).await?.epoch)
    }

    async fn fence_scale(&self, slot: Slot, epoch: Epoch) -> Result<u32, PortError> {
        let path = format!("/slots/{slot}/scale/fence");
        let answer = order(&self.0.control, SUPERVISOR, &path, json!(FenceScale { epoch }), epoch).await?;
        Ok(read::<Scale>(SUPERVISOR, &answer.ok_or_else(|| restless(SUPERVISOR))?)?.replicas)
    }

    async fn set_scale(&self, slot: Slot, to: u32, fence: &Fence<u32>) -> Result<(), PortError> {
        let Fence { epoch, from } = *fence;
        let path = format!("/slots/{slot}/scale");
        for _ in 0..TRIES {
            let SlotStatus { replicas: found, version, .. } = self.slot(slot).await?;
            if found != from && found != to {
                return Err(PortError::Conflict { found: json!(found), expected: json!(from) });
            }
            let body = json!(SetScale { replicas: to, from, epoch, version });
            if order(&self.0.control, SUPERVISOR, &path, body, epoch).await?.is_some() {
                return Ok(());
            }
        }
        Err(restless(SUPERVISOR))
    }
}

#[async_trait]
impl Requests for LabPlatform {
    async fn get(&self, route: Route, path: &str, within: Duration) -> Result<Reply, PortError> {
        let named = SLOT;
        let preview = match route {
            Route::Live => None,
            Route::Preview(slot) => Some((named.as_str(), slot.name())),
        };
        let since = Instant::now();
        let pass = if path.starts_with("/tenants") { operate::pass(&self.0).await? } else { None };
        let shown = pass.as_deref().map(|pass| ("authorization", pass));
        let headers: Vec<_> = preview.into_iter().chain(shown).collect();
        let ask = Ask { headers: &headers, ..Ask::get(path) };
        let answer = self.0.live.ask(ask, within).await.map_err(|e| PortError::unreachable(GATEWAY, e))?;
        let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
        Ok(Reply {
            status: answer.status.as_u16(),
            by: header(SLOT.as_str()).map(str::to_owned),
            took: since.elapsed(),
        })
    }

    fn field(&self) -> Field {
        Field::Header(SLOT.to_string())
    }
}

#[async_trait]
impl Preflight for LabPlatform {
    async fn managers(&self, _: &Footprint) -> Result<Vec<Manager>, PortError> {
        // The lab's supervisor restarts what dies, and puts back nothing else.
        Ok(Vec::new())
    }

    async fn missing(&self, _: &Footprint) -> Result<Vec<Missing>, PortError> {
        // One token opens everything, reading included.
        match self.weights().await {
            Err(PortError::Forbidden { what, why }) => Ok(vec![Missing { what, why }]),
            other => other.map(|_| Vec::new()),
        }
    }

    fn grant(&self, _: &Footprint) -> String {
        "the lab's token lies in its folder, readable by whoever started it".to_owned()
    }

    fn look(&self) -> String {
        "`interlock lab status` shows the lab; `interlock lab up` starts it".to_owned()
    }
}

fn superseded(what: &str, answer: &Answer, ours: Epoch) -> PortError {
    match read::<Superseded>(what, answer) {
        Ok(Superseded { superseded }) => PortError::Superseded { ours: ours.0, theirs: superseded.0 },
        Err(odd) => odd,
    }
}

/// An answer that says yes.
fn fine(what: &str, verb: &str, answer: Result<Answer, String>) -> Result<Answer, PortError> {
    let answer = answer.map_err(|e| PortError::unreachable(what, e))?;
    let why = || String::from_utf8_lossy(&answer.body).chars().take(300).collect::<String>();
    match answer.status {
        status if status.is_success() => Ok(answer),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(PortError::Forbidden { what: verb.to_owned(), why: why() })
        }
        status => Err(PortError::unexpected(what, format!("{status}: {}", why()))),
    }
}

fn read<T: serde::de::DeserializeOwned>(what: &str, answer: &Answer) -> Result<T, PortError> {
    let value: Value = answer.json().map_err(|e| PortError::unexpected(what, e))?;
    serde_json::from_value(value).map_err(|e| PortError::unexpected(what, e))
}
