//! The laws of every kind of operation, each held against every one of them: applied twice, failing anywhere, cut anywhere.
//!
//! A new kind implements [`Subject`] over a platform in memory in a file beside this one, and adds a line at the end.

mod drill;
mod laws;
mod shelf;
mod switchover;

use std::{path::Path, sync::Arc, time::Duration};

use interlock::{
    guard::{Operation, Plan},
    operation::FencedKey,
    ports::Clock,
};

use crate::database::Failure;

/// A kind of operation over a platform in memory, as it has to be to be held against the laws.
pub trait Subject: Sized {
    /// What a run says that could not put things back because its platform was gone.
    const GONE: &'static str;
    /// Whether a run may need a person after one call that failed, and why, in a word of what it says.
    const NEEDS_PERSON: Option<&'static str> = None;
    /// How much is tried.
    const EFFORT: Effort = Effort { beside: 1, calls: 60, cuts: usize::MAX, pairs: 60, seconds: 6 };

    /// A platform on which nothing has happened yet.
    fn fresh() -> Self;
    /// What is to be done there.
    fn plan(&self) -> Plan;
    /// The operation as a process that has just begun makes it.
    fn operation(&self) -> Arc<dyn Operation>;
    /// All keys that it says it may write, with what holds back there what is under way; `None` where it is no kind.
    fn keys(&self) -> Option<Vec<FencedKey>> {
        None
    }
    /// The platform's time.
    fn clock(&self) -> Arc<dyn Clock>;
    /// Lets time pass.
    fn pass(&self, time: Duration);
    /// A folder for the runs.
    fn folder(&self) -> &Path;

    /// How often the platform was asked for something.
    fn calls(&self) -> u64;
    /// Lets `passing` calls pass and the `calls` after them fail.
    fn fail_after(&self, passing: u64, calls: u64, how: Failure);
    /// Lets so many writes come about and not the one after them, where this platform can tell a write from another call.
    fn lose_write(&self, _after: u64) -> bool {
        false
    }
    /// Ends the failing of calls.
    fn answer_again(&self);
    /// How many writes have changed something.
    fn writes(&self) -> u64;
    /// All that the operation may change, for a comparison.
    fn stand(&self) -> String;
    /// # Errors
    /// Says what is not as it was before the run.
    fn is_as_before(&self) -> Result<(), String>;
    /// # Errors
    /// Says what is not as the plan wants it; with a warning, what was left out for it may be missing.
    fn is_as_planned(&self, warning: Option<&str>) -> Result<(), String>;
}

/// How much is tried where `INTERLOCK_SOAK` is not set.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// How many runs go side by side; more than one pays where they wait for real.
    pub beside: usize,
    /// How many of the calls are failed.
    pub calls: usize,
    /// How many of the single cuts are made.
    pub cuts: usize,
    /// How many of the pairs are made.
    pub pairs: usize,
    /// At which records of the recovery, counted from its first, the second cut may be.
    pub seconds: u64,
}

/// Holds each of these against all laws.
macro_rules! laws {
    ($($name:ident: $subject:ty,)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn applied_twice_leaves_the_same_state() {
                laws::applied_twice::<$subject>().await;
            }

            #[tokio::test]
            async fn one_call_failing_anywhere_unwinds_clean_or_is_survived() {
                laws::failing_once::<$subject>().await;
            }

            #[tokio::test]
            async fn a_platform_that_stays_away_ends_stuck_until_it_is_back() {
                laws::gone_for_good::<$subject>().await;
            }

            #[tokio::test]
            async fn a_person_may_be_needed_only_where_a_key_has_no_fence() {
                laws::what_has_no_fence_is_declared::<$subject>().await;
            }

            #[tokio::test]
            async fn any_cut_is_healed_also_when_the_healing_is_cut() {
                laws::cut_anywhere::<$subject>().await;
            }
        }
    )*};
}

laws! {
    plain_shelf: shelf::OnShelf,
    switchover_of_a_service: crate::world::World,
    drill_switchover: drill::Drilled<drill::Switchover>,
    drill_promote: drill::Drilled<drill::Promote>,
    drill_kill_managed: drill::Drilled<drill::KillManaged>,
}
