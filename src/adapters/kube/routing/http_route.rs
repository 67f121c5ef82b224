//! Traffic by the weights of a Gateway API `HTTPRoute`, read and written as a dynamic object, so that no version of its
//! definition is baked in.

use kube::api::{DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::{
    super::object::Replace,
    route::{Entry, Route},
};
use crate::{
    document::traffic::{Backends, HttpRouteTraffic},
    model::{Slot, Weights},
    ports::PortError,
};

impl Route for HttpRouteTraffic {
    fn object(&self) -> (GroupVersionKind, &str) {
        (GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute"), &self.route)
    }

    fn weights(&self, object: &DynamicObject) -> Result<Weights, PortError> {
        Shares::of(object, &self.backends)?.weights()
    }

    fn replacement(&self, object: &DynamicObject, to: &Weights) -> Result<Replace, PortError> {
        Ok(Shares::of(object, &self.backends)?.replaced(to))
    }

    fn field(&self) -> Vec<String> {
        // A list without keys is owned as a whole.
        ["spec", "rules"].map(str::to_owned).into()
    }

    fn backing(&self, slot: Slot) -> &str {
        self.backends.of(slot)
    }

    fn accepted(&self, object: &DynamicObject) -> Result<String, String> {
        accepted(object).map(|generation| format!("generation {generation} of the HTTPRoute is accepted"))
    }

    fn live(&self) -> Entry {
        Entry::Address { url: self.address.clone(), header: None }
    }

    fn preview(&self, slot: Slot) -> Entry {
        match &self.preview_header {
            Some(name) => Entry::Address { url: self.address.clone(), header: Some((name.clone(), slot.to_string())) },
            None => Entry::Service(self.backends.of(slot).clone()),
        }
    }
}

/// The generation that every gateway of a route has accepted with its references, which has to be the present one.
fn accepted(route: &DynamicObject) -> Result<i64, String> {
    let generation = route.metadata.generation.unwrap_or_default();
    let parents = route.data.pointer("/status/parents").and_then(Value::as_array).filter(|parents| !parents.is_empty());
    let parents = parents.ok_or_else(|| "no gateway reports on the HTTPRoute".to_owned())?;
    for parent in parents {
        let gateway = parent.pointer("/parentRef/name").and_then(Value::as_str).unwrap_or("?");
        let conditions = parent.get("conditions").and_then(Value::as_array);
        for wanted in ["Accepted", "ResolvedRefs"] {
            let is_it = |one: &&Value| one.get("type").and_then(Value::as_str) == Some(wanted);
            let found = conditions.into_iter().flatten().find(is_it);
            let seen = found.and_then(|one| one.get("observedGeneration")?.as_i64()).unwrap_or_default();
            let status = found.and_then(|one| one.get("status")?.as_str());
            if seen < generation {
                return Err(format!(
                    "the gateway {gateway} has not reported on generation {generation} of the HTTPRoute"
                ));
            }
            if status != Some("True") {
                let status = status.unwrap_or("nothing");
                return Err(format!("the gateway {gateway} says {wanted}={status} of the HTTPRoute"));
            }
        }
    }
    Ok(generation)
}

/// Where the two backends stand in a route.
struct Shares {
    rule: usize,
    /// The rule's references, whole: a weight is replaced together with its list, so that both change at once.
    refs: Vec<Value>,
    at: [usize; 2],
}

impl Shares {
    /// Finds the rule that names both backends; a rule with a header match that names one alone is for previews.
    ///
    /// # Errors
    /// Where no rule does, or several do.
    fn of(route: &DynamicObject, Backends { blue, green }: &Backends) -> Result<Self, PortError> {
        let rules = route.data.pointer("/spec/rules").and_then(Value::as_array);
        let mut found = rules.into_iter().flatten().enumerate().filter_map(|(rule, value)| {
            let refs = value.get("backendRefs")?.as_array()?;
            let at = |name: &String| refs.iter().position(|one| one.get("name").and_then(Value::as_str) == Some(name));
            Some(Self { rule, refs: refs.clone(), at: [at(blue)?, at(green)?] })
        });
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(PortError::unexpected("the HTTPRoute", format!("no rule names both {blue} and {green}"))),
            _ => Err(PortError::unexpected("the HTTPRoute", format!("several rules name both {blue} and {green}"))),
        }
    }

    /// The shares of traffic.
    ///
    /// # Errors
    /// Where others take part in it, or the weights are no whole percentages of their sum.
    fn weights(&self) -> Result<Weights, PortError> {
        let weight = |value: &Value| value.get("weight").map_or(Some(1), Value::as_u64);
        let sum: Option<u64> = self.refs.iter().map(weight).sum();
        let of = |slot: usize| self.refs.get(self.at[slot]).and_then(weight);
        let (Some(sum), Some(blue), Some(green)) = (sum, of(0), of(1)) else {
            return Err(PortError::unexpected("the HTTPRoute", "a weight is no whole number"));
        };
        if sum == 0 || blue + green != sum {
            return Err(PortError::unexpected("the HTTPRoute", self.others()));
        }
        let percent = green * 100 / sum;
        if percent * sum != green * 100 {
            return Err(PortError::unexpected(
                "the HTTPRoute",
                format!("the weights {blue} and {green} are no whole percent"),
            ));
        }
        Ok(Weights::giving(Slot::Green, u8::try_from(percent).unwrap_or(100)))
    }

    /// Why the two do not share all of the traffic.
    fn others(&self) -> String {
        let others = self
            .refs
            .iter()
            .enumerate()
            .filter(|(at, one)| !self.at.contains(at) && one.get("weight").and_then(Value::as_u64) != Some(0));
        let name = |one: &Value| one.get("name").and_then(Value::as_str).unwrap_or("?").to_owned();
        let names: Vec<_> = others.map(|(_, one)| name(one)).collect();
        match names.as_slice() {
            [] => {
                "no backend of the live rule has a share of the traffic: give one of the two the weight 100".to_owned()
            }
            _ => format!(
                "{} has a share of the live rule's traffic: give it the weight 0, or take it out",
                names.join(", ")
            ),
        }
    }

    /// What gives the references other weights.
    fn replaced(&self, weights: &Weights) -> Replace {
        let mut refs = self.refs.clone();
        for (at, slot) in self.at.iter().zip(Slot::ALL) {
            if let Some(Value::Object(one)) = refs.get_mut(*at) {
                one.insert("weight".to_owned(), json!(weights.of(slot)));
            }
        }
        let pointer = format!("/spec/rules/{}/backendRefs", self.rule);
        Replace { pointer, from: Value::Array(self.refs.clone()), to: Value::Array(refs) }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::laws, *};
    use crate::document::Traffic;

    fn route(rules: Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": { "name": "tenant" }, "spec": { "rules": rules },
        }))
        .unwrap()
    }

    fn backends() -> Backends {
        Backends { blue: "tenant-blue".to_owned(), green: "tenant-green".to_owned() }
    }

    #[tokio::test]
    async fn a_route_keeps_the_laws() {
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": { "name": "tenant" },
            "spec": { "rules": [
                { "matches": [{}], "backendRefs": [{ "name": "tenant-green", "port": 80 }] },
                { "backendRefs": [{ "name": "tenant-blue", "port": 80 },
                                  { "name": "tenant-green", "port": 80, "weight": 0 }] },
            ] },
        });
        for preview_header in [None, Some("x-slot".to_owned())] {
            let traffic = Traffic::HttpRoute(HttpRouteTraffic {
                route: "tenant".to_owned(),
                backends: backends(),
                preview_header,
                address: "http://shop.example.org".to_owned(),
            });
            laws::keeps_the_laws(&traffic, route.clone()).await;
        }
    }

    #[test]
    fn weights_are_read_and_replaced_in_their_rule() {
        let route = route(json!([
            { "matches": [{}], "backendRefs": [{ "name": "tenant-green", "port": 80 }] },
            { "backendRefs": [{ "name": "tenant-blue", "port": 80, "weight": 3 },
                              { "name": "tenant-green", "port": 80, "weight": 1 }] },
        ]));
        let shares = Shares::of(&route, &backends()).unwrap();
        assert_eq!(shares.weights().unwrap(), Weights::giving(Slot::Green, 25));
        let replace = shares.replaced(&Weights::all(Slot::Green));
        assert_eq!(replace.pointer, "/spec/rules/1/backendRefs");
        assert_eq!(
            replace.to,
            json!([{ "name": "tenant-blue", "port": 80, "weight": 0 },
                   { "name": "tenant-green", "port": 80, "weight": 100 }])
        );
    }

    #[test]
    fn a_route_is_accepted_once_every_gateway_says_so_of_its_present_generation() {
        let parent = |accepted: &str, resolved: &str, seen: i64| {
            let condition =
                |kind: &str, status: &str| json!({ "type": kind, "status": status, "observedGeneration": seen });
            json!({ "parentRef": { "name": "edge" },
                    "conditions": [condition("Accepted", accepted), condition("ResolvedRefs", resolved)] })
        };
        let told = |parents: Vec<Value>| {
            let mut route = route(json!([]));
            route.metadata.generation = Some(7);
            route.data["status"] = json!({ "parents": parents });
            accepted(&route)
        };
        assert_eq!(told(vec![parent("True", "True", 7), parent("True", "True", 8)]), Ok(7));
        for parents in [
            vec![],
            vec![parent("True", "True", 6)],
            vec![parent("True", "True", 7), parent("True", "True", 6)],
            vec![parent("False", "True", 7)],
            vec![parent("True", "False", 7)],
            vec![json!({ "parentRef": { "name": "edge" } })],
        ] {
            assert!(told(parents.clone()).is_err(), "{parents:?}");
        }
        assert!(accepted(&route(json!([]))).is_err());
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        let both = |blue: u64, green: u64| {
            json!({ "backendRefs": [{ "name": "tenant-blue", "weight": blue },
                                    { "name": "tenant-green", "weight": green }] })
        };
        assert!(Shares::of(&route(json!([])), &backends()).is_err());
        assert!(Shares::of(&route(json!([both(1, 1), both(1, 1)])), &backends()).is_err());
        for (blue, green) in [(0, 0), (2, 1)] {
            assert!(Shares::of(&route(json!([both(blue, green)])), &backends()).unwrap().weights().is_err());
        }
    }
}
