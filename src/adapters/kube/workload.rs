//! The workload behind a slot: its scale, and its pods as replicas.

use std::sync::Arc;

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::LabelSelector};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
    core::Selector,
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{
    Cluster, events,
    object::{Bound, Replace, Theirs},
    pods::replica,
    watched::Watched,
};
use crate::{
    model::Epoch,
    ports::{Fence, PortError, Replica},
};

/// Where the wanted number of replicas stands.
pub const REPLICAS: &str = "/spec/replicas";

/// A workload as a person names it: `deployment/NAME`, `statefulset/NAME`, `replicaset/NAME` or `replicaset/LABEL=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadName {
    kind: &'static str,
    which: Which,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Which {
    Name(String),
    Labels(String),
}

impl WorkloadName {
    /// Reads a workload's name.
    ///
    /// # Errors
    /// Where it has another form.
    pub fn parse(text: &str) -> Result<Self, PortError> {
        let known = [("deployment", "Deployment"), ("statefulset", "StatefulSet"), ("replicaset", "ReplicaSet")];
        let parts = text.split_once('/').filter(|(_, name)| !name.is_empty());
        let found = parts.and_then(|(kind, name)| Some((known.iter().find(|(word, _)| *word == kind)?.1, name)));
        let (kind, name) = found.ok_or_else(|| PortError::unexpected("workload", format!("`{text}` names none")))?;
        let which = match name.contains('=') {
            true => Which::Labels(name.to_owned()),
            false => Which::Name(name.to_owned()),
        };
        Ok(Self { kind, which })
    }

    /// Its kind, such as `Deployment`.
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    pub(super) fn resource(&self) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", self.kind))
    }

    /// The plural by which the API names the kind.
    pub fn plural(&self) -> String {
        self.resource().plural
    }

    /// The object's name, where it was named and not described by labels.
    pub fn name(&self) -> Option<&str> {
        match &self.which {
            Which::Name(name) => Some(name),
            Which::Labels(_) => None,
        }
    }
}

/// The workload behind one slot.
pub struct Workload {
    cluster: Cluster,
    pub name: WorkloadName,
    object: OnceCell<Theirs>,
    bound: Arc<Bound>,
    pods: OnceCell<Watched<Pod>>,
}

impl Workload {
    /// A workload; nothing is asked of it yet.
    pub fn new(cluster: &Cluster, name: WorkloadName) -> Self {
        Self { cluster: cluster.clone(), name, object: OnceCell::new(), bound: Arc::default(), pods: OnceCell::new() }
    }

    /// The object itself; one that is described by labels is looked up once.
    ///
    /// # Errors
    /// Where none, or several, fit the labels.
    pub async fn object(&self) -> Result<&Theirs, PortError> {
        self.object
            .get_or_try_init(|| async {
                let name = match &self.name.which {
                    Which::Name(name) => name.clone(),
                    Which::Labels(labels) => self.find(labels).await?,
                };
                Ok(Theirs::new(&self.cluster, &self.name.resource(), &name).bound(&self.bound))
            })
            .await
    }

