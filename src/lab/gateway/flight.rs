//! The requests that were accepted and are not yet answered.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hyper::Method;

use crate::{
    model::{Slot, Span},
    ports::InFlight,
};

/// How many of the oldest are shown.
const EXAMPLES: usize = 10;
/// How much of a path is kept.
const PATH: usize = 120;

struct Flight {
    slot: Slot,
    method: Method,
    path: String,
    peer: SocketAddr,
    since: Instant,
}

/// All requests in flight.
#[derive(Default)]
pub struct Flights(Mutex<(u64, HashMap<u64, Flight>)>);

impl Flights {
    /// Notes a request; the number it gives has to be handed to [`Flights::end`].
    pub fn begin(&self, slot: Slot, method: Method, path: &str, peer: SocketAddr) -> u64 {
        let path = path.chars().take(PATH).collect();
        let mut flights = self.lock();
        flights.0 += 1;
        let number = flights.0;
        flights.1.insert(number, Flight { slot, method, path, peer, since: Instant::now() });
        number
    }

    /// Forgets a request.
    pub fn end(&self, number: u64) {
        self.lock().1.remove(&number);
    }

    /// How many a slot has.
    pub fn count(&self, slot: Slot) -> usize {
        self.lock().1.values().filter(|flight| flight.slot == slot).count()
    }

    /// What a slot has, and which of it are older than `age`.
    pub fn view(&self, slot: Slot, age: Duration) -> InFlight {
        let now = Instant::now();
        let flights = self.lock();
        let mut mine: Vec<_> = flights.1.values().filter(|flight| flight.slot == slot).collect();
        mine.sort_unstable_by_key(|flight| flight.since);
        let age_of = |flight: &Flight| now.saturating_duration_since(flight.since);
        InFlight {
            count: mine.len() as u64,
            oldest: mine.first().map(|flight| age_of(flight)).unwrap_or_default(),
            older: mine.iter().filter(|flight| age_of(flight) > age).count() as u64,
            examples: mine
                .iter()
                .take(EXAMPLES)
                .map(|flight| {
                    let Flight { method, path, peer, .. } = flight;
                    format!("{method} {path} for {} from {peer}", Span(age_of(flight)))
                })
                .collect(),
            // Clients keep their connections to the gateway, which follows the weights request by request.
            ..InFlight::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, (u64, HashMap<u64, Flight>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
