//! The platform in memory as its ports: every call counts, and may fail, be answered late or be lost.

use std::time::Duration;

use async_trait::async_trait;
use interlock::{
    model::{Epoch, Slot, Weights},
    ports::{
        Fence, Footprint, InFlight, Manager, Missing, PortError, Preflight, Replica, Reply, Requests, Route, Traffic,
        Workload,
    },
};

use super::{
    MemoryPlatform,
    order::{Order, heard},
};

#[async_trait]
impl Traffic for MemoryPlatform {
    async fn weights(&self) -> Result<Weights, PortError> {
        Ok(self.call()?.weights)
    }

    async fn fence_weights(&self, epoch: Epoch) -> Result<Weights, PortError> {
        let mut state = self.call()?;
        state.traffic.raise(epoch)?;
        Ok(state.weights)
    }

    async fn set_weights(&self, to: &Weights, fence: &Fence<Weights>) -> Result<(), PortError> {
        if !to.is_whole() {
            return Err(PortError::unexpected("the platform", "weights add up to 100"));
        }
        let sent = self.call()?.send(|state| Order::Weights { to: *to, fence: *fence, version: state.traffic.version });
        heard(sent).await
    }

    async fn in_flight(&self, slot: Slot, older_than: Duration) -> Result<InFlight, PortError> {
        let mut in_flight = self.call()?.slot(slot).in_flight.clone();
        if in_flight.oldest <= older_than {
            in_flight.older = 0;
        }
        Ok(in_flight)
    }
}

#[async_trait]
impl Workload for MemoryPlatform {
    async fn replicas(&self, slot: Slot) -> Result<Vec<Replica>, PortError> {
        Ok(self.call()?.slot(slot).replicas.clone())
    }

    async fn scale(&self, slot: Slot) -> Result<u32, PortError> {
        Ok(self.call()?.slot(slot).scale)
    }

    async fn fence_scale(&self, slot: Slot, epoch: Epoch) -> Result<u32, PortError> {
        let mut state = self.call()?;
        let of_slot = state.slot(slot);
        of_slot.mark.raise(epoch)?;
        Ok(of_slot.scale)
    }

    async fn set_scale(&self, slot: Slot, to: u32, fence: &Fence<u32>) -> Result<(), PortError> {
        let sent = self.call()?.send(|state| {
            let version = state.slot(slot).mark.version;
            Order::Scale { slot, to, fence: *fence, version }
        });
        heard(sent).await
    }
}

#[async_trait]
impl Requests for MemoryPlatform {
    async fn get(&self, route: Route, _path: &str, within: Duration) -> Result<Reply, PortError> {
        let mut state = self.call()?;
        let slot = match route {
            Route::Preview(slot) => slot,
            Route::Live => {
                state.turn += 1;
                // As the gateway does it: every hundred in a row hold each residue once.
                let green = state.turn % 100 * 61 % 100 < u64::from(state.weights.green);
                if green { Slot::Green } else { Slot::Blue }
            }
        };
        let of_slot = state.slot(slot);
        if of_slot.took > within {
            return Err(PortError::unreachable("the platform", format!("no answer within {within:?}")));
        }
        let ready = of_slot.replicas.iter().any(|replica| replica.ready);
        let version = ready.then(|| of_slot.version.clone());
        Ok(Reply { status: if ready { of_slot.status } else { 503 }, slot: Some(slot), version, took: of_slot.took })
    }
}

#[async_trait]
impl Preflight for MemoryPlatform {
    async fn managers(&self, _: &Footprint) -> Result<Vec<Manager>, PortError> {
        Ok(self.call()?.managers.clone())
    }

    async fn missing(&self, _: &Footprint) -> Result<Vec<Missing>, PortError> {
        Ok(self.call()?.missing.clone())
    }

    fn grant(&self, _: &Footprint) -> String {
        "ask whoever owns the memory".to_owned()
    }

    fn look(&self) -> String {
        "look at the platform".to_owned()
    }
}
