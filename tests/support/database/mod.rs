//! A replicated database in memory with the hosts of its nodes, unkind as a real one, for tests that want to break it anywhere.
//!
//! A write that a primary acknowledged reaches its standbys late. A host that is down takes its node with it, and a primary of
//! old that is started without being told otherwise takes writes again. What a call does it does in acts, before each of which
//! it asks its permit; any act, and any question, can be left undone or unanswered.
#![allow(dead_code, unused_imports, reason = "no suite uses all of it")]

mod clock;
mod cluster;
mod failing;
mod hosts;
mod manager;
mod node;
mod only_asked;
mod roles;
mod session;
mod state;

pub use clock::SharedClock;
pub use cluster::seen;
pub use failing::Failure;
pub use node::What;
pub use only_asked::{OnlyAsked, Unasked};
pub use roles::{Roles, Times};
pub use state::State;

use std::{
    fmt::Write as _,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use failing::{Failing, Fate};
use interlock::ports::{Clock as _, Flow, HostState, Permit, PortError};
use manager::Manager;

/// The database; clones share one.
#[derive(Clone)]
pub struct MemoryDatabase {
    state: Arc<Mutex<State>>,
    clock: SharedClock,
    sessions: Arc<AtomicU64>,
}

impl MemoryDatabase {
    /// Nodes `a`, `b` and `c`; `a` is the primary, and `managed` says whether another one becomes it by itself when `a` is gone.
    #[must_use]
    pub fn new(managed: bool) -> Self {
        let sessions = Arc::new(AtomicU64::new(0));
        let clock = SharedClock::new(sessions.clone());
        let manager = managed.then(|| Manager::new(clock.now().boot));
        let state = State { manager, ..State::new(&["a", "b", "c"]) };
        Self { state: Arc::new(Mutex::new(state)), clock, sessions }
    }

    /// Its clock, which stands still for nobody and jumps over what nobody watches.
    #[must_use]
    pub fn clock(&self) -> SharedClock {
        self.clock.clone()
    }

    /// Lets `passing` calls pass and the `calls` after them fail.
    pub fn fail_after(&self, passing: u64, calls: u64, how: Failure) {
        self.lock().failing = Failing::new(passing, calls, how);
    }

    /// Lets so many effects come about, and not the one after them.
    pub fn lose_effect(&self, after: u64) {
        self.lock().failing.lost_effect = Some(after);
    }

    /// Ends the failing of calls.
    pub fn answer_again(&self) {
        self.lock().failing = Failing::default();
    }

    /// How many calls there were, each act within a longer one among them.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// What was done to it on order, each with its epoch, oldest first.
    #[must_use]
    pub fn effects(&self) -> Vec<(u64, String)> {
        self.lock().effects.clone()
    }

    /// How everything stands that a drill may change, in a line.
    #[must_use]
    pub fn stand(&self) -> String {
        let state = self.lock();
        let mut told = String::new();
        for (index, node) in state.nodes.iter().enumerate() {
            let role = match (node.is_writable(), state.streams(index)) {
                (true, _) => "takes writes",
                (false, true) => "follows",
                (false, false) => "follows nobody",
            };
            let host = state.host(index);
            let ledger = if node.has_ledger() { ", ledger" } else { "" };
            let frozen = if node.flow == Flow::Frozen { ", frozen" } else { "" };
            let _ = write!(told, "{}: {host}, {role} on {}{ledger}{frozen}; ", node.name, node.timeline());
        }
        told
    }

    /// Whether `primary` alone takes writes, all others follow it with all that it has, every host runs, nothing of a drill is
    /// left, and never two nodes took writes at once.
    ///
    /// # Errors
    /// Says what is otherwise.
    pub fn is_whole(&self, primary: &str) -> Result<(), String> {
        let state = self.lock();
        for (index, node) in state.nodes.iter().enumerate() {
            let wanted = node.name == primary;
            let behind = state.nodes.iter().any(|other| other.log.len() > node.log.len());
            let follows = wanted || (state.streams(index) && !behind);
            let well = node.host == HostState::Running && node.flow == Flow::Flowing && !node.has_ledger();
            if node.is_writable() != wanted || !follows || !well {
                drop(state);
                return Err(format!("{} is not as it should be: {}", self.names(index), self.stand()));
            }
        }
        if let Some(split) = state.splits.first() {
            return Err(format!("two nodes took writes at once after {split}"));
        }
        let order: Vec<u64> = state.effects.iter().map(|(epoch, _)| *epoch).collect();
        if order.is_sorted() { Ok(()) } else { Err(format!("an owner of old has acted: {:?}", state.effects)) }
    }

    /// How a host stands, without a call that could fail.
    fn stands(&self, host: &str) -> Result<HostState, PortError> {
        let state = self.lock();
        state.index(host).map(|index| state.host(index))
    }

    fn names(&self, index: usize) -> String {
        self.lock().nodes[index].name.clone()
    }

    /// The state as it is now, with all that happens by itself.
    fn lock(&self) -> MutexGuard<'_, State> {
        let now = self.clock.now().boot;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.elapse(now);
        state
    }

    /// Begins a call, or an act within one: it is answered, refused, or done without an answer.
    fn call(&self) -> Result<(MutexGuard<'_, State>, Answer), PortError> {
        let mut state = self.lock();
        match state.begin_call() {
            Fate::Answered => Ok((state, Answer(Ok(())))),
            Fate::Undone => Err(failing::gone()),
            Fate::Unanswered => Ok((state, Answer(Err(failing::gone())))),
        }
    }

    /// Does one act, once its permit allows it.
    async fn act<T>(
        &self,
        permit: &dyn Permit,
        act: impl FnOnce(&mut State) -> Result<T, PortError> + Send,
    ) -> Result<T, PortError> {
        permit.check().await?;
        let (mut state, Answer(answer)) = self.call()?;
        state.epoch = permit.epoch().0;
        if state.loses_effect() {
            return Err(failing::gone());
        }
        let done = act(&mut state);
        let now = self.clock.now().boot;
        state.elapse(now);
        answer.and(done)
    }

    fn session_opened(&self) {
        self.sessions.fetch_add(1, Ordering::SeqCst);
    }

    fn session_closed(&self) {
        self.sessions.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What becomes of the answer to a call.
struct Answer(Result<(), PortError>);
