//! One service of a cluster as the ports see it.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use kube::ResourceExt as _;
use tokio::sync::Mutex;

use super::{
    Cluster,
    endpoints::Endpoints,
    events,
    object::epoch,
    pages::{self, Telling, in_flight, tell_draining},
    pods,
    requests::Way,
    routing::{Entry, Router, Routing},
    workload::{Workload as Behind, WorkloadName},
};
use crate::{
    adapters::exposition::Sample,
    model::{Epoch, Slot, Weights},
    ports::{Fence, Field, InFlight, PortError, Replica, Reply, Requests, Route, Routed, Traffic, Workload},
};

/// How long a Service may take to reach its new pods, before whoever asks who serves finds out.
const FOLLOWED: Duration = Duration::from_secs(15);
/// How many answers of the new slot in a row say that new requests reach it.
const IN_A_ROW: u32 = 5;
/// The pause after another answer.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// How long a pod's page answers all that is asked of one look.
const FRESH: Duration = Duration::from_millis(400);

#[derive(Clone)]
pub struct ServiceInCluster {
    pub name: String,
    /// The workloads behind blue and green.
    pub workloads: [WorkloadName; 2],
    /// How traffic reaches them.
    pub routing: Routing,
    /// The path whose answer says who serves, and the field of it that does.
    pub identity: (String, Field),
    /// What pods tell of themselves.
    pub telling: Option<Telling>,
}

/// A slot's pages and when they were read.
type Page = (Instant, Arc<Vec<(Arc<k8s_openapi::api::core::v1::Pod>, Vec<Sample>)>>);

/// A service of a cluster, bound to it.
pub struct KubePlatform {
    pub(super) cluster: Cluster,
    pub(super) service: ServiceInCluster,
    pub(super) router: Router,
    pub(super) slots: [Behind; 2],
    endpoints: Option<Endpoints>,
    live: Way,
    previews: [Way; 2],
    pages: [Mutex<Option<Page>>; 2],
}

const fn index(slot: Slot) -> usize {
    match slot {
        Slot::Blue => 0,
        Slot::Green => 1,
    }
}

impl KubePlatform {
    /// Binds a service to its cluster; nothing is asked yet.
    ///
    /// # Errors
    /// Where its address makes no sense.
    pub fn new(cluster: &Cluster, service: ServiceInCluster) -> Result<Self, PortError> {
        let router = Router::new(cluster, service.routing.clone());
        let field = &service.identity.1;
        let way = |entry| match entry {
            Entry::Address { url, header: preview } => Way::address(&url, preview, field),
            Entry::Service(name) => Ok(Way::proxy(cluster, &name, field)),
        };
        Ok(Self {
            previews: [way(router.preview(Slot::Blue))?, way(router.preview(Slot::Green))?],
            live: way(router.live())?,
            endpoints: router.addresses().map(|name| Endpoints::new(cluster, name)),
            slots: service.workloads.clone().map(|name| Behind::new(cluster, name)),
            pages: [Mutex::default(), Mutex::default()],
            cluster: cluster.clone(),
            router,
            service,
        })
    }

    /// What is told of a namespace that is being deleted.
    pub(super) fn leaving(&self) -> String {
        format!("the namespace {} is being deleted with everything in it", self.cluster.namespace)
    }

    pub(super) const fn behind(&self, slot: Slot) -> &Behind {
        &self.slots[index(slot)]
    }

    /// The pages of a slot's pods, read a moment ago at most.
    ///
    /// # Errors
    /// Where the platform file names none, or they cannot be read.
    pub(super) async fn pages(&self, slot: Slot) -> Result<Page, PortError> {
        let Some(telling) = &self.service.telling else {
            let what = format!("`services.{}.pods` in the platform file: the pods tell nothing", self.service.name);
            return Err(PortError::NotFound { what });
        };
        let mut kept = self.pages[index(slot)].lock().await;
        if let Some(page) = kept.as_ref().filter(|(read, _)| read.elapsed() < FRESH) {
            return Ok(page.clone());
        }
        let read = pages::pages(&self.cluster, self.behind(slot), telling).await?;
        let page = (Instant::now(), Arc::new(read));
        *kept = Some(page.clone());
        Ok(page)
    }

    /// Tells the pods of a slot whether to end kept-alive connections; a selector moves only new ones.
    async fn tell(&self, slot: Slot, draining: bool) {
        if let Some(telling) = &self.service.telling {
            tell_draining(&self.cluster, self.behind(slot), telling, draining).await;
        }
    }

