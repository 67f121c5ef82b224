//! One connection to each node that is kept between two looks, since a new one costs a node a process or a thread.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::Server;

/// The connections, by the nodes' names. Whoever uses one takes it out; without one, a new one is made.
pub struct Kept<W>(Arc<BTreeMap<String, Mutex<Option<W>>>>);

impl<W> Clone for Kept<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W> Kept<W> {
    /// Room for one connection to each of these.
    pub fn new(servers: &[Server]) -> Self {
        Self(Arc::new(servers.iter().map(|server| (server.name.clone(), Mutex::new(None))).collect()))
    }

    /// Takes the connection to a node, if there is one.
    pub fn take(&self, name: &str) -> Option<W> {
        self.0.get(name)?.lock().ok()?.take()
    }

    /// Keeps a connection that has just answered.
    pub fn keep(&self, name: &str, wire: W) {
        if let Some(Ok(mut kept)) = self.0.get(name).map(Mutex::lock) {
            *kept = Some(wire);
        }
    }
}
