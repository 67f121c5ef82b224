//! The planned change of roles without a manager: the old primary ends first and sends everything on, so nothing is lost.

use super::nodes::Nodes;
use crate::{
    adapters::sql::{
        limits::{ACT, ASK, BYTES_BEHIND, PAUSE, PROMOTE},
        with_standing,
    },
    ports::{Hosts, PortError},
};

/// Whether a standby has applied everything that it got, and nobody sends it more.
const APPLIED: &str = "\
    select coalesce(pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn(), true) \
    and not exists (select from pg_stat_wal_receiver where status = 'streaming'), \
    (greatest(pg_last_wal_replay_lsn(), '0/0') - '0/0')::bigint";

impl Nodes {
    /// Hands the primary's role from one node to another; goes on where an earlier call was cut off after the promotion.
    ///
    /// # Errors
    /// Where it is refused or not done in time; says how things stand.
    pub async fn hand_over(&self, from: &str, to: &str, hosts: &dyn Hosts) -> Result<(), PortError> {
        for node in [from, to] {
            self.server(node)?;
        }
        let topology = self.topology().await;
        if topology.primary().is_ok_and(|primary| primary.name == to) {
            return self.gather(from, to, hosts).await;
        }
        let refused = |why: String| PortError::odd(format!("a handover from {from} to {to}"), why);
        topology.is_whole(BYTES_BEHIND).map_err(&refused)?;
        if !topology.primary().is_ok_and(|primary| primary.name == from) {
            return Err(refused(format!("{from} is not the primary")));
        }
        self.checkpoint(from).await;
        let end = self.look(from).await?.position.unwrap_or(0);

        let mut step = format!("end {from} cleanly");
        let mut done = hosts.stop_cleanly(from).await;
        if done.is_ok() {
            step = format!(
                "wait until {to} has applied everything ({from} is ended; started again it is the primary as before)"
            );
            done = self.applied(to, end).await;
        }
        if done.is_ok() {
            step = format!("promote {to} ({from} is ended)");
            done = self.promote(to).await;
        }
        if done.is_ok() {
            step = format!("let {from} follow {to}, which is the primary now");
            done = self.follow(from, to, hosts).await;
        }
        match done {
            Ok(()) => self.gather(from, to, hosts).await,
            Err(why) => Err(with_standing(&step, &why, &self.topology().await)),
        }
    }

    /// Brings all others behind the new primary, the old one first.
    async fn gather(&self, from: &str, to: &str, hosts: &dyn Hosts) -> Result<(), PortError> {
        let others = self.names().into_iter().filter(|name| name != from && name != to);
        for node in std::iter::once(from.to_owned()).chain(others) {
            self.rejoin(&node, hosts).await?;
        }
        Ok(())
    }

    /// Makes the end that follows short. Only a comfort, for which the privilege may be missing.
    async fn checkpoint(&self, node: &str) {
        if let Err(why) = self.run(node, "write a checkpoint at", "checkpoint").await {
            tracing::debug!(node, "no checkpoint before the handover: {why}");
        }
    }

    /// Waits until a standby has applied everything that it got, `end` at least.
    async fn applied(&self, node: &str, end: u64) -> Result<(), PortError> {
        let until = tokio::time::Instant::now() + PROMOTE;
        let mut wire = self.open(node, ACT).await?;
        loop {
            let row = wire.row(APPLIED, &[], ASK).await.map_err(self.failed(node, "ask")?)?;
            let odd = |error| PortError::odd(node, error);
            let (all, at): (bool, i64) = (row.try_get(0).map_err(odd)?, row.try_get(1).map_err(odd)?);
            let at = u64::try_from(at).unwrap_or(0);
            if all && at >= end {
                return Ok(());
            }
            if tokio::time::Instant::now() >= until {
                return Err(PortError::odd(
                    self.place(node)?,
                    format!("it is at {at}, and the old primary was at {end}"),
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
