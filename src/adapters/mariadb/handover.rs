//! The planned change of roles: the old primary takes no more writes first, so nothing is lost.

use super::{nodes::Nodes, settings::TRANSACTIONS_BEHIND};
use crate::{
    adapters::sql::{
        limits::{ACT, PROMOTE},
        with_standing,
    },
    ports::{Hosts, PortError},
};

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
        topology.is_whole(TRANSACTIONS_BEHIND).map_err(&refused)?;
        if !topology.primary().is_ok_and(|primary| primary.name == from) {
            return Err(refused(format!("{from} is not the primary")));
        }
        // Whoever may not do it there is told before anything is touched.
        self.admin(to).await?;
        self.set_read_only(from, true).await?;
        if let Err(why) = self.catches_up(from, to).await {
            let back = self.set_read_only(from, false).await;
            let put_back = if back.is_ok() { "which takes writes again" } else { "which is left read-only" };
            let step = format!("let {to} catch up with {from}, {put_back}");
            return Err(with_standing(&step, &why, &self.topology().await));
        }
        if let Err(why) = self.promote(to).await {
            let step = format!("promote {to} ({from} is read-only now)");
            return Err(with_standing(&step, &why, &self.topology().await));
        }
        self.gather(from, to, hosts).await
    }

    /// Waits until a standby has applied everything that the old primary has, which takes no writes any more.
    async fn catches_up(&self, from: &str, to: &str) -> Result<(), PortError> {
        let end = self.answer(from).await.map_err(self.failed(from, "ask")?)?.position;
        let failed = self.failed(to, "ask")?;
        let mut wire = self.open(to, ACT).await?;
        let seconds = PROMOTE.as_secs();
        // The position is the server's own text: digits, dashes and commas.
        let sql = format!("select master_gtid_wait('{end}', {seconds}) as reached");
        let row = wire.row(&sql, PROMOTE + ACT).await.map_err(&failed)?;
        match row.get("reached").map(String::as_str) {
            Some("0") => Ok(()),
            _ => Err(PortError::odd(self.place(to)?, format!("it has not come to {end} within {seconds} s"))),
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
}
