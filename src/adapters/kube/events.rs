//! Kubernetes Events: a word on the objects that interlock touches, for whoever describes them.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::time::timeout;

use super::{Cluster, names};

/// How long an Event may take; a run never fails for one.
const WITHIN: Duration = Duration::from_secs(2);

/// Leaves a word on an object: `reason` in one CamelCase word, `action` as well, `note` for people.
///
/// The server may be away just then. The journal has it all the same, so that is only noted in the log.
pub async fn leave(cluster: &Cluster, on: &ObjectReference, reason: &str, action: &str, note: String) {
    let reporter = Reporter { controller: names::MANAGER.to_owned(), instance: None };
    let event = Event {
        type_: EventType::Normal,
        reason: reason.to_owned(),
        note: Some(note),
        action: action.to_owned(),
        secondary: None,
    };
    let recorder = Recorder::new(cluster.client.clone(), reporter);
    match timeout(WITHIN, recorder.publish(&event, on)).await {
        Ok(Ok(())) => {}
        Ok(Err(e)) => tracing::debug!("no event on {:?}: {e}", on.name),
        Err(_) => tracing::debug!("no event on {:?} within {WITHIN:?}", on.name),
    }
}
