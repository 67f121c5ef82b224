//! Traffic by the weights of an Istio `VirtualService`.

use kube::api::{DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::{
    super::object::Replace,
    route::{Entry, Route},
};
use crate::{
    document::traffic::VirtualServiceTraffic,
    model::{Slot, Weights},
    ports::PortError,
};

impl Route for VirtualServiceTraffic {
    fn object(&self) -> (GroupVersionKind, &str) {
        (GroupVersionKind::gvk("networking.istio.io", "v1", "VirtualService"), &self.name)
    }

    fn weights(&self, object: &DynamicObject) -> Result<Weights, PortError> {
        let (_, routes) = self.live_rule(object)?;
        let weight = |slot| {
            let route = routes.iter().find(|route| host(route) == Some(self.backends.of(slot)));
            route.map_or(Some(0), |route| route.get("weight").map_or(Some(0), Value::as_u64))
        };
        match (weight(Slot::Blue), weight(Slot::Green)) {
            (Some(blue), Some(green)) if blue + green == 100 => {
                Ok(Weights::giving(Slot::Green, u8::try_from(green).unwrap_or(100)))
            }
            _ => Err(odd("the two weights of its live route do not add up to 100")),
        }
    }

    fn replacement(&self, object: &DynamicObject, to: &Weights) -> Result<Replace, PortError> {
        let (rule, from) = self.live_rule(object)?;
        let mut routes = from.clone();
        for route in &mut routes {
            let slot = Slot::ALL.into_iter().find(|slot| host(route) == Some(self.backends.of(*slot)));
            if let (Some(slot), Value::Object(route)) = (slot, route) {
                route.insert("weight".to_owned(), json!(to.of(slot)));
            }
        }
        let pointer = format!("/spec/http/{rule}/route");
        Ok(Replace { pointer, from: json!(from), to: json!(routes) })
    }

    fn field(&self) -> Vec<String> {
        ["spec", "http"].map(str::to_owned).into()
    }

    fn live(&self) -> Entry {
        Entry::Address { url: self.address.clone(), header: None }
    }

    fn preview(&self, slot: Slot) -> Entry {
        Entry::Service(self.backends.of(slot).clone())
    }
}

impl VirtualServiceTraffic {
    /// The first rule that names both hosts: its place, and its routes.
    fn live_rule<'a>(&self, object: &'a DynamicObject) -> Result<(usize, &'a Vec<Value>), PortError> {
        let rules = object.data.pointer("/spec/http").and_then(Value::as_array).into_iter().flatten();
        let routes = rules.map(|rule| rule.get("route").and_then(Value::as_array)).enumerate();
        let mut routes = routes.filter_map(|(at, routes)| Some((at, routes?)));
        let names = |routes: &[Value], slot| routes.iter().any(|one| host(one) == Some(self.backends.of(slot)));
        let found = routes.find(|(_, routes)| Slot::ALL.into_iter().all(|slot| names(routes, slot)));
        found.ok_or_else(|| odd("no route of it names both backends"))
    }
}

fn host(route: &Value) -> Option<&str> {
    route.pointer("/destination/host").and_then(Value::as_str)
}

fn odd(why: &str) -> PortError {
    PortError::odd("the VirtualService", why)
}

#[cfg(test)]
mod tests {
    use super::{super::laws, *};
    use crate::document::{Traffic, traffic::Backends};

    #[tokio::test]
    async fn a_virtual_service_keeps_the_laws() {
        let traffic = Traffic::VirtualService(VirtualServiceTraffic {
            name: "tenant".to_owned(),
            backends: Backends { blue: "tenant-blue".to_owned(), green: "tenant-green".to_owned() },
            address: "http://shop.example.org".to_owned(),
        });
        let object = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": { "name": "tenant" },
            "spec": { "hosts": ["shop.example.org"], "http": [
                { "match": [{ "headers": { "x-slot": { "exact": "green" } } }],
                  "route": [{ "destination": { "host": "tenant-green" } }] },
                { "route": [{ "destination": { "host": "tenant-blue", "port": { "number": 80 } }, "weight": 100 },
                            { "destination": { "host": "tenant-green", "port": { "number": 80 } } }] },
            ] },
        });
        laws::keeps_the_laws(&traffic, object).await;
    }
}
