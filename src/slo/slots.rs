//! Which labels of the series that were found tell the slots apart, and the selectors to write from them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{Matchers, rules::matcher};
use crate::{
    model::Slot,
    ports::{Labels, MatchOp, Matcher},
};

/// Labels by which gateways and meshes name what served, those that are told first coming first: Traefik's and ingress-nginx's
/// (renamed by Prometheus where the target has the label itself), Envoy's, Istio's, Linkerd's, and what programs say themselves.
const KNOWN: [&str; 13] = [
    "service",
    "exported_service",
    "envoy_cluster_name",
    "destination_workload",
    "destination_service_name",
    "destination_version",
    "ingress",
    "exported_ingress",
    "deployment",
    "dst_deployment",
    "slot",
    "version",
    "workload",
];

/// Labels that name no slot, whatever their values hold.
const NEVER: [&str; 5] = ["le", "code", "method", "path", "quantile"];

/// The label that names a pod.
const POD: &str = "pod";

/// Labels by which series of one service are told from those of others.
const OF_SERVICE: [&str; 4] = ["service", "app", "job", "application"];

/// How many labels, and values of each, are shown where none tells the slots apart.
const SHOWN: usize = 6;

/// What series of a service and its slots may be named after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotNames {
    /// The service.
    pub service: String,
    /// The namespace that it runs in, if there is one.
    pub namespace: Option<String>,
    /// What is named for blue and for green: their Services, their workloads.
    pub pairs: Vec<[String; 2]>,
}

/// Selectors for both slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What picks the series of blue and of green.
    pub picks: [Matchers; 2],
    /// The slots without a series so far; what picks theirs follows from the other one's.
    pub unseen: Vec<Slot>,
}

impl SlotNames {
    /// The selectors to write, by the label that tells the slots apart best; `None` where none does.
    #[must_use]
    pub fn propose(&self, series: &[Labels]) -> Option<Proposal> {
        let mut labels: Vec<&str> = series.iter().flat_map(Labels::keys).map(String::as_str).collect();
        labels.sort_unstable();
        labels.dedup();
        labels.retain(|label| !NEVER.contains(label));
        // What is known comes first, and of two that are alike the one that has series of both slots.
        let rank = |label: &str| KNOWN.iter().position(|known| *known == label).unwrap_or(KNOWN.len());
        labels.sort_by_key(|label| rank(label));
        let all = labels.into_iter().filter_map(|label| self.by(label, series)).collect::<Vec<_>>();
        all.iter().find(|found| found.unseen.is_empty()).or(all.first()).cloned()
    }

    /// The selectors that pick a series of `others` as well which is to the other slot what one of these is to `slot`; `None` where
    /// there is no such series.
    #[must_use]
    pub fn counterpart(&self, slot: Slot, own: &[Labels], others: &[Labels]) -> Option<Proposal> {
        let shapes = |series: &[Labels], of: Slot, swap: bool| -> BTreeSet<(String, Shape)> {
            let all = series.iter().flatten().filter_map(|(label, value)| {
                let (_, name, other) = self.named(value).filter(|(named, ..)| *named == of)?;
                let shape =
                    if swap { shape(label, &swapped(value, name, other), other) } else { shape(label, value, name) };
                Some((label.clone(), shape))
            });
            all.collect()
        };
        let wanted = shapes(own, slot, true);
        let found = !wanted.is_disjoint(&shapes(others, slot.other(), false));
        found.then(|| self.propose(&[own, others].concat())).flatten()
    }

    /// The selectors by one label.
    fn by(&self, label: &str, series: &[Labels]) -> Option<Proposal> {
        let mut shapes: [BTreeSet<Shape>; 2] = Default::default();
        let mut derived: [BTreeSet<Shape>; 2] = Default::default();
        let mut picked: Vec<&Labels> = Vec::new();
        for one in series {
            let Some(value) = one.get(label) else { continue };
            let Some((slot, name, other)) = self.named(value) else { continue };
            shapes[slot as usize].insert(shape(label, value, name));
            derived[slot.other() as usize].insert(shape(label, &swapped(value, name, other), other));
            picked.push(one);
        }
        if picked.is_empty() {
            return None;
        }
        let more = self.narrower(label, &picked, series);
        let unseen = Slot::ALL.into_iter().filter(|slot| shapes[*slot as usize].is_empty()).collect();
        let picks = Slot::ALL.map(|slot| {
            let own = &shapes[slot as usize];
            picks(label, if own.is_empty() { &derived[slot as usize] } else { own }, &more)
        });
        Some(Proposal { picks, unseen })
    }

