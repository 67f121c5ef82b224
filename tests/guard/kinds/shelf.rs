//! The plain shelf, the smallest operation that there is.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use interlock::{
    guard::{Operation, Plan},
    ports::Clock,
};
use serde_json::json;

use super::{Effort, Subject};
use crate::{bench::Bench, database::Failure, shelf};

pub struct OnShelf(Bench);

impl Subject for OnShelf {
    const GONE: &'static str = "the shelf: gone";
    const EFFORT: Effort = Effort { beside: 1, calls: usize::MAX, cuts: usize::MAX, pairs: 150, seconds: 8 };

    fn fresh() -> Self {
        Self(Bench::new())
    }

    fn plan(&self) -> Plan {
        shelf::plan()
    }

    fn operation(&self) -> Arc<dyn Operation> {
        self.0.shelf.clone()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    fn pass(&self, time: Duration) {
        self.0.clock.pass(time);
    }

    fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    fn calls(&self) -> u64 {
        self.0.shelf.calls.load(Ordering::SeqCst)
    }

    fn fail_after(&self, passing: u64, calls: u64, how: Failure) {
        let from = self.calls() + passing;
        *self.0.shelf.failing.lock().unwrap() = (from..from.saturating_add(calls), how == Failure::Unanswered);
    }

    fn answer_again(&self) {
        *self.0.shelf.failing.lock().unwrap() = (0..0, false);
    }

    fn writes(&self) -> u64 {
        self.0.shelf.writes.lock().unwrap().len() as u64
    }

    fn stand(&self) -> String {
        format!("{:?}", self.0.shelf.values())
    }

    fn is_as_before(&self) -> Result<(), String> {
        if self.0.shelf.values() == shelf::start().values() { Ok(()) } else { Err(self.stand()) }
    }

    fn is_as_planned(&self, _: Option<&str>) -> Result<(), String> {
        let mut wanted = shelf::start().values();
        wanted.extend([("weights".to_owned(), json!(100)), ("scale".to_owned(), json!(0))]);
        if self.0.shelf.values() == wanted { Ok(()) } else { Err(self.stand()) }
    }
}
