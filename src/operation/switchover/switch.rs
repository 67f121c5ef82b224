//! A switchover bound to its platform: how each key is read, written, and made ready to go back.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use serde_json::json;

use super::{
    Evidence, Spec, Watch, gates,
    keys::{Key, Value},
    observe, plan, report,
};
use crate::{
    error::Error,
    guard::{Gate, NoData, ObserveContext, Verdict, recorded_looks},
    model::{Epoch, Moment, Slot, Target, Timestamp},
    operation::{
        Build, Kind, Platform, Steps, Table,
        preconditions::{Facts, Remembered},
    },
    ports::{
        Clock, Fence, Fencing, Footprint, Metrics, Permit, PortError, Preflight, Requests, Route, Traffic, Workload,
    },
};

/// How long a slot that was scaled up again may take to become ready.
const REVIVE: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const REVIVE_LOOK: Duration = Duration::from_millis(100);

/// The most bytes of a look's record, and those that each objective adds.
const RECORD: u64 = 2 * 1024;
const OBJECTIVE: u64 = 2 * 1024;

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
    /// When this process bound it, by both clocks.
    begun: Moment,
}

impl Switch {
    /// Binds a switchover to its platform.
    #[must_use]
    pub fn new(spec: Spec, ports: Ports) -> Self {
        let begun = ports.clock.now();
        Self { spec, ports, begun }
    }

    /// The wall time as it would be had nobody set the clock since this process began; samples are compared with it.
    pub(super) fn steady_now(&self) -> Timestamp {
        let since = self.ports.clock.now().since(&self.begun);
        self.begun.wall.checked_add(since).unwrap_or(self.begun.wall)
    }

    /// The counters that decide.
    #[must_use]
    pub fn metrics(&self) -> &dyn Metrics {
        &*self.ports.metrics
    }

