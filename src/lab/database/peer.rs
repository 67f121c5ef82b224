//! The other hosts of a cluster, as one of them sees them.

use std::{
    io,
    time::{Duration, Instant},
};

use hyper::StatusCode;

use super::{cluster::HostPlan, site::Site};
use crate::lab::http::{Ask, Client};

/// How long one question may take, and how often it is asked.
const WITHIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(20));

/// Another node by its name.
///
/// # Errors
/// Where there is none, or it is this one.
pub fn node<'a>(site: &'a Site, name: &str) -> io::Result<&'a HostPlan> {
    let mut others = site.cluster.nodes().filter(|node| node.name != site.plan.name);
    let told = || io::Error::other(format!("{} can follow other nodes, and {name} is none", site.plan.name));
    others.find(|node| node.name == name).ok_or_else(told)
}

/// Waits until another host's database was made.
///
/// # Errors
/// Where it is not within that time.
pub async fn until_made(site: &Site, host: &HostPlan, within: Duration) -> io::Result<()> {
    let client = Client::new(host.agent, None);
    let deadline = Instant::now() + within;
    while !client.ask(Ask::get("/readyz"), WITHIN.0).await.is_ok_and(|answer| answer.status == StatusCode::OK) {
        if Instant::now() >= deadline {
            let told =
                format!("{} waits for {}, which is not made within {} s", site.plan.name, host.name, within.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, told));
        }
        tokio::time::sleep(WITHIN.1).await;
    }
    Ok(())
}
