//! A platform and a clock that live in memory, for tests that want to break things between any two calls.
#![allow(dead_code, reason = "no suite uses all of it")]

mod clock;
mod mark;
mod meddling;
mod order;
mod ports;

pub use clock::MemoryClock;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mark::Mark;
use order::{Order, Sent};

use interlock::{
    model::{Epoch, Slot, Weights},
    ports::{InFlight, Manager, Missing, PortError, Replica},
};

#[derive(Debug)]
struct SlotState {
    version: String,
    replicas: Vec<Replica>,
    scale: u32,
    mark: Mark,
    status: u16,
    took: Duration,
    /// `None` where nothing tells it.
    in_flight: Option<InFlight>,
}

#[derive(Debug)]
struct State {
    weights: Weights,
    traffic: Mark,
    slots: [SlotState; 2],
    turn: u64,
    writes: u64,
    calls: u64,
    failing: Failing,
    lost: u32,
    /// After how many calls the next write's answer is lost.
    loses_at: Option<u64>,
    /// How many writes are taken before one is held up on its way.
    holds_after: Option<u64>,
    held: Vec<Order>,
    waits: bool,
    managers: Vec<Manager>,
    missing: Vec<Missing>,
    /// Nobody gets through to the slots by the live path.
    live_cut: bool,
    /// What answers say of who gave them.
    names: Names,
    /// How many answers have named their own request.
    asked: u64,
    /// Where live requests go, whatever the weights say.
    stray: Option<Slot>,
    /// Whether the platform knows by itself who serves.
    has_record: bool,
    /// Of the requests to green by the preview path every so many fail; how many there were.
    stumbles: (u64, u64),
}

/// What answers say of who gave them.
#[derive(Debug, Clone)]
pub enum Names {
    /// The slot.
    Slots,
    /// Nothing.
    Nothing,
    /// A text of each slot.
    Texts([String; 2]),
    /// The slot, which the live path takes out.
    Stripped,
    /// Another text each time.
    Requests,
}

/// Which of the next calls fail.
#[derive(Debug, Default)]
struct Failing {
    after: u64,
    calls: u64,
    with: Option<PortError>,
}

/// Implements the ports in memory. Clones share one platform, and what they are bound to.
#[derive(Debug, Clone)]
pub struct MemoryPlatform(Arc<Mutex<State>>, Arc<Mutex<Bound>>);

/// The uids to which a process is bound, by what they are of, and whether it has left a mark there.
type Bound = BTreeMap<Option<Slot>, (u64, bool)>;

impl Default for MemoryPlatform {
    fn default() -> Self {
        Self::new()
    }
}

fn slot_state(slot: Slot, version: &str) -> SlotState {
    let mut state = SlotState {
        version: version.to_owned(),
        replicas: Vec::new(),
        scale: 2,
        mark: Mark::default(),
        status: 200,
        took: Duration::from_millis(5),
        in_flight: Some(InFlight::default()),
    };
    state.fill(slot);
    state
}

impl SlotState {
    fn fill(&mut self, slot: Slot) {
        self.replicas.truncate(usize::try_from(self.scale).unwrap_or(usize::MAX));
        for index in self.replicas.len()..usize::try_from(self.scale).unwrap_or_default() {
            let name = format!("tenant-{slot}-{index}");
            self.replicas.push(Replica { name, ready: true, version: self.version.clone(), exits: 0, trouble: None });
        }
    }
}

impl MemoryPlatform {
    /// A platform with two ready replicas in each slot: blue runs 1.0.0 and has all traffic, green runs 1.1.0.
    #[must_use]
    pub fn new() -> Self {
        let state = State {
            weights: Weights::all(Slot::Blue),
            traffic: Mark::default(),
            slots: [slot_state(Slot::Blue, "1.0.0"), slot_state(Slot::Green, "1.1.0")],
            turn: 0,
            writes: 0,
            calls: 0,
            failing: Failing::default(),
            lost: 0,
            loses_at: None,
            holds_after: None,
            held: Vec::new(),
            waits: false,
            managers: Vec::new(),
            missing: Vec::new(),
            live_cut: false,
            names: Names::Slots,
            asked: 0,
            has_record: false,
            stray: None,
            stumbles: (0, 0),
        };
        Self(Arc::new(Mutex::new(state)), Arc::default())
    }

    /// The same platform, as a process has it that has just begun.
    #[must_use]
    pub fn afresh(&self) -> Self {
        Self(self.0.clone(), Arc::default())
    }

    /// The epoch and the version of the object that routes.
    #[must_use]
    pub fn traffic_mark(&self) -> (Epoch, u64) {
        let state = self.lock();
        (state.traffic.epoch, state.traffic.version)
    }

    fn bind(&self, what: Option<Slot>, object: &str, marked: bool) {
        let uid = object.parse().unwrap_or_default();
        let mut bound = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        bound.entry(what).or_insert((uid, false)).1 |= marked;
    }

    /// Whether an object is the one that this process is bound to, and bears a mark where it did.
    fn admits(&self, what: Option<Slot>, mark: Mark) -> Result<(), PortError> {
        let bound = self.1.lock().unwrap_or_else(PoisonError::into_inner).get(&what).copied();
        match bound {
            Some((uid, marked)) if uid != mark.uid || (marked && mark.epoch == Epoch(0)) => {
                let why = "somebody has made it anew, or taken our mark from it".to_owned();
                Err(PortError::Replaced { what: "the object".to_owned(), why })
            }
            _ => Ok(()),
        }
    }

