//! The way back for a node that was primary before, or was away: it is pointed at the primary, and made anew by its host
//! where it has diverged.

use std::time::Duration;

use tokio::time::Instant;

use super::{look::Answer, nodes::Nodes};
use crate::{
    adapters::sql::{
        limits::{FOLLOW, PAUSE},
        primary_for, standing, streams, with_standing,
    },
    ports::{HostState, Hosts, PortError},
};

/// For so long a server that runs may need until it answers: it recovers before it listens.
const ANSWERS: Duration = Duration::from_secs(30);

/// How often a node is started: as it was, once more, and made anew.
const STARTS: u32 = 3;

/// Errors that say that a node's own transactions, or lack of them, keep it from following: its position is not in the
/// primary's log, or what comes does not fit its rows or its numbering.
const DIVERGED: &[u32] = &[1032, 1062, 1236, 1950];

/// What became of a node that was pointed at a primary.
enum Pointed {
    Streams,
    Diverged(String),
}

impl Nodes {
    /// Makes a node that its host has started follow the primary again; returns once it streams.
    ///
    /// # Errors
    /// Where it does not, in time; says how things stand.
    pub async fn rejoin(&self, node: &str, hosts: &dyn Hosts) -> Result<(), PortError> {
        let place = self.place(node)?;
        let state = hosts.state(node).await?;
        // What is down or crashed may have been ended cleanly before.
        if !matches!(state, HostState::Running | HostState::Down | HostState::Crashed) {
            return Err(PortError::odd(place, format!("its host is {state}; bring it back first")));
        }
        if state == HostState::Running {
            self.wakes(node).await;
        }
        let Some(primary) = self.primary_for(node).await? else {
            return Ok(());
        };
        if self.is_behind(node, &primary).await {
            return Ok(());
        }
        match self.follow(node, &primary, hosts).await {
            Ok(()) => Ok(()),
            Err(why) => {
                let step = format!("bring {node} back behind {primary}");
                Err(with_standing(&step, &why, &self.topology().await))
            }
        }
    }

    /// Points a node at the primary, started by its host as often as needed, and waits until it streams.
    ///
    /// # Errors
    /// What its host's tools or the database said.
    pub async fn follow(&self, node: &str, primary: &str, hosts: &dyn Hosts) -> Result<(), PortError> {
        let mut told = Vec::new();
        for _ in 0..=STARTS {
            if self.answer(node).await.is_err() {
                told.push(hosts.start_following(node, primary).await?);
            }
            self.point(node, primary).await?;
            match self.pointed(node, primary).await? {
                Pointed::Streams => {
                    tracing::info!(node, primary, "{}", told.join("; "));
                    return Ok(());
                }
                Pointed::Diverged(why) => {
                    told.push(why);
                    hosts.stop_cleanly(node).await?;
                }
            }
        }
        Err(PortError::odd(self.place(node)?, format!("it diverges again and again: {}", told.join("; "))))
    }

    async fn pointed(&self, node: &str, primary: &str) -> Result<Pointed, PortError> {
        let until = Instant::now() + FOLLOW;
        loop {
            let timeline = self.answer(primary).await.ok().and_then(|seen| seen.sample.timeline);
            let missing = match self.answer(node).await {
                Err(failure) => failure.words,
                Ok(seen) => match (diverged(&seen), streams(&super::look::seen(node, &seen), timeline.as_deref())) {
                    (Some(why), _) => return Ok(Pointed::Diverged(why)),
                    (None, Ok(())) => return Ok(Pointed::Streams),
                    (None, Err(missing)) => missing,
                },
            };
            if Instant::now() >= until {
                return Err(PortError::unreachable(self.place(node)?, missing));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Gives a server that runs the time to answer; one that does not is started anew later.
    async fn wakes(&self, node: &str) {
        let until = Instant::now() + ANSWERS;
        while self.answer(node).await.is_err() && Instant::now() < until {
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn is_behind(&self, node: &str, primary: &str) -> bool {
        let (Ok(node_seen), Ok(primary_seen)) = (self.answer(node).await, self.answer(primary).await) else {
            return false;
        };
        let timeline = primary_seen.sample.timeline.as_deref();
        !node_seen.sample.writable && streams(&super::look::seen(node, &node_seen), timeline).is_ok()
    }

    /// Who is the primary for a node that is to follow; `None` where the node is the only one that takes writes itself.
    async fn primary_for(&self, node: &str) -> Result<Option<String>, PortError> {
        let until = Instant::now() + FOLLOW;
        loop {
            let topology = self.topology().await;
            match primary_for(&topology, node) {
                Ok(primary) => return Ok(primary),
                Err(why) if Instant::now() >= until => {
                    let why = format!("{why}; as things stand: {}", standing(&topology));
                    return Err(PortError::odd(self.place(node)?, why));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

fn diverged(seen: &Answer) -> Option<String> {
    let (code, words) = seen.line.as_ref()?.error.clone()?;
    DIVERGED.contains(&code).then(|| format!("{words} ({code})"))
}
