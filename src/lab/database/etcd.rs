//! The etcd of the Patronis: one member, which nobody else's is taken for.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::json;

use super::{
    engine::{Engine, Power},
    site::Site,
};
use crate::{
    lab::http::{Ask, Client},
    process::{Launch, Signal},
};

const ANSWER: Duration = Duration::from_secs(1);
const START: Duration = Duration::from_secs(30);

pub struct Etcd {
    site: Arc<Site>,
}

impl Etcd {
    /// The member of a host.
    #[must_use]
    pub const fn new(site: Arc<Site>) -> Self {
        Self { site }
    }

    /// A name that no other cluster's member has; `/health` is answered by anybody's etcd.
    fn member(&self) -> String {
        self.site.cluster.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

#[async_trait]
impl Engine for Etcd {
    fn main(&self) -> io::Result<Launch> {
        let (site, member) = (&self.site, self.member());
        let missing = || io::Error::other("the plan has no port for the other members");
        let peers = format!("http://{}", site.plan.own.ok_or_else(missing)?);
        let (inside, outside) =
            (format!("http://{}", site.plan.service.to), format!("http://{}", site.plan.service.listen));
        Ok(site
            .launch("etcd", &site.data())?
            .args(["--name", &member, "--data-dir", "etcd", "--log-level", "warn"])
            .args(["--listen-client-urls", &inside, "--advertise-client-urls", &outside])
            .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("{member}={peers}"), "--initial-cluster-token", &member]))
    }

    async fn make(&self, power: &dyn Power) -> io::Result<()> {
        power.start(START).await
    }

    async fn serves(&self) -> bool {
        let client = Client::new(self.site.plan.service.to, None);
        let answer = client.ask(Ask::post("/v3/cluster/member/list", json!({})), ANSWER).await;
        answer.is_ok_and(|answer| {
            answer.status.is_success() && String::from_utf8_lossy(&answer.body).contains(&self.member())
        })
    }

    fn clean_end(&self) -> Option<Signal> {
        Some(Signal::SIGTERM)
    }

    async fn follow(&self, _: &str, _: bool, _: &dyn Power) -> io::Result<String> {
        Err(io::Error::other("an etcd follows nobody"))
    }
}
