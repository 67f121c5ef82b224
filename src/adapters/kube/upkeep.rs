//! What operations do to workloads and pods beside scaling: restart, delete, evict, and read what protects them.

use std::time::Duration;

use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Cluster, ServedKind, names, workload::WorkloadName};
use crate::{model::Timestamp, ports::PortError};

/// How long one eviction may take to be answered; a webhook may be asked about it.
const WITHIN: Duration = Duration::from_secs(30);
/// The annotation by which kubectl restarts a workload, so that its history shows both alike.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// A pod, by its name and by the identity that no later pod of that name has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodName {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// What came of an eviction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evicted {
    /// The pod is on its way out.
    Done,
    /// A budget does not allow it now.
    Blocked {
        /// What the server said.
        why: String,
    },
}

/// What a `PodDisruptionBudget` allows now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Its name.
    pub name: String,
    /// How many of its pods may go now.
    pub allowed: u32,
    /// How many of its pods are healthy.
    pub healthy: u32,
    /// How many have to be.
    pub wanted: u32,
}

/// A Job by schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// When it runs, in cron's form.
    pub schedule: String,
    /// Whether it is suspended.
    pub suspended: bool,
}

impl Cluster {
    /// Replaces all pods of a workload one after another, as `kubectl rollout restart` does: its template is given the
    /// time `at`. Repeating the call with the same time changes nothing more.
    ///
    /// # Errors
    /// Where it is named by labels, is a `ReplicaSet` (which replaces no pods by itself), or cannot be written.
    pub async fn restart(&self, workload: &WorkloadName, at: Timestamp) -> Result<(), PortError> {
        let (Some(name), "Deployment" | "StatefulSet") = (workload.name(), workload.kind()) else {
            return Err(PortError::odd("restart", format!("a {} is not restarted by its template", workload.kind())));
        };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &workload.resource());
        let annotations = json!({ RESTARTED: format!("{at:.0}") });
        let patch = Patch::Merge(json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } }));
        let params = PatchParams { field_manager: Some(names::MANAGER.to_owned()), ..PatchParams::default() };
        let verb = format!("patch {}/{name}", workload.plural());
        self.outlast(&verb, || api.patch_metadata(name, &params, &patch)).await.map(drop)
    }

    /// Deletes one pod, and no other that has taken its name meanwhile. `grace` is how long it may take to end; its own
    /// when left out, and at once when zero.
    ///
    /// # Errors
    /// [`PortError::Conflict`] where the name belongs to another pod, [`PortError::NotFound`] where none has it.
    pub async fn delete_pod(&self, pod: &PodName, grace: Option<Duration>) -> Result<(), PortError> {
        let params = deletion(pod, grace);
        let api: Api<Pod> = self.api();
        let verb = format!("delete pods/{}", pod.name);
        // Repeating is harmless: the second one finds no pod of this uid.
        self.outlast(&verb, || api.delete(&pod.name, &params)).await.map(drop)
    }

    /// Asks that one pod, and no other that has taken its name meanwhile, be evicted. A budget that does not allow it is
    /// an answer, which comes at once.
    ///
    /// # Errors
    /// [`PortError::Conflict`] where the name belongs to another pod, [`PortError::NotFound`] where none has it.
    pub async fn evict_pod(&self, pod: &PodName, grace: Option<Duration>) -> Result<Evicted, PortError> {
        let verb = format!("create pods/eviction of {}", pod.name);
        match self.post_eviction(pod, grace, &verb).await {
            Ok(()) => Ok(Evicted::Done),
            // The same code says that the server is busy; only a budget names itself as the cause.
            Err(kube::Error::Api(status)) if status.code == 429 && is_budget(&status) => {
                Ok(Evicted::Blocked { why: blocked(&status) })
            }
            // A budget that is wrong itself, such as two for one pod, blocks for good.
            Err(kube::Error::Api(status)) if status.code == 500 && status.message.contains("PodDisruptionBudget") => {
                Ok(Evicted::Blocked { why: status.message.clone() })
            }
            Err(e) => Err(self.failure(&verb, &e)),
        }
    }

    /// The client's own call leaves out what the eviction is conditioned on, so it is written here.
    async fn post_eviction(&self, pod: &PodName, grace: Option<Duration>, verb: &str) -> kube::Result<()> {
        let uri = format!("/api/v1/namespaces/{}/pods/{}/eviction", self.namespace, pod.name);
        let body = serde_json::to_vec(&eviction(pod, grace)).map_err(kube::Error::SerdeError)?;
        let request = Request::post(uri).header("content-type", "application/json").body(body);
        let request = request.map_err(kube::Error::HttpError)?;
        match timeout(WITHIN, self.client.request_text(request)).await {
            Ok(answer) => answer.map(drop),
            Err(_) => Err(kube::Error::Service(format!("{verb}: no answer within {WITHIN:?}").into())),
        }
    }

    /// The budgets of the namespace.
    ///
    /// # Errors
    /// Where they cannot be listed.
    pub async fn budgets(&self) -> Result<Vec<Budget>, PortError> {
        let all = self.list_served(ServedKind::PodDisruptionBudget).await?;
        Ok(all.iter().map(budget).collect())
    }

    /// The Jobs by schedule of the namespace.
    ///
    /// # Errors
    /// Where they cannot be listed.
    pub async fn schedules(&self) -> Result<Vec<Schedule>, PortError> {
        let all = self.list_served(ServedKind::CronJob).await?;
        Ok(all.iter().map(schedule).collect())
    }

    async fn list_served(&self, kind: ServedKind) -> Result<Vec<DynamicObject>, PortError> {
        let resource: ApiResource = self.served(kind).await?;
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let verb = format!("list {}.{}", resource.plural, resource.group);
        let all = ListParams::default();
        Ok(self.outlast(&verb, || api.list(&all)).await?.items)
    }
}

