//! The writers of a simulated drill: a write each tenth of a second, as long as the process runs that has begun them.

use std::time::Duration;

use interlock::{
    operation::drill::{
        ledger::{Attempt, Head, Mark, Marks, Micros, Miss, Missed, Outcome, Records, Stream, Word},
        record::Progress,
    },
    ports::Unit,
};

use crate::cluster::NODES;

/// Between two writes, in milliseconds.
const PERIOD: u64 = 100;
/// A pause in the acknowledgements that is longer ends their steadiness.
const UNSTEADY: u64 = PERIOD * 10;

const fn micros(at: u64) -> Micros {
    Micros(at * 1_000)
}

/// Writes that go on.
#[derive(Debug, Clone)]
pub struct Writing {
    /// Whose they are.
    process: usize,
    /// Which of all writings it is.
    pub number: u64,
    next: u64,
    /// Nothing is written before.
    stopped_until: u64,
    attempts: Vec<Attempt>,
    missed: Vec<Missed>,
    marks: Marks,
    last: Option<u64>,
    steady_since: u64,
    node: u16,
}

impl Writing {
    pub const fn new(process: usize, number: u64, now: u64) -> Self {
        Self {
            process,
            number,
            next: now + PERIOD,
            stopped_until: 0,
            attempts: Vec::new(),
            missed: Vec::new(),
            marks: Marks { baseline_ended: None, fault: None, released: None },
            last: None,
            steady_since: now,
            node: 0,
        }
    }

    pub const fn is_of(&self, process: usize) -> bool {
        self.process == process
    }

    /// Its process is stopped until then.
    pub fn stop_until(&mut self, until: u64) {
        self.stopped_until = until.max(self.stopped_until);
    }

    /// When the next write is due, if that is not later than now.
    pub fn due(&self, now: u64) -> Option<u64> {
        (self.next <= now).then_some(self.next)
    }

    /// Writes once, to whoever takes writes; gives the id of a row that was written.
    pub fn write(&mut self, primary: Option<usize>) -> Option<u64> {
        let at = self.next;
        self.next += PERIOD;
        if at < self.stopped_until {
            let due = micros(at);
            self.missed.push(Missed { stream: 0, from: due, until: due, slots: 1, why: Miss::Late });
            return None;
        }
        let id = self.attempts.len() as u64 + 1;
        self.node = primary.map_or(self.node, |node| u16::try_from(node).unwrap());
        if primary.is_some() {
            if self.last.is_none_or(|last| at - last > UNSTEADY) {
                self.steady_since = at;
            }
            self.last = Some(at);
        }
        self.attempts.push(Attempt {
            id,
            stream: 0,
            node: self.node,
            due: micros(at),
            begun: micros(at),
            sent: Some(micros(at)),
            answered: Micros(at * 1_000 + 500),
            outcome: primary.map_or(Outcome::Refused(Word(0)), |_| Outcome::Acknowledged),
            notice: None,
        });
        primary.map(|_| id)
    }

    pub fn mark(&mut self, mark: Mark, now: u64) {
        self.marks.set(mark, micros(now));
    }

    pub fn progress(&self, now: u64) -> Progress {
        let silent = self.last.map(|last| now - last);
        let steady = silent.filter(|silent| *silent <= UNSTEADY).map_or(0, |_| now - self.steady_since);
        let acknowledged = self.attempts.iter().filter(|attempt| attempt.is_acknowledged()).count() as u64;
        Progress {
            at: micros(now),
            attempts: self.attempts.len() as u64,
            acknowledged,
            routed: acknowledged,
            since_last: silent.map(micros),
            steady: micros(steady),
            primary: self.last.map(|_| NODES[usize::from(self.node)].to_owned()),
            unknown: 0,
            missed: 0.0,
        }
    }

    /// What was seen until now.
    pub fn records(self, now: u64) -> Records {
        let head = Head {
            nodes: NODES.map(str::to_owned).to_vec(),
            unit: Unit::Bytes,
            streams: vec![Stream { node: None, period: micros(PERIOD) }],
            poll_every: Micros::from(Duration::from_millis(PERIOD)),
        };
        Records {
            words: vec!["25006".to_owned()],
            attempts: self.attempts,
            missed: self.missed,
            marks: self.marks,
            ended: micros(now),
            ..Records::new(head)
        }
    }
}
