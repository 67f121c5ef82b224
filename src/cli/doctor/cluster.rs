//! A cluster: its server, who we are there, its namespace, what it serves, and its guardian.

use std::{sync::Arc, time::Duration};

use super::asked::{Row, asked, asked_or, failed};
use crate::{
    adapters::{Cluster, ServedKind},
    app::{self, Snapshot},
    document::KubernetesTarget,
    error::Error,
    ports::PortError,
    report::{Finding, State},
};

const LOOK: &str =
    "does `kubectl cluster-info` work? KUBECONFIG and the context of the platform file say which cluster";

/// The cluster, and whether it answers and knows us.
pub async fn target(snapshot: &Snapshot, target: &KubernetesTarget, within: Duration) -> (Vec<Finding>, bool) {
    let cluster = match snapshot.cluster(target).await {
        Ok(cluster) => Arc::new(cluster),
        Err(e) => return (vec![failed("API server", &e)], false),
    };
    let version = ask("API server", &cluster, |cluster| async move {
        let version = cluster.version().await?;
        Ok(Finding::fine(
            "API server",
            format!("{version} at {}", cluster.place().trim_start_matches("the API server ")),
        ))
    });
    let who = ask("credentials", &cluster, |cluster| async move {
        let who = cluster.who().await?.unwrap_or_else(|| "the server, which does not say as whom".to_owned());
        Ok(Finding::fine("credentials", format!("known to {who}").replace("known to system:", "known as system:")))
    });
    let namespace = ask("namespace", &cluster, |cluster| async move {
        let name = &cluster.namespace;
        Ok(match cluster.has_namespace().await? {
            Some(true) => Finding::fine("namespace", name),
            // Nothing needs this permission, and what is in it is asked for below.
            None => Finding::fine("namespace", format!("{name}, which we may not look at itself")),
            Some(false) => Finding::not(
                "namespace",
                State::Missing,
                format!("there is no namespace {name}"),
                "create it, or fix target.kubernetes.namespace of the platform file",
            ),
        })
    });
    let served = ask("API versions", &cluster, |cluster| async move { served(&cluster).await });
    let (mut found, who, namespace, served) =
        futures::join!(version.answer(within), who.answer(within), namespace.answer(within), served.answer(within));
    let unreachable = |found: &[Finding]| found.iter().any(|one| one.state == State::Unreachable);
    if unreachable(&found) {
        return (found, false);
    }
    let answers = !unreachable(&who) && namespace.iter().all(|one| one.state == State::Fine);
    found.extend([who, namespace, served].concat());
    (found, answers)
}

fn ask<F>(part: &'static str, cluster: &Arc<Cluster>, ask: impl FnOnce(Arc<Cluster>) -> F) -> Row
where
    F: Future<Output = Result<Finding, PortError>> + Send + 'static,
{
    let answer = ask(cluster.clone());
    asked(part, async move { vec![answer.await.unwrap_or_else(|e| failed(part, &Error::port(e, LOOK)))] })
}

/// Which kinds beside the core ones are served.
async fn served(cluster: &Cluster) -> Result<Finding, PortError> {
    let (mut there, mut lacking) = (Vec::new(), Vec::new());
    for served in ServedKind::ALL {
        let (_, kind) = served.name();
        match cluster.served(served).await {
            Ok(resource) => there.push(format!("{kind} {}", resource.version)),
            Err(PortError::NotFound { what }) => lacking.push(what),
            Err(e) => return Err(e),
        }
    }
    if lacking.is_empty() {
        return Ok(Finding::fine("API versions", there.join(", ")));
    }
    let hint = "an aggregated API may be down: `kubectl get apiservices`";
    Ok(Finding::not("API versions", State::Optional, format!("not served: {}", lacking.join(", ")), hint))
}

/// Who would put things back.
pub fn guardian(target: &KubernetesTarget) -> Row {
    const HINT: &str = "`kubectl apply -k manifests/guardian` with its role from manifests/rbac; without it a run needs \
                        --accept-local-guardian";
    let reach = app::reach(target);
    let none = |found: &str| Finding::not("guardian", State::Optional, found, HINT);
    let none_alive = none("none is alive in the cluster");
    // Of one whose last sign of life is old another is waited for, and that may take longer than we wait.
    asked_or(none("none has given a sign of life"), async move {
        let found = async { app::cluster_store(&reach).await?.guardian().await };
        vec![match found.await {
            Ok(Some(alive)) => {
                Finding::fine("guardian", format!("in the cluster: {}, last seen {:.0}", alive.name, alive.renewed))
            }
            Ok(None) => none_alive,
            Err(e) => failed("guardian", &e),
        }]
    })
}