    /// A write of this process was taken.
    fn marked(&self, what: Option<Slot>) {
        if let Some((_, marked)) = self.1.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&what) {
            *marked = true;
        }
    }

    /// How many writes have changed something.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// Sets the count of writes.
    pub fn set_writes(&self, writes: u64) {
        self.lock().writes = writes;
    }

    /// Lets the next `calls` calls of any port fail before they do anything.
    pub fn fail_next(&self, calls: u32, with: PortError) {
        self.fail_after(0, calls.into(), with);
    }

    /// Lets `passing` calls of any port pass and the `calls` after them fail before they do anything.
    pub fn fail_after(&self, passing: u64, calls: u64, with: PortError) {
        self.lock().failing = Failing { after: passing, calls, with: Some(with) };
    }

    /// Ends the failing of calls.
    pub fn answer_again(&self) {
        self.lock().failing = Failing::default();
    }

    /// How many calls there were, of any port.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// How things stand, without a call: the weights, and the scale of blue and green.
    #[must_use]
    pub fn stand(&self) -> (Weights, [u32; 2]) {
        let state = self.lock();
        (state.weights, [state.slots[0].scale, state.slots[1].scale])
    }

    /// Lets the next `writes` writes land, and their answers be lost.
    pub fn lose_answers(&self, writes: u32) {
        self.lock().lost = writes;
    }

    /// Lets `passing` calls of any port pass; the first write after them lands, and its answer is lost.
    pub fn lose_answer_after(&self, passing: u64) {
        let mut state = self.lock();
        state.loses_at = Some(state.calls + passing);
    }

    /// Lets `passing` writes pass and holds the one after them up on its way: whoever sends it hears that there was no answer,
    /// or, where it `waits`, nothing at all.
    pub fn hold_write(&self, passing: u64, waits: bool) {
        let mut state = self.lock();
        (state.holds_after, state.waits) = (Some(passing), waits);
    }

    /// How many writes are held up.
    #[must_use]
    pub fn held(&self) -> usize {
        self.lock().held.len()
    }

    /// Lets what was held up arrive now; says how much there was.
    pub fn deliver(&self) -> usize {
        let mut state = self.lock();
        let held = std::mem::take(&mut state.held);
        for order in &held {
            // Nobody hears the answer.
            let _ = state.take(*order);
        }
        held.len()
    }

    /// Sets what requests to a slot come back with.
    pub fn answer(&self, slot: Slot, status: u16, took: Duration) {
        let mut state = self.lock();
        let slot = state.slot(slot);
        (slot.status, slot.took) = (status, took);
    }

    /// Lets every so many of the requests to green by the preview path fail.
    pub fn stumble(&self, every: u64) {
        self.lock().stumbles = (every, 0);
    }

    /// Lets no live request through to the slots.
    pub fn cut_live(&self) {
        self.lock().live_cut = true;
    }

    /// Sets what a slot has in flight.
    pub fn set_in_flight(&self, slot: Slot, in_flight: InFlight) {
        self.lock().slot(slot).in_flight = Some(in_flight);
    }

    /// Lets nothing tell what a slot has in flight.
    pub fn hide_in_flight(&self, slot: Slot) {
        self.lock().slot(slot).in_flight = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self) -> Result<MutexGuard<'_, State>, PortError> {
        let mut state = self.lock();
        state.calls += 1;
        if state.loses_at.is_some_and(|at| state.calls > at) {
            (state.loses_at, state.lost) = (None, 1);
        }
        let failing = &mut state.failing;
        if failing.after > 0 {
            failing.after -= 1;
            return Ok(state);
        }
        match &failing.with {
            Some(error) if failing.calls > 0 => {
                failing.calls -= 1;
                Err(error.clone())
            }
            _ => Ok(state),
        }
    }
}

impl State {
    /// Sends a write, which may be held up on its way.
    fn send(&mut self, order: impl FnOnce(&mut Self) -> Order) -> Sent {
        let order = order(self);
        match self.holds_after {
            Some(0) => {
                self.holds_after = None;
                self.held.push(order);
                if self.waits {
                    Sent::Waits
                } else {
                    Sent::Answered(Err(PortError::unreachable("the platform", "no answer")))
                }
            }
            after => {
                self.holds_after = after.map(|passing| passing - 1);
                Sent::Answered(self.take(order))
            }
        }
    }

    /// Takes a write that has arrived.
    fn take(&mut self, order: Order) -> Result<(), PortError> {
        match order {
            Order::Weights { to, fence, made_for } => {
                let found = self.weights;
                self.traffic.admit(made_for, &found, &to, &fence)?;
                self.weights = to;
                self.landed(found != to)
            }
            Order::Scale { slot, to, fence, made_for } => {
                let of_slot = self.slot(slot);
                let found = of_slot.scale;
                of_slot.mark.admit(made_for, &found, &to, &fence)?;
                of_slot.scale = to;
                of_slot.fill(slot);
                self.landed(found != to)
            }
        }
    }

    const fn slot(&mut self, slot: Slot) -> &mut SlotState {
        match slot {
            Slot::Blue => &mut self.slots[0],
            Slot::Green => &mut self.slots[1],
        }
    }

    fn landed(&mut self, changed: bool) -> Result<(), PortError> {
        self.writes += u64::from(changed);
        if self.lost > 0 {
            self.lost -= 1;
            return Err(PortError::unreachable("the platform", "the answer was lost"));
        }
        Ok(())
    }
}
