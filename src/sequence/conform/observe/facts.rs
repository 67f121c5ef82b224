//! What spans say that conditions ask for: names, endpoints, statuses, peers.

use std::collections::HashMap;

use super::super::{
    compile::Condition,
    parties::Parties,
    texts::{glob, letters, named_endpoint, same_path, segments},
};
use crate::{
    model::trace::{Attributes, Kind, Span, Status},
    sequence::mermaid::sequence::Who,
};

const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Attributes by which a caller's span names whom it calls, the surest first.
pub(in crate::sequence) const PEERS: &[&str] = &[
    "service.peer.name",
    "peer.service",
    "messaging.destination.name",
    "messaging.destination.template",
    "db.system.name",
    "db.system",
    "messaging.system",
    "server.address",
    "net.peer.name",
    "db.namespace",
    "rpc.service",
];

/// What spans of one call say about what is called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Facts {
    names: Vec<String>,
    methods: Vec<String>,
    paths: Vec<String>,
}

/// Answers which conditions spans meet; remembers, since spans are alike by the thousands.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    conditions: &'a [Condition],
    known: HashMap<Facts, Vec<usize>>,
}

impl<'a> Judge<'a> {
    pub fn new(conditions: &'a [Condition]) -> Self {
        Self { conditions, known: HashMap::new() }
    }

    /// The conditions that the spans of one call meet.
    pub fn met(&mut self, spans: &[&Span]) -> Vec<usize> {
        if self.conditions.is_empty() {
            return Vec::new();
        }
        let mut facts = Facts::default();
        for span in spans {
            facts.add(span);
        }
        let conditions = self.conditions;
        self.known
            .entry(facts)
            .or_insert_with_key(|facts| (0..conditions.len()).filter(|at| facts.meet(&conditions[*at])).collect())
            .clone()
    }
}

impl Facts {
    fn add(&mut self, span: &Span) {
        self.names.push(span.name.clone());
        let text = |name: &str| span.attributes.text(name).map(str::to_owned);
        self.methods.extend(["http.request.method", "http.method"].iter().filter_map(|name| text(name)));
        self.paths.extend(["http.route", "url.path", "http.target"].iter().filter_map(|name| text(name)));
        for url in ["url.full", "http.url"].iter().filter_map(|name| text(name)) {
            let behind = url.split_once("://").map_or(url.as_str(), |(_, behind)| behind);
            self.paths.extend(behind.find('/').and_then(|at| behind.get(at..)).map(str::to_owned));
        }
        // By the conventions, the name of a span of HTTP is its method and its route.
        if let Some(endpoint) = named_endpoint(&span.name) {
            self.methods.push(endpoint.method);
            self.paths.push(endpoint.path.join("/"));
        } else if let Some(method) = span.name.split(' ').next().filter(|method| METHODS.contains(method)) {
            self.methods.push(method.to_owned());
        }
    }

    fn meet(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Named(pattern) => {
                let endpoints = self
                    .methods
                    .iter()
                    .flat_map(|method| self.paths.iter().map(move |path| format!("{method} {path}")));
                self.names.iter().any(|name| glob(pattern, name)) || endpoints.into_iter().any(|e| glob(pattern, &e))
            }
            Condition::Called(name) => !name.is_empty() && self.names.iter().any(|other| letters(other) == *name),
            // What a span does not say, it does not contradict.
            Condition::Endpoint(asked) => {
                let method =
                    self.methods.is_empty() || self.methods.iter().any(|m| m.eq_ignore_ascii_case(&asked.method));
                let path =
                    self.paths.is_empty() || self.paths.iter().any(|path| same_path(&asked.path, &segments(path)));
                method && path
            }
        }
    }
}

/// The status of HTTP that a span says it ended with.
pub(super) fn status(span: &Span) -> Option<u16> {
    let names = ["http.response.status_code", "http.status_code"];
    names.iter().find_map(|name| span.attributes.int(name)).and_then(|status| u16::try_from(status).ok())
}

/// Whether a span says that it ended with an error.
pub(super) const fn failed(span: &Span) -> bool {
    matches!(span.status, Status::Error(_))
}

/// Whom a caller's span names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// A participant.
    pub peer: Option<Who>,
    /// A service that is no participant.
    pub elsewhere: bool,
    /// A database or a broker.
    pub store: bool,
}

/// Whom a caller's span names, by attributes.
pub(super) fn named(span: &Span, parties: &Parties) -> Named {
    let attributes: &Attributes = &span.attributes;
    let values = || PEERS.iter().filter_map(|name| attributes.text(name));
    let peer = parties.of_attributes(attributes).or_else(|| values().find_map(|name| parties.of_name(name)));
    let elsewhere = peer.is_none() && values().any(|name| parties.is_other_service(name));
    let store = span.kind == Kind::Producer
        || attributes.0.iter().any(|(key, _)| key.starts_with("db.") || key.starts_with("messaging."));
    Named { peer, elsewhere, store }
}
