//! One worker of a stream: takes a slot, makes one write of it, and says what became of it.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::timeout};

use super::{
    lane::{Aim, Lane, Turn},
    shared::Shared,
};
use crate::{
    operation::drill::ledger::{LATE, Line, Micros, Miss},
    ports::{Session, Written},
};

/// How long a worker rests after it could not connect.
const PAUSE: Duration = Duration::from_millis(5);
/// How much longer than it was told a database may take, before it is not waited for.
const GRACE: Duration = Duration::from_millis(200);
/// The class of a write whose node could not be connected to.
const CONNECT: &str = "connect";
/// The class of a write that was not answered in time.
const TIMEOUT: &str = "timeout";

/// One worker, with a connection to each node that it has written to.
pub struct Worker {
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    number: usize,
    sessions: Vec<Option<Held>>,
}

struct Held {
    session: Box<dyn Session>,
    age: u64,
}

impl Worker {
    /// A worker without connections.
    pub fn new(shared: Arc<Shared>, lane: Arc<Lane>, number: usize) -> Self {
        let sessions = shared.nodes.iter().map(|_| None).collect();
        Self { shared, lane, number, sessions }
    }

    /// Connects ahead of the first slot to where it may have to write. Who cannot be reached is tried again when a slot needs it.
    pub async fn prepare(&mut self) {
        let nodes: Vec<u16> = match self.lane.aim {
            Aim::Node(node) => vec![node],
            Aim::Primary(_) => (0_u16..).zip(&self.shared.nodes).map(|(index, _)| index).collect(),
        };
        for node in nodes {
            self.connect(node).await;
        }
    }

    /// Takes slots until there are no more.
    pub async fn work(mut self, mut slots: mpsc::Receiver<Micros>) {
        self.lane.release(self.number);
        while let Some(due) = slots.recv().await {
            if self.slot(due).await == Slot::Unconnected {
                tokio::time::sleep(PAUSE).await;
            }
            self.lane.release(self.number);
        }
    }

    /// Makes one write. Its intent is written down first; where there is no room for it, nothing is sent.
    async fn slot(&mut self, due: Micros) -> Slot {
        let (shared, stream) = (self.shared.clone(), self.lane.stream);
        let begun = shared.clock.now();
        if begun.since(due) > LATE {
            shared.miss(stream, due, Miss::Late);
            return Slot::Done;
        }
        let node = self.choose();
        let turn = if self.has_session(node) { None } else { self.lane.turn(node, begun) };
        if turn.is_none() && !self.has_session(node) {
            return self.give_up(node, due, Miss::Busy);
        }
        let id = shared.id().filter(|id| shared.book.begin(Line::Intent { id: *id, stream, node, due, begun }));
        let Some(id) = id else { return self.give_up(node, due, Miss::Late) };
        let End { sent, written, notices } = self.attempt(id, node, turn).await;
        let answered = shared.clock.now();
        self.tell(node, &written);
        shared.tally.end(matches!(self.lane.aim, Aim::Primary(_)), node, answered, &written);
        shared.book.add(Line::End { id, sent, answered, written, notices });
        if sent.is_some() { Slot::Done } else { Slot::Unconnected }
    }

    /// Misses a slot that was meant for a node.
    fn give_up(&self, node: u16, due: Micros, why: Miss) -> Slot {
        if let Aim::Primary(router) = &self.lane.aim {
            router.withdraw(node);
        }
        self.shared.miss(self.lane.stream, due, why);
        if why == Miss::Busy { Slot::Unconnected } else { Slot::Done }
    }

    fn has_session(&self, node: u16) -> bool {
        let held = self.sessions.get(usize::from(node)).and_then(Option::as_ref);
        held.is_some_and(|held| held.age == self.lane.age(node))
    }

    fn choose(&self) -> u16 {
        match &self.lane.aim {
            Aim::Node(node) => *node,
            Aim::Primary(router) => router.choose(),
        }
    }

    fn tell(&self, node: u16, written: &Written) {
        if let Aim::Primary(router) = &self.lane.aim {
            router.tell(node, written);
        }
    }

    async fn attempt(&mut self, id: u64, node: u16, turn: Option<Turn>) -> End {
        let session = self.session(node).await;
        drop(turn);
        let Some(mut held) = session else {
            return End { sent: None, written: Written::Refused { class: CONNECT.to_owned() }, notices: Vec::new() };
        };
        let within = self.shared.spec.statement_within;
        let mut notices = Vec::new();
        let sent = self.shared.clock.now();
        let written = timeout(within + GRACE, held.session.insert(id, within, &mut notices)).await;
        let written = written.unwrap_or_else(|_| Written::Unknown { class: TIMEOUT.to_owned() });
        if is_usable_after(&written) {
            self.put(node, held);
        } else if !is_timeout(&written) {
            self.lane.broke(node, held.age);
        }
        End { sent: Some(sent), written, notices }
    }

    /// The connection to a node: the one at hand if it is still believed in, else a new one.
    async fn session(&mut self, node: u16) -> Option<Held> {
        let current = self.lane.age(node);
        let held = self.sessions.get_mut(usize::from(node)).and_then(Option::take).filter(|held| held.age == current);
        if held.is_none() {
            self.connect(node).await;
        }
        held.or_else(|| self.sessions.get_mut(usize::from(node)).and_then(Option::take))
    }

    async fn connect(&mut self, node: u16) {
        let (age, within) = (self.lane.age(node), self.shared.spec.connect_within);
        let database = self.shared.database.clone();
        let made = timeout(within + GRACE, database.connect(self.shared.node(node), within)).await;
        if let Ok(Ok(session)) = made {
            self.put(node, Held { session, age });
        }
    }

    fn put(&mut self, node: u16, held: Held) {
        if let Some(place) = self.sessions.get_mut(usize::from(node)) {
            *place = Some(held);
        }
    }
}

#[derive(PartialEq)]
enum Slot {
    Done,
    Unconnected,
}

struct End {
    sent: Option<Micros>,
    written: Written,
    notices: Vec<String>,
}

/// Whether the server has answered on a connection that goes on: an SQLSTATE, or an error's number. Not the classes 08 (the
/// connection) and 57 (an operator's intervention, such as a shutdown), and not what the client's side says of itself.
fn is_usable_after(written: &Written) -> bool {
    match written {
        Written::Acknowledged => true,
        Written::Unknown { .. } => false,
        Written::Refused { class } => {
            let is_code = (4..=5).contains(&class.len())
                && class.bytes().any(|byte| byte.is_ascii_digit())
                && class.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
            is_code && !(class.len() == 5 && (class.starts_with("08") || class.starts_with("57")))
        }
    }
}

fn is_timeout(written: &Written) -> bool {
    matches!(written, Written::Unknown { class } if class == TIMEOUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_kept_after_an_answer_of_the_server_only() {
        let refused = |class: &str| is_usable_after(&Written::Refused { class: class.to_owned() });
        assert!(refused("25006") && refused("1290") && refused("53300") && is_usable_after(&Written::Acknowledged));
        for class in ["08006", "57P01", "57P03", "closed", "connect", "timeout", "eof", "", "EOFIO"] {
            assert!(!refused(class), "{class}");
        }
        assert!(!is_usable_after(&Written::Unknown { class: "40001".into() }));
    }
}
