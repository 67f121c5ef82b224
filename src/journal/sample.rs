//! Lines of a journal that was written as it should be, for unit tests.

use super::Chain;
use crate::model::Epoch;

/// `count` records, one after the other.
pub fn journal(count: u64) -> Vec<String> {
    let mut chain = Chain::default();
    (0..count)
        .map(|seq| {
            let at = "2026-11-21T09:30:00Z".parse().unwrap();
            let entry = serde_json::json!({ "applied": { "step": seq } });
            let sealed = chain.seal(at, Epoch(1), entry).unwrap();
            chain = sealed.chain;
            sealed.line
        })
        .collect()
}
