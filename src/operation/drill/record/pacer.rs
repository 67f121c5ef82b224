//! Says when each slot is due, from a thread that does nothing else: timers of the runtime are a millisecond coarse.

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{lane::Lane, shared::Shared, urgent::be_urgent};
use crate::operation::drill::ledger::{LATE, Line, Micros, Miss};

/// The longest sleep, so that the end is noticed.
const NAP: Duration = Duration::from_millis(50);

/// One stream's slots.
pub struct Track {
    /// The stream.
    pub lane: Arc<Lane>,
    /// Its workers, in the order of their numbers; each takes the time at which its slot was due.
    pub workers: Vec<mpsc::Sender<Micros>>,
    /// When its first slot is due.
    pub first: Instant,
    /// Slots a second.
    pub rate: f64,
}

struct Pace {
    track: Track,
    slot: u64,
    turn: usize,
}

impl Pace {
    /// When the next slot is due, by the schedule and not by the slot before, so that nothing adds up.
    #[expect(clippy::cast_precision_loss, reason = "2^53 slots are out of reach")]
    fn due(&self) -> Instant {
        self.track.first + Duration::from_secs_f64(self.slot as f64 / self.track.rate)
    }
}

/// Hands out slots until the recorder is stopped, then notes the end. A slot that is missed is never made up for.
///
/// # Errors
/// Where the thread cannot be started.
pub fn start(tracks: Vec<Track>, shared: Arc<Shared>) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("pacer".into()).spawn(move || {
        be_urgent();
        // Sleeps then end within microseconds instead of fifty (prctl(2)); without it there is only more jitter.
        let _ = nix::sys::prctl::set_timerslack(1_000);
        let mut paces: Vec<_> = tracks.into_iter().map(|track| Pace { track, slot: 0, turn: 0 }).collect();
        while let Some(pace) = paces.iter_mut().min_by_key(|pace| pace.due()) {
            if !wait_until(pace.due(), &shared) {
                break;
            }
            hand_out(pace, &shared);
        }
        shared.book.add(Line::Ended { at: shared.clock.now() });
    })
}

fn hand_out(pace: &mut Pace, shared: &Shared) {
    let due = shared.clock.at(pace.due());
    pace.slot += 1;
    let lane = &pace.track.lane;
    if shared.clock.now().since(due) > LATE {
        return shared.miss(lane.stream, due, Miss::Late);
    }
    let worker = lane.take(&mut pace.turn).and_then(|worker| pace.track.workers.get(worker));
    if worker.is_none_or(|worker| worker.try_send(due).is_err()) {
        shared.miss(lane.stream, due, Miss::Busy);
    }
}

fn wait_until(at: Instant, shared: &Shared) -> bool {
    loop {
        if shared.stop.load(Ordering::Relaxed) {
            return false;
        }
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::park_timeout(left.min(NAP));
    }
}
