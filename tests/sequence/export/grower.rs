//! Random traces: spans of every kind below one of a service, with whatever they do.

use interlock::model::trace::{Kind, Status};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::spans::Trace;

const SERVICES: &[&str] = &["gate", "cart", "stock", "tax & duty", "mail#1", "a-b", "a_b"];
const NAMES: &[&str] = &[
    "GET /a",
    "POST /a/<id>",
    "GET /a b",
    "call GET /x",
    "HTTP GET",
    "end",
    "x; y",
    "Flags/Get",
    "GET /#35;",
    "50%% off",
];

/// Random spans below one of a service.
struct Grower {
    trace: Trace,
    rng: SmallRng,
}

impl Grower {
    fn service(&mut self) -> usize {
        self.rng.random_range(0..SERVICES.len())
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.rng.random_range(0..NAMES.len())]
    }

    fn outcome(&mut self, at: usize) {
        match self.rng.random_range(0..8) {
            0 => _ = self.trace.status(at, [200, 308, 404, 500][self.rng.random_range(0..4)]),
            1 => {
                self.trace.spans[at].status = Status::Error(
                    ["", "timeout", "error: 503 from there", "code 200"][self.rng.random_range(0..4)].to_owned(),
                )
            }
            2 => self.trace.spans[at].status = Status::Ok,
            _ => {}
        }
    }

    /// A time within a span, or now and then beyond its end.
    fn times(&mut self, at: usize) -> (u64, u64) {
        let (begin, end) = (self.trace.spans[at].start / 1_000_000, self.trace.spans[at].end / 1_000_000);
        let beyond = if self.rng.random_bool(0.1) { 50 } else { 0 };
        let start = self.rng.random_range(begin..=end + beyond);
        let most = if self.rng.random_bool(0.1) { start + 40 } else { end.max(start) };
        (start, self.rng.random_range(start..=most))
    }

    fn all(&mut self, who: usize, at: usize, depth: u32) {
        if depth == 0 {
            return;
        }
        for _ in 0..self.rng.random_range(0..4) {
            self.one(who, at, depth);
        }
    }

    fn one(&mut self, who: usize, at: usize, depth: u32) {
        let (times, name, to) = (self.times(at), self.name(), self.service());
        let own = SERVICES[who];
        match self.rng.random_range(0..12) {
            0 | 1 => {
                let kind = if self.rng.random_bool(0.8) { Kind::Internal } else { Kind::Unspecified };
                let inner = self.trace.add(own, kind, name, Some(at), times);
                self.all(who, inner, depth - 1);
            }
            2 => {
                let call = self.trace.add(own, Kind::Client, name, Some(at), times);
                let (key, value) =
                    [("db.system.name", "redis"), ("server.address", "scores.example"), ("peer.service", "smtp")]
                        [self.rng.random_range(0..3)];
                self.trace.peer(call, key, value);
                self.outcome(call);
            }
            3 => drop(self.trace.add(own, Kind::Client, name, Some(at), times)),
            4 | 5 => {
                let sent = self.trace.add(own, Kind::Producer, name, Some(at), times);
                // Of what is put down nowhere by name, nobody can tell by way of whom it came.
                let named = self.rng.random_bool(0.8);
                if named {
                    self.trace.peer(
                        sent,
                        "messaging.destination.name",
                        ["events", "orders"][self.rng.random_range(0..2)],
                    );
                }
                let takers = if named { self.rng.random_range(0..3) } else { 0 };
                for _ in 0..takers {
                    let to = self.service();
                    let parent = self.rng.random_bool(0.5).then_some(sent);
                    let start = times.1 + self.rng.random_range(0..30);
                    let taken = self.trace.add(SERVICES[to], Kind::Consumer, name, parent, (start, start + 20));
                    self.trace.link(taken, sent);
                    self.all(to, taken, depth - 1);
                }
            }
            // One span with several whom it reached: a redirect, or another try.
            6 if to != who => {
                let made = self.trace.add(own, Kind::Client, "GET", Some(at), times);
                self.outcome(made);
                let mut start = times.0;
                for _ in 0..2 {
                    let end = self.rng.random_range(start..=times.1.max(start));
                    let served = self.trace.add(SERVICES[to], Kind::Server, name, Some(made), (start, end));
                    self.outcome(served);
                    start = end;
                }
            }
            // A client span of a library within that of another one; either is the parent of the one that serves the call.
            7 if to != who => {
                let made = self.trace.add(own, Kind::Client, "lookup", Some(at), times);
                let inner = self.trace.add(own, Kind::Client, name, Some(made), times);
                self.trace.peer(inner, "server.address", SERVICES[to]);
                let parent = if self.rng.random_bool(0.5) { made } else { inner };
                let served = self.trace.add(SERVICES[to], Kind::Server, name, Some(parent), times);
                self.all(to, served, depth - 1);
            }
            // Only the called one tells.
            8 if to != who => {
                let served = self.trace.add(SERVICES[to], Kind::Server, name, Some(at), times);
                self.outcome(served);
                self.all(to, served, depth - 1);
            }
            // Beneath one that sends, it would be what was sent.
            9 if !matches!(self.trace.spans[at].kind, Kind::Producer | Kind::Client) => {
                self.trace.add(own, Kind::Consumer, "receive", Some(at), times);
            }
            _ if to != who => {
                let made = self.trace.add(own, Kind::Client, name, Some(at), times);
                let served = self.trace.add(SERVICES[to], Kind::Server, name, Some(made), times);
                self.outcome(served);
                if self.rng.random_bool(0.3) {
                    self.outcome(made);
                }
                self.all(to, served, depth - 1);
            }
            _ => {}
        }
    }
}

/// The trace of a seed.
pub fn random(seed: u64) -> Trace {
    let mut grower = Grower { trace: Trace::default(), rng: SmallRng::seed_from_u64(seed) };
    let who = grower.service();
    let kind = [Kind::Server, Kind::Server, Kind::Server, Kind::Internal, Kind::Client, Kind::Producer, Kind::Consumer]
        [grower.rng.random_range(0..7)];
    let name = grower.name();
    let root = grower.trace.add(SERVICES[who], kind, name, None, (0, 200));
    if kind == Kind::Producer {
        grower.trace.peer(root, "messaging.destination.name", "events");
    }
    grower.outcome(root);
    grower.all(who, root, 4);
    grower.trace
}
