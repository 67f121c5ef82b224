//! The writers of a simulated drill: a write each tenth of a second, as long as the process runs that has begun them.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use interlock::{
    error::Error,
    operation::drill::{
        ledger::{Attempt, Head, Mark, Marks, Micros, Miss, Missed, Outcome, Records, Stream, Word},
        record::{Progress, Recording, WriterSpec, Writers},
    },
    ports::{Clock, Database, Unit},
};

use crate::{
    cluster::{self, NODES},
    node::Node,
};

/// Between two writes, in milliseconds.
const PERIOD: u64 = 100;
/// Between two readings of the tables.
const AGAIN: Duration = Duration::from_millis(200);
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

/// The writers of a process.
pub struct NodeWriters(pub Node);

#[async_trait]
impl Writers for NodeWriters {
    async fn begin(&self, _: Arc<dyn Database>, _: WriterSpec, _: &Path) -> Result<Box<dyn Recording>, Error> {
        let mut state = self.0.state();
        cluster::elapse(&mut state);
        state.platform.commands += 1;
        let (now, number) = (state.now, state.platform.commands);
        if let Some(cluster) = &mut state.platform.cluster {
            cluster.writing = Some(Writing::new(self.0.process, number, now));
        }
        Ok(Box::new(Written { node: self.0.clone(), number }))
    }

    async fn read_back(&self, database: &dyn Database, records: &mut Records, within: Duration) {
        let begun = self.0.now();
        loop {
            let topology = database.topology().await;
            let (mut rows, mut troubles) = (BTreeMap::new(), BTreeMap::new());
            for node in database.nodes() {
                match database.rows(&node).await {
                    Ok(found) => drop(rows.insert(node, found)),
                    Err(e) => drop(troubles.insert(node, e.to_string())),
                }
            }
            let mut tables = rows.values();
            let first = tables.next();
            let is_settled = troubles.is_empty() && tables.all(|rows| Some(rows) == first);
            records.finals.primary = topology.primary().ok().map(|node| node.name.clone());
            (records.finals.rows, records.finals.troubles) = (rows, troubles);
            if is_settled || self.0.now().since(&begun) >= within {
                return;
            }
            Clock::sleep(&self.0, AGAIN).await;
        }
    }
}

/// Writing of this process, if that is still the one.
struct Written {
    node: Node,
    number: u64,
}

impl Written {
    /// Does something with what is written until now.
    fn with<T>(&self, does: impl FnOnce(&mut Writing, u64) -> T) -> Option<T> {
        let mut state = self.node.state();
        cluster::elapse(&mut state);
        let now = state.now;
        let writing = state.platform.cluster.as_mut().and_then(|cluster| cluster.writing.as_mut());
        writing.filter(|writing| writing.number == self.number).map(|writing| does(writing, now))
    }
}

#[async_trait]
impl Recording for Written {
    fn mark(&self, mark: Mark) {
        self.with(|writing, now| writing.mark(mark, now));
    }

    fn progress(&self) -> Progress {
        let nothing = || Writing::new(self.node.process, self.number, 0).progress(0);
        self.with(|writing, now| writing.progress(now)).unwrap_or_else(nothing)
    }

    async fn stop(self: Box<Self>) -> Records {
        let nothing = || Writing::new(self.node.process, self.number, 0).records(0);
        self.with(|writing, now| writing.clone().records(now)).unwrap_or_else(nothing)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let mut state = self.node.state();
        cluster::elapse(&mut state);
        if let Some(cluster) = &mut state.platform.cluster {
            cluster.writing.take_if(|writing| writing.number == self.number);
        }
    }
}
