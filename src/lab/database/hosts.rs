//! The lab's hosts as the port sees them: orders to agents.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{
    agent::HostStand,
    kind::Runs,
    known::LabDatabase,
    routes::{FenceHost, Follow, SetFlow, SetState, StopCleanly},
};
use crate::{
    error::Error,
    lab::{
        http::{Answer, Ask, Client},
        state::Folder,
    },
    model::Epoch,
    ports::{Fencing, Flow, HostState, Hosts, Order, Permit, PortError},
};

/// How long a question may take.
const ASK: Duration = Duration::from_secs(5);
/// How long an order may take, with those before it; a host that is started may recover first.
const ORDER: Duration = Duration::from_secs(100);
/// How long a clean end may take: longer than its agent waits for it.
const STOP: Duration = Duration::from_secs(40);
/// How long it may take to follow, with all data copied anew if need be.
const FOLLOW: Duration = Duration::from_secs(240);

struct Host {
    name: String,
    runs: Runs,
    agent: Client,
}

/// Implements [`Hosts`] over the agents of a lab that is up.
pub struct LabHosts {
    hosts: Vec<Host>,
    stallable: bool,
}

#[derive(Deserialize)]
struct Superseded {
    superseded: Epoch,
}

#[derive(Deserialize)]
struct Why {
    why: String,
}

#[derive(Deserialize)]
struct How {
    how: String,
}

impl LabHosts {
    /// Finds the hosts of the lab in `folder`.
    ///
    /// # Errors
    /// Where no lab is up there, or it has no database.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let file = Folder::new(folder).read_lab()?;
        Ok(Self::of(file.database()?, &file.token))
    }

    #[must_use]
    pub fn of(database: &LabDatabase, token: &str) -> Self {
        let host = |(name, agent, runs): (&str, _, _)| Host {
            name: name.to_owned(),
            runs,
            agent: Client::new(agent, Some(token.to_owned())),
        };
        Self { hosts: database.hosts().map(host).collect(), stallable: database.stallable }
    }

    /// State, flow and epoch of a host, in one question.
    ///
    /// # Errors
    /// Where its agent does not answer.
    pub async fn stand(&self, host: &str) -> Result<HostStand, PortError> {
        let answer = self.ask(host, Ask::get("/host"), ASK).await?;
        answer.json().map_err(|e| PortError::unexpected(agent(host), e))
    }

    fn host(&self, name: &str) -> Result<&Host, PortError> {
        let found = self.hosts.iter().find(|host| host.name == name);
        found.ok_or_else(|| PortError::NotFound { what: format!("host {name} in this lab") })
    }

    async fn ask(&self, name: &str, ask: Ask<'_>, within: Duration) -> Result<Answer, PortError> {
        let answer = self.host(name)?.agent.ask(ask, within).await;
        let answer = answer.map_err(|e| PortError::unreachable(agent(name), e))?;
        let why = || answer.json::<Why>().map_or_else(|_| answer.status.to_string(), |told| told.why);
        match answer.status {
            status if status.is_success() || status == StatusCode::CONFLICT => Ok(answer),
            StatusCode::UNPROCESSABLE_ENTITY => {
                Err(PortError::Forbidden { what: format!("give this order to {name}"), why: why() })
            }
            _ => Err(PortError::unexpected(format!("the host {name}"), why())),
        }
    }

    async fn order(&self, name: &str, ask: Ask<'_>, within: Duration, ours: Epoch) -> Result<Answer, PortError> {
        let answer = self.ask(name, ask, within).await?;
        if answer.status != StatusCode::CONFLICT {
            return Ok(answer);
        }
        let Superseded { superseded } = answer.json().map_err(|e| PortError::unexpected(agent(name), e))?;
        Err(PortError::Superseded { ours: ours.0, theirs: superseded.0 })
    }
}

fn agent(host: &str) -> String {
    format!("the agent of {host}")
}

#[async_trait]
impl Hosts for LabHosts {
    fn names(&self) -> Vec<String> {
        self.hosts.iter().map(|host| host.name.clone()).collect()
    }

    fn can(&self, host: &str, order: Order) -> bool {
        let able = |host: &Host| match order {
            Order::State | Order::Run | Order::Free => true,
            Order::Do(act) => host.runs.can(HostState::of(&[act]), self.stallable),
            Order::Flow | Order::SetFlow(_) => host.runs.can_freeze(),
            Order::Stop | Order::Follow => host.runs != Runs::Etcd,
        };
        self.host(host).is_ok_and(able)
    }

    fn fencing(&self, _: &str) -> Fencing {
        Fencing::Version
    }

    async fn state(&self, host: &str) -> Result<HostState, PortError> {
        Ok(self.stand(host).await?.state)
    }

    async fn epoch(&self, host: &str) -> Result<Epoch, PortError> {
        Ok(self.stand(host).await?.epoch)
    }

    async fn fence(&self, host: &str, epoch: Epoch) -> Result<(), PortError> {
        let order = Ask::put("/host/fence", json!(FenceHost { epoch }));
        self.order(host, order, ORDER, epoch).await.map(drop)
    }

    async fn set_state(&self, host: &str, to: HostState, permit: &dyn Permit) -> Result<(), PortError> {
        let epoch = permit.epoch();
        let order = Ask::put("/host/state", json!(SetState { state: to, epoch }));
        self.order(host, order, ORDER, epoch).await.map(drop)
    }

    async fn flow(&self, host: &str) -> Result<Flow, PortError> {
        Ok(self.stand(host).await?.flow)
    }

    async fn free(&self, host: &str) -> Result<Option<u64>, PortError> {
        Ok(Some(self.stand(host).await?.free))
    }

    async fn set_flow(&self, host: &str, to: Flow, permit: &dyn Permit) -> Result<(), PortError> {
        let epoch = permit.epoch();
        let order = Ask::put("/host/flow", json!(SetFlow { flow: to, epoch }));
        self.order(host, order, ORDER, epoch).await.map(drop)
    }

    async fn stop_cleanly(&self, host: &str, permit: &dyn Permit) -> Result<(), PortError> {
        let epoch = permit.epoch();
        self.order(host, Ask::post("/host/stop", json!(StopCleanly { epoch })), STOP, epoch).await.map(drop)
    }

    async fn start_following(&self, host: &str, primary: &str, permit: &dyn Permit) -> Result<String, PortError> {
        let epoch = permit.epoch();
        let order = Ask::post("/host/follow", json!(Follow { primary: primary.to_owned(), epoch }));
        let answer = self.order(host, order, FOLLOW, epoch).await?;
        let How { how } = answer.json().map_err(|e| PortError::unexpected(agent(host), e))?;
        Ok(how)
    }
}
