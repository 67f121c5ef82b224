//! Which slot live traffic reaches: the selector of a Service, or the weights of an `HTTPRoute`.

use std::sync::{Mutex, PoisonError};

use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::{
    Cluster,
    object::{Replace, Theirs},
    route::{Shares, route},
};
use crate::{
    model::{Epoch, Slot, Weights},
    ports::{Fence, PortError},
};

/// How traffic reaches the slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routing {
    /// A Service whose selector has a label that names the slot.
    Selector {
        /// The Service.
        service: String,
        /// The label.
        label: String,
    },
    /// An `HTTPRoute` with a weighted backend for each slot, blue first.
    Route {
        /// The route.
        route: String,
        /// The backends.
        backends: [String; 2],
    },
}

/// The object that routes, and how it is read.
pub struct Router {
    routing: Routing,
    /// The object.
    pub object: Theirs,
    /// The object as it was read last: a write right after a read needs no second one.
    last: Mutex<Option<DynamicObject>>,
}

impl Router {
    /// Binds a routing to the cluster.
    pub fn new(cluster: &Cluster, routing: Routing) -> Self {
        let object = match &routing {
            Routing::Selector { service, .. } => {
                let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Service"));
                Theirs::new(cluster, &resource, service)
            }
            Routing::Route { route: name, .. } => route(cluster, name),
        };
        Self { routing, object, last: Mutex::default() }
    }

    /// The Service whose selector is switched, if that is how traffic is routed.
    pub const fn service(&self) -> Option<&String> {
        match &self.routing {
            Routing::Selector { service, .. } => Some(service),
            Routing::Route { .. } => None,
        }
    }

    /// Reads the object.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn read(&self) -> Result<DynamicObject, PortError> {
        let object = self.object.read().await?;
        self.remember(Some(object.clone()));
        Ok(object)
    }

    /// The shares that an object gives.
    ///
    /// # Errors
    /// Where it says what a switchover has no word for.
    pub fn weights(&self, object: &DynamicObject) -> Result<Weights, PortError> {
        match &self.routing {
            Routing::Selector { label, .. } => {
                let found = object.data.pointer(&selector(label)).and_then(Value::as_str);
                found.and_then(|slot| slot.parse().ok()).map(Weights::all).ok_or_else(|| {
                    let why = found.map_or_else(
                        || {
                            format!(
                                "its selector has no `{label}`: give it one, `blue` or `green`, whichever is to serve, or \
                                 name the label that tells the slots apart under `traffic.selector.label`"
                            )
                        },
                        |value| {
                            format!(
                                "its selector has `{label}={value}`, which names neither slot: make it `blue` or `green`, \
                                 whichever is to serve"
                            )
                        },
                    );
                    PortError::odd(&self.object.title, why)
                })
            }
            Routing::Route { backends, .. } => Shares::of(object, backends)?.weights(),
        }
    }

    /// Sets the shares.
    ///
    /// # Errors
    /// Where the fence does not hold, or a selector is to share traffic.
    pub async fn set(&self, to: &Weights, fence: &Fence<Weights>) -> Result<DynamicObject, PortError> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        // What was read a moment ago serves if it is what the caller has seen; if it is old, the write does not land.
        let seen = last.filter(|object| self.weights(object).is_ok_and(|found| found == fence.from));
        if to.blue.checked_add(to.green) != Some(100) {
            return Err(PortError::odd(&self.object.title, format!("{to} do not add up to 100 %")));
        }
        let written = self.object.replace(seen, fence.epoch, |object| self.replace(object, to, fence)).await?;
        self.remember(Some(written.clone()));
        Ok(written)
    }

    /// Raises the epoch on the object and keeps what it says, which is read.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has written.
    pub async fn fence(&self, epoch: Epoch) -> Result<Weights, PortError> {
        let keep = |object: &DynamicObject| {
            let found = self.weights(object)?;
            self.place(object, &found, &found)
        };
        let fenced = self.object.replace(None, epoch, keep).await?;
        let weights = self.weights(&fenced)?;
        self.remember(Some(fenced));
        Ok(weights)
    }

    /// Tries to move all traffic to the other slot, without effect.
    ///
    /// # Errors
    /// What the server says against it.
    pub async fn rehearse(&self) -> Result<(), PortError> {
        let object = self.read().await?;
        let from = self.weights(&object)?;
        let to = Weights::all(from.sole().map_or(Slot::Blue, Slot::other));
        self.object.rehearse(&object, &self.place(&object, &from, &to)?).await
    }

    /// What to write into an object as it stands.
    fn replace(&self, object: &DynamicObject, to: &Weights, fence: &Fence<Weights>) -> Result<Replace, PortError> {
        let found = self.weights(object)?;
        if found != fence.from && found != *to {
            return Err(PortError::Conflict { found: json!(found), expected: json!(fence.from) });
        }
        self.place(object, &found, to)
    }

    fn place(&self, object: &DynamicObject, from: &Weights, to: &Weights) -> Result<Replace, PortError> {
        match &self.routing {
            Routing::Selector { label, .. } => by_selector(label, from, to),
            Routing::Route { backends, .. } => Ok(Shares::of(object, backends)?.replaced(to)),
        }
    }

    /// What is written, as `managedFields` name it.
    pub fn fields(&self) -> Vec<String> {
        match &self.routing {
            Routing::Selector { label, .. } => ["spec", "selector", label].map(str::to_owned).into(),
            // A list without keys is owned as a whole.
            Routing::Route { .. } => ["spec", "rules"].map(str::to_owned).into(),
        }
    }

    fn remember(&self, object: Option<DynamicObject>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = object;
    }
}

fn selector(label: &str) -> String {
    format!("/spec/selector/{}", label.replace('~', "~0").replace('/', "~1"))
}

fn by_selector(label: &str, from: &Weights, to: &Weights) -> Result<Replace, PortError> {
    let sole = |weights: &Weights| {
        weights.sole().ok_or_else(|| {
            PortError::odd("a selector", format!("it gives one slot everything; {weights} needs an HTTPRoute"))
        })
    };
    Ok(Replace { pointer: selector(label), from: json!(sole(from)?), to: json!(sole(to)?) })
}