    /// Whether a slot can take traffic: a replica says that it is ready, and a request of ours is answered.
    async fn is_alive(&self, slot: Slot) -> Result<(), String> {
        // Twice as long as usual: it is to get the traffic back.
        let (route, within) = (Route::Preview(slot), self.spec.answer_within.0 * 2);
        let (replicas, reply) = futures::join!(
            self.ports.workload.replicas(slot),
            self.ports.requests.get(route, &self.spec.identity, within)
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

#[async_trait]
impl Kind for Switch {
    const NAME: &'static str = "switchover";
    const APART: &'static [&'static str] = super::evidence::APART;
    const NO_DATA: NoData = NoData::Hold;

    type Spec = Spec;
    type Key = Key;
    type Watch = Watch;
    type Evidence = Evidence;

    fn target(spec: &Spec) -> Result<Target, Error> {
        Target::parse(&spec.service).map_err(|what| Error::usage(what, "rename the service"))
    }

    fn writes(spec: &Spec) -> u64 {
        let watches = plan::lengths(spec);
        let records: u64 = watches.into_iter().map(|length| recorded_looks(length, spec.look.0)).sum();
        records * (RECORD + OBJECTIVE * spec.objectives.len() as u64)
    }

    fn title(spec: &Spec) -> String {
        format!("switchover {} from {} to {}", spec.service, spec.from(), spec.to)
    }

    fn plan(spec: &Spec, steps: &mut Steps<Self>) -> Result<(), Error> {
        plan::plan(spec, steps)
    }

    fn footprint() -> Option<Footprint> {
        Some(Footprint { operation: Self::NAME, weights: true, scales: Slot::ALL.into() })
    }

    async fn connect(spec: Spec, platform: &dyn Platform, metrics: Build) -> Result<Self, Error> {
        let ports = platform.service_ports(&spec.service, metrics).await?;
        Ok(Self::new(spec, ports))
    }

    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn remembered(&self) -> Option<Remembered<'_>> {
        let Spec { objectives, old_labels, rules, .. } = &self.spec;
        Some(Remembered { objectives, matchers: old_labels.clone(), cap: rules.cap })
    }

    async fn gates(&self, facts: &Facts) -> Vec<Gate> {
        gates::gates(self, facts).await
    }

    fn fencing(&self, _: &Key) -> Fencing {
        Fencing::Version
    }

    fn prepares(&self) -> Vec<Key> {
        vec![Key::Scale(self.spec.from())]
    }

    async fn read(&self, key: &Key) -> Result<Value, PortError> {
        Ok(match key {
            Key::Weights => Value::Weights(self.ports.traffic.weights().await?),
            Key::Scale(slot) => Value::Scale(self.ports.workload.scale(*slot).await?),
        })
    }

    async fn epoch(&self, key: &Key) -> Result<Epoch, PortError> {
        match key {
            Key::Weights => self.ports.traffic.weights_epoch().await,
            Key::Scale(slot) => self.ports.workload.scale_epoch(*slot).await,
        }
    }

    async fn object(&self, key: &Key) -> Result<Option<String>, PortError> {
        match key {
            Key::Weights => self.ports.traffic.weights_object().await,
            Key::Scale(slot) => self.ports.workload.scale_object(*slot).await,
        }
    }

    fn bind(&self, key: &Key, object: &str, marked: bool) {
        match key {
            Key::Weights => self.ports.traffic.bind_weights(object, marked),
            Key::Scale(slot) => self.ports.workload.bind_scale(*slot, object, marked),
        }
    }

    async fn fence(&self, key: &Key, epoch: Epoch) -> Result<Value, PortError> {
        Ok(match key {
            Key::Weights => Value::Weights(self.ports.traffic.fence_weights(epoch).await?),
            Key::Scale(slot) => Value::Scale(self.ports.workload.fence_scale(*slot, epoch).await?),
        })
    }

    async fn write(&self, key: &Key, from: Value, to: Value, permit: &dyn Permit) -> Result<(), PortError> {
        let epoch = permit.epoch();
        match (key, from, to) {
            (Key::Weights, Value::Weights(from), Value::Weights(to)) => {
                self.ports.traffic.set_weights(&to, &Fence { epoch, from }).await
            }
            (Key::Scale(slot), Value::Scale(from), Value::Scale(to)) => {
                self.ports.workload.set_scale(*slot, to, &Fence { epoch, from }).await?;
                // Going up is done when what was started can take traffic.
                if to <= from {
                    return Ok(());
                }
                self.revive(*slot, to).await.map_err(|why| PortError::unexpected(format!("slot {slot}"), why))
            }
            (key, _, to) => Err(PortError::unexpected(key.to_string(), format!("{to} is no value of it"))),
        }
    }

    async fn can_return(&self, _: &Key, prior: &Value) -> bool {
        let Value::Weights(prior) = prior else { return true };
        let slots = Slot::ALL.into_iter().filter(|slot| prior.of(*slot) > 0 && *slot != self.spec.to);
        let found = join_all(slots.map(async |slot| {
            // One that is being scaled away may still answer.
            let (scale, alive) = futures::join!(self.ports.workload.scale(slot), self.is_alive(slot));
            scale.is_ok_and(|scale| scale > 0) && alive.is_ok()
        }));
        found.await.into_iter().all(|takes| takes)
    }

    async fn prepare_return(&self, _: &Key, prior: &Value, permit: &dyn Permit) -> Result<(), String> {
        let epoch = permit.epoch();
        let Value::Weights(prior) = prior else { return Ok(()) };
        for slot in Slot::ALL.into_iter().filter(|slot| prior.of(*slot) > 0 && *slot != self.spec.to) {
            // What is made anew while we write is not ours to write.
            if let Some(object) = self.ports.workload.scale_object(slot).await.map_err(|e| e.to_string())? {
                self.ports.workload.bind_scale(slot, &object, false);
            }
            if self.ports.workload.fence_scale(slot, epoch).await.map_err(|e| e.to_string())? == 0 {
                // Somebody has scaled it to nothing meanwhile; as many as carry the traffic now can carry it there.
                let replicas = self.ports.workload.scale(self.spec.to).await.map_or(1, |scale| scale.max(1));
                let (key, fence) = (Key::Scale(slot).to_string(), Fence { epoch, from: 0 });
                permit.capture(&key, &json!(0), &json!(replicas)).await.map_err(|e| e.to_string())?;
                self.ports.workload.set_scale(slot, replicas, &fence).await.map_err(|e| e.to_string())?;
                self.revive(slot, replicas).await?;
            }
            self.is_alive(slot).await?;
        }
        Ok(())
    }

    async fn observe(&self, watch: &Watch, look: &ObserveContext<'_>, evidence: &mut Evidence) -> (Verdict, String) {
        observe::observe(self, watch, look, evidence).await
    }

    async fn pause(&self) {
        self.ports.clock.sleep(self.spec.look.0).await;
    }

    fn serves(_: &Spec, left: &BTreeMap<String, serde_json::Value>) -> String {
        report::serves(left.get(&Key::Weights.to_string()))
    }

    fn figures(spec: &Spec, evidence: &Evidence) -> Option<Table> {
        report::figures(spec, evidence)
    }
}
