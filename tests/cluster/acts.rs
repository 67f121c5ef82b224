//! What operations do to workloads and pods beside scaling: restart, delete, evict, and read what protects them. For
//! operations to come: no command calls it yet.

use std::{path::Path, time::Duration};

use http::Request;
use interlock::model::Timestamp;
use k8s_openapi::api::{apps::v1::Deployment, batch::v1::CronJob, core::v1::Pod, policy::v1::PodDisruptionBudget};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions},
    config::{KubeConfigOptions, Kubeconfig},
    core::Status,
};
use serde_json::{Value, json};

/// The annotation by which kubectl restarts a workload, so that its history shows both alike.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// A pod, by its name and by the identity that no later pod of that name has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodName {
    pub name: String,
    pub uid: String,
}

/// What came of an eviction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evicted {
    /// The pod is on its way out.
    Done,
    /// A budget does not allow it now, and what the server said.
    Blocked { why: String },
}

/// A Job by schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub name: String,
    /// When it runs, in cron's form.
    pub schedule: String,
    pub suspended: bool,
}

/// A namespace of a cluster.
pub struct Namespace {
    client: Client,
    name: String,
}

impl Namespace {
    pub async fn connect(kubeconfig: &Path, name: &str) -> Self {
        interlock::adapters::install_crypto();
        let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        // The client would repeat 429 by itself, which is a budget's answer.
        config.default_retry = false;
        Self { client: Client::try_from(config).unwrap(), name: name.to_owned() }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Replaces all pods of a Deployment one after another, as `kubectl rollout restart` does: its template is given the
    /// time `at`. Repeating the call with the same time changes nothing more.
    pub async fn restart(&self, deployment: &str, at: Timestamp) -> kube::Result<()> {
        let annotations = json!({ RESTARTED: format!("{at:.0}") });
        let patch = Patch::Merge(json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } }));
        let params = PatchParams { field_manager: Some("interlock".to_owned()), ..PatchParams::default() };
        self.api::<Deployment>().patch(deployment, &params, &patch).await.map(drop)
    }

    /// Deletes one pod, and no other that has taken its name meanwhile. `grace` is how long it may take to end; its own
    /// when left out, and at once when zero.
    pub async fn delete_pod(&self, pod: &PodName, grace: Option<Duration>) -> kube::Result<()> {
        let preconditions = Preconditions { uid: Some(pod.uid.clone()), resource_version: None };
        let params = DeleteParams {
            preconditions: Some(preconditions),
            grace_period_seconds: seconds(grace),
            ..DeleteParams::default()
        };
        self.api::<Pod>().delete(&pod.name, &params).await.map(drop)
    }

    /// Asks that one pod, and no other that has taken its name meanwhile, be evicted. A budget that does not allow it is
    /// an answer, which comes at once.
    pub async fn evict_pod(&self, pod: &PodName, grace: Option<Duration>) -> kube::Result<Evicted> {
        // The client's own call leaves out what the eviction is conditioned on, so it is written here.
        let uri = format!("/api/v1/namespaces/{}/pods/{}/eviction", self.name, pod.name);
        let body = serde_json::to_vec(&eviction(pod, grace)).unwrap();
        let request = Request::post(uri).header("content-type", "application/json").body(body).unwrap();
        match self.client.request_text(request).await {
            Ok(_) => Ok(Evicted::Done),
            // The same code says that the server is busy; only a budget names itself as the cause. One that is wrong
            // itself, such as two for one pod, blocks for good.
            Err(kube::Error::Api(status))
                if (status.code == 429 && is_budget(&status))
                    || (status.code == 500 && status.message.contains("PodDisruptionBudget")) =>
            {
                Ok(Evicted::Blocked { why: blocked(&status) })
            }
            Err(e) => Err(e),
        }
    }

    /// How many pods of a budget may go now.
    pub async fn allowed(&self, budget: &str) -> i32 {
        allowed(&self.api::<PodDisruptionBudget>().get(budget).await.unwrap())
    }

    /// The Jobs by schedule.
    pub async fn schedules(&self) -> kube::Result<Vec<Schedule>> {
        let all = self.api::<CronJob>().list(&ListParams::default()).await?;
        let schedule = |job: CronJob| {
            let spec = job.spec.unwrap_or_default();
            Schedule {
                name: job.metadata.name.unwrap_or_default(),
                schedule: spec.schedule,
                suspended: spec.suspend.unwrap_or(false),
            }
        };
        Ok(all.items.into_iter().map(schedule).collect())
    }
}

fn seconds(grace: Option<Duration>) -> Option<u32> {
    grace.map(|grace| u32::try_from(grace.as_secs()).unwrap_or(u32::MAX))
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

fn is_budget(status: &Status) -> bool {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    causes.any(|cause| cause.reason == "DisruptionBudget") || status.message.contains("disruption budget")
}

/// What the server says, with what it says of the budget.
fn blocked(status: &Status) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let told = causes.map(|cause| cause.message.as_str()).filter(|told| !told.is_empty());
    std::iter::once(status.message.as_str()).chain(told).collect::<Vec<_>>().join(" ")
}

/// A budget that its controller has not looked at yet allows nothing.
fn allowed(budget: &PodDisruptionBudget) -> i32 {
    let status = budget.status.as_ref().filter(|status| status.observed_generation == budget.metadata.generation);
    status.map_or(0, |status| status.disruptions_allowed)
}

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
    let at = |observed: i64| -> PodDisruptionBudget {
        serde_json::from_value(json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": { "name": "tenant-blue", "generation": 2 },
            "status": { "observedGeneration": observed, "disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1,
                        "expectedPods": 2 },
        }))
        .unwrap()
    };
    assert_eq!((allowed(&at(2)), allowed(&at(1))), (1, 0));
}
