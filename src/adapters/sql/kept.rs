//! One connection to each node that is kept between two looks, since a new one costs a node a process or a thread; and those
//! that are not made yet when a look has to answer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::{task::JoinHandle, time::timeout};

use super::{Server, failure::Failure, limits::CONNECT};

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

/// Connections under way. A look waits for one only briefly; the next look finds it made, instead of beginning anew at a node
/// that is always a little slower than a look waits.
pub struct Opening<W>(Kept<JoinHandle<Result<W, Failure>>>);

impl<W: Send + 'static> Opening<W> {
    /// Room for one to each of these.
    pub fn new(servers: &[Server]) -> Self {
        Self(Kept::new(servers))
    }

    /// Takes the connection to a node that was made since the last look, if one was.
    pub async fn made(&self, name: &str) -> Option<W> {
        let opening = self.0.take(name)?;
        if opening.is_finished() {
            return opening.await.ok()?.ok();
        }
        self.0.keep(name, opening);
        None
    }

    /// Waits for the connection that is under way to a node, else for the one that `connect` begins.
    pub async fn wait<F>(&self, name: &str, connect: impl FnOnce() -> F) -> Result<W, Failure>
    where
        F: Future<Output = Result<W, Failure>> + Send + 'static,
    {
        let mut opening = self.0.take(name).unwrap_or_else(|| tokio::spawn(connect()));
        match timeout(CONNECT, &mut opening).await {
            Ok(opened) => opened.unwrap_or_else(|e| Err(Failure::unexpected(e.to_string()))),
            Err(_) => {
                self.0.keep(name, opening);
                Err(Failure::timeout(CONNECT))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::*;
    use crate::adapters::sql::limits::OPEN;

    /// How many looks a node takes that needs `time` to connect, and how often it is connected to; at most ten.
    async fn looks(time: Duration) -> (usize, usize) {
        let servers = [Server { name: "a".to_owned(), host: "127.0.0.1".to_owned(), port: 1 }];
        let (opening, begun) = (Opening::new(&servers), AtomicUsize::new(0));
        let mut looks = 0;
        while looks < 10 {
            looks += 1;
            if opening.made("a").await.is_some() {
                break;
            }
            let opened = opening.wait("a", || {
                begun.fetch_add(1, Ordering::Relaxed);
                async move { timeout(OPEN, tokio::time::sleep(time)).await.map_err(|_| Failure::timeout(OPEN)) }
            });
            if opened.await.is_ok() {
                break;
            }
        }
        (looks, begun.into_inner())
    }

    #[tokio::test]
    async fn a_node_that_connects_slower_than_a_look_waits_is_seen_by_a_later_one() {
        let (seen, begun) = looks(CONNECT * 2 + CONNECT / 2).await;
        assert!((2..10).contains(&seen) && begun == 1, "{seen} looks, {begun} connections");
        let (seen, begun) = looks(OPEN * 2).await;
        assert!(seen == 10 && begun > 1, "what takes for ever is begun anew: {seen} looks, {begun} connections");
    }

    #[tokio::test]
    async fn a_connection_that_is_made_between_two_looks_is_taken_by_the_next() {
        let opening = Opening::new(&[Server { name: "a".to_owned(), host: "127.0.0.1".to_owned(), port: 1 }]);
        let slow = async {
            tokio::time::sleep(CONNECT * 2).await;
            Ok(())
        };
        assert!(opening.wait("a", || slow).await.is_err());
        assert!(opening.made("a").await.is_none());
        tokio::time::sleep(CONNECT * 2).await;
        assert!(opening.made("a").await.is_some());
    }
}
