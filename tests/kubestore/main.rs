//! The run store in a cluster, over a real API server: what every store does, and what only this one has to withstand.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is all test code; the lints only see #[test]"
)]

mod commands;
mod faults;
mod guardians;
mod lossy;
mod owners;
mod people;
#[cfg(feature = "lab")]
#[path = "../support/platform/mod.rs"]
mod platform;
mod pruning;
mod server;
#[path = "../guard/shelf.rs"]
#[allow(dead_code, reason = "shared with the guard's own tests, which use more of it")]
mod shelf;
#[path = "../contract/store.rs"]
mod store;
#[cfg(feature = "lab")]
mod switch;
#[path = "../guard/told.rs"]
#[allow(dead_code, reason = "shared with the guard's own tests, which use more of it")]
mod told;
#[path = "../guard/world.rs"]
#[allow(dead_code, reason = "shared with the guard's own tests, which use more of it")]
mod world;

use server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_the_contract() {
    let Some(server) = Server::shared() else { return };
    server.namespace("contract");
    store::keeps_the_contract(&server.store("contract").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_in_a_cluster_are_one_place() {
    let Some(server) = Server::shared() else { return };
    server.namespace("two");
    store::two_stores_are_one_place(&server.store("two").await, &server.store("two").await).await;
}
