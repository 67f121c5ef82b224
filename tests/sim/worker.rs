//! Work of the store that is stopped in the middle: it runs on a thread of its own, which goes on only when the world says so.
//! Never more than one thread runs at a time.

use std::{
    cell::RefCell,
    io,
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
};

use interlock::adapters::store::Work;

/// What strikes work at a call of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    Nothing,
    Stop,
    Kill,
    Power,
    Broken,
}

struct Current {
    strike: Strike,
    /// How many calls of the disk there are until it strikes.
    left: u32,
    is_dead: bool,
    baton: Option<(Sender<bool>, Receiver<()>)>,
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// What a call of the disk meets.
pub enum Meets {
    Goes,
    Dies,
    Killed,
    Power,
    Broken,
}

/// Called at each call of the disk.
pub fn passes() -> Meets {
    CURRENT.with_borrow_mut(|current| {
        let Some(current) = current else { return Meets::Goes };
        if current.is_dead {
            return Meets::Dies;
        }
        if current.strike == Strike::Nothing {
            return Meets::Goes;
        }
        current.left = current.left.saturating_sub(1);
        if current.left > 0 {
            return Meets::Goes;
        }
        match std::mem::replace(&mut current.strike, Strike::Nothing) {
            Strike::Nothing => Meets::Goes,
            Strike::Stop => {
                let Some((parked, go)) = &current.baton else { return Meets::Goes };
                let _ = parked.send(true);
                if go.recv().is_ok() {
                    return Meets::Goes;
                }
                current.is_dead = true;
                Meets::Dies
            }
            Strike::Kill => {
                current.is_dead = true;
                Meets::Killed
            }
            Strike::Power => {
                current.is_dead = true;
                Meets::Power
            }
            Strike::Broken => Meets::Broken,
        }
    })
}

pub fn dead() -> io::Error {
    io::Error::other("the process is dead")
}

/// Does work here and now; says whether whatever was to strike has struck.
pub fn here(work: Work, strike: Strike, at: u32) {
    CURRENT.set(Some(Current { strike, left: at, is_dead: false, baton: None }));
    work();
    CURRENT.set(None);
}

/// Work that is stopped.
pub struct Worker {
    go: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    parked: Receiver<bool>,
}

impl Worker {
    /// Begins work that is stopped at a call of the disk; `None` where it has ended before.
    pub fn begin(work: Work, at: u32) -> Option<Self> {
        let ((send_parked, parked), (go, wait)) = (channel(), channel());
        let thread = std::thread::spawn(move || {
            let done = send_parked.clone();
            CURRENT.set(Some(Current {
                strike: Strike::Stop,
                left: at,
                is_dead: false,
                baton: Some((send_parked, wait)),
            }));
            work();
            let _ = done.send(false);
        });
        let worker = Self { go: Some(go), thread: Some(thread), parked };
        // Where it ends the drop joins it.
        worker.parked.recv().unwrap_or(false).then_some(worker)
    }

    /// Lets it go on to its end.
    pub fn finish(mut self) {
        if let Some(go) = self.go.take() {
            let _ = go.send(());
        }
        let _ = self.parked.recv();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.go.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
