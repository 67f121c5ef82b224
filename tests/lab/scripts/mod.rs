//! Services that are scripts, as processes of a real lab.

mod bounds;
mod bus;
mod cache;
mod check;
mod commerce;
mod config;
mod defects;
mod doors;
mod guide;
mod postgres;
mod queue;
mod readiness;
mod registry;
mod reload;
mod rpc;
mod slots;
mod stage;
mod telemetry;
mod tokens;
mod vectors;
mod verify;
mod webhooks;
