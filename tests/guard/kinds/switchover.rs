//! The switchover of a service, over its platform in memory.

use std::{path::Path, sync::Arc, time::Duration};

use interlock::{
    guard::{Operation, Plan},
    model::HumanDuration,
    operation::{FencedKey, fenced_keys, switchover::Spec},
    ports::{Clock, PortError},
};

use super::Subject;
use crate::{
    database::Failure,
    world::{World, at_end, at_start, spec},
};

impl Subject for World {
    const GONE: &'static str = "the platform: gone";

    /// Both kinds of weights, and as few looks as show each kind of step.
    fn fresh() -> Self {
        Self::new(Spec {
            shares: vec![50, 100],
            baseline: HumanDuration::secs(10),
            bake: HumanDuration::secs(10),
            look: HumanDuration::secs(5),
            keep_old: HumanDuration::secs(5),
            ..spec()
        })
    }

    fn plan(&self) -> Plan {
        Self::plan(self)
    }

    fn operation(&self) -> Arc<dyn Operation> {
        Arc::new(self.switch())
    }

    fn keys(&self) -> Option<Vec<FencedKey>> {
        Some(fenced_keys(&self.switch(), &Self::plan(self)))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock.clone())
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    fn folder(&self) -> &Path {
        Self::folder(self)
    }

    fn calls(&self) -> u64 {
        self.platform.calls()
    }

    fn fail_after(&self, passing: u64, calls: u64, how: Failure) {
        match how {
            Failure::Undone => self.platform.fail_after(passing, calls, PortError::unreachable("the platform", "gone")),
            Failure::Unanswered => self.platform.lose_answer_after(passing),
        }
    }

    fn answer_again(&self) {
        self.platform.answer_again();
    }

    fn writes(&self) -> u64 {
        self.platform.writes()
    }

    fn stand(&self) -> String {
        format!("{:?}", self.platform.stand())
    }

    fn is_as_before(&self) -> Result<(), String> {
        if self.platform.stand() == at_start() { Ok(()) } else { Err(Subject::stand(self)) }
    }

    fn is_as_planned(&self, warning: Option<&str>) -> Result<(), String> {
        let (found, wanted) = (self.platform.stand(), at_end());
        let well = found.0 == wanted.0 && (warning.is_some() || found.1 == wanted.1);
        if well { Ok(()) } else { Err(Subject::stand(self)) }
    }
}
