//! The cache: values until their time is over, in memory only, and none that was dropped while somebody fetched it.

mod protocol;
mod routes;
mod table;

pub use protocol::{Drop, Drops, Fill, Found, Kept, Key, Value};
pub use routes::routes;
