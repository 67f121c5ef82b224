//! Webhooks: signed, sent until they are taken, and handled once. <https://www.standardwebhooks.com>

mod deliver;
mod outbox;
mod secrets;
mod signature;

use rhai::Position;

use super::{calls::Uses, declared::Migration};

pub use deliver::deliver;
pub use outbox::{Sent, add, note_handled};
pub use secrets::{Secrets, make};
pub use signature::{ID, SIGNATURE, Shown, TIMESTAMP};

/// The tables of a service that sends or receives webhooks.
#[must_use]
pub fn migrations(uses: &Uses) -> Vec<Migration> {
    let table = |name: &str, sql: &str| Migration {
        name: name.to_owned(),
        after: Vec::new(),
        sql: sql.to_owned(),
        at: Position::NONE,
    };
    let sends = uses.webhooks.sends.then(|| table("webhook-outbox", outbox::OUTBOX));
    let receives = uses.webhooks.receives.then(|| table("webhook-handled", outbox::HANDLED));
    sends.into_iter().chain(receives).collect()
}
