//! An OTLP/HTTP receiver for traces, bounded in all that a sender can make it hold.

mod answer;
mod body;
mod limits;
mod reply;
mod server;
mod store;

pub use limits::Limits;
pub use server::Receiver;
pub use store::Counts;
