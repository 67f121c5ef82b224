//! Services that are scripts, as processes of a real lab.

mod bounds;
mod check;
mod commerce;
mod config;
mod defects;
mod doors;
mod guide;
mod reload;
mod stage;
mod telemetry;
mod tokens;
mod webhooks;
