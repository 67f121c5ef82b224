//! The requests that were accepted and are not yet answered, at the gateway and at a replica.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hyper::Method;

use crate::{
    model::{HumanDuration, Slot},
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

/// A request in flight, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Method and path.
    pub request: String,
    /// Who waits for the answer.
    pub peer: SocketAddr,
    pub age: Duration,
}

/// What is in flight, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ages {
    /// The age of each request.
    pub all: Vec<Duration>,
    /// The oldest ones, at most ten.
    pub examples: Vec<Example>,
}

#[derive(Default)]
struct Board {
    last: u64,
    flights: HashMap<u64, Flight>,
}

/// All requests in flight.
#[derive(Clone, Default)]
pub struct Flights(Arc<Mutex<Board>>);

/// One request in flight; it is over when this is dropped.
pub struct Flying {
    flights: Flights,
    number: u64,
}

impl Flights {
    /// Notes a request.
    #[must_use]
    pub fn begin(&self, slot: Slot, method: Method, path: &str, peer: SocketAddr) -> Flying {
        let path = path.chars().take(PATH).collect();
        let mut board = self.lock();
        board.last += 1;
        let number = board.last;
        board.flights.insert(number, Flight { slot, method, path, peer, since: Instant::now() });
        Flying { flights: self.clone(), number }
    }

    #[must_use]
    pub fn count(&self, slot: Slot) -> usize {
        self.lock().flights.values().filter(|flight| flight.slot == slot).count()
    }

    /// How old those of a slot are.
    #[must_use]
    pub fn ages(&self, slot: Slot) -> Ages {
        let now = Instant::now();
        let age = |flight: &Flight| now.saturating_duration_since(flight.since);
        let board = self.lock();
        let mut mine: Vec<_> = board.flights.values().filter(|flight| flight.slot == slot).collect();
        mine.sort_unstable_by_key(|flight| flight.since);
        let example = |flight: &&Flight| {
            let Flight { method, path, peer, .. } = *flight;
            Example { request: format!("{method} {path}"), peer: *peer, age: age(flight) }
        };
        Ages {
            all: mine.iter().map(|flight| age(flight)).collect(),
            examples: mine.iter().take(EXAMPLES).map(example).collect(),
        }
    }

    /// What a slot has, and how many of it are older than `age`.
    #[must_use]
    pub fn view(&self, slot: Slot, age: Duration) -> InFlight {
        let Ages { all, examples } = self.ages(slot);
        let told =
            |Example { request, peer, age }: Example| format!("{request} for {} from {peer}", HumanDuration(age));
        InFlight {
            count: all.len() as u64,
            oldest: all.first().copied().unwrap_or_default(),
            older: all.iter().filter(|flight| **flight > age).count() as u64,
            examples: examples.into_iter().map(told).collect(),
            // Clients keep their connections to the gateway, which follows the weights request by request.
            ..InFlight::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        self.flights.lock().flights.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_come_first_and_ten_of_them_are_shown() {
        let flights = Flights::default();
        let peer = "127.0.0.1:5123".parse().unwrap();
        let begin = |n: u32| flights.begin(Slot::Blue, Method::GET, &format!("/tenants/{n}"), peer);
        let flying: Vec<_> = (0..12).map(begin).collect();
        let _other = flights.begin(Slot::Green, Method::GET, "/", peer);
        let ages = flights.ages(Slot::Blue);
        assert_eq!((ages.all.len(), ages.examples.len()), (12, EXAMPLES));
        assert!(ages.all.is_sorted_by(|older, younger| older >= younger));
        assert_eq!(ages.examples[0].request, "GET /tenants/0");
        assert_eq!(flights.view(Slot::Blue, Duration::from_secs(3600)).older, 0);
        drop(flying);
        assert_eq!(flights.ages(Slot::Blue), Ages::default());
        assert_eq!(flights.count(Slot::Green), 1);
    }
}
