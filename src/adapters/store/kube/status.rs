//! What people see of a run with kubectl alone: how it stands, on the first part of its journal, and events on its Lease.

use std::time::Duration;

use k8s_openapi::{
    api::{coordination::v1::Lease, core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Resource as _, api::PostParams};
use serde_json::Value;

use super::names::{BEGAN, ENDED, OUTCOME, STATE, TITLE};
use crate::{
    adapters::kube::{Cluster, lock_name},
    journal::{Milestone, Owner},
    model::{RunId, Target, Timestamp},
};

/// How long an event may take; whoever waits for it has a run to drive.
const WITHIN: Duration = Duration::from_secs(2);
/// An event's note has 1024 bytes at most.
const NOTE: usize = 1000;
/// An annotation is for a glance; the journal has the rest.
const GLANCE: usize = 500;
/// Who reports; the server wants a qualified name.
const REPORTER: &str = "interlock";

/// What the first part of the journal says from this milestone on; `None` where that stays as it is.
pub fn state(milestone: &Milestone, at: Timestamp) -> Option<Value> {
    let (state, outcome) = match milestone {
        Milestone::Begun { title, .. } => {
            return Some(serde_json::json!({
                "labels": { STATE: "running" },
                "annotations": { TITLE: brief(title, GLANCE), BEGAN: at },
            }));
        }
        Milestone::Owned { .. } => return None,
        Milestone::Resumed => ("running", Value::Null),
        Milestone::Held { why } => ("held", brief(&format!("held: {why}"), GLANCE).into()),
        Milestone::Stuck { why } => ("stuck", brief(&told("stuck", why), GLANCE).into()),
        Milestone::Ended { word, why, .. } => (*word, brief(&told(word, why), GLANCE).into()),
    };
    let ended = matches!(milestone, Milestone::Ended { .. }).then_some(at);
    Some(serde_json::json!({ "labels": { STATE: state }, "annotations": { OUTCOME: outcome, ENDED: ended } }))
}

/// The event about a milestone of a run that `holder` has. There is none about a new owner: that is told where the target is
/// taken over, with whom it was taken from.
fn news(milestone: &Milestone, run: &RunId, holder: &str) -> Option<News> {
    let (fine, reason, action, note) = match milestone {
        Milestone::Begun { title, .. } => (true, "RunBegun", "Begin", format!("{title}: run {run} of {holder}")),
        Milestone::Owned { .. } => return None,
        Milestone::Held { why } => (
            false,
            "RunHeld",
            "Hold",
            format!("run {run} waits for a person: {why}; interlock runs resume {run} --keep, --undo or --watch"),
        ),
        Milestone::Resumed => (true, "RunResumed", "Resume", format!("run {run} goes on under {holder}")),
        Milestone::Stuck { why } => (
            false,
            "RunStuck",
            "End",
            format!("run {run} needs a person, something may be left changed: {why}; interlock runs show {run}"),
        ),
        Milestone::Ended { word, why, kept } => (*kept, "RunEnded", "End", format!("run {run} {}", told(word, why))),
    };
    Some(News { fine, reason, action, note })
}

/// What an event says.
struct News {
    fine: bool,
    reason: &'static str,
    action: &'static str,
    note: String,
}

/// An event about an object. It is not one of a series: kube's own recorder would count a second run with the same reason
/// into the first one's event, and keep the first one's note.
fn event(news: &News, about: ObjectReference, instance: &str) -> Event {
    let now = Timestamp::now();
    let name = about.name.clone().unwrap_or_default();
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{name}.{:x}", now.as_nanosecond())),
            namespace: about.namespace.clone(),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        type_: Some(if news.fine { "Normal" } else { "Warning" }.to_owned()),
        reason: Some(news.reason.to_owned()),
        action: Some(news.action.to_owned()),
        note: Some(brief(&news.note, NOTE)),
        regarding: Some(about),
        reporting_controller: Some(REPORTER.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        ..Event::default()
    }
}

fn told(word: &str, why: &str) -> String {
    if why.is_empty() { word.to_owned() } else { format!("{word}: {why}") }
}

fn brief(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most - 3).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", text.get(..end).unwrap_or_default())
}

/// Writes events, as well as that goes: a run neither fails nor waits for long because of one.
pub struct EventRecorder {
    cluster: Cluster,
    /// The machine or the pod that speaks.
    instance: String,
}

impl EventRecorder {
    pub fn new(cluster: Cluster) -> Self {
        let instance = Owner::current().map_or_else(|_| "unknown".to_owned(), |owner| owner.host);
        Self { cluster, instance }
    }

    pub async fn milestone(&self, target: &Target, run: &RunId, milestone: &Milestone) {
        if !matches!(milestone, Milestone::Owned { .. }) {
            self.publish(target, |holder| news(milestone, run, holder)).await;
        }
    }

    /// Tells that a run has another owner.
    pub async fn taken_over(&self, target: &Target, run: &RunId, from: &str) {
        let news = |holder: &str| {
            let note = format!("run {run}: {holder} has taken over from {from}");
            Some(News { fine: false, reason: "RunTakenOver", action: "TakeOver", note })
        };
        self.publish(target, news).await;
    }

    async fn publish(&self, target: &Target, news: impl FnOnce(&str) -> Option<News>) {
        let published = tokio::time::timeout(WITHIN, async {
            let lease: Lease = self.cluster.api().get(&lock_name(target)).await?;
            let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_default();
            let about = ObjectReference { resource_version: None, ..lease.object_ref(&()) };
            let Some(news) = news(&holder) else { return Ok(()) };
            let event = event(&news, about, &self.instance);
            self.cluster.api().create(&PostParams::default(), &event).await.map(drop)
        });
        match published.await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::debug!("no event on {target}: {e}"),
            Err(_) => tracing::debug!("no event on {target}: the API server takes too long"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_are_cut_between_letters() {
        assert_eq!(brief("short", 10), "short");
        assert_eq!(brief(&"ü".repeat(10), 10), "üüü...");
    }
}
