//! Where everything is written down: a thread that folds lines into records and appends them to the ledger's file.

use std::{
    fs::File,
    io::Write,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::operation::drill::ledger::{Head, Ledger, Line, Records};

/// How many lines may wait: some seconds of what four streams at 1,000 writes a second make.
const QUEUE: usize = 65_536;
/// Above so many waiting lines nothing is begun any more, so that there is room for the ends of what was begun.
const FULL: usize = QUEUE / 2;
/// How long a line may wait before it is handed to the system.
const FLUSH: Duration = Duration::from_millis(100);

/// Takes lines from all workers, in the order in which they come.
pub struct Book {
    /// `None` is the end.
    lines: SyncSender<Option<Line>>,
    waiting: Arc<AtomicUsize>,
    dropped: AtomicU64,
}

/// What becomes of the lines.
pub struct Kept {
    ledger: Arc<Mutex<Ledger>>,
    done: oneshot::Receiver<()>,
}

impl Book {
    /// Begins a book with its first line.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub fn open(head: Head, file: File) -> std::io::Result<(Self, Kept)> {
        let (lines, queue) = sync_channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let ledger = Arc::new(Mutex::new(Ledger::new(head.clone())));
        let (tell, done) = oneshot::channel();
        let clerk = Clerk { ledger: ledger.clone(), file: Some(file), buffer: Vec::new(), waiting: waiting.clone() };
        thread::Builder::new().name("ledger".into()).spawn(move || {
            clerk.keep(head, &queue);
            let _ = tell.send(());
        })?;
        Ok((Self { lines, waiting, dropped: AtomicU64::new(0) }, Kept { ledger, done }))
    }

    /// Notes that something is about to happen, or has been seen; says whether there is room. What is not noted must not happen.
    pub fn begin(&self, line: Line) -> bool {
        let room = self.waiting.load(Ordering::Relaxed) < FULL && self.add(line);
        if !room {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        room
    }

    /// Notes how something ended that was begun. There is room, since only so much is under way.
    pub fn add(&self, line: Line) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let added = self.lines.try_send(Some(line)).is_ok();
        if !added {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        added
    }

    /// Says what found no room, and ends the book; nothing is written down any more.
    pub fn close(&self) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            let what =
                format!("{dropped} writes, polls or missed slots found no room in the ledger: its disk is too slow");
            self.add(Line::Trouble { what });
        }
        // Where there is no room even for that, it ends with its last sender.
        let _ = self.lines.try_send(None);
    }
}

impl Kept {
    /// The records, once all lines are in them; those so far if that takes too long.
    pub async fn records(self, within: Duration) -> Records {
        let in_time = tokio::time::timeout(within, self.done).await.is_ok();
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if !in_time {
            let what = format!("the ledger's file took longer than {within:?}, and its last lines are missing");
            ledger.add(Line::Trouble { what });
        }
        let empty = Ledger::new(ledger.records().head.clone());
        mem::replace(&mut *ledger, empty).into_records()
    }
}

/// The thread's own part.
struct Clerk {
    ledger: Arc<Mutex<Ledger>>,
    /// `None` once it has failed.
    file: Option<File>,
    buffer: Vec<u8>,
    waiting: Arc<AtomicUsize>,
}

impl Clerk {
    fn keep(mut self, head: Head, lines: &Receiver<Option<Line>>) {
        self.write(&Line::Begun(head));
        let mut flushed = Instant::now();
        loop {
            match lines.recv_timeout(FLUSH) {
                Ok(Some(line)) => {
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    self.write(&line);
                    self.fold(line);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(None) | Err(RecvTimeoutError::Disconnected) => break,
            }
            if flushed.elapsed() >= FLUSH {
                self.flush();
                flushed = Instant::now();
            }
        }
        self.flush();
    }

    fn fold(&self, line: Line) {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).add(line);
    }

    fn write(&mut self, line: &Line) {
        if self.file.is_some() && serde_json::to_writer(&mut self.buffer, line).is_ok() {
            self.buffer.push(b'\n');
        }
    }

    /// Hands what waits to the system. A file that fails is given up and said; the records in memory go on.
    fn flush(&mut self) {
        let Some(file) = &mut self.file else { return };
        if let Err(e) = file.write_all(&self.buffer) {
            self.file = None;
            self.fold(Line::Trouble { what: format!("the ledger's file cannot be written: {e}") });
        }
        self.buffer.clear();
    }
}
