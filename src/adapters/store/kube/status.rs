//! What people see of a run with kubectl alone: how it stands, on the first part of its journal, and events on its Lease.
//!
//! The store does not know what entries mean; it only looks for the few words that a person wants to read.

use std::time::Duration;

use k8s_openapi::{
    api::{coordination::v1::Lease, core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Resource as _, api::PostParams};
use serde_json::Value;

use super::names::{OUTCOME, STATE, TITLE};
use crate::{
    adapters::kube::{Cluster, lock_name},
    journal::Owner,
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

/// What a person wants to know of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It began.
    Begun {
        /// The plan's title.
        title: String,
    },
    /// It waits for a person.
    Held {
        /// Why.
        why: String,
    },
    /// A person let it go on.
    Resumed,
    /// It is over.
    Ended {
        /// One word.
        word: String,
        /// Why; empty where it went as planned.
        why: String,
    },
}

/// Finds the words that people want to read in an entry; most have none.
pub fn word(entry: &Value) -> Option<Word> {
    let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    if let Some(title) = text("/planned/plan/title") {
        return Some(Word::Begun { title });
    }
    if let Some(why) = text("/held/why") {
        return Some(Word::Held { why });
    }
    if entry.get("resumed").is_some() {
        return Some(Word::Resumed);
    }
    let (name, inside) = entry.pointer("/finished/outcome")?.as_object()?.iter().next()?;
    let why = inside.as_object()?.values().find_map(Value::as_str).unwrap_or_default();
    Some(Word::Ended { word: kebab(name), why: why.to_owned() })
}

impl Word {
    /// What the first part of the journal says from now on.
    pub fn state(&self) -> Value {
        let (state, outcome) = match self {
            Self::Begun { title } => {
                return serde_json::json!({
                    "labels": { STATE: "running" },
                    "annotations": { TITLE: brief(title, GLANCE) },
                });
            }
            Self::Resumed => ("running", Value::Null),
            Self::Held { why } => ("held", brief(&format!("held: {why}"), GLANCE).into()),
            Self::Ended { word, why } => (word.as_str(), brief(&told(word, why), GLANCE).into()),
        };
        serde_json::json!({ "labels": { STATE: state }, "annotations": { OUTCOME: outcome } })
    }

    fn news(&self, run: &RunId, holder: &str) -> News {
        let (reason, action, note) = match self {
            Self::Begun { title } => ("RunBegun", "Begin", format!("{title}: run {run} of {holder}")),
            Self::Held { why } => (
                "RunHeld",
                "Hold",
                format!("run {run} waits for a person: {why}; interlock runs resume {run} --keep, --undo or --watch"),
            ),
            Self::Resumed => ("RunResumed", "Resume", format!("run {run} goes on under {holder}")),
            Self::Ended { word, why } if word == "stuck" => (
                "RunStuck",
                "End",
                format!("run {run} needs a person, something may be left changed: {why}; interlock runs show {run}"),
            ),
            Self::Ended { word, why } => ("RunEnded", "End", format!("run {run} {}", told(word, why))),
        };
        let fine = match self {
            Self::Begun { .. } | Self::Resumed => true,
            Self::Held { .. } => false,
            Self::Ended { word, .. } => word == "kept",
        };
        News { fine, reason, action, note }
    }
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

fn kebab(name: &str) -> String {
    name.chars().fold(String::new(), |mut kebab, c| {
        if c.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
        kebab
    })
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

    /// Tells what an entry says.
    pub async fn word(&self, target: &Target, run: &RunId, word: &Word) {
        self.publish(target, |holder| word.news(run, holder)).await;
    }

    /// Tells that a run has another owner.
    pub async fn taken_over(&self, target: &Target, run: &RunId, from: &str) {
        let news = |holder: &str| News {
            fine: false,
            reason: "RunTakenOver",
            action: "TakeOver",
            note: format!("run {run}: {holder} has taken over from {from}"),
        };
        self.publish(target, news).await;
    }

    async fn publish(&self, target: &Target, news: impl FnOnce(&str) -> News) {
        let published = tokio::time::timeout(WITHIN, async {
            let lease: Lease = self.cluster.api().get(&lock_name(target)).await?;
            let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_default();
            let about = ObjectReference { resource_version: None, ..lease.object_ref(&()) };
            let event = event(&news(&holder), about, &self.instance);
            self.cluster.api().create(&PostParams::default(), &event).await
        });
        match published.await {
            Ok(Ok(_)) => {}
            Ok(Err(e)) => tracing::debug!("no event on {target}: {e}"),
            Err(_) => tracing::debug!("no event on {target}: the API server takes too long"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_found_where_the_guard_puts_them() {
        let ended = |outcome: Value| word(&json!({ "finished": { "outcome": outcome } })).unwrap();
        let of = |word: &str, why: &str| Word::Ended { word: word.to_owned(), why: why.to_owned() };
        assert_eq!(ended(json!({ "kept": { "reserve": null } })), of("kept", ""));
        assert_eq!(ended(json!({ "rolledBack": { "why": "errors" } })), of("rolled-back", "errors"));
        let begun = word(&json!({ "planned": { "plan": { "title": "switch tenant" } } }));
        assert_eq!(begun, Some(Word::Begun { title: "switch tenant".to_owned() }));
        assert_eq!(word(&json!({ "held": { "why": "blind" } })), Some(Word::Held { why: "blind".to_owned() }));
        assert_eq!(word(&json!({ "resumed": { "how": "keep" } })), Some(Word::Resumed));
        assert_eq!(word(&json!({ "applied": { "step": 1 } })), None);
    }

    #[test]
    fn long_words_are_cut_between_letters() {
        assert_eq!(brief("short", 10), "short");
        assert_eq!(brief(&"ü".repeat(10), 10), "üüü...");
    }
}
