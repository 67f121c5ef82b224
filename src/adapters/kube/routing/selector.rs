//! Traffic by the selector of a Service, which has a label that names the slot.

use kube::api::{DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::{
    super::object::Replace,
    route::{Entry, Route},
};
use crate::{
    document::traffic::SelectorTraffic,
    model::{Slot, Weights},
    ports::PortError,
};

impl Route for SelectorTraffic {
    fn object(&self) -> (GroupVersionKind, &str) {
        (GroupVersionKind::gvk("", "v1", "Service"), &self.service)
    }

    fn weights(&self, object: &DynamicObject) -> Result<Weights, PortError> {
        let label = &self.label;
        let found = object.data.pointer(&pointer(label)).and_then(Value::as_str);
        found.and_then(|slot| slot.parse().ok()).map(Weights::all).ok_or_else(|| {
            let why = found.map_or_else(
                || {
                    format!(
                        "its selector has no `{label}`: give it one, `blue` or `green`, whichever is to serve, or name the \
                         label that tells the slots apart under `traffic.selector.label`"
                    )
                },
                |value| {
                    format!(
                        "its selector has `{label}={value}`, which names neither slot: make it `blue` or `green`, \
                         whichever is to serve"
                    )
                },
            );
            PortError::unexpected(format!("services/{}", self.service), why)
        })
    }

    fn replacement(&self, object: &DynamicObject, to: &Weights) -> Result<Replace, PortError> {
        let to = to.sole().ok_or_else(|| {
            PortError::unexpected("a selector", format!("it gives one slot everything; {to} needs an HTTPRoute"))
        })?;
        let pointer = pointer(&self.label);
        let from = object.data.pointer(&pointer).cloned().unwrap_or(Value::Null);
        Ok(Replace { pointer, from, to: json!(to) })
    }

    fn field(&self) -> Vec<String> {
        ["spec", "selector", &self.label].map(str::to_owned).into()
    }

    fn addresses(&self) -> Option<&str> {
        Some(&self.service)
    }

    fn backing(&self, _: Slot) -> &str {
        &self.service
    }

    /// Nobody has to accept a selector: the addresses follow it.
    fn accepted(&self, _: &DynamicObject) -> Result<String, String> {
        Ok(format!("the selector of the Service {} names it", self.service))
    }

    fn undivided(&self) -> Option<&'static str> {
        Some("the selector of a Service")
    }

    fn live(&self) -> Entry {
        match &self.address {
            Some(url) => Entry::Address { url: url.clone(), header: None },
            None => Entry::Service(self.service.clone()),
        }
    }

    fn preview(&self, slot: Slot) -> Entry {
        Entry::Service(self.preview.of(slot).clone())
    }
}

fn pointer(label: &str) -> String {
    format!("/spec/selector/{}", label.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::{super::laws, *};
    use crate::document::{Traffic, traffic::Backends};

    fn traffic(label: &str) -> Traffic {
        Traffic::Selector(SelectorTraffic {
            service: "tenant".to_owned(),
            label: label.to_owned(),
            preview: Backends { blue: "tenant-blue".to_owned(), green: "tenant-green".to_owned() },
            address: None,
        })
    }

    #[tokio::test]
    async fn a_selector_keeps_the_laws() {
        for label in ["slot", "example.org/slot~1"] {
            let service = json!({
                "apiVersion": "v1", "kind": "Service", "metadata": { "name": "tenant" },
                "spec": { "selector": { "app": "tenant", label: "blue" }, "ports": [{ "port": 80 }] },
            });
            laws::keeps_the_laws(&traffic(label), service).await;
        }
    }

    #[test]
    fn a_selector_that_names_no_slot_is_refused_with_what_to_do() {
        for (selector, told) in [
            (json!({ "app": "tenant" }), "its selector has no `slot`: give it one"),
            (json!({ "slot": "canary" }), "its selector has `slot=canary`, which names neither slot"),
        ] {
            let service: DynamicObject = serde_json::from_value(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": { "name": "tenant" }, "spec": { "selector": selector },
            }))
            .unwrap();
            let Traffic::Selector(route) = traffic("slot") else { unreachable!() };
            let refused = route.weights(&service).unwrap_err().to_string();
            assert!(refused.contains(told) && refused.contains("services/tenant"), "{refused}");
        }
    }
}
