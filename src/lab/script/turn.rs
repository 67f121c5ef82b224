//! The call of a handler that a thread is at: its deadline, what it belongs to, and how doors find all of that.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Bytes;

use super::{
    config::Taken,
    doors::{Leave, MessageKey, Transaction},
    host::Host,
    program::Program,
};
use crate::lab::telemetry::Work;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Turn>>> = const { RefCell::new(None) };
}

/// Who asks, as logs and calls name them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Asker {
    pub correlation_id: String,
    pub actor: Option<String>,
    pub role: Option<String>,
    pub scope: Option<String>,
    pub site: Option<String>,
    /// The token that was shown, as its header has it; a secret that goes on to other services and nowhere else.
    pub bearer: Option<String>,
}

/// One call of a handler.
pub struct Turn {
    pub host: Arc<Host>,
    pub program: Arc<Program>,
    pub asker: Asker,
    /// The message that it is for, where it is for one.
    pub message: Option<MessageKey>,
    pub config: Arc<Taken>,
    deadline: Instant,
    /// The pieces of work that it is within, the innermost last.
    works: RefCell<Vec<Arc<Work>>>,
    pub transaction: RefCell<Option<Transaction>>,
    /// The same in the lab's PostgreSQL.
    #[cfg(feature = "sql")]
    pub session: RefCell<Option<super::doors::Session>>,
    /// The body of the request, as it came.
    pub body: Bytes,
    /// Whether it has sent a webhook.
    pub sent: Cell<bool>,
    /// Whether it has dropped something from the cache.
    pub dropped: Cell<bool>,
    /// By key, what it has not found in the cache, with leave to bring it where that is given.
    pub leaves: RefCell<BTreeMap<String, Option<Leave>>>,
}

impl Turn {
    /// A call that is a part of `work`, and is over after `within`.
    #[must_use]
    pub fn new(
        host: Arc<Host>,
        program: Arc<Program>,
        (asker, body): (Asker, Bytes),
        message: Option<MessageKey>,
        work: Arc<Work>,
        within: Duration,
    ) -> Self {
        let deadline = Instant::now() + within;
        let works = RefCell::new(vec![work]);
        let config = host.config.taken();
        Self {
            host,
            program,
            asker,
            message,
            config,
            body,
            sent: Cell::new(false),
            dropped: Cell::new(false),
            leaves: RefCell::default(),
            deadline,
            works,
            transaction: RefCell::new(None),
            #[cfg(feature = "sql")]
            session: RefCell::new(None),
        }
    }

    /// The time that is left.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether the handler is in a transaction.
    #[must_use]
    pub fn is_in_transaction(&self) -> bool {
        #[cfg(feature = "sql")]
        if self.session.borrow().is_some() {
            return true;
        }
        self.transaction.borrow().is_some()
    }

    /// The innermost piece of work.
    #[must_use]
    pub fn work(&self) -> Arc<Work> {
        let works = self.works.borrow();
        works.last().cloned().unwrap_or_else(|| Arc::new(self.host.tracing.own()))
    }

    /// Does `inside` within a named piece of work.
    pub fn within<T, E>(&self, name: &str, inside: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let work = Arc::new(self.work().internal(name.to_owned()));
        self.works.borrow_mut().push(work.clone());
        let done = inside();
        self.works.borrow_mut().pop();
        if done.is_err() {
            // What was thrown may hold what no span may show.
            work.fail("thrown", "the script threw");
        }
        done
    }
}

/// Makes `turn` the one that this thread is at while `inside` runs.
pub fn at<T>(turn: Rc<Turn>, inside: impl FnOnce() -> T) -> T {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            CURRENT.take();
        }
    }
    CURRENT.set(Some(turn));
    let _reset = Reset;
    inside()
}

/// The call that this thread is at.
///
/// # Errors
/// Where it is at none, which is while a file is read.
pub fn current() -> Result<Rc<Turn>, String> {
    let current = CURRENT.with_borrow(Clone::clone);
    current.ok_or_else(|| "doors are open in handlers only -> move this into a handler or a schedule".to_owned())
}

/// Whether the call that this thread is at has no time left.
#[must_use]
pub fn is_over() -> bool {
    CURRENT.with_borrow(|turn| turn.as_ref().is_some_and(|turn| turn.left().is_zero()))
}

/// Does what waits, but not beyond the deadline of the handler.
///
/// # Errors
/// Where that has passed.
#[cfg(feature = "sql")]
pub fn on<T>(turn: &Turn, work: impl Future<Output = T>) -> Result<T, tokio::time::error::Elapsed> {
    turn.host.runtime.block_on(async { tokio::time::timeout(turn.left(), work).await })
}

/// Waits, but not beyond the deadline.
pub fn pause(turn: &Turn, time: Duration) {
    std::thread::sleep(time.min(turn.left()));
}
