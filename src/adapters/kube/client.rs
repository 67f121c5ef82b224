//! A connection to one namespace of a cluster, found as kubectl finds it.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use kube::{
    Api, Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::util::MapRequestLayer;

use super::{
    failure::{failure, failure_behind},
    patience::outlast,
};
use crate::{error::Error, ports::PortError};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may stay silent. Watches are shorter than this, so that a quiet one is not taken for a dead one.
const SILENCE: Duration = Duration::from_secs(30);

/// Which cluster, and which part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The kubeconfig; as kubectl finds it when left out.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; the current one when left out. A pod uses its own account, whatever this says.
    pub context: Option<String>,
    pub namespace: String,
    /// The longest outage of the API server that writes wait out.
    pub outage: Duration,
}

/// A namespace of a cluster that can be spoken to.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    pub namespace: String,
    /// The longest outage of the API server that writes wait out.
    pub outage: Duration,
    /// Names the server for people.
    place: String,
}

/// What was sent to API servers so far, over all connections of this process.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// How many requests this process has sent to API servers so far.
#[must_use]
pub fn requests() -> u64 {
    REQUESTS.load(Ordering::Relaxed)
}

impl Cluster {
    /// Finds the cluster; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`PortError::Unreachable`] where the kubeconfig is missing, broken, or has no such context.
    pub async fn connect(reach: &Reach) -> Result<Self, Error> {
        super::super::install_crypto();
        let config = config(reach).await.map_err(|why| {
            Error::port(
                PortError::unreachable("the cluster", why),
                "does `kubectl cluster-info` work? KUBECONFIG and the context of the platform file say which cluster",
            )
        })?;
        let place = format!("the API server {}", config.cluster_url);
        let count = MapRequestLayer::new(|request| {
            REQUESTS.fetch_add(1, Ordering::Relaxed);
            request
        });
        let builder = ClientBuilder::try_from(config).map_err(|e| {
            Error::port(failure(&place, "connect", &e), "look at the certificates and the token of the kubeconfig")
        })?;
        let client = builder.with_layer(&count).build();
        Ok(Self { client, namespace: reach.namespace.clone(), outage: reach.outage, place })
    }

    /// One whose requests go to `client`, whatever that is.
    #[cfg(test)]
    pub(super) fn over(client: Client) -> Self {
        let (namespace, place) = ("shop".to_owned(), "the API server of a test".to_owned());
        Self { client, namespace, outage: Duration::ZERO, place }
    }

    /// The server, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The version that the server says it has, such as `v1.33.1`.
    ///
    /// # Errors
    /// Where it cannot be asked.
    pub async fn version(&self) -> Result<String, PortError> {
        let version = self.client.apiserver_version().await;
        version.map(|version| version.git_version).map_err(|e| self.failure("get /version", &e))
    }

    /// Typed objects of the namespace.
    pub(in crate::adapters) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// What an error of the client means; `verb` says what was asked for.
    pub(in crate::adapters) fn failure(&self, verb: &str, error: &kube::Error) -> PortError {
        failure(&self.place, verb, error)
    }

    /// The same of a request that the server passes on to a Service or a pod.
    pub(super) fn failure_behind(&self, behind: &str, verb: &str, error: &kube::Error) -> PortError {
        failure_behind(&self.place, behind, verb, error)
    }

    /// Repeats a call that changes nothing more when it is repeated, for as long as an outage may last.
    pub(in crate::adapters) async fn outlast<T, F>(
        &self,
        verb: &str,
        mut call: impl FnMut() -> F,
    ) -> Result<T, PortError>
    where
        F: Future<Output = kube::Result<T>>,
    {
        outlast(self.outage, || {
            let called = call();
            async move { called.await.map_err(|e| self.failure(verb, &e)) }
        })
        .await
    }
}

async fn config(reach: &Reach) -> Result<Config, String> {
    let options = KubeConfigOptions { context: reach.context.clone(), ..KubeConfigOptions::default() };
    let mut config = match &reach.kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path).map_err(|e| chain(&e))?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|e| chain(&e))?
        }
        // A pod without a kubeconfig is itself; contexts are for people's machines.
        None if in_pod() => Config::incluster().map_err(|e| chain(&e))?,
        None => Config::from_kubeconfig(&options).await.map_err(|e| chain(&e))?,
    };
    // The client would repeat 429, 503 and 504 by itself, for minutes and also where a write must not be repeated.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(SILENCE);
    config.write_timeout = Some(SILENCE);
    Ok(config)
}

fn in_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() && std::env::var_os("KUBECONFIG").is_none()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}
