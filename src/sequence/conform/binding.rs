//! What a scenario says beside its diagram: who is who among the services, and which span each message is.

use std::collections::BTreeMap;

/// What a scenario binds; empty where everything is bound by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Binding {
    /// Participants by the name that messages use. Those that are not named are bound to the service of the same name.
    pub participants: BTreeMap<String, Party>,
    /// What is expected of single messages.
    pub messages: Vec<Expectation>,
}

/// Who a participant is on the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Party {
    /// The service with this `service.name`.
    Service(String),
    /// Something without spans of its own, which others' CLIENT or PRODUCER spans name: by attributes that all have to
    /// stand there, such as `db.system.name` or `messaging.destination.name`.
    Peer(BTreeMap<String, String>),
    /// A person, or a caller that is outside of the platform: what it sends are the stimuli.
    Stimulus,
    /// On the platform, but without instrumentation: what only it could tell is not known.
    Uninstrumented,
}

/// What is expected of one message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expectation {
    /// The message, as an index into `Sequence::messages`.
    pub message: usize,
    /// The name of its span, where `*` stands for any text; by rule where it is not said.
    pub operation: Option<String>,
    /// The status of HTTP that the call ends with; for a reply, of the call that it answers.
    pub status: Option<u16>,
    /// What from this message on is repeated.
    pub repeat: Option<Repeat>,
    /// Whether it counts for nothing: neither missing nor found.
    pub ignored: bool,
}

/// A part of a diagram that is drawn once and happens several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// The last message of the part, as an index into `Sequence::messages`.
    pub through: usize,
    /// How often it happens at least.
    pub least: u32,
    /// How often it happens at most.
    pub most: Option<u32>,
}
