//! Time on the ledger's own clock, in microseconds.

use std::{
    fmt,
    ops::{Add, Mul},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// Microseconds: an instant since the recorder began, or a length. One monotonic clock of one process counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub u64);

impl Micros {
    /// So many milliseconds.
    #[must_use]
    pub const fn millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// In seconds.
    #[must_use]
    pub fn secs(self) -> f64 {
        Duration::from(self).as_secs_f64()
    }
}

impl From<Duration> for Micros {
    fn from(length: Duration) -> Self {
        Self(u64::try_from(length.as_micros()).unwrap_or(u64::MAX))
    }
}

impl From<Micros> for Duration {
    fn from(length: Micros) -> Self {
        Self::from_micros(length.0)
    }
}

impl Add for Micros {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

impl Mul<u64> for Micros {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

/// A length for people: seconds with three digits after the point from one second on, else milliseconds with one.
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            if self.0 >= 1_000_000 { format!("{:.3} s", self.secs()) } else { format!("{:.1} ms", self.secs() * 1e3) };
        f.pad(&shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_people_write_them() {
        let shown = [0, 60, 1_450, 999_940, 1_000_000, 24_400_000].map(|n| Micros(n).to_string());
        assert_eq!(shown, ["0.0 ms", "0.1 ms", "1.4 ms", "999.9 ms", "1.000 s", "24.400 s"]);
    }

    #[test]
    fn no_length_is_negative() {
        assert_eq!(Micros(3).since(Micros(5)), Micros(0));
        assert_eq!(Micros(u64::MAX) + Micros(1), Micros(u64::MAX));
        assert_eq!(Micros::from(Duration::MAX), Micros(u64::MAX));
    }
}
