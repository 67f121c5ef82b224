//! An operation that is planned and whose gates were asked, on its way to a run.

use std::sync::Arc;

use super::{
    Session,
    facts::{Gates, guardian, strength},
};
use crate::{
    document::Window,
    error::Error,
    guard::{Gate, Operation, Override, Plan, Preconditions, refusal, value},
    operation::{Kind, plan},
    ports::Notify,
};

/// What may be asked for beside what is to be done.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// On a cluster without a guardian of its own: one on this machine will do.
    pub accept_local_guardian: bool,
    /// The gates that are to be gone past.
    pub overrides: Vec<Override>,
    /// Times in which nothing may be changed, beside those of the whole platform.
    pub freeze: Vec<Window>,
}

/// An operation that is ready to be run.
pub struct Prepared {
    /// What it will do.
    pub plan: Plan,
    /// What its gates said.
    pub gates: Vec<Gate>,
    pub(super) session: Arc<Session>,
    pub(super) operation: Arc<dyn Operation>,
    pub(super) preconditions: Box<dyn Preconditions>,
    pub(super) overrides: Vec<Override>,
    pub(super) notify: Vec<Arc<dyn Notify>>,
}

impl Prepared {
    /// Plans what is bound to its platform, and asks its gates.
    ///
    /// # Errors
    /// Where it makes no sense, or what the gates have to know cannot be found out.
    pub async fn ask<K: Kind>(session: Arc<Session>, kind: K, wishes: Wishes) -> Result<Self, Error> {
        let Wishes { accept_local_guardian, overrides, freeze } = wishes;
        let snapshot = &session.snapshot;
        let guardian = guardian(snapshot, accept_local_guardian).await?;
        let plan = plan::<K>(kind.spec(), value(snapshot)?, strength(&guardian), snapshot.ttl())?;
        let (notify, kind) = (snapshot.notify()?, Arc::new(kind));
        let preconditions = Gates::new(&session, &kind, &plan, freeze, (guardian, accept_local_guardian));
        let gates = preconditions.ask(None).await?;
        let preconditions = Box::new(preconditions);
        Ok(Self { plan, gates, session, operation: kind, preconditions, overrides, notify })
    }

    /// Says whether the gates let it pass.
    ///
    /// # Errors
    /// Names what stands in the way.
    pub fn verdict(&self) -> Result<(), Error> {
        refusal(&self.gates, &self.overrides)
    }
}
