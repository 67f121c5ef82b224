//! For how long nobody could write, as an interval that holds the truth, and what is too short to be told.
//!
//! The truth is the time in which no node takes a write. Its upper bound is the [`Gap`] of the routed stream. Its lower bound is
//! proven by refusals: a node that refused twice, with nothing acknowledged in between, took nothing in between. The first
//! refusal took place no later than it was answered, the second no earlier than it was begun; that is for one node, and an
//! outage is when it holds for every node at once. A standby's refusal alone proves nothing about
//! its primary, and a refusal at the old primary nothing about a new one.

use serde::{Deserialize, Serialize};

use super::{Attempt, Gap, Micros, Outcome, Records, Window};

/// See [`unasked`]; for streams with four slots in this time, or more.
const UNASKED: Micros = Micros::millis(100);

/// What cannot be told from nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resolution {
    /// Two periods of the routed stream.
    pub periods: Micros,
    /// The largest gap of the routed stream before any fault, measured as the outage is: from a sending to an answer.
    pub baseline: Micros,
    /// How many writes the baseline has.
    pub writes: u64,
}

impl Resolution {
    /// The larger of the two.
    #[must_use]
    pub fn limit(&self) -> Micros {
        self.periods.max(self.baseline)
    }
}

/// An outage of the routed writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outage {
    /// No gap exceeded the resolution: there was none, or it was shorter than the resolution.
    BelowResolution {
        /// The largest gap after the fault.
        largest: Micros,
    },
    /// It lasted at least `lower` and at most `upper`.
    Seen {
        /// For so long every node is known to have refused.
        lower: Micros,
        /// So long is the gap.
        upper: Micros,
        /// When the gap began.
        from: Micros,
        /// When the gap ended.
        until: Micros,
    },
    /// Nothing was acknowledged any more until the end of the record.
    Unended {
        /// For so long every node is known to have refused.
        lower: Micros,
        /// For so long nothing was acknowledged.
        silent: Micros,
        /// When the silence began.
        from: Micros,
    },
}

impl Outage {
    /// The shortest that it can have been.
    #[must_use]
    pub const fn lower(&self) -> Micros {
        match self {
            Self::BelowResolution { .. } => Micros(0),
            Self::Seen { lower, .. } | Self::Unended { lower, .. } => *lower,
        }
    }

    /// The time that it lies within; `None` if none was seen.
    #[must_use]
    pub const fn window(&self) -> Option<Window> {
        match self {
            Self::BelowResolution { .. } => None,
            Self::Seen { from, until, .. } => Some(Window { from: *from, until: *until }),
            Self::Unended { from, silent, .. } => Some(Window { from: *from, until: Micros(from.0 + silent.0) }),
        }
    }
}

/// Tells what the largest gap after the fault says.
pub fn outage(records: &Records, gap: Gap, resolution: &Resolution) -> Outage {
    if gap.length() <= resolution.limit() {
        return Outage::BelowResolution { largest: gap.length() };
    }
    // Both bounds are about the same time, so what is shorter cannot be the larger one.
    let lower = refused_everywhere(records, Window { from: gap.from, until: gap.until });
    if gap.ended {
        Outage::Seen { lower, upper: gap.length(), from: gap.from, until: gap.until }
    } else {
        Outage::Unended { lower, silent: gap.length(), from: gap.from }
    }
}

/// The longest time within `within` in which every node is known to have refused.
fn refused_everywhere(records: &Records, within: Window) -> Micros {
    let everywhere = records.nodes().fold(vec![within], |so_far, node| common(&so_far, &refused(records, node)));
    everywhere.iter().map(|time| time.until.since(time.from)).max().unwrap_or_default()
}

/// The times in which one node is known to have refused, in order.
fn refused(records: &Records, node: u16) -> Vec<Window> {
    let here = || records.attempts.iter().filter(move |attempt| attempt.node == node);
    let mut acks: Vec<_> = here().filter(|attempt| attempt.is_acknowledged()).map(Attempt::window).collect();
    let refusals = here().filter(|attempt| matches!(attempt.outcome, Outcome::Refused(_)));
    let mut refusals: Vec<_> = refusals.map(Attempt::window).collect();
    acks.sort_unstable_by_key(|window| window.from);
    refusals.sort_unstable_by_key(|window| window.from);
    let unasked = unasked(records);
    let mut times = Vec::new();
    let mut free = Micros(0);
    let mut refusals = refusals.into_iter().peekable();
    let end = Window { from: Micros(u64::MAX), until: Micros(u64::MAX) };
    for ack in acks.into_iter().chain([end]) {
        // All refusals between two acknowledgements. One that overlaps with either came before or after it, who knows.
        let mut row: Option<Row> = None;
        while let Some(refusal) = refusals.next_if(|refusal| refusal.from < ack.from) {
            if refusal.from < free || refusal.until > ack.from {
                continue;
            }
            match &mut row {
                Some(row) if refusal.from.since(row.reach) <= unasked => row.add(refusal),
                _ => times.extend(row.replace(Row::new(refusal)).and_then(Row::proven)),
            }
        }
        times.extend(row.and_then(Row::proven));
        free = free.max(ack.until);
    }
    times
}

/// For how long a node may go unasked between two refusals and still count as having refused throughout.
fn unasked(records: &Records) -> Micros {
    let slowest = records.head.streams.iter().map(|stream| stream.period).max().unwrap_or_default();
    UNASKED.max(slowest * 4)
}

/// Refusals with nothing in between.
struct Row {
    first_answer: Micros,
    last_beginning: Micros,
    reach: Micros,
}

impl Row {
    const fn new(refusal: Window) -> Self {
        Self { first_answer: refusal.until, last_beginning: refusal.from, reach: refusal.until }
    }

    fn add(&mut self, refusal: Window) {
        self.first_answer = self.first_answer.min(refusal.until);
        self.last_beginning = self.last_beginning.max(refusal.from);
        self.reach = self.reach.max(refusal.until);
    }

    fn proven(self) -> Option<Window> {
        let (from, until) = (self.first_answer, self.last_beginning);
        (from < until).then_some(Window { from, until })
    }
}

/// What two lists of times, each in order and without overlap, have in common.
fn common(one: &[Window], other: &[Window]) -> Vec<Window> {
    let (mut a, mut b) = (one.iter().peekable(), other.iter().peekable());
    let mut found = Vec::new();
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        let (from, until) = (x.from.max(y.from), x.until.min(y.until));
        if from < until {
            found.push(Window { from, until });
        }
        if x.until <= y.until {
            a.next();
        } else {
            b.next();
        }
    }
    found
}
