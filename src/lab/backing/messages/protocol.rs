//! What services and the bus or the queue say to each other, as JSON. Times are milliseconds, points in time those since 1970.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// On whose behalf a message was sent, and the trace that it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The request by which logs know it.
    pub correlation_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// As the headers of the W3C's trace context have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
}

/// An event or a job: `POST /messages`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Its own name: what is sent twice is delivered once.
    pub id: String,
    /// The topic of an event, the name of a job.
    pub topic: String,
    pub value: Value,
    /// While a message with this key waits or is handled, another one is not taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When it was sent.
    pub at: i64,
    /// How long after that it may be delivered.
    #[serde(default)]
    pub after: i64,
    pub about: About,
}

/// What became of a message that was sent: it is on disk for each of its subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// How many subscriptions there are to its topic.
    pub subscriptions: usize,
}

/// Everything that a service subscribes to: `PUT /services/{service}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    pub subscriptions: Vec<Subscription>,
}

/// Which messages a service wants, and what becomes of those that fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// Unique within the service.
    pub name: String,
    /// The pattern of topics, or the name of a job.
    pub pattern: String,
    /// What the fields of a message's value have to be: each equal to this, or one of these.
    #[serde(default)]
    pub rule: Map<String, Value>,
    /// Where nobody sends the messages: how often the queue makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<i64>,
    /// How often a message is delivered before it becomes a dead letter.
    pub attempts: u32,
    /// The wait before the second delivery; it doubles with each.
    pub back_off: i64,
    /// How long a replica may take over a message before another gets it.
    pub lease: i64,
}

/// A wish for messages: `POST /deliveries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Take {
    pub service: String,
    pub most: u32,
    /// How long to wait where there are none.
    pub wait: u64,
}

/// A message that a replica has been given until its lease ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    pub held: Held,
    /// The subscription that it is for.
    pub subscription: String,
    /// How often it has been delivered, this time included.
    pub attempt: u32,
    pub message: Message,
}

/// What a replica holds: a message under one lease of it. `POST /acknowledgements` ends that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    pub number: i64,
    /// Counts the leases of the message; only the last one holds.
    pub lease: i64,
}

/// A message whose handler failed: `POST /failures`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    pub held: Held,
    pub why: String,
}

/// A message that was delivered too often in vain: `GET /letters`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    pub number: i64,
    /// Who did not handle it.
    pub service: String,
    pub subscription: String,
    pub topic: String,
    /// The message's.
    pub id: String,
    /// The request that it was sent in.
    pub correlation_id: String,
    pub attempts: u32,
    /// Why the last attempt failed.
    pub why: String,
}

/// The dead letters to be sent again: `POST /letters`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// One of them; all without it.
    #[serde(default)]
    pub number: Option<i64>,
}

/// How many dead letters were sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    pub letters: usize,
}

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
