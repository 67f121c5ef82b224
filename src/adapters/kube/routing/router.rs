//! The object that routes, bound to a cluster: read, written on condition and with the epoch, and what that needs.

use std::sync::{Mutex, PoisonError};

use kube::api::{ApiResource, DynamicObject};
use serde_json::json;

use super::{
    super::{
        Cluster,
        object::{Replace, Theirs},
        permissions::Need,
    },
    Entry, Routing,
};
use crate::{
    model::{Epoch, Slot, Weights},
    ports::{Fence, PortError},
};

/// The object that routes, and how it is read.
pub struct Router {
    routing: Routing,
    pub object: Theirs,
    /// The object as it was read last: a write right after a read needs no second one.
    last: Mutex<Option<DynamicObject>>,
}

impl Router {
    pub fn new(cluster: &Cluster, routing: Routing) -> Self {
        let (kind, name) = routing.0.object();
        let object = Theirs::new(cluster, &ApiResource::from_gvk(&kind), name);
        Self { routing, object, last: Mutex::default() }
    }

    /// The Service whose addresses have to follow, if that is how traffic is routed.
    pub fn addresses(&self) -> Option<&str> {
        self.routing.0.addresses()
    }

    /// Where live requests enter.
    pub fn live(&self) -> Entry {
        self.routing.0.live()
    }

    /// Where requests enter that are meant for one slot.
    pub fn preview(&self, slot: Slot) -> Entry {
        self.routing.0.preview(slot)
    }

    /// The Service whose addresses take a slot's live traffic, where that slot has all of it.
    pub fn backing(&self, slot: Slot) -> &str {
        self.routing.0.backing(slot)
    }

    /// What says that whoever routes has accepted the object as it stands.
    ///
    /// # Errors
    /// Says why nothing does.
    pub fn accepted(&self, object: &DynamicObject) -> Result<String, String> {
        self.routing.0.accepted(object)
    }

    /// The Services that are asked through the API server.
    pub fn proxied(&self) -> Vec<String> {
        let entries = [self.preview(Slot::Blue), self.preview(Slot::Green), self.live()];
        let service = |entry| match entry {
            Entry::Service(name) => Some(name),
            Entry::Address { .. } => None,
        };
        entries.into_iter().filter_map(service).collect()
    }

    /// What it takes to read the object.
    pub fn reads(&self) -> Need {
        self.object.need("get")
    }

    /// What it takes to change the object, and to see that its addresses follow.
    pub fn writes(&self) -> Vec<Need> {
        let mut needs = vec![self.object.need("patch")];
        if self.addresses().is_some() {
            needs.extend(["list", "watch"].map(|verb| Need::any(verb, "discovery.k8s.io", "endpointslices")));
        }
        needs
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
        self.routing.0.weights(object)
    }

    /// Sets the shares.
    ///
    /// # Errors
    /// Where the fence does not hold, or the object cannot give such shares.
    pub async fn set(&self, to: &Weights, fence: &Fence<Weights>) -> Result<DynamicObject, PortError> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        // What was read a moment ago serves if it is what the caller has seen; if it is old, the write does not land.
        let seen = last.filter(|object| self.weights(object).is_ok_and(|found| found == fence.from));
        if to.blue.checked_add(to.green) != Some(100) {
            return Err(PortError::unexpected(&self.object.title, format!("{to} do not add up to 100 %")));
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
        let keep = |object: &DynamicObject| self.routing.0.replacement(object, &self.weights(object)?);
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
        let to = Weights::all(self.weights(&object)?.sole().map_or(Slot::Blue, Slot::other));
        self.object.rehearse(&object, &self.routing.0.replacement(&object, &to)?).await
    }

    /// What to write into an object as it stands.
    fn replace(&self, object: &DynamicObject, to: &Weights, fence: &Fence<Weights>) -> Result<Replace, PortError> {
        let found = self.weights(object)?;
        if found != fence.from && found != *to {
            return Err(PortError::Conflict { found: json!(found), expected: json!(fence.from) });
        }
        self.routing.0.replacement(object, to)
    }

    /// The field that is written, as `managedFields` name it.
    pub fn field(&self) -> Vec<String> {
        self.routing.0.field()
    }

    fn remember(&self, object: Option<DynamicObject>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = object;
    }
}
