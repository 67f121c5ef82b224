//! What a service of a cluster has to say beside its shape.

use super::{
    Pods, Service, SlotSpec, Target, Traffic,
    checks::{check_path, check_url},
    traffic::Parts,
};
use crate::slo::Problem;

/// Checks how a service is reached: in a cluster it has to say so, elsewhere it must not.
///
/// # Errors
/// Where something is missing, or makes no sense.
pub(super) fn check_reach(service: &Service, target: &Target) -> Result<(), Problem> {
    let of_cluster: fn(&str) -> Problem = match target {
        Target::Kubernetes(_) => return check_in_cluster(service),
        Target::Lab(_) => |at| Problem::new(at, "the target is a lab, which knows this by itself", "leave it out"),
        Target::Hosts(_) => |at| {
            let hint = "say where the service runs: `target: {kubernetes: {namespace: NAME}}`";
            Problem::new(at, "no target is named that has this", hint)
        },
    };
    if let Some(identity) = &service.identity {
        // A lab's replicas name their slot in a header of their own, and nothing else is asked of them.
        for (at, own) in [("identity.header", &identity.header), ("identity.body", &identity.body)] {
            if own.is_some() {
                return Err(of_cluster(at));
            }
        }
    }
    match (&service.traffic, &service.pods) {
        (None, None) => Ok(()),
        (Some(_), _) => Err(of_cluster("traffic")),
        _ => Err(of_cluster("pods")),
    }
}

fn check_in_cluster(service: &Service) -> Result<(), Problem> {
    let Some(slots) = &service.slots else {
        let hint = "add `slots: {blue: {workload: deployment/NAME}, green: {workload: deployment/NAME}}`";
        return Err(Problem::new("", "the service has no slots", hint));
    };
    for (at, slot) in [("blue", &slots.blue), ("green", &slots.green)] {
        check_workload(&format!("slots.{at}.workload"), slot)?;
    }
    let Some(traffic) = &service.traffic else {
        let hint = "add `traffic: {selector: {service: NAME, preview: {blue: NAME, green: NAME}}}`";
        return Err(Problem::new("", "how traffic reaches the service is not said", hint));
    };
    check_traffic(traffic)?;
    service.pods.as_ref().map_or(Ok(()), check_pods)
}

fn check_workload(at: &str, slot: &SlotSpec) -> Result<(), Problem> {
    let kind = slot.workload.split_once('/').map(|(kind, name)| (kind, !name.is_empty()));
    if matches!(kind, Some(("deployment" | "statefulset" | "replicaset", true))) {
        return Ok(());
    }
    let hint = "write `deployment/NAME`, `statefulset/NAME`, `replicaset/NAME` or `replicaset/LABEL=VALUE`";
    Err(Problem::new(at, format!("`{}` names no workload", slot.workload), hint))
}

fn check_traffic(traffic: &Traffic) -> Result<(), Problem> {
    let Parts { at, services: (key, services), address } = traffic.parts();
    if services.blue == services.green {
        let what = format!("both slots are reached by the Service `{}`", services.blue);
        return Err(Problem::new(&format!("{at}.{key}"), what, "name a Service for each slot"));
    }
    address.map_or(Ok(()), |url| check_url(&format!("{at}.address"), url))
}

fn check_pods(pods: &Pods) -> Result<(), Problem> {
    check_path("pods.metrics", &pods.metrics)?;
    pods.draining.as_ref().map_or(Ok(()), |path| check_path("pods.draining", path))
}
