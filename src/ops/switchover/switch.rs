//! A switchover bound to its platform: how each key is read, written, and made ready to go back.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Evidence, Spec, Watch, keys::Key, look};
use crate::{
    error::Error,
    guard::{Look, Looked, Operation, Plan},
    model::{Epoch, Slot, Weights},
    ops::checkpoint,
    ports::{Clock, Fence, Metrics, Permit, PortError, Preflight, Requests, Route, Traffic, Workload},
};

/// How long a slot that was scaled up again may take to become ready.
const REVIVE: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const REVIVE_LOOK: Duration = Duration::from_millis(100);
/// How long the old slot may take to answer one request before traffic goes back to it.
const ALIVE: Duration = Duration::from_secs(2);

/// What a switchover needs of its platform.
#[derive(Clone)]
pub struct Ports {
    /// Which slot live traffic reaches.
    pub traffic: Arc<dyn Traffic>,
    /// The replicas behind the slots.
    pub workload: Arc<dyn Workload>,
    /// Our own requests.
    pub requests: Arc<dyn Requests>,
    /// What has to be known beforehand.
    pub preflight: Arc<dyn Preflight>,
    /// Counters.
    pub metrics: Arc<dyn Metrics>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A switchover bound to its platform.
pub struct Switch {
    pub(super) spec: Spec,
    pub(super) ports: Ports,
}

impl Switch {
    /// Binds a switchover to its platform.
    #[must_use]
    pub const fn new(spec: Spec, ports: Ports) -> Self {
        Self { spec, ports }
    }

    /// What is to be done.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Binds the switchover of a journalled plan to its platform.
    ///
    /// # Errors
    /// [`Error::Tampered`] where this release cannot read the plan.
    pub fn of_plan(plan: &Plan, ports: Ports) -> Result<Self, Error> {
        let spec = Spec::deserialize_from(&plan.spec)?;
        Ok(Self::new(spec, ports))
    }

    /// Whether a slot can take traffic: a replica says that it is ready, and a request of ours is answered.
    async fn is_alive(&self, slot: Slot) -> Result<(), String> {
        let route = Route::Preview(slot);
        let (replicas, reply) = futures::join!(
            self.ports.workload.replicas(slot),
            self.ports.requests.get(route, &self.spec.identity, ALIVE)
        );
        if !replicas.map_err(|e| e.to_string())?.iter().any(|replica| replica.ready) {
            return Err(format!("no replica of {slot} is ready"));
        }
        let reply = reply.map_err(|e| e.to_string())?;
        if reply.status >= 500 {
            return Err(format!("{slot} answers {} with status {}", self.spec.identity, reply.status));
        }
        Ok(())
    }

    /// Waits until as many replicas of a slot are ready as it is meant to have.
    async fn revive(&self, slot: Slot, replicas: u32) -> Result<(), String> {
        let begun = self.ports.clock.now();
        loop {
            let ready = match self.ports.workload.replicas(slot).await {
                Ok(found) => found.iter().filter(|replica| replica.ready).count(),
                Err(_) => 0,
            };
            if ready >= replicas as usize {
                return Ok(());
            }
            if self.ports.clock.now().since(&begun) > REVIVE {
                return Err(format!("{ready} of {replicas} replicas of {slot} are ready after {}s", REVIVE.as_secs()));
            }
            self.ports.clock.sleep(REVIVE_LOOK).await;
        }
    }
}

impl Spec {
    fn deserialize_from(value: &Value) -> Result<Self, Error> {
        serde_json::from_value(value.clone()).map_err(|e| Error::Tampered {
            what: format!("the plan is not one that this release of interlock can read: {e}"),
            mend: "use the release that wrote it, or a later one".to_owned(),
        })
    }
}

#[async_trait]
impl Operation for Switch {
    async fn read(&self, key: &str) -> Result<Value, PortError> {
        match known(key)? {
            Key::Weights => json(&self.ports.traffic.weights().await?),
            Key::Scale(slot) => json(&self.ports.workload.scale(slot).await?),
        }
    }

