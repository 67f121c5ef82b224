//! Every order to a host that a drill, or what takes it back, may give; its gate asks for all of them.

use std::collections::BTreeSet;

use super::Spec;
use crate::ports::{Flow, Order};

/// The orders, each with the host that gets it.
///
/// Where nothing manages the cluster, roles change by orders to hosts: whoever gives a role away or follows another is ended and
/// started again, on the way back perhaps another node than the one that was harmed.
pub(super) fn orders(spec: &Spec, nodes: &[String]) -> BTreeSet<(String, Order)> {
    let mut all = BTreeSet::new();
    let mut to = |host: &str, orders: &[Order]| all.extend(orders.iter().map(|order| (host.to_owned(), *order)));
    if let Some(fault) = spec.fault() {
        to(&spec.on, &[Order::State, Order::Run]);
        fault.inject.iter().for_each(|act| to(&spec.on, &[Order::Do(*act)]));
    }
    if spec.freezes().is_some() {
        to(&spec.primary, &[Order::Flow, Order::SetFlow(Flow::Frozen), Order::SetFlow(Flow::Flowing)]);
    }
    let changes_roles = !spec.method.is_fault() || nodes.contains(&spec.on);
    if !spec.managed && changes_roles {
        nodes.iter().for_each(|node| to(node, &[Order::State, Order::Run, Order::Stop, Order::Follow]));
    }
    all
}
