//! Against a real Kubernetes: the cluster that `tests/run` brings up before this suite and takes down after it.
#![cfg(feature = "lab")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is all test code; the lints only see #[test]")]

mod acts;
mod api_server;
#[path = "../lab/command.rs"]
mod command;
mod configs;
#[path = "../contract/contract.rs"]
#[expect(dead_code, reason = "some of it is for platforms that share requests by weights on their own")]
mod contract;
mod doctor;
mod faults;
mod outcomes;
mod permissions;
mod platform;
mod reach;
mod refusals;
mod routes;
#[path = "../sources/servers.rs"]
mod servers;
mod site;
mod site_selector;
mod stage;
mod switches;
mod upkeep;
mod workloads;
