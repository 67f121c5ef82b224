//! What a pod says about itself, as a replica of a slot.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube::ResourceExt as _;

use crate::ports::Replica;

/// The label that says which release a pod runs; without it, its image does.
const VERSION: &str = "app.kubernetes.io/version";

/// A pod as a replica; `None` for one that is on its way out, or has ended for good, such as an evicted one.
pub fn replica(pod: &Pod) -> Option<Replica> {
    let ended = matches!(phase(pod), "Failed" | "Succeeded");
    if pod.metadata.deletion_timestamp.is_some() || ended {
        return None;
    }
    let ready = is_ready(pod);
    Some(Replica {
        name: pod.name_any(),
        ready,
        version: version(pod),
        exits: containers(pod).iter().map(exits).sum(),
        trouble: if ready { None } else { trouble(pod) },
    })
}

/// Whether a container of the pod runs, so that it can be asked something.
pub fn is_running(pod: &Pod) -> bool {
    let runs = |status: &ContainerStatus| status.state.as_ref().is_some_and(|state| state.running.is_some());
    phase(pod) == "Running" && containers(pod).iter().any(runs)
}

pub fn addresses(pod: &Pod) -> impl Iterator<Item = &str> {
    let status = pod.status.iter();
    status.flat_map(|status| status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str()))
}

/// Whether the pod says that it can take traffic.
pub fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|(status, _)| status == "True")
}

pub(super) fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn containers(pod: &Pod) -> &[ContainerStatus] {
    pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default()
}

fn version(pod: &Pod) -> String {
    let image = || pod.spec.as_ref().and_then(|spec| spec.containers.first()?.image.clone()).unwrap_or_default();
    pod.labels().get(VERSION).cloned().unwrap_or_else(image)
}

/// How often a container has ended by itself: its restarts, and the end that no restart has followed yet.
///
/// A container that was lost with its node says so, and has not failed.
fn exits(status: &ContainerStatus) -> u64 {
    let ended = |state: &Option<ContainerState>| {
        state
            .as_ref()
            .and_then(|state| state.terminated.as_ref())
            .is_some_and(|end| end.reason.as_deref() != Some("ContainerStatusUnknown"))
    };
    let down = status.state.as_ref().is_some_and(|state| state.running.is_none());
    let pending = down && (ended(&status.state) || ended(&status.last_state));
    u64::try_from(status.restart_count).unwrap_or(0) + u64::from(pending)
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<(&'a str, String)> {
    let conditions = pod.status.as_ref()?.conditions.as_deref()?;
    let found = conditions.iter().find(|condition| condition.type_ == kind)?;
    let reason = found.reason.as_deref().unwrap_or_default();
    let message = found.message.as_deref().unwrap_or_default();
    Some((&found.status, joined(reason, message)))
}

/// Why a pod is not ready, told by whoever knows best: its container, the scheduler, its readiness.
fn trouble(pod: &Pod) -> Option<String> {
    let waiting = containers(pod).iter().find_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref().filter(|reason| *reason != "ContainerCreating")?;
        Some(joined(reason, waiting.message.as_deref().unwrap_or_default()))
    });
    let unscheduled = || condition(pod, "PodScheduled").filter(|(status, _)| *status == "False").map(|(_, why)| why);
    let unready = || condition(pod, "Ready").map(|(_, why)| why);
    waiting.or_else(unscheduled).or_else(unready).filter(|why| !why.is_empty())
}

fn joined(reason: &str, message: &str) -> String {
    match (reason, message) {
        (reason, "") => reason.to_owned(),
        ("", message) => message.to_owned(),
        _ => format!("{reason}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "tenant-green-1", "labels": { "app.kubernetes.io/version": "1.1.0" } },
            "spec": { "containers": [{ "name": "tenant", "image": "tenant:7" }] },
            "status": status,
        }))
        .unwrap()
    }

    fn container(restarts: u32, state: Value, last: Value) -> Value {
        json!({ "name": "tenant", "image": "i", "imageID": "i", "ready": false, "restartCount": restarts,
                "state": state, "lastState": last })
    }

    fn exits_of(restarts: u32, state: Value, last: Value) -> u64 {
        let status = json!({ "phase": "Running", "containerStatuses": [container(restarts, state, last)] });
        replica(&pod(status)).unwrap().exits
    }

    #[test]
    fn every_end_is_counted_once() {
        let (running, end) = (json!({ "running": {} }), json!({ "terminated": { "exitCode": 70 } }));
        let waiting = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
        assert_eq!(exits_of(0, running.clone(), json!({})), 0);
        assert_eq!(exits_of(0, end.clone(), json!({})), 1);
        assert_eq!(exits_of(1, running.clone(), end.clone()), 1);
        assert_eq!(exits_of(1, waiting, end), 2);
        let lost = json!({ "terminated": { "exitCode": 137, "reason": "ContainerStatusUnknown" } });
        assert_eq!(exits_of(0, lost, json!({})), 0);
    }

    #[test]
    fn trouble_is_told_by_whoever_knows_best() {
        let why = |status| replica(&pod(status)).unwrap().trouble.unwrap();
        let image = json!({ "waiting": { "reason": "ErrImageNeverPull", "message": "no such image" } });
        let status = json!({ "phase": "Pending", "containerStatuses": [container(0, image, json!({}))] });
        assert_eq!(why(status), "ErrImageNeverPull: no such image");
        let unscheduled = json!({ "phase": "Pending", "conditions": [
            { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes fit" } ] });
        assert_eq!(why(unscheduled), "Unschedulable: 0/1 nodes fit");
    }

    #[test]
    fn what_is_gone_is_no_replica() {
        assert_eq!(replica(&pod(json!({ "phase": "Failed", "reason": "Evicted" }))), None);
        let mut leaving = pod(json!({ "phase": "Running" }));
        leaving.metadata.deletion_timestamp = serde_json::from_value(json!("2026-11-21T09:30:00Z")).unwrap();
        assert_eq!(replica(&leaving), None);
    }

    #[test]
    fn the_image_stands_in_for_a_version() {
        let mut plain = pod(json!({ "phase": "Running" }));
        plain.metadata.labels = None;
        assert_eq!(replica(&plain).unwrap().version, "tenant:7");
    }
}