    /// Which slot a value is named after, with that name and the one of the other slot. The longest name decides, since one
    /// may be a part of the other.
    fn named<'n>(&'n self, value: &str) -> Option<(Slot, &'n str, &'n str)> {
        let of_pair = |pair: &'n [String; 2]| {
            [(Slot::Blue, pair[0].as_str(), pair[1].as_str()), (Slot::Green, pair[1].as_str(), pair[0].as_str())]
        };
        let mut found: Vec<_> = self.pairs.iter().flat_map(of_pair).filter(|(_, name, _)| holds(value, name)).collect();
        if found.is_empty() {
            // The slot's own name says little: it has to be all of the value, or stand beside the service's.
            let said = |slot: &Slot| value == slot.name() || (holds(value, slot.name()) && holds(value, &self.service));
            found.extend(Slot::ALL.into_iter().filter(said).map(|slot| (slot, slot.name(), slot.other().name())));
        }
        let longest = found.iter().map(|(_, name, _)| name.len()).max()?;
        found.retain(|(_, name, _)| name.len() == longest);
        let first = found.first().copied()?;
        found.iter().all(|(slot, ..)| *slot == first.0).then_some(first)
    }

    /// What has to hold beside the label, where series of other namespaces or services have the same value.
    fn narrower(&self, label: &str, picked: &[&Labels], series: &[Labels]) -> Labels {
        let several = |name: &str, wanted: &str| {
            let values: BTreeSet<_> = picked.iter().filter_map(|one| one.get(name)).collect();
            values.len() > 1 && values.iter().any(|value| *value == wanted)
        };
        let names: BTreeSet<&String> = series.iter().flat_map(Labels::keys).filter(|name| *name != label).collect();
        let of = |name: &str| {
            let namespace = self.namespace.as_deref().filter(|_| name.ends_with("namespace"));
            namespace.or_else(|| OF_SERVICE.contains(&name).then_some(self.service.as_str()))
        };
        names
            .into_iter()
            .filter_map(|name| Some((name.clone(), of(name).filter(|wanted| several(name, wanted))?.to_owned())))
            .collect()
    }
}

/// Whether a name stands in a text, and is no part of a longer word there.
fn holds(text: &str, name: &str) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            !is_word(at.checked_sub(1).and_then(|before| bytes.get(before))) && !is_word(bytes.get(at + name.len()))
        })
}

/// What a value looks like, without what is generated in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    /// All of it stays as it is.
    Text(String),
    /// A regular expression for it.
    Pattern(String),
}

/// The shape of a value that holds a name. A pod's name ends as it will not end again. Traefik's Gateway API provider puts the route,
/// the rule and a hash of its matches before `-svc-`, and the index of the backend behind the Service.
fn shape(label: &str, value: &str, name: &str) -> Shape {
    let Some(at) = value.find(name) else { return Shape::Text(value.to_owned()) };
    let (before, rest) = (&value[..at], &value[at + name.len()..]);
    if label == POD && rest.starts_with('-') {
        // As many parts as it has, so that a longer name of another workload is none of them.
        let parts = "-[0-9a-z]+".repeat(rest.matches('-').count());
        return Shape::Pattern(format!("{}{parts}", escaped(&value[..at + name.len()])));
    }
    let index = rest
        .strip_prefix('-')
        .and_then(|rest| rest.split_once('@'))
        .filter(|(index, _)| !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()));
    match (before.rfind("-svc-"), index) {
        (Some(from), Some((_, provider))) => {
            Shape::Pattern(format!(".*{}-[0-9]+@{}", escaped(&value[from..at + name.len()]), escaped(provider)))
        }
        _ => Shape::Text(value.to_owned()),
    }
}

fn swapped(value: &str, name: &str, other: &str) -> String {
    value.replacen(name, other, 1)
}

/// What picks values of these shapes.
fn picks(label: &str, shapes: &BTreeSet<Shape>, more: &Labels) -> Matchers {
    let (op, value) = match shapes.first() {
        Some(Shape::Text(only)) if shapes.len() == 1 => (MatchOp::Equal, only.clone()),
        _ => {
            let patterns = shapes.iter().map(|shape| match shape {
                Shape::Text(text) => escaped(text),
                Shape::Pattern(pattern) => pattern.clone(),
            });
            (MatchOp::Matches, patterns.collect::<Vec<_>>().join("|"))
        }
    };
    let own = Matcher { label: label.to_owned(), op, value };
    let more = more.iter().map(|(label, value)| (label.clone(), MatchOp::Equal, value.clone()));
    std::iter::once(own).chain(more.map(|(label, op, value)| Matcher { label, op, value })).collect()
}

