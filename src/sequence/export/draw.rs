//! From spans to messages: calls, replies, own work, and messages that are put down for somebody to take.

use std::cell::{Cell, RefCell};

use super::{
    fold::fold,
    forest::Forest,
    item::{Arrow, Item, Message, Who},
    write::{MOST_SPANS, Unfit},
};
use crate::{
    model::trace::{Attributes, Kind, Span, Status},
    sequence::conform::{observe::PEERS, texts},
};

/// How many spans may be nested in each other.
const DEEPEST: usize = 128;
/// How often what was taken once may be drawn, where several messages led to it, over all.
const MOST_DRAWN: usize = 4 * MOST_SPANS;

/// Where a message is put down.
const DESTINATIONS: &[&str] = &["messaging.destination.name", "messaging.destination.template", "messaging.system"];

/// Draws exchanges.
pub(super) struct Drawer<'f, 'a> {
    pub forest: &'f Forest<'a>,
    drawn: Cell<usize>,
    /// The messages that led to what is being drawn.
    path: RefCell<Vec<usize>>,
    /// The calls that led to it.
    open: RefCell<Vec<(Who<'a>, Who<'a>)>>,
}

/// Something that happened from one time to another.
struct Block<'a> {
    start: u64,
    end: u64,
    items: Vec<Item<'a>>,
}

type Items<'a> = Result<Vec<Item<'a>>, Unfit>;

impl<'f, 'a> Drawer<'f, 'a> {
    pub fn new(forest: &'f Forest<'a>) -> Self {
        Self { forest, drawn: Cell::new(0), path: RefCell::default(), open: RefCell::default() }
    }

    /// All messages of an exchange, from the span that begins it.
    pub fn exchange(&self, root: usize) -> Items<'a> {
        let span = self.forest.span(root);
        match span.kind {
            Kind::Server => self.served(Who::Client(0), root, (span.name.clone(), outcome(span, None)), 1),
            Kind::Consumer => {
                let from = self.destination(span).unwrap_or(Who::Peer("queue"));
                self.taken(from, root, 1)
            }
            _ => self.one(root, 1),
        }
    }

    fn service(&self, at: usize) -> Who<'a> {
        Who::Service(&self.forest.span(at).resource.service)
    }

    /// What somebody is called that a span names: the service of that name, where there is one.
    fn named(&self, attributes: &'a Attributes) -> Option<Who<'a>> {
        let name = said(attributes, PEERS)?;
        let service = self.forest.services.get_key_value(name);
        Some(service.map_or(Who::Peer(name), |(service, _)| Who::Service(service)))
    }

    /// Where a message is put down, which is no service, whatever its name.
    fn destination(&self, span: &'a Span) -> Option<Who<'a>> {
        said(&span.attributes, DESTINATIONS).map(Who::Peer)
    }

    /// A call that somebody served, what that one did, and its reply where that was given.
    fn served(&self, from: Who<'a>, at: usize, (asked, answer): (String, String), depth: usize) -> Items<'a> {
        let who = self.service(at);
        // A solid arrow back along an open call would be read as its reply.
        let arrow = if self.open.borrow().contains(&(who, from)) { Arrow::Async } else { Arrow::Call };
        let mut items = vec![message(from, arrow, who, asked)];
        self.open.borrow_mut().push((from, who));
        let inner = self.within(at, Some(message(who, Arrow::Reply, from, answer)), depth);
        self.open.borrow_mut().pop();
        items.extend(inner?);
        Ok(items)
    }

    /// A message that somebody took, and what that one did.
    fn taken(&self, from: Who<'a>, at: usize, depth: usize) -> Items<'a> {
        let mut items = vec![message(from, Arrow::Async, self.service(at), self.forest.span(at).name.clone())];
        items.extend(self.within(at, None, depth)?);
        Ok(items)
    }

    /// What was done beneath a span, by time, and among it the reply at the span's end. What came after the reply runs beside
    /// what its caller goes on with.
    fn within(&self, at: usize, reply: Option<Item<'a>>, depth: usize) -> Items<'a> {
        if depth > DEEPEST {
            return Err(Unfit::TooDeep { most: DEEPEST });
        }
        let end = self.forest.span(at).end.max(self.forest.span(at).start);
        let mut blocks = Vec::new();
        for child in self.forest.children(at) {
            let (start, end) = self.forest.extents[child];
            blocks.push(Block { start, end, items: self.one(child, depth + 1)? });
        }
        let Some(reply) = reply else { return Ok(in_order(blocks)) };
        let later = blocks.partition_point(|block| block.start < end || block.end == end);
        let later: Vec<Block<'a>> = blocks.split_off(later);
        blocks.push(Block { start: end, end, items: vec![reply] });
        let mut items = in_order(blocks);
        if !later.is_empty() {
            items.push(Item::Beside(in_order(later)));
        }
        Ok(items)
    }

    /// What one span shows, and all beneath it.
    fn one(&self, at: usize, depth: usize) -> Items<'a> {
        let span = self.forest.span(at);
        self.drawn.set(self.drawn.get() + 1);
        if self.drawn.get() > MOST_DRAWN {
            return Err(Unfit::TooMany { spans: self.drawn.get() });
        }
        let parent = self.forest.spans.nodes[at].parent;
        if let Some(parent) = parent.filter(|_| self.forest.calls.root[at]) {
            // Only the called one shows this call.
            let from = self.service(parent);
            return match span.kind {
                Kind::Consumer => self.taken(from, at, depth),
                _ => self.served(from, at, (span.name.clone(), outcome(span, None)), depth),
            };
        }
        if self.forest.is_call(at) {
            return self.sent(at, depth);
        }
        let who = self.service(at);
        let mut items = Vec::new();
        if !matches!(span.kind, Kind::Client | Kind::Producer) {
            items.push(message(who, Arrow::Call, who, span.name.clone()));
        }
        items.extend(self.within(at, None, depth)?);
        Ok(items)
    }

    /// A call or a message, to whom it reached, or else to whom its span names.
    fn sent(&self, at: usize, depth: usize) -> Items<'a> {
        let (span, who) = (self.forest.span(at), self.service(at));
        let (heads, _) = self.forest.calls.beneath(&self.forest.spans, at);
        let (taken, served): (Vec<usize>, Vec<usize>) =
            heads.into_iter().partition(|head| self.forest.calls.handed[*head] || span.kind == Kind::Producer);
        let mut items = Vec::new();
        if !served.is_empty() {
            let single = served.len() == 1 && taken.is_empty();
            let mut blocks = Vec::new();
            for head in served {
                let inner = self.forest.span(head);
                let texts = (inner.name.clone(), outcome(inner, single.then_some(span)));
                let items = self.served(who, head, texts, depth + 1)?;
                blocks.push(Block { start: inner.start, end: inner.end.max(inner.start), items });
            }
            blocks.sort_by_key(|block| block.start);
            items.extend(in_order(blocks));
        } else if span.kind == Kind::Producer || !taken.is_empty() {
            let to = self.destination(span).or_else(|| self.named(&span.attributes)).unwrap_or(Who::Peer("queue"));
            items.push(message(who, Arrow::Async, to, span.name.clone()));
            for head in taken {
                if self.path.borrow().contains(&head) {
                    continue;
                }
                self.path.borrow_mut().push(head);
                let taken = self.taken(to, head, depth + 1);
                self.path.borrow_mut().pop();
                items.push(Item::Beside(taken?));
            }
        } else {
            let inner = || self.forest.calls.inner(&self.forest.spans, at);
            let named = self.named(&span.attributes);
            match named.or_else(|| self.named(&self.forest.span(inner()?).attributes)) {
                Some(peer) if matches!(span.status, Status::Error(_)) && code(span).is_none() => {
                    items.push(message(who, Arrow::Lost, peer, span.name.clone()));
                }
                Some(peer) => {
                    items.push(message(who, Arrow::Call, peer, span.name.clone()));
                    items.push(message(peer, Arrow::Reply, who, outcome(span, None)));
                }
                None => items.push(message(who, Arrow::Call, who, span.name.clone())),
            }
        }
        Ok(items)
    }
}

/// The first of these attributes that says something.
fn said<'a>(attributes: &'a Attributes, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| attributes.text(name).filter(|text| !text.trim().is_empty()))
}