    /// The one that is scaled up, among those that fit the labels, or else that of the latest revision: what a rollout
    /// leaves behind is scaled to nothing.
    async fn find(&self, labels: &str) -> Result<String, PortError> {
        let resource = self.name.resource();
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.cluster.client.clone(), &self.cluster.namespace, &resource);
        let verb = format!("list {} with {labels}", resource.plural);
        let all = api.list(&ListParams::default().labels(labels)).await.map_err(|e| self.cluster.failure(&verb, &e))?;
        let up: Vec<_> = all.iter().filter(|object| scale(object) > 0).collect();
        match up.as_slice() {
            [one] => Ok(one.name_any()),
            [] => all
                .iter()
                .max_by_key(|object| (revision(object), object.creation_timestamp()))
                .map(ResourceExt::name_any)
                .ok_or(PortError::NotFound { what: format!("{} with {labels}", resource.plural) }),
            several => {
                let names: Vec<_> = several.iter().map(|object| object.name_any()).collect();
                let why = format!(
                    "several are scaled up: {}; let the rollout finish, or scale down all but the slot's own",
                    names.join(", ")
                );
                Err(PortError::unexpected(verb, why))
            }
        }
    }

    /// The pods that its selector picks, as a watch has them.
    ///
    /// # Errors
    /// Where they cannot be seen.
    pub async fn pods(&self) -> Result<Vec<Arc<Pod>>, PortError> {
        let watched = self.pods.get_or_try_init(|| async {
            let theirs = self.object().await?;
            let labels = selector(&theirs.read().await?)?;
            Ok::<_, PortError>(Watched::start(&self.cluster, self.cluster.api(), &labels, "pods"))
        });
        watched.await?.read().await
    }

    /// The replicas, ready or not.
    ///
    /// # Errors
    /// Where they cannot be seen.
    pub async fn replicas(&self) -> Result<Vec<Replica>, PortError> {
        Ok(self.pods().await?.iter().filter_map(|pod| replica(pod)).collect())
    }

    /// How many replicas it is meant to have.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn scale(&self) -> Result<u32, PortError> {
        Ok(scale(&self.object().await?.read().await?))
    }

    /// Its uid.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn uid(&self) -> Result<Option<String>, PortError> {
        Ok(self.object().await?.read().await?.uid())
    }

    /// Only the object with this uid is written from here on.
    pub fn bind(&self, uid: &str, marked: bool) {
        self.bound.bind(uid, marked);
    }

    /// Raises the epoch on the object and keeps its scale, which is read.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has written.
    pub async fn fence(&self, epoch: Epoch) -> Result<u32, PortError> {
        let keep = |object: &DynamicObject| {
            let found = json!(scale(object));
            Ok(Replace { pointer: REPLICAS.to_owned(), from: found.clone(), to: found })
        };
        Ok(scale(&self.object().await?.replace(None, epoch, keep).await?))
    }

    /// Sets how many replicas it is meant to have.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has written, [`PortError::Conflict`] where somebody else has.
    pub async fn set_scale(&self, to: u32, fence: &Fence<u32>) -> Result<(), PortError> {
        let Fence { epoch, from } = *fence;
        let theirs = self.object().await?;
        let replace =
            |_: &DynamicObject| Ok(Replace { pointer: REPLICAS.to_owned(), from: json!(from), to: json!(to) });
        let object = theirs.replace(None, epoch, replace).await?;
        if from != to {
            let note = format!("{from} -> {to} replicas, by epoch {epoch}");
            events::leave(&self.cluster, &theirs.reference(&object), "Scaled", "Scale", note).await;
        }
        Ok(())
    }
}

/// How many replicas an object of `apps/v1` is meant to have; the server fills in what was left out.
fn scale(object: &DynamicObject) -> u32 {
    let replicas = object.data.pointer(REPLICAS).and_then(Value::as_u64);
    u32::try_from(replicas.unwrap_or(1)).unwrap_or(u32::MAX)
}

/// Which release an object is, as rollouts count them; an older one that is rolled out anew counts as the latest.
fn revision(object: &DynamicObject) -> u64 {
    let marks = ["rollout.argoproj.io/revision", "deployment.kubernetes.io/revision"];
    let found = marks.iter().find_map(|mark| object.annotations().get(*mark));
    found.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn selector(object: &DynamicObject) -> Result<String, PortError> {
    let place = || format!("spec.selector of {}", object.name_any());
    let found = object.data.pointer("/spec/selector").cloned().unwrap_or_default();
    let labels: LabelSelector = serde_json::from_value(found).map_err(|e| PortError::unexpected(place(), e))?;
    let selector = Selector::try_from(labels).map_err(|e| PortError::unexpected(place(), e))?;
    Ok(selector.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_are_named_by_kind() {
        let name = WorkloadName::parse("deployment/tenant-blue").unwrap();
        assert_eq!(
            (name.kind(), name.plural().as_str(), name.name()),
            ("Deployment", "deployments", Some("tenant-blue"))
        );
        let labels = WorkloadName::parse("replicaset/app=tenant,slot=blue").unwrap();
        assert_eq!((labels.plural().as_str(), labels.name()), ("replicasets", None));
        for wrong in ["tenant-blue", "deployment/", "cronjob/x", ""] {
            assert!(WorkloadName::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_selector_is_taken_whole() {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "t" },
            "spec": { "selector": { "matchLabels": { "app": "tenant", "slot": "blue" },
                                    "matchExpressions": [{ "key": "canary", "operator": "DoesNotExist" }] } },
        }))
        .unwrap();
        assert_eq!(selector(&object).unwrap(), "app=tenant,slot=blue,!canary");
    }
}
