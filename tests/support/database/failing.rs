//! Which calls fail, and how.

use interlock::ports::PortError;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing is done.
    Undone,
    /// All of it is done, and nobody hears of it.
    Unanswered,
}

/// What becomes of one call.
pub(super) enum Fate {
    Answered,
    Undone,
    Unanswered,
}

/// Which of the next calls fail.
#[derive(Default)]
pub(super) struct Failing {
    after: u64,
    calls: u64,
    unanswered: bool,
    /// After so many effects, the next one does not come about.
    pub lost_effect: Option<u64>,
}

impl Failing {
    pub fn new(after: u64, calls: u64, how: Failure) -> Self {
        Self { after, calls, unanswered: how == Failure::Unanswered, lost_effect: None }
    }

    /// Whether more calls will fail than anybody makes.
    pub const fn lasts(&self) -> bool {
        self.calls > u32::MAX as u64
    }

    pub fn next(&mut self) -> Fate {
        if self.after > 0 {
            self.after -= 1;
            return Fate::Answered;
        }
        if self.calls == 0 {
            return Fate::Answered;
        }
        self.calls -= 1;
        if self.unanswered { Fate::Unanswered } else { Fate::Undone }
    }
}

/// What whoever calls hears.
pub(super) fn gone() -> PortError {
    PortError::unreachable("the database", "gone")
}
