//! Records of a made-up cluster whose course is known exactly.

use interlock::{
    operation::drill::ledger::{Head, Ledger, Line, Mark, Measurement, Micros, Records, Stream, measure},
    ports::{Sample, Unit, Written},
};

/// Between two slots of a stream.
pub const PERIOD: u64 = 2_500;
/// From sending to answer.
pub const LATENCY: u64 = 400;
/// Between two polls.
const POLL: u64 = 20_000;

pub const fn ms(millis: u64) -> u64 {
    millis * 1_000
}

pub fn refused(class: &str) -> Written {
    Written::Refused { class: class.to_owned() }
}

pub fn unknown(class: &str) -> Written {
    Written::Unknown { class: class.to_owned() }
}

/// How one node behaves at one time.
#[derive(Clone, Copy, PartialEq)]
pub enum Node {
    Primary,
    Standby,
    Gone,
}

/// A story: nodes `a` and `b`, the routed stream 0 and the pinned streams 1 and 2.
pub struct Story {
    pub ledger: Ledger,
    next: u64,
    /// The ids that each node has acknowledged.
    pub acked: [Vec<u64>; 2],
}

impl Story {
    pub fn new() -> Self {
        let period = Micros(PERIOD);
        let streams = [None, Some(0), Some(1)].map(|node| Stream { node, period }).to_vec();
        let nodes = vec!["a".to_owned(), "b".to_owned()];
        let head = Head { nodes, unit: Unit::Bytes, streams, poll_every: Micros(POLL) };
        Self { ledger: Ledger::new(head), next: 1, acked: Default::default() }
    }

    /// One write, sent as soon as it was due.
    pub fn write(
        &mut self,
        stream: u16,
        node: u16,
        sent: Option<u64>,
        begun: u64,
        answered: u64,
        written: Written,
    ) -> u64 {
        let id = self.next;
        self.next += 1;
        if written == Written::Acknowledged {
            self.acked[usize::from(node)].push(id);
        }
        let at = Micros(begun);
        self.ledger.add(Line::Intent { id, stream, node, due: at, begun: at });
        let sent = sent.map(Micros);
        self.ledger.add(Line::End { id, sent, answered: Micros(answered), written, notices: vec![] });
        id
    }

    /// Everybody writes and polls for a time, and the nodes are as `how` says; the routed writer writes to the first primary
    /// that it finds, or to `a` and `b` in turn. Positions are 100 for each write at a primary; `b` is as far as `a`, less `lag`.
    pub fn run(&mut self, from: u64, until: u64, lag: u64, how: impl Fn(u64) -> [Node; 2]) {
        let mut turn = 0;
        for at in (from..until).step_by(usize::try_from(PERIOD).unwrap()) {
            let nodes = how(at);
            for stream in 0_u16..3 {
                let pinned = stream.checked_sub(1);
                let primary = nodes.iter().zip(0_u16..).find(|(node, _)| **node == Node::Primary).map(|(_, node)| node);
                let node = pinned.or(primary).unwrap_or(turn % 2);
                turn += 1;
                let begun = at + u64::from(stream) * 300;
                match nodes[usize::from(node)] {
                    Node::Primary => {
                        self.write(stream, node, Some(begun), begun, begun + LATENCY, Written::Acknowledged)
                    }
                    Node::Standby => self.write(stream, node, Some(begun), begun, begun + LATENCY, refused("25006")),
                    Node::Gone => self.write(stream, node, None, begun, begun + 100, refused("connect")),
                };
            }
            if at % POLL < PERIOD {
                self.poll(at, nodes, lag);
            }
        }
        self.ledger.add(Line::Ended { at: Micros(until) });
    }

    fn poll(&mut self, at: u64, nodes: [Node; 2], lag: u64) {
        let reached = 100 * (self.acked[0].len() + self.acked[1].len()) as u64;
        for (node, how) in (0_u16..).zip(nodes) {
            let writable = how == Node::Primary;
            let position = if writable { reached } else { reached.saturating_sub(lag) };
            let seen = Sample { writable, timeline: Some("1".to_owned()), position: Some(position) };
            let seen = (how != Node::Gone).then_some(seen);
            self.ledger.add(Line::Polled { node, asked: Micros(at), answered: Micros(at + 300), seen });
        }
    }

    pub fn mark(&mut self, mark: Mark, at: u64) {
        self.ledger.add(Line::Marked { mark, at: Micros(at) });
    }

    /// The end: `primary` has all acknowledged rows but `lost`, and so has the other node.
    pub fn finish(self, primary: &str, lost: &[u64]) -> Records {
        let rows: std::collections::BTreeMap<u64, u32> =
            self.acked.iter().flatten().filter(|id| !lost.contains(id)).map(|id| (*id, 1)).collect();
        let mut records = self.ledger.into_records();
        records.finals.primary = Some(primary.to_owned());
        records.finals.rows = records.head.nodes.iter().map(|node| (node.clone(), rows.clone())).collect();
        records
    }
}

/// The figures, which have to be there.
pub fn figures(records: &Records) -> Measurement {
    measure(records).unwrap()
}
