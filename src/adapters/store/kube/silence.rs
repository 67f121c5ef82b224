//! How long an owner elsewhere has been silent, as this process has seen it: by our own clock, and only while we could see.
//!
//! Clocks of two machines cannot be compared, so the time in a Lease is only ever compared with itself: as long as it is
//! the same, nobody has given a sign of life. Time in which the API server did not answer does not count, for then the
//! owner could give none.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::model::{Epoch, Timestamp};

/// A look that took longer than this saw nothing in between: the server was away for a part of it.
const SLOW: Duration = Duration::from_secs(1);

/// What changes when an owner gives a sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// The time that the owner wrote, by its own clock.
    pub renewed: Timestamp,
    pub holder: String,
    pub epoch: Epoch,
}

struct Seen {
    sign: Sign,
    silent: Duration,
    looked: Duration,
}

/// What was seen of each Lease, by its name.
#[derive(Default)]
pub struct Silences(Mutex<HashMap<String, Seen>>);

impl Silences {
    /// Takes what a look that lasted from `began` to `now` (by the boot clock) has found, and says since when the sign
    /// has stood, less the time in which nothing could be seen.
    pub fn seen(&self, name: &str, sign: Sign, began: Duration, now: Duration) -> Duration {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(name) {
            Some(seen) if seen.sign == sign => {
                let until = if now.saturating_sub(began) > SLOW { began } else { now };
                seen.silent += until.saturating_sub(seen.looked);
                seen.looked = now;
                now.saturating_sub(seen.silent)
            }
            _ => {
                all.insert(name.to_owned(), Seen { sign, silent: Duration::ZERO, looked: now });
                now
            }
        }
    }

    /// Takes that a look which lasted from `began` to `now` saw nothing at all.
    pub fn blind(&self, name: &str, began: Duration, now: Duration) {
        if let Some(seen) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(name) {
            seen.silent += began.saturating_sub(seen.looked);
            seen.looked = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(second: i64) -> Sign {
        Sign {
            renewed: Timestamp::from_second(1_700_000_000 + second).unwrap(),
            holder: "somebody".to_owned(),
            epoch: Epoch(1),
        }
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn silence_begins_with_the_first_look_and_ends_with_a_new_sign() {
        let silences = Silences::default();
        let look = |sign, now| silences.seen("a", sign, at(now), at(now));
        // However old the sign is by the clock of whoever gave it: we have only just seen it.
        assert_eq!(look(sign(0), 100), at(100));
        assert_eq!(look(sign(0), 109), at(100));
        assert_eq!(look(sign(2), 110), at(110));
        // A clock that was set back is a sign of life as well.
        assert_eq!(look(sign(1), 111), at(111));
        assert_eq!(silences.seen("b", sign(1), at(120), at(120)), at(120), "another Lease is another silence");
    }

    #[test]
    fn time_in_which_the_server_is_away_is_no_silence() {
        let silences = Silences::default();
        silences.seen("a", sign(0), at(100), at(100));
        assert_eq!(silences.seen("a", sign(0), at(102), at(112)), at(110), "it hung for ten seconds: two were silent");
        silences.blind("a", at(113), at(143));
        assert_eq!(silences.seen("a", sign(0), at(144), at(144)), at(140), "and did not answer for thirty: four");
    }
}
