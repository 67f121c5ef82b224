//! From spans to messages: calls, replies, own work, and messages that are put down for somebody to take.

use super::{
    fold::fold,
    forest::Forest,
    item::{Arrow, Item, Message, Who},
    write::Unfit,
};
use crate::model::trace::{Attributes, Kind, Span, Status};

/// How many spans may be nested in each other.
const DEEPEST: usize = 128;

/// The names that attributes give to whom a span talks to, the best first.
const PEERS: &[&str] = &[
    "peer.service",
    "db.system.name",
    "db.system",
    "messaging.destination.name",
    "messaging.system",
    "server.address",
    "net.peer.name",
];
const DESTINATIONS: &[&str] = &["messaging.destination.name", "messaging.destination.template", "messaging.system"];

impl<'a> Forest<'a> {
    /// All messages of an exchange, from the span that begins it.
    pub fn exchange(&self, root: usize) -> Result<Vec<Item<'a>>, Unfit> {
        let span = self.spans[root];
        let who = self.service(root);
        match span.kind {
            Kind::Server => {
                let mut items = vec![message(Who::Client(0), Arrow::Call, who, span.name.clone())];
                items.extend(self.within(root, 1)?);
                items.push(message(who, Arrow::Reply, Who::Client(0), outcome(span, None)));
                Ok(items)
            }
            Kind::Consumer => {
                let from = self.destination(span).or_else(|| self.destination(self.spans[self.sent[root]?]));
                let from = from.unwrap_or(Who::Peer("queue"));
                let mut items = vec![message(from, Arrow::Async, who, span.name.clone())];
                items.extend(self.within(root, 1)?);
                Ok(items)
            }
            _ => self.own(root, 1),
        }
    }

    fn service(&self, at: usize) -> Who<'a> {
        Who::Service(&self.spans[at].resource.service)
    }

    /// What somebody is called that a span names: the service of that name, where there is one.
    fn named(&self, attributes: &'a Attributes, names: &[&str]) -> Option<Who<'a>> {
        let name = names.iter().find_map(|name| attributes.text(name).filter(|text| !text.trim().is_empty()))?;
        Some(self.services.get(name).map_or(Who::Peer(name), |service| Who::Service(service)))
    }

    fn destination(&self, span: &'a Span) -> Option<Who<'a>> {
        self.named(&span.attributes, DESTINATIONS)
    }

    /// What the children of a span did; those that overlap in time in parallel.
    fn within(&self, at: usize, depth: usize) -> Result<Vec<Item<'a>>, Unfit> {
        if depth > DEEPEST {
            return Err(Unfit::TooDeep { most: DEEPEST });
        }
        let mut blocks: Vec<Vec<Item<'a>>> = Vec::new();
        let mut together: Vec<Vec<Item<'a>>> = Vec::new();
        let mut end = 0;
        for child in &self.children[at] {
            let span = self.spans[*child];
            if span.start >= end && !together.is_empty() {
                blocks.push(parallel(std::mem::take(&mut together)));
            }
            end = end.max(span.end);
            together.push(self.child(at, *child, depth + 1)?);
        }
        if !together.is_empty() {
            blocks.push(parallel(together));
        }
        Ok(fold(blocks))
    }

    /// A span that another one caused: a call, where it serves one or belongs to somebody else.
    fn child(&self, parent: usize, at: usize, depth: usize) -> Result<Vec<Item<'a>>, Unfit> {
        let span = self.spans[at];
        let (from, to) = (self.service(parent), self.service(at));
        if span.kind != Kind::Server && from == to {
            return self.own(at, depth);
        }
        let mut items = vec![message(from, Arrow::Call, to, span.name.clone())];
        match span.kind {
            // The span that served it is missing; what it did is not.
            Kind::Client | Kind::Producer => items.extend(self.own(at, depth)?),
            _ => items.extend(self.within(at, depth)?),
        }
        items.push(message(to, Arrow::Reply, from, outcome(span, Some(self.spans[parent]))));
        Ok(items)
    }

    /// A span of somebody who was active already.
    fn own(&self, at: usize, depth: usize) -> Result<Vec<Item<'a>>, Unfit> {
        let span = self.spans[at];
        let who = self.service(at);
        let inner = self.within(at, depth)?;
        let mut items = Vec::new();
        match span.kind {
            Kind::Client if self.is_answered(at) => items.extend(inner),
            Kind::Client => match self.named(&span.attributes, PEERS) {
                Some(peer) => {
                    items.extend(inner);
                    if matches!(span.status, Status::Error(_)) && code(span).is_none() {
                        items.push(message(who, Arrow::Lost, peer, span.name.clone()));
                    } else {
                        items.push(message(who, Arrow::Call, peer, span.name.clone()));
                        items.push(message(peer, Arrow::Reply, who, outcome(span, None)));
                    }
                }
                None => {
                    items.push(message(who, Arrow::Call, who, span.name.clone()));
                    items.extend(inner);
                }
            },
            Kind::Producer => {
                let to = self.destination(span).unwrap_or(Who::Peer("queue"));
                items.push(message(who, Arrow::Async, to, span.name.clone()));
                items.extend(inner);
            }
            _ => {
                items.push(message(who, Arrow::Call, who, span.name.clone()));
                items.extend(inner);
            }
        }
        Ok(items)
    }

    /// Whether a span that calls has one that serves the call.
    fn is_answered(&self, at: usize) -> bool {
        let served =
            |child: &usize| self.spans[*child].kind == Kind::Server || self.service(*child) != self.service(at);
        self.children[at].iter().any(served)
    }
}

fn message<'a>(from: Who<'a>, arrow: Arrow, to: Who<'a>, text: String) -> Item<'a> {
    Item::Message(Message { from, arrow, to, text })
}

fn parallel(mut together: Vec<Vec<Item<'_>>>) -> Vec<Item<'_>> {
    match together.len() {
        1 => together.pop().unwrap_or_default(),
        _ => vec![Item::Par(together)],
    }
}

/// The status of HTTP that a span ended with, or the one of gRPC where it is an error.
fn code(span: &Span) -> Option<String> {
    let number = |name: &str| span.attributes.int(name);
    let http = number("http.response.status_code").or_else(|| number("http.status_code"));
    http.map(|status| status.to_string()).or_else(|| {
        let grpc = number("rpc.grpc.status_code").filter(|status| *status != 0)?;
        Some(format!("error: grpc {grpc}"))
    })
}

/// What a call was answered with, by whom served it, or else by whom made it.
fn outcome(served: &Span, made: Option<&Span>) -> String {
    let found = code(served).or_else(|| made.filter(|span| span.kind == Kind::Client).and_then(code));
    found.unwrap_or_else(|| match &served.status {
        Status::Error(why) if why.trim().is_empty() => "error".to_owned(),
        Status::Error(why) => format!("error: {why}"),
        Status::Unset | Status::Ok => "ok".to_owned(),
    })
}
