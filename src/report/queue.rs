//! Output by a thread of its own: whoever has something to say never waits for whoever reads it.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

/// How many lines of narration wait for a reader at most; what comes after them is dropped, and counted.
const NARRATION: usize = 1_000;
/// How many bytes of records wait at most. The journal has them all: nobody reads for hours where this is reached.
const RECORDS: usize = 64 << 20;

/// One thing to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A journal entry, as a line of JSON.
    Record(String),
    Line(String),
    /// How the present step stands; the next one replaces it.
    Progress {
        line: String,
        /// Whether another step begins with it.
        begins: bool,
    },
}

impl Piece {
    const fn record_bytes(&self) -> Option<usize> {
        match self {
            Self::Record(line) => Some(line.len()),
            Self::Line(_) | Self::Progress { .. } => None,
        }
    }
}

/// Writes, and may be kept waiting by who reads.
pub(super) trait Sink: Send {
    fn write(&mut self, piece: Piece);
    /// Says that so many lines were dropped here.
    fn dropped(&mut self, lines: u64);
}

enum Item {
    Piece(Piece),
    Dropped(u64),
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    narration: usize,
    records: usize,
    /// Lines that were dropped after the last item.
    dropped: u64,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next thing to write; waits for it, and is `None` once there will be none.
    fn next(&self) -> Option<Item> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                if let Item::Piece(piece) = &item {
                    match piece.record_bytes() {
                        Some(bytes) => state.records -= bytes,
                        None => state.narration -= 1,
                    }
                }
                return Some(item);
            }
            if state.dropped > 0 {
                return Some(Item::Dropped(std::mem::take(&mut state.dropped)));
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What waits to be written.
pub(super) struct Queue {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Queue {
    /// Starts the thread that writes.
    pub fn new(mut sink: Box<dyn Sink>) -> Self {
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        let started = std::thread::Builder::new().name("output".to_owned()).spawn(move || {
            while let Some(item) = of_thread.next() {
                match item {
                    Item::Piece(piece) => sink.write(piece),
                    Item::Dropped(lines) => sink.dropped(lines),
                }
            }
        });
        // Without a thread nothing is written; the run is more important.
        Self { shared, writer: Mutex::new(started.ok()) }
    }

    /// Leaves something to be written; never waits for it.
    pub fn push(&self, piece: Piece) {
        let mut state = self.shared.lock();
        let bytes = piece.record_bytes();
        let is_full = match bytes {
            Some(bytes) => state.records + bytes > RECORDS,
            None => state.narration >= NARRATION,
        };
        if is_full {
            state.dropped += 1;
            return;
        }
        if state.dropped > 0 {
            let dropped = std::mem::take(&mut state.dropped);
            state.items.push_back(Item::Dropped(dropped));
        }
        match bytes {
            Some(bytes) => state.records += bytes,
            None => state.narration += 1,
        }
        state.items.push_back(Item::Piece(piece));
        drop(state);
        self.shared.changed.notify_one();
    }

    /// Waits until all is written, for as long as its reader takes; what is pushed later is not written any more.
    pub fn finish(&self) {
        self.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }

    fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A reader that reads nothing before it is told to.
    struct Stopped(Receiver<()>, bool, Sender<String>);

    impl Sink for Stopped {
        fn write(&mut self, piece: Piece) {
            if !self.1 {
                self.0.recv().unwrap();
                self.1 = true;
            }
            self.2.send(format!("{piece:?}")).unwrap();
        }

        fn dropped(&mut self, lines: u64) {
            self.2.send(format!("dropped {lines}")).unwrap();
        }
    }

    #[test]
    fn a_reader_that_stops_keeps_nobody_waiting_and_loses_narration_only() {
        let ((reads, stopped), (written, seen)) = (channel(), channel());
        let queue = Queue::new(Box::new(Stopped(stopped, false, written)));
        let lines = NARRATION * 5;
        for at in 0..lines {
            queue.push(Piece::Line(format!("line {at}")));
            if at % 100 == 0 {
                queue.push(Piece::Record(format!("record {at}")));
            }
        }
        reads.send(()).unwrap();
        queue.finish();
        let seen: Vec<String> = seen.iter().collect();
        let records = seen.iter().filter(|piece| piece.starts_with("Record"));
        assert!(
            records
                .cloned()
                .eq((0..lines).step_by(100).map(|at| format!("{:?}", Piece::Record(format!("record {at}")))))
        );
        let narrated = seen.iter().filter(|piece| piece.starts_with("Line")).count();
        assert!((NARRATION..=NARRATION + 1).contains(&narrated), "{narrated}: one more is in the reader's hands");
        let dropped: u64 = seen.iter().filter_map(|piece| piece.strip_prefix("dropped ")?.parse::<u64>().ok()).sum();
        assert_eq!(narrated as u64 + dropped, lines as u64);
    }

    #[test]
    fn records_that_nobody_reads_are_bounded_as_well() {
        let ((reads, stopped), (written, seen)) = (channel(), channel());
        let queue = Queue::new(Box::new(Stopped(stopped, false, written)));
        let record = "r".repeat(RECORDS / 8);
        for _ in 0..20 {
            queue.push(Piece::Record(record.clone()));
        }
        reads.send(()).unwrap();
        queue.finish();
        let seen: Vec<String> = seen.iter().collect();
        let records = seen.iter().filter(|piece| piece.starts_with("Record")).count();
        assert!((8..=9).contains(&records), "{records}");
        assert_eq!(seen.last().unwrap(), &format!("dropped {}", 20 - records));
    }
}
