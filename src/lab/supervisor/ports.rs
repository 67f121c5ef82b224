//! Ports for the lab's processes: chosen once, kept over restarts.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
};

use crate::{error::Error, lab::state::broken};

/// How many ports are tried before giving up.
const TRIES: u32 = 200;

/// The ports that were given out, by name.
#[derive(Default)]
pub struct Ports(BTreeMap<String, u16>);

impl Ports {
    /// The loopback address for `name`: the same one each time.
    ///
    /// # Errors
    /// Where no port is free.
    pub fn address(&mut self, name: &str) -> Result<SocketAddr, Error> {
        if let Some(port) = self.0.get(name) {
            return Ok(loopback(*port));
        }
        let range = below_ephemeral();
        for _ in 0..TRIES {
            let port = rand::random_range(range.clone());
            if !self.0.values().any(|taken| *taken == port) && TcpListener::bind(loopback(port)).is_ok() {
                self.0.insert(name.to_owned(), port);
                return Ok(loopback(port));
            }
        }
        Err(broken("a free port", format!("{TRIES} ports from {} to {} are taken", range.start, range.end)))
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Ports that the system gives to no outgoing connection, so that none takes a port while its process restarts.
fn below_ephemeral() -> Range<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let low = text.split_ascii_whitespace().next().and_then(|low| low.parse().ok()).unwrap_or(32768);
    if low > 12_000 { 10_000..low } else { 10_000..u16::MAX }
}
