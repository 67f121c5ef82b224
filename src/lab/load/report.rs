//! What came of a load.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::{lab::state::broken, model::Slot};

/// The longest latency that is told apart, in microseconds.
const LONGEST: u64 = 120_000_000;

/// Requests that did not get a good answer, by what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// Answered with a status from 500 to 599.
    pub status_5xx: u64,
    /// The connection failed or broke.
    pub transport: u64,
    /// No whole answer in time.
    pub timeout: u64,
    /// Never sent: too many were in flight.
    pub not_sent: u64,
}

impl Failures {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.status_5xx + self.transport + self.timeout + self.not_sent
    }
}

/// One second of the load, by when requests were due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// Requests that were answered well.
    pub ok: u64,
    pub failed: u64,
    /// How many answers came from blue.
    pub blue: u64,
    /// How many answers came from green.
    pub green: u64,
}

/// Latency in milliseconds from when a request was due to the end of its answer; failed ones that ended count too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    pub mean_ms: f64,
    /// Half are faster.
    pub p50_ms: f64,
    /// 90 of 100 are faster.
    pub p90_ms: f64,
    /// 99 of 100 are faster.
    pub p99_ms: f64,
    /// 999 of 1000 are faster.
    pub p999_ms: f64,
    pub max_ms: f64,
}

/// How much later than they were due requests were begun, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// 99 of 100 were begun sooner.
    pub p99_ms: f64,
    pub max_ms: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Connections {
    pub made: u64,
    /// How long the slowest took, in milliseconds.
    pub slowest_ms: f64,
}

/// From where on lag or the making of a connection says that a machine is busy, in milliseconds.
const BUSY_MS: f64 = 100.0;

impl Report {
    /// What says that this machine, or the one that was asked, had more to do than it could, if anything does.
    #[must_use]
    pub fn busy(&self) -> Option<String> {
        let mut signs = Vec::new();
        if self.failures.not_sent > 0 {
            let not_sent = self.failures.not_sent;
            signs.push(format!("{not_sent} requests were never sent, since too many were in flight"));
        }
        if self.lag.p99_ms > BUSY_MS {
            signs.push(format!("1 % of the requests were begun more than {:.0} ms late", self.lag.p99_ms));
        }
        if self.connections.slowest_ms > BUSY_MS {
            signs.push(format!("a connection took up to {:.0} ms", self.connections.slowest_ms));
        }
        (!signs.is_empty()).then(|| format!("busy: {}", signs.join("; ")))
    }
}

/// What came of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The rate that was asked for, a second.
    pub offered_rate: f64,
    /// Good answers a second, over the time that it took to get them all.
    pub achieved_rate: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Requests that were due.
    pub offered: u64,
    /// Good answers: any status below 500.
    pub ok: u64,
    pub failed: u64,
    /// The others, by what happened.
    pub failures: Failures,
    /// How long answers took.
    pub latency: Latency,
    /// How much later than they were due requests were begun; what is above some milliseconds is this machine's doing.
    #[serde(default)]
    pub lag: Lag,
    #[serde(default)]
    pub connections: Connections,
    /// Second by second, as far as the load was offered.
    pub timeline: Vec<Second>,
    /// The first few failures, for people.
    pub examples: Vec<String>,
}

#[derive(Debug)]
pub enum End {
    /// With an answer: its status and the slot that served.
    Answered(u16, Option<Slot>),
    /// With a connection that failed or broke.
    Transport(String),
    /// Without a whole answer in time.
    Timeout,
    NotSent,
}

/// Adds up how requests end.
pub struct Tally {
    histogram: Histogram<u64>,
    lag: Histogram<u64>,
    connections: Connections,
    timeline: Vec<Second>,
    ok: u64,
    failures: Failures,
    examples: Vec<String>,
}

impl Tally {
    /// A tally for a load of so many seconds.
    ///
    /// # Errors
    /// Where the histogram cannot be made.
    pub fn new(seconds: usize) -> Result<Self, crate::error::Error> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST, 3).map_err(|e| broken("the histogram", e));
        let (histogram, lag) = (histogram()?, histogram()?);
        let timeline = vec![Second::default(); seconds.max(1)];
        let connections = Connections::default();
        Ok(Self { histogram, lag, connections, timeline, ok: 0, failures: Failures::default(), examples: Vec::new() })
    }

    /// Adds one request that was due `due` after the start and took `took` from then on.
    pub fn add(&mut self, due: Duration, took: Duration, end: End) {
        let last = self.timeline.len() - 1;
        let second = &mut self.timeline[usize::try_from(due.as_secs()).unwrap_or(last).min(last)];
        let why = match end {
            End::Answered(status, slot) => {
                match slot {
                    Some(Slot::Blue) => second.blue += 1,
                    Some(Slot::Green) => second.green += 1,
                    None => {}
                }
                if status < 500 {
                    None
                } else {
                    self.failures.status_5xx += 1;
                    Some(format!("status {status} from {}", slot.map_or("no slot", Slot::name)))
                }
            }
            End::Transport(why) => {
                self.failures.transport += 1;
                Some(why)
            }
            End::Timeout => {
                self.failures.timeout += 1;
                Some("no answer in time".into())
            }
            End::NotSent => {
                self.failures.not_sent += 1;
                second.failed += 1;
                return;
            }
        };
        let micros = u64::try_from(took.as_micros()).unwrap_or(LONGEST).clamp(1, LONGEST);
        self.histogram.saturating_record(micros);
        if let Some(why) = why {
            second.failed += 1;
            if self.examples.len() < 10 {
                self.examples.push(format!("after {:.3} s: {why}", due.as_secs_f64()));
            }
        } else {
            second.ok += 1;
            self.ok += 1;
        }
    }

    /// Adds how late a request was begun.
    pub fn add_lag(&mut self, lag: Duration) {
        self.lag.saturating_record(u64::try_from(lag.as_micros()).unwrap_or(LONGEST).clamp(1, LONGEST));
    }

    pub fn add_connection(&mut self, took: Duration) {
        self.connections.made += 1;
        self.connections.slowest_ms = self.connections.slowest_ms.max(took.as_secs_f64() * 1000.0);
    }

    /// Good and failed ones so far.
    pub const fn counts(&self) -> (u64, u64) {
        (self.ok, self.failures.total())
    }

    /// The sum of it all, of what was offered `until` then and took so long to be answered.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "milliseconds and rates for people, and the seconds of a day"
    )]
    pub fn report(mut self, rate: f64, (offered, dropped): (u64, u64), (until, took): (Duration, Duration)) -> Report {
        // What was never offered has no seconds.
        self.timeline.truncate(until.as_secs_f64().ceil().max(1.0) as usize);
        self.failures.not_sent += dropped;
        let ms = |micros: u64| micros as f64 / 1000.0;
        let at = |quantile| ms(self.histogram.value_at_quantile(quantile));
        let latency = Latency {
            mean_ms: self.histogram.mean() / 1000.0,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: ms(self.histogram.max()),
        };
        Report {
            offered_rate: rate,
            achieved_rate: self.ok as f64 / took.as_secs_f64().max(1e-9),
            seconds: took.as_secs_f64(),
            offered,
            ok: self.ok,
            failed: self.failures.total(),
            failures: self.failures,
            latency,
            lag: Lag { p99_ms: ms(self.lag.value_at_quantile(0.99)), max_ms: ms(self.lag.max()) },
            connections: self.connections,
            timeline: self.timeline,
            examples: self.examples,
        }
    }
}
