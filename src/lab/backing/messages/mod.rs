//! Messages that are delivered at least once: taken with a lease, acknowledged after they were handled, dead letters in the end.

mod letters;
mod protocol;
mod routes;
mod table;
#[cfg(test)]
mod table_tests;
mod topics;

pub use protocol::{
    About, Accepted, Delivery, Failure, Held, Letter, Message, Registration, Selection, Sent, Subscription, Take, now,
};
pub use routes::{Unclaimed, routes};
pub use topics::{Pattern, topic};