/// A text as a regular expression.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for next in text.chars() {
        if r"\.+*?()|[]{}^$".contains(next) {
            escaped.push('\\');
        }
        escaped.push(next);
    }
    escaped
}

/// The labels that series have, with some of their values, for who has to find the one that tells the slots apart.
#[must_use]
pub fn labels_found(series: &[Labels]) -> String {
    let mut found: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for (label, value) in series.iter().flatten().filter(|(label, _)| !NEVER.contains(&label.as_str())) {
        found.entry(label).or_default().insert(value);
    }
    // One value for all series tells nothing apart, nor do as many as there are series.
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(_, values)| (values.len() < 2, values.len()));
    let told = found.into_iter().take(SHOWN).map(|(label, values)| {
        let shown: Vec<_> = values.iter().take(SHOWN / 2).map(|value| format!("{value:?}")).collect();
        let more = if values.len() > shown.len() { ", ..." } else { "" };
        format!("{label} ({}{more})", shown.join(", "))
    });
    told.collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Proposal {
    /// As the platform file takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [blue, green] = &self.picks;
        let quoted = |picks: &Matchers| {
            let text = picks.iter().map(matcher).collect::<Vec<_>>().join(",");
            format!("'{}'", text.replace('\'', "''"))
        };
        write!(f, "selectors: {{blue: {}, green: {}}}", quoted(blue), quoted(green))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAEFIK: &str = "httproute-demo-site-gw-edge-ep-web-2-0956bf1be72e-svc-demo-{}-0@kubernetesgateway";

    fn names() -> SlotNames {
        let pair = |blue: &str, green: &str| [blue.to_owned(), green.to_owned()];
        SlotNames {
            service: "shop".to_owned(),
            namespace: Some("demo".to_owned()),
            pairs: vec![pair("shop-web", "shop-web-canary"), pair("web", "web-canary")],
        }
    }

    fn series(all: &[&[(&str, &str)]]) -> Vec<Labels> {
        let labels = |one: &&[(&str, &str)]| one.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        all.iter().map(labels).collect()
    }

    /// Every known form of label is found, whichever slot has series so far, and among those of other services.
    #[test]
    fn selectors_are_proposed_for_what_gateways_and_meshes_write() {
        let forms = [
            ("traefik", "service", TRAEFIK, "demo-cart-80@kubernetesgateway"),
            ("traefik without the Gateway API", "exported_service", "demo-{}-80@kubernetescrd", "x@internal"),
            ("envoy", "envoy_cluster_name", "httproute/demo/{}/rule/0", "xds_cluster"),
            ("istio", "destination_workload", "{}", "cart"),
            ("istio's services", "destination_service_name", "{}.demo.svc", "cart.demo.svc"),
            ("ingress-nginx", "service", "{}", "cart"),
            ("ingress-nginx by ingress", "ingress", "{}", "cart"),
            ("linkerd", "deployment", "{}", "cart"),
            ("linkerd from outside", "dst_deployment", "{}", "cart"),
            ("a program of one's own", "color", "{}", "none"),
            ("pods", "pod", "{}-7d9f8c-x2x4z", "cart-1"),
        ];
        let told: Vec<_> = forms
            .into_iter()
            .flat_map(|(form, label, value, other)| {
                let of = |name: &str| value.replace("{}", name);
                let (blue, green) = (of("shop-web"), of("shop-web-canary"));
                let both = series(&[&[(label, &blue), ("code", "200")], &[(label, &green)], &[(label, other)]]);
                let whole = names().propose(&both).unwrap();
                assert!(whole.unseen.is_empty(), "{form}");
                for (slot, value) in [(Slot::Green, &blue), (Slot::Blue, &green)] {
                    let picked = whole.picks[slot as usize].iter().all(|m| match m.op {
                        MatchOp::Equal => m.value == *value,
                        _ => regex::Regex::new(&format!("^(?:{})$", m.value)).unwrap().is_match(value),
                    });
                    assert!(!picked, "{form}: {value} is picked for {slot}");
                }
                // A slot without a request has no series: what picks its own follows from the other slot's.
                for (slot, without) in [(Slot::Green, [0, 2]), (Slot::Blue, [1, 2])] {
                    let half = names().propose(&without.map(|at| both[at].clone())).unwrap();
                    assert_eq!((half.unseen, half.picks), (vec![slot], whole.picks.clone()), "{form}");
                }
                [format!("{form}: {whole}")]
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
traefik: selectors: {blue: 'service=~".*-svc-demo-shop-web-[0-9]+@kubernetesgateway"', green: 'service=~".*-svc-demo-shop-web-canary-[0-9]+@kubernetesgateway"'}
traefik without the Gateway API: selectors: {blue: 'exported_service="demo-shop-web-80@kubernetescrd"', green: 'exported_service="demo-shop-web-canary-80@kubernetescrd"'}
envoy: selectors: {blue: 'envoy_cluster_name="httproute/demo/shop-web/rule/0"', green: 'envoy_cluster_name="httproute/demo/shop-web-canary/rule/0"'}
istio: selectors: {blue: 'destination_workload="shop-web"', green: 'destination_workload="shop-web-canary"'}
istio's services: selectors: {blue: 'destination_service_name="shop-web.demo.svc"', green: 'destination_service_name="shop-web-canary.demo.svc"'}
ingress-nginx: selectors: {blue: 'service="shop-web"', green: 'service="shop-web-canary"'}
ingress-nginx by ingress: selectors: {blue: 'ingress="shop-web"', green: 'ingress="shop-web-canary"'}
linkerd: selectors: {blue: 'deployment="shop-web"', green: 'deployment="shop-web-canary"'}
linkerd from outside: selectors: {blue: 'dst_deployment="shop-web"', green: 'dst_deployment="shop-web-canary"'}
a program of one's own: selectors: {blue: 'color="shop-web"', green: 'color="shop-web-canary"'}
pods: selectors: {blue: 'pod=~"shop-web-[0-9a-z]+-[0-9a-z]+"', green: 'pod=~"shop-web-canary-[0-9a-z]+-[0-9a-z]+"'}
"#);
    }

    #[test]
    fn what_several_values_or_namespaces_share_is_told_apart() {
        let found = series(&[
            &[("destination_workload", "web"), ("namespace", "demo")],
            &[("destination_workload", "web"), ("namespace", "staging")],
            &[("destination_workload", "web-canary"), ("namespace", "demo")],
        ]);
        let several = series(&[&[("backend", "shop-web:80")], &[("backend", "shop-web:81")]]);
        let own_words = series(&[&[("slot", "blue"), ("app", "shop")], &[("slot", "blue"), ("app", "cart")]]);
        let told = [found, several, own_words].map(|found| names().propose(&found).unwrap().to_string());
        insta::assert_snapshot!(told.join("\n"), @r#"
selectors: {blue: 'destination_workload="web",namespace="demo"', green: 'destination_workload="web-canary",namespace="demo"'}
selectors: {blue: 'backend=~"shop-web:80|shop-web:81"', green: 'backend=~"shop-web-canary:80|shop-web-canary:81"'}
selectors: {blue: 'slot="blue",app="shop"', green: 'slot="green",app="shop"'}
"#);
        for nothing in [series(&[&[("instance", "10.0.0.1:80")]]), series(&[&[("team", "bluebird")]]), Vec::new()] {
            assert_eq!(names().propose(&nothing), None);
        }
        let found = series(&[
            &[("instance", "a"), ("job", "traefik"), ("code", "200")],
            &[("instance", "b"), ("job", "traefik")],
        ]);
        assert_eq!(labels_found(&found), r#"instance ("a", "b"), job ("traefik")"#);
    }

    #[test]
    fn a_misspelt_slot_is_told_from_one_without_a_request() {
        let named = |value: &str| series(&[&[("service", value)]]);
        let blue = named(&TRAEFIK.replace("{}", "shop-web"));
        let staging = named(&TRAEFIK.replace("-svc-demo-{}", "-svc-staging-shop-web-canary"));
        // Another rule of the route, and the second of its backends.
        let there = named("httproute-demo-site-gw-edge-ep-web-1-3c8f50b0-svc-demo-shop-web-canary-1@kubernetesgateway");
        assert_eq!(names().counterpart(Slot::Blue, &blue, &staging), None);
        let found = names().counterpart(Slot::Blue, &blue, &there).unwrap();
        assert_eq!(found, names().propose(&blue).map(|half| Proposal { unseen: Vec::new(), ..half }).unwrap());
    }
}
