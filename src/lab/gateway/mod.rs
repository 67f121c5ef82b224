//! The lab's gateway: sends each request to a slot by the weights, and measures what came of it.

mod admin;
mod backends;
mod bearer;
mod metrics;
mod proxy;
mod routing;
mod serve;

pub use routing::{FenceWeights, Refusal, Routing, SetWeights, Stand};
pub use serve::{Options, serve};