    /// Waits until new requests follow the weights, as far as that can be seen: first the Service's endpoints, then what
    /// every node makes of them. Whoever asks who serves finds out what has not followed.
    async fn followed(&self, to: &Weights) {
        self.endpoints_followed(to).await;
        let Some(sole) = to.sole() else { return };
        let (mut in_a_row, begun) = (0, Instant::now());
        while in_a_row < IN_A_ROW && begun.elapsed() < FOLLOWED {
            match self.live.get(&self.service.identity.0, FOLLOWED).await {
                Ok(reply) if reply.slot().is_none_or(|slot| slot == sole) => in_a_row += 1,
                _ => {
                    in_a_row = 0;
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
        }
    }

    /// Waits until the Service reaches nothing of what lost its traffic.
    async fn endpoints_followed(&self, to: &Weights) {
        let Some(endpoints) = &self.endpoints else { return };
        let mut gone = BTreeSet::new();
        for slot in Slot::ALL.into_iter().filter(|slot| to.of(*slot) == 0) {
            if let Ok(pods) = self.behind(slot).pods().await {
                gone.extend(pods.iter().flat_map(|pod| pods::addresses(pod)).map(str::to_owned));
            }
        }
        match endpoints.without(&gone, FOLLOWED).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!("the endpoints of {} have not followed yet", self.router.object.title),
            Err(e) => tracing::warn!("the endpoints of {} cannot be seen: {e}", self.router.object.title),
        }
    }
}

#[async_trait]
impl Traffic for KubePlatform {
    async fn weights(&self) -> Result<Weights, PortError> {
        match self.router.read().await {
            Ok(object) => self.router.weights(&object),
            Err(PortError::NotFound { .. }) if self.cluster.is_leaving().await => Err(PortError::Forbidden {
                what: format!("switch {}", self.router.object.title),
                why: format!("{}, and it is gone already", self.leaving()),
            }),
            Err(e) => Err(e),
        }
    }

    async fn weights_epoch(&self) -> Result<Epoch, PortError> {
        Ok(epoch(&self.router.read().await?))
    }

    async fn weights_object(&self) -> Result<Option<String>, PortError> {
        Ok(self.router.read().await?.uid())
    }

    fn bind_weights(&self, object: &str, marked: bool) {
        self.router.object.bind(object, marked);
    }

    async fn fence_weights(&self, epoch: Epoch) -> Result<Weights, PortError> {
        self.router.fence(epoch).await
    }

    async fn set_weights(&self, to: &Weights, fence: &Fence<Weights>) -> Result<(), PortError> {
        if let Some(endpoints) = &self.endpoints {
            // Where the watch cannot begin, the wait below says so.
            let _ = endpoints.watch().await;
        }
        let object = self.router.set(to, fence).await?;
        let gains = |slot: &Slot| to.of(*slot) > 0;
        for slot in Slot::ALL.into_iter().filter(gains) {
            self.tell(slot, false).await;
        }
        self.followed(to).await;
        for slot in Slot::ALL.into_iter().filter(|slot| !gains(slot)) {
            self.tell(slot, true).await;
        }
        let note = format!("{} -> {to}, by epoch {}", fence.from, fence.epoch);
        events::leave(&self.cluster, &self.router.object.reference(&object), "TrafficMoved", "Switch", note).await;
        Ok(())
    }

    async fn routed(&self) -> Result<Routed, PortError> {
        let object = self.router.read().await?;
        let Some(slot) = self.router.weights(&object)?.sole() else {
            return Ok(Routed::Unknown { why: "both slots get traffic".to_owned() });
        };
        let accepted = match self.router.accepted(&object) {
            Ok(accepted) => accepted,
            Err(why) => return Ok(Routed::Unknown { why }),
        };
        let service = self.router.backing(slot);
        let reached = Endpoints::new(&self.cluster, service).ready().await?;
        let mut own = BTreeSet::new();
        for pod in self.behind(slot).pods().await? {
            own.extend(pods::addresses(&pod).map(str::to_owned));
        }
        if reached.is_empty() || !reached.is_subset(&own) {
            let others = reached.difference(&own).count();
            let why =
                format!("of {} addresses behind the Service {service}, {others} are no pod of {slot}", reached.len());
            return Ok(Routed::Unknown { why });
        }
        let by = format!("{accepted}, and behind the Service {service} are {} pods of {slot} alone", reached.len());
        Ok(Routed::To { slot, by })
    }

    async fn in_flight(&self, slot: Slot, older_than: Duration) -> Result<InFlight, PortError> {
        let (_, pages) = self.pages(slot).await?;
        let telling = self.service.telling.as_ref();
        let telling = telling.ok_or_else(|| PortError::NotFound { what: "`pods` in the platform file".to_owned() })?;
        in_flight(telling, &pages, older_than)
    }
}

#[async_trait]
impl Workload for KubePlatform {
    async fn replicas(&self, slot: Slot) -> Result<Vec<Replica>, PortError> {
        self.behind(slot).replicas().await
    }

    async fn scale(&self, slot: Slot) -> Result<u32, PortError> {
        self.behind(slot).scale().await
    }

    async fn scale_epoch(&self, slot: Slot) -> Result<Epoch, PortError> {
        Ok(epoch(&self.behind(slot).object().await?.read().await?))
    }

    async fn scale_object(&self, slot: Slot) -> Result<Option<String>, PortError> {
        self.behind(slot).uid().await
    }

    fn bind_scale(&self, slot: Slot, object: &str, marked: bool) {
        self.behind(slot).bind(object, marked);
    }

    async fn fence_scale(&self, slot: Slot, epoch: Epoch) -> Result<u32, PortError> {
        self.behind(slot).fence(epoch).await
    }

    async fn set_scale(&self, slot: Slot, to: u32, fence: &Fence<u32>) -> Result<(), PortError> {
        self.behind(slot).set_scale(to, fence).await
    }
}

#[async_trait]
impl Requests for KubePlatform {
    async fn get(&self, route: Route, path: &str, within: Duration) -> Result<Reply, PortError> {
        match route {
            Route::Live => self.live.get(path, within).await,
            Route::Preview(slot) => self.previews[index(slot)].get(path, within).await,
        }
    }

    fn field(&self) -> Field {
        self.live.field().clone()
    }
}
