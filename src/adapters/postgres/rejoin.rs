//! Promotion of a standby, and the way back for a node that was primary before.

use std::time::Duration;

use tokio::time::Instant;

use super::{failure::Failure, nodes::Nodes};
use crate::{
    adapters::sql::{
        limits::{ACT, FOLLOW, PAUSE, PROMOTE},
        primary_for, standing, streams, with_standing,
    },
    ports::{HostState, Hosts, NodeSeen, PortError},
};

/// For so long a node that was started may need until it streams by itself.
const BY_ITSELF: Duration = Duration::from_secs(10);

/// For so long a server that was started may need until it listens.
const LISTENS: Duration = Duration::from_secs(2);

impl Nodes {
    /// Makes a standby the primary; nothing is done where it is one.
    ///
    /// # Errors
    /// Where it refuses, is no standby, or does not take writes in time.
    pub async fn promote(&self, candidate: &str) -> Result<(), PortError> {
        let seen = self.look(candidate).await?;
        let place = self.place(candidate)?;
        if seen.writable {
            return Ok(());
        }
        if let Some(trouble) = seen.trouble {
            return Err(PortError::unreachable(place, trouble));
        }
        if seen.follows.is_none() {
            return Err(PortError::odd(
                place,
                "it is no standby, and takes no writes; look at default_transaction_read_only",
            ));
        }
        let mut wire = self.open(candidate, ACT).await?;
        // The server waits for at most 10 s itself; what it answers is looked at and not believed.
        wire.row("select pg_promote(true, 10)", &[], ACT * 2).await.map_err(self.failed(candidate, "promote")?)?;
        let takes_writes = |node: &NodeSeen| if node.writable { Ok(()) } else { Err("it takes no writes".to_owned()) };
        self.wait(candidate, PROMOTE, takes_writes).await.map(|_| ())
    }

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
        let Some(primary) = self.primary_for(node).await? else {
            return Ok(());
        };
        let found = if state == HostState::Down { Settled::Ended } else { self.settles(node, &primary).await };
        let comes_back = match found {
            Settled::Streams => return Ok(()),
            Settled::Runs => hosts.stop_cleanly(node).await,
            Settled::Ended => Ok(()),
        };
        let step = format!("bring {node} back behind {primary}");
        let done = match comes_back {
            Ok(()) => self.follow(node, &primary, hosts).await,
            Err(why) => Err(why),
        };
        match done {
            Ok(()) => Ok(()),
            Err(why) => Err(with_standing(&step, &why, &self.topology().await)),
        }
    }

    /// Starts a database that is down behind `primary`, and waits until it streams.
    ///
    /// # Errors
    /// What its host's tools or the database said.
    pub async fn follow(&self, node: &str, primary: &str, hosts: &dyn Hosts) -> Result<(), PortError> {
        let how = hosts.start_following(node, primary).await?;
        tracing::info!(node, primary, "{how}");
        self.streams_from(node, primary, FOLLOW).await.map_err(|why| match why {
            PortError::Unreachable { what, why } => {
                PortError::Unreachable { what, why: format!("{why} (it was {how})") }
            }
            other => other,
        })
    }

    /// Waits until a standby streams on the primary's timeline.
    ///
    /// # Errors
    /// What it lacks after `within`.
    pub async fn streams_from(&self, node: &str, primary: &str, within: Duration) -> Result<(), PortError> {
        let known =
            |seen: &NodeSeen| seen.timeline.as_ref().map(|_| ()).ok_or_else(|| "its timeline is unknown".to_owned());
        let timeline = self.wait(primary, within, known).await?.timeline;
        self.wait(node, within, |seen| streams(seen, timeline.as_deref())).await.map(|_| ())
    }

    /// Who is the primary for a node that is to follow; `None` where the node is the only one that takes writes itself.
    async fn primary_for(&self, node: &str) -> Result<Option<String>, PortError> {
        let until = Instant::now() + FOLLOW;
        loop {
            let topology = self.topology().await;
            match primary_for(&topology, node) {
                Ok(primary) => return Ok(primary),
                Err(why) if Instant::now() >= until => {
                    return Err(PortError::odd(
                        self.place(node)?,
                        format!("{why}; as things stand: {}", standing(&topology)),
                    ));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Gives a node that was started the time to stream by itself, and says what has become of it.
    async fn settles(&self, node: &str, primary: &str) -> Settled {
        let begun = Instant::now();
        loop {
            // The primary's timeline may still grow: one that was promoted a moment ago has a new one.
            let timeline = self.look(primary).await.ok().and_then(|seen| seen.timeline);
            match self.answer(node).await {
                Ok(seen) if streams(&seen, timeline.as_deref()).is_ok() => return Settled::Streams,
                Ok(seen) if seen.writable => return Settled::Runs,
                Err(failure) if is_down(&failure) && begun.elapsed() > LISTENS => return Settled::Ended,
                Ok(_) if begun.elapsed() > BY_ITSELF => return Settled::Runs,
                // It may still recover, for which it needs time and nothing else.
                Err(failure) if begun.elapsed() > FOLLOW => {
                    return if is_down(&failure) { Settled::Ended } else { Settled::Runs };
                }
                Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

/// What became of a node that was started.
enum Settled {
    /// It streams from the primary.
    Streams,
    /// It runs, and does not follow the primary.
    Runs,
    /// Nobody listens there.
    Ended,
}

fn is_down(failure: &Failure) -> bool {
    failure.class == "refused"
}
