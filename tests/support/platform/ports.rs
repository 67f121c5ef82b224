//! The platform in memory as its ports: every call counts, and may fail, be answered late or be lost.

use std::time::Duration;

use async_trait::async_trait;
use interlock::{
    model::{Epoch, Slot, Weights},
    ports::{
        Fence, Field, Footprint, InFlight, Manager, Missing, PortError, Preflight, Replica, Reply, Requests, Route,
        Routed, Traffic, Workload,
    },
};

use super::{
    MemoryPlatform, Names,
    order::{Order, heard},
};

#[async_trait]
impl Traffic for MemoryPlatform {
    async fn weights(&self) -> Result<Weights, PortError> {
        Ok(self.call()?.weights)
    }

    async fn weights_epoch(&self) -> Result<Epoch, PortError> {
        Ok(self.call()?.traffic.epoch)
    }

    async fn weights_object(&self) -> Result<Option<String>, PortError> {
        Ok(Some(self.call()?.traffic.uid.to_string()))
    }

    fn bind_weights(&self, object: &str, marked: bool) {
        self.bind(None, object, marked);
    }

    async fn fence_weights(&self, epoch: Epoch) -> Result<Weights, PortError> {
        let mut state = self.call()?;
        self.admits(None, state.traffic)?;
        state.traffic.raise(epoch)?;
        self.marked(None);
        Ok(state.weights)
    }

    async fn set_weights(&self, to: &Weights, fence: &Fence<Weights>) -> Result<(), PortError> {
        if !to.is_whole() {
            return Err(PortError::unexpected("the platform", "weights add up to 100"));
        }
        let sent = {
            let mut state = self.call()?;
            self.admits(None, state.traffic)?;
            let made_for = (state.traffic.uid, state.traffic.version);
            state.send(|_| Order::Weights { to: *to, fence: *fence, made_for })
        };
        heard(sent).await
    }

    async fn routed(&self) -> Result<Routed, PortError> {
        let state = self.call()?;
        Ok(match state.weights.sole().filter(|_| state.has_record) {
            Some(slot) => Routed::To { slot, by: "it is on record".to_owned() },
            None => Routed::Unknown { why: "nothing is on record".to_owned() },
        })
    }

    async fn in_flight(&self, slot: Slot, older_than: Duration) -> Result<InFlight, PortError> {
        let told = self.call()?.slot(slot).in_flight.clone();
        let mut in_flight =
            told.ok_or_else(|| PortError::NotFound { what: "count of what is in flight".to_owned() })?;
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

    async fn scale_epoch(&self, slot: Slot) -> Result<Epoch, PortError> {
        Ok(self.call()?.slot(slot).mark.epoch)
    }

    async fn scale_object(&self, slot: Slot) -> Result<Option<String>, PortError> {
        Ok(Some(self.call()?.slot(slot).mark.uid.to_string()))
    }

    fn bind_scale(&self, slot: Slot, object: &str, marked: bool) {
        self.bind(Some(slot), object, marked);
    }

    async fn fence_scale(&self, slot: Slot, epoch: Epoch) -> Result<u32, PortError> {
        let mut state = self.call()?;
        let of_slot = state.slot(slot);
        self.admits(Some(slot), of_slot.mark)?;
        of_slot.mark.raise(epoch)?;
        self.marked(Some(slot));
        Ok(of_slot.scale)
    }

    async fn set_scale(&self, slot: Slot, to: u32, fence: &Fence<u32>) -> Result<(), PortError> {
        let sent = {
            let mut state = self.call()?;
            let mark = state.slot(slot).mark;
            self.admits(Some(slot), mark)?;
            state.send(|_| Order::Scale { slot, to, fence: *fence, made_for: (mark.uid, mark.version) })
        };
        heard(sent).await
    }
}

#[async_trait]
impl Requests for MemoryPlatform {
    async fn get(&self, route: Route, _path: &str, within: Duration) -> Result<Reply, PortError> {
        let mut state = self.call()?;
        let slot = match route {
            Route::Preview(slot) => {
                let (every, asked) = state.stumbles;
                state.stumbles.1 += u64::from(slot == Slot::Green);
                if slot == Slot::Green && every > 0 && (asked + 1).is_multiple_of(every) {
                    return Err(PortError::unreachable("the platform", "connection reset"));
                }
                slot
            }
            Route::Live if state.live_cut => {
                return Err(PortError::unreachable("the platform", "no route to it"));
            }
            Route::Live if state.stray.is_some() => state.stray.unwrap_or(Slot::Blue),
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
        let (status, took) = (if ready { of_slot.status } else { 503 }, of_slot.took);
        let by = match (&state.names, route) {
            (Names::Slots, _) => Some(slot.to_string()),
            (Names::Texts([blue, green]), _) => Some(if slot == Slot::Blue { blue } else { green }.clone()),
            (Names::Stripped, Route::Preview(_)) => Some(slot.to_string()),
            (Names::Nothing, _) | (Names::Stripped, Route::Live) => None,
            (Names::Requests, _) => {
                state.asked += 1;
                Some(format!("request-{}", state.asked))
            }
        };
        Ok(Reply { status, by, took })
    }

    fn field(&self) -> Field {
        Field::Header("x-slot".to_owned())
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
