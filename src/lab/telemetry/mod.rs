//! Distributed traces of the lab's own processes, by OpenTelemetry.

mod calls;
mod export;
mod messages;
mod peer;
mod served;
mod told;
mod work;

pub use export::{Source, Telemetry, Traces};
pub use messages::Parcel;
pub use peer::{Call, Peer};
pub use served::{begin, traced};
pub use work::{Tracing, Work};
