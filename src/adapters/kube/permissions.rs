//! What we may do: asked of the server for each verb, and each write of an operation tried without effect.

use futures::future::try_join_all;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::{Api, api::PostParams};

use super::{Cluster, names::GUARDIAN_LEASE};
use crate::ports::{Missing, PortError};

/// One verb on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The verb, such as `patch`.
    pub verb: &'static str,
    /// The API group; empty for the core.
    pub group: String,
    /// The resource, such as `services` or `pods/proxy`.
    pub resource: String,
    /// The one object; any when left out.
    pub name: Option<String>,
}

impl Need {
    pub fn any(verb: &'static str, group: &str, resource: &str) -> Self {
        Self { verb, group: group.to_owned(), resource: resource.to_owned(), name: None }
    }

    pub fn one(verb: &'static str, group: &str, resource: &str, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::any(verb, group, resource) }
    }
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " {name}"))
    }
}

const LEASES: &str = "coordination.k8s.io";

/// What is read of the run store: who holds the target, which guardian acts, and the journals.
pub fn store_reads(lock: &str) -> Vec<Need> {
    let mut needs: Vec<_> = [lock, GUARDIAN_LEASE].map(|name| Need::one("get", LEASES, "leases", name)).into();
    needs.push(Need::any("get", "", "configmaps"));
    needs
}

/// What a run writes of its own: its lock, its journal, and a word on what it touched. Objects are created without a name
/// that a role could give.
pub fn store_writes(lock: &str) -> Vec<Need> {
    let mut needs = vec![Need::any("create", LEASES, "leases"), Need::one("patch", LEASES, "leases", lock)];
    needs.extend(["create", "patch"].map(|verb| Need::any(verb, "", "configmaps")));
    needs.push(Need::any("create", "events.k8s.io", "events"));
    needs
}

/// Asks for each need whether it is granted, and returns those that are not.
///
/// # Errors
/// Where the server cannot be asked.
pub async fn missing(cluster: &Cluster, needs: &[Need]) -> Result<Vec<Missing>, PortError> {
    let api: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let api = &api;
    let asked = needs.iter().map(|need| async move {
        let answer = api.create(&PostParams::default(), &review(cluster, need)).await;
        let answer = answer.map_err(|e| cluster.failure("create selfsubjectaccessreviews", &e))?;
        let status = answer.status.unwrap_or_default();
        let why =
            || status.reason.clone().filter(|why| !why.is_empty()).unwrap_or_else(|| "no role grants it".to_owned());
        let what = format!("{need} in namespace {}", cluster.namespace);
        Ok::<_, PortError>((!status.allowed).then(|| Missing { what, why: why() }))
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

fn review(cluster: &Cluster, need: &Need) -> SelfSubjectAccessReview {
    let (resource, subresource) = match need.resource.split_once('/') {
        Some((resource, sub)) => (resource.to_owned(), Some(sub.to_owned())),
        None => (need.resource.clone(), None),
    };
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(cluster.namespace.clone()),
                verb: Some(need.verb.to_owned()),
                group: Some(need.group.clone()),
                resource: Some(resource),
                subresource,
                name: need.name.clone(),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    }
}
