//! What was written so that something else can go back, and stays.

use serde_json::Value;

use super::{
    Plan,
    next::{State, key_of},
};

/// A key that was written so that another one can go back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prepared<'a> {
    /// The key that was written.
    pub key: &'a str,
    /// What stood there.
    pub prior: &'a Value,
    /// What was written over it.
    pub to: &'a Value,
}

/// Names beside a reason what going back has left otherwise than it was, since it could not go back without.
pub(super) fn with_prepared(plan: &Plan, state: &State<'_>, why: String) -> String {
    let is_as_before = |prepared: &Prepared<'_>| {
        let captured = (0..state.steps.len())
            .find_map(|step| state.steps[step].captured.filter(|_| key_of(plan, step) == Some(prepared.key)));
        captured == Some(prepared.to)
    };
    let left = state.prepared.iter().filter(|prepared| !is_as_before(prepared));
    let told = left.map(|Prepared { key, prior, to }| {
        let [prior, to] = [prior, to].map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        format!("to go back, {key} was set from {prior} to {to}")
    });
    std::iter::once(why).filter(|why| !why.is_empty()).chain(told).collect::<Vec<_>>().join("; ")
}