    async fn fence(&self, key: &str, epoch: Epoch) -> Result<Value, PortError> {
        match known(key)? {
            Key::Weights => json(&self.ports.traffic.fence_weights(epoch).await?),
            Key::Scale(slot) => json(&self.ports.workload.fence_scale(slot, epoch).await?),
        }
    }

    async fn write(&self, key: &str, from: &Value, to: &Value, permit: &dyn Permit) -> Result<(), PortError> {
        let epoch = permit.epoch();
        match known(key)? {
            Key::Weights => {
                let fence = Fence { epoch, from: parsed(key, from)? };
                self.ports.traffic.set_weights(&parsed(key, to)?, &fence).await
            }
            Key::Scale(slot) => {
                let (from, to): (u32, u32) = (parsed(key, from)?, parsed(key, to)?);
                self.ports.workload.set_scale(slot, to, &Fence { epoch, from }).await?;
                // Going up is done when what was started can take traffic.
                if to <= from {
                    return Ok(());
                }
                self.revive(slot, to).await.map_err(|why| PortError::odd(format!("slot {slot}"), why))
            }
        }
    }

    async fn can_return(&self, key: &str, prior: &Value) -> bool {
        let Ok(Key::Weights) = known(key) else { return true };
        let Ok(prior) = parsed::<Weights>(key, prior) else { return false };
        let slots = Slot::ALL.into_iter().filter(|slot| prior.of(*slot) > 0 && *slot != self.spec.to);
        let found = join_all(slots.map(async |slot| {
            // One that is being scaled away may still answer.
            let (scale, alive) = futures::join!(self.ports.workload.scale(slot), self.is_alive(slot));
            scale.is_ok_and(|scale| scale > 0) && alive.is_ok()
        }));
        found.await.into_iter().all(|takes| takes)
    }

    async fn prepare_return(&self, key: &str, prior: &Value, permit: &dyn Permit) -> Result<(), String> {
        let epoch = permit.epoch();
        let Ok(Key::Weights) = known(key) else { return Ok(()) };
        let prior: Weights = parsed(key, prior).map_err(|e| e.to_string())?;
        for slot in Slot::ALL.into_iter().filter(|slot| prior.of(*slot) > 0 && *slot != self.spec.to) {
            if self.ports.workload.fence_scale(slot, epoch).await.map_err(|e| e.to_string())? == 0 {
                // Somebody has scaled it to nothing meanwhile; as many as carry the traffic now can carry it there.
                let replicas = self.ports.workload.scale(self.spec.to).await.map_or(1, |scale| scale.max(1));
                let fence = Fence { epoch, from: 0 };
                self.ports.workload.set_scale(slot, replicas, &fence).await.map_err(|e| e.to_string())?;
                self.revive(slot, replicas).await?;
            }
            self.is_alive(slot).await?;
        }
        Ok(())
    }

    async fn look(&self, look: Look<'_>) -> Looked {
        match checkpoint::read::<Watch, Evidence>(&look) {
            Ok((watch, mut evidence)) => {
                let seen = look::look(self, &watch, &look, &mut evidence).await;
                checkpoint::looked(&look, &evidence, seen)
            }
            Err(unreadable) => {
                self.ports.clock.sleep(self.spec.look.0).await;
                *unreadable
            }
        }
    }

    fn say(&self, key: &str, value: &Value) -> String {
        match known(key) {
            Ok(Key::Weights) => parsed::<Weights>(key, value).map_or_else(|_| value.to_string(), |w| w.to_string()),
            _ => value.to_string(),
        }
    }
}

fn known(key: &str) -> Result<Key, PortError> {
    Key::parse(key).ok_or_else(|| PortError::NotFound { what: format!("key `{key}` in a switchover") })
}

fn parsed<T: DeserializeOwned>(key: &str, value: &Value) -> Result<T, PortError> {
    serde_json::from_value(value.clone()).map_err(|e| PortError::odd(key, e))
}

fn json(value: &impl Serialize) -> Result<Value, PortError> {
    serde_json::to_value(value).map_err(|e| PortError::odd("a value", e))
}
