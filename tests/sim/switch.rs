//! The real switchover over the simulated platform.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use interlock::{
    guard::{Plan, Strength},
    model::{Epoch, HumanDuration, Slot, Timestamp, Weights},
    operation::{
        self,
        switchover::{Fuses, Ports, Smoke, Spec, Switch},
    },
    ports::{
        Fence, Field, Footprint, InFlight, Manager, Metrics, Missing, PortError, Preflight, Replica, Reply, Requests,
        Route, Selector, Series, Traffic, Workload,
    },
    slo::{Matchers, ObjectiveRule, Rules, SlotNames},
};
use serde_json::{Value, json};

use crate::{node::Node, platform::Request, scenario::Scenario};

fn spec() -> Spec {
    Spec {
        service: "tenant".to_owned(),
        to: Slot::Green,
        shares: vec![50, 100],
        bake: HumanDuration::secs(2),
        max_bake: HumanDuration::secs(4),
        keep_old: HumanDuration::secs(1),
        scale_down_old: true,
        drain: HumanDuration::secs(4),
        baseline: HumanDuration::secs(0),
        look: HumanDuration::secs(1),
        freshness: HumanDuration::secs(10),
        warm_up: 2,
        smoke: vec![Smoke { path: "/version".to_owned(), status: None }],
        identity: "/version".to_owned(),
        answer_within: HumanDuration::secs(1),
        fuses: Fuses {
            in_flight_age: HumanDuration::secs(5),
            hanging: 3,
            exits: 3,
            replicas_lost: 0.5,
            traffic_floor: 0.1,
        },
        objectives: Vec::new(),
        old_labels: Matchers::default(),
        new_labels: Matchers::default(),
        names: SlotNames::default(),
        rules: Rules::new(vec![ObjectiveRule::new("availability", 0.99)]),
    }
}

pub fn plan(scenario: &Scenario) -> Plan {
    let plan = operation::plan::<Switch>(&spec(), Value::Null, Strength::Local, HumanDuration::secs(10)).unwrap();
    Plan { no_data: scenario.no_data, ..plan }
}

pub fn switch(node: &Node) -> Switch {
    let port = Arc::new(Port(node.clone()));
    let ports = Ports {
        traffic: port.clone(),
        workload: port.clone(),
        requests: port.clone(),
        preflight: port.clone(),
        metrics: port,
        clock: Arc::new(node.clone()),
    };
    Switch::new(spec(), ports)
}

struct Port(Node);

fn key(slot: Slot) -> String {
    format!("scale/{slot}")
}

fn weights(value: Value) -> Weights {
    serde_json::from_value(value).unwrap()
}

fn scale(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

#[async_trait]
impl Traffic for Port {
    async fn weights(&self) -> Result<Weights, PortError> {
        self.0.ask("read", "weights", Request::Get).await.map(|seen| weights(seen.value))
    }

    async fn weights_epoch(&self) -> Result<Epoch, PortError> {
        self.0.ask("read", "weights", Request::Get).await.map(|seen| Epoch(seen.epoch))
    }

    async fn weights_object(&self) -> Result<Option<String>, PortError> {
        self.0.uid("weights").await
    }

    fn bind_weights(&self, object: &str, marked: bool) {
        self.0.bind("weights", object, marked);
    }

    async fn fence_weights(&self, epoch: Epoch) -> Result<Weights, PortError> {
        self.0.fence("weights", epoch.0, false).await.map(|seen| weights(seen.value))
    }

    async fn set_weights(&self, to: &Weights, fence: &Fence<Weights>) -> Result<(), PortError> {
        self.0.put("weights", &json!(fence.from), &json!(to), fence.epoch.0).await
    }

    async fn in_flight(&self, slot: Slot, _: Duration) -> Result<InFlight, PortError> {
        self.0.ask("look", &key(slot), Request::Get).await?;
        Ok(InFlight::default())
    }
}

#[async_trait]
impl Workload for Port {
    async fn replicas(&self, slot: Slot) -> Result<Vec<Replica>, PortError> {
        let seen = self.0.ask("look", &key(slot), Request::Get).await?;
        let version = if slot == Slot::Blue { "1.0.0" } else { "1.1.0" };
        let replica = |index| Replica {
            name: format!("tenant-{slot}-{index}"),
            ready: true,
            version: version.to_owned(),
            exits: 0,
            trouble: None,
        };
        Ok((0..scale(&seen.value)).map(replica).collect())
    }

    async fn scale(&self, slot: Slot) -> Result<u32, PortError> {
        self.0.ask("read", &key(slot), Request::Get).await.map(|seen| scale(&seen.value))
    }

    async fn scale_epoch(&self, slot: Slot) -> Result<Epoch, PortError> {
        self.0.ask("read", &key(slot), Request::Get).await.map(|seen| Epoch(seen.epoch))
    }

    async fn scale_object(&self, slot: Slot) -> Result<Option<String>, PortError> {
        self.0.uid(&key(slot)).await
    }

    fn bind_scale(&self, slot: Slot, object: &str, marked: bool) {
        self.0.bind(&key(slot), object, marked);
    }

    async fn fence_scale(&self, slot: Slot, epoch: Epoch) -> Result<u32, PortError> {
        self.0.fence(&key(slot), epoch.0, true).await.map(|seen| scale(&seen.value))
    }

    async fn set_scale(&self, slot: Slot, to: u32, fence: &Fence<u32>) -> Result<(), PortError> {
        self.0.put(&key(slot), &json!(fence.from), &json!(to), fence.epoch.0).await
    }
}

#[async_trait]
impl Requests for Port {
    async fn get(&self, route: Route, _: &str, _: Duration) -> Result<Reply, PortError> {
        let now = weights(self.0.ask("request", "weights", Request::Get).await?.value);
        let mut state = self.0.state();
        let slot = match route {
            Route::Preview(slot) => slot,
            Route::Live => {
                state.platform.turn += 1;
                let green = state.platform.turn % 100 * 61 % 100 < u64::from(now.green);
                if green { Slot::Green } else { Slot::Blue }
            }
        };
        let is_up = scale(&state.platform.objects[&key(slot)].value) > 0;
        let is_bad = slot == Slot::Green && now.green > 0 && self.0.world.scenario.verdicts[1] == 1;
        let status = if !is_up {
            503
        } else if is_bad {
            500
        } else {
            200
        };
        Ok(Reply { status, by: Some(slot.to_string()), took: Duration::from_millis(5) })
    }

    fn field(&self) -> Field {
        Field::Header("x-slot".to_owned())
    }
}

#[async_trait]
impl Preflight for Port {
    async fn managers(&self, _: &Footprint) -> Result<Vec<Manager>, PortError> {
        Ok(Vec::new())
    }

    async fn missing(&self, _: &Footprint) -> Result<Vec<Missing>, PortError> {
        Ok(Vec::new())
    }

    fn grant(&self, _: &Footprint) -> String {
        String::new()
    }

    fn look(&self) -> String {
        String::new()
    }
}

#[async_trait]
impl Metrics for Port {
    async fn samples(&self, _: &Selector, _: Timestamp) -> Result<Vec<Series>, PortError> {
        Ok(Vec::new())
    }

    fn name(&self) -> String {
        "nobody counts".to_owned()
    }
}