fn message<'a>(from: Who<'a>, arrow: Arrow, to: Who<'a>, text: String) -> Item<'a> {
    Item::Message(Message { from, arrow, to, text })
}

/// One after the other; what overlaps in time in parallel.
fn in_order(blocks: Vec<Block<'_>>) -> Vec<Item<'_>> {
    let mut found = Vec::new();
    let mut together: Vec<Vec<Item<'_>>> = Vec::new();
    let mut until = 0;
    for block in blocks {
        if block.start >= until && !together.is_empty() {
            found.push(parallel(std::mem::take(&mut together)));
        }
        until = until.max(block.end);
        together.push(block.items);
    }
    if !together.is_empty() {
        found.push(parallel(together));
    }
    fold(found)
}

fn parallel(mut together: Vec<Vec<Item<'_>>>) -> Vec<Item<'_>> {
    together.retain(|branch| !branch.is_empty());
    match together.len() {
        0 | 1 => together.pop().unwrap_or_default(),
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

/// What a call was answered with, as its caller saw it, or else as the one saw it who served it.
fn outcome(served: &Span, made: Option<&Span>) -> String {
    made.and_then(code).or_else(|| code(served)).unwrap_or_else(|| {
        let failed = [Some(served), made].into_iter().flatten().find_map(|span| match &span.status {
            Status::Error(why) => Some(why),
            Status::Unset | Status::Ok => None,
        });
        match failed {
            None => "ok".to_owned(),
            // A number in what is said must not be read as a status that nobody told.
            Some(why) => Some(format!("error: {why}"))
                .filter(|text| !why.trim().is_empty() && texts::status(text).is_none())
                .unwrap_or_else(|| "error".to_owned()),
        }
    })
}
