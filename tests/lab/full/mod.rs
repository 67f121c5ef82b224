//! The lab in full: tokens, the store and its outage, alerts, and the traces of all of it.

pub mod collector;
mod conformance;
mod deviations;
mod requests;
mod untraced;
mod user;