fn seconds(grace: Option<Duration>) -> Option<u32> {
    grace.map(|grace| u32::try_from(grace.as_secs()).unwrap_or(u32::MAX))
}

fn deletion(pod: &PodName, grace: Option<Duration>) -> DeleteParams {
    let preconditions = Preconditions { uid: Some(pod.uid.clone()), resource_version: None };
    DeleteParams { preconditions: Some(preconditions), grace_period_seconds: seconds(grace), ..DeleteParams::default() }
}

fn eviction(pod: &PodName, grace: Option<Duration>) -> Value {
    let mut options = json!({ "preconditions": { "uid": pod.uid } });
    if let Some(seconds) = seconds(grace) {
        options["gracePeriodSeconds"] = json!(seconds);
    }
    json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": { "name": pod.name },
        "deleteOptions": options,
    })
}

fn causes(status: &kube::core::Status) -> impl Iterator<Item = &kube::core::response::StatusCause> {
    status.details.iter().flat_map(|details| &details.causes)
}

fn is_budget(status: &kube::core::Status) -> bool {
    causes(status).any(|cause| cause.reason == "DisruptionBudget") || status.message.contains("disruption budget")
}

/// What the server says, with what it says of the budget.
fn blocked(status: &kube::core::Status) -> String {
    let told = causes(status).map(|cause| cause.message.as_str()).filter(|told| !told.is_empty());
    std::iter::once(status.message.as_str()).chain(told).collect::<Vec<_>>().join(" ")
}

fn number(object: &DynamicObject, field: &str) -> u32 {
    let found = object.data.pointer(&format!("/status/{field}")).and_then(Value::as_u64);
    found.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

/// A budget that its controller has not looked at yet allows nothing.
fn budget(object: &DynamicObject) -> Budget {
    let observed = object.data.pointer("/status/observedGeneration").and_then(Value::as_i64);
    let current = observed == object.metadata.generation;
    Budget {
        name: object.metadata.name.clone().unwrap_or_default(),
        allowed: if current { number(object, "disruptionsAllowed") } else { 0 },
        healthy: number(object, "currentHealthy"),
        wanted: number(object, "desiredHealthy"),
    }
}

fn schedule(object: &DynamicObject) -> Schedule {
    let at = |field: &str| object.data.pointer(&format!("/spec/{field}"));
    Schedule {
        name: object.metadata.name.clone().unwrap_or_default(),
        schedule: at("schedule").and_then(Value::as_str).unwrap_or_default().to_owned(),
        suspended: at("suspend").and_then(Value::as_bool).unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eviction_is_meant_for_one_pod_alone() {
        let pod = PodName { name: "tenant-blue-1".to_owned(), uid: "41-7".to_owned() };
        assert_eq!(
            eviction(&pod, Some(Duration::from_secs(3))),
            json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": "tenant-blue-1" },
                    "deleteOptions": { "preconditions": { "uid": "41-7" }, "gracePeriodSeconds": 3 } })
        );
        assert_eq!(eviction(&pod, None)["deleteOptions"], json!({ "preconditions": { "uid": "41-7" } }));
    }

    #[test]
    fn a_budget_that_was_just_changed_allows_nothing() {
        let object = |observed: i64| -> DynamicObject {
            serde_json::from_value(json!({
                "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                "metadata": { "name": "tenant-blue", "generation": 2 },
                "status": { "observedGeneration": observed, "disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1 },
            }))
            .unwrap()
        };
        assert_eq!((budget(&object(2)).allowed, budget(&object(1)).allowed), (1, 0));
        assert_eq!((budget(&object(2)).healthy, budget(&object(2)).wanted), (2, 1));
    }
}
