//! Two tests on every other block, so that what crosses an edge of two blocks does not count twice.

use serde::{Deserialize, Serialize};

/// Two tests that take blocks in turn.
///
/// An outage that crosses an edge makes two neighbours bad, and a test that multiplies over both takes the second for news. Of every other
/// block neither test sees both, so each keeps its bound as long as outages are shorter than a block: what a test sees is independent.
/// Either may decide, so each has half of the error probability.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alternating<T> {
    tests: [T; 2],
    second: bool,
}

impl<T> Alternating<T> {
    /// A pair of which the first has seen something already.
    pub const fn after(first: T, second: T) -> Self {
        Self { tests: [first, second], second: false }
    }

    /// The test whose turn it is.
    pub const fn turn(&mut self) -> &mut T {
        let [first, second] = &mut self.tests;
        self.second = !self.second;
        if self.second { first } else { second }
    }

    /// Both tests.
    pub const fn both(&self) -> &[T; 2] {
        &self.tests
    }
}
