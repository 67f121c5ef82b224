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
    operation::{FencedKey, Kind, fenced_keys, plan},
    ports::Notify,
};

/// What may be asked for beside what is to be done.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// On a cluster without a guardian of its own: one on this machine will do.
    pub accept_local_guardian: bool,
    /// The gates that are to be gone past.
    pub overrides: Vec<Override>,
    /// Times in which nothing may be changed, beside those of the whole platform.
    pub freeze: Vec<Window>,
}

/// Whether a journal has room for all that the looks of a run may write, which is no thing to find out in the middle of it.
fn fits(bytes: u64, room: Option<u64>) -> Result<(), Error> {
    let Some(room) = room.filter(|room| bytes > *room) else { return Ok(()) };
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0));
    Err(Error::Refused {
        what: format!("a run so long may write {} into a journal that takes {}", mib(bytes), mib(room)),
        hint: "shorten --max-bake, --baseline or --keep-old, or look less often: `defaults.look` of the platform file"
            .to_owned(),
    })
}

/// An operation that is ready to be run.
pub struct Prepared {
    pub plan: Plan,
    /// All that it may write, and what holds back there what is still under way when its owner dies.
    pub keys: Vec<FencedKey>,
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
    pub async fn ask<K: Kind>(session: Arc<Session>, kind: K, choices: Choices) -> Result<Self, Error> {
        let Choices { accept_local_guardian, overrides, freeze } = choices;
        let snapshot = &session.snapshot;
        let guardian = guardian(snapshot, accept_local_guardian).await?;
        let plan = plan::<K>(kind.spec(), value(snapshot)?, strength(&guardian), snapshot.ttl())?;
        fits(K::writes(kind.spec()), session.store.room())?;
        let (notify, kind) = (snapshot.notify()?, Arc::new(kind));
        let keys = fenced_keys(&*kind, &plan);
        let preconditions = Gates::new(&session, &kind, &plan, freeze, (guardian, accept_local_guardian));
        let gates = preconditions.ask(None).await?;
        let preconditions = Box::new(preconditions);
        Ok(Self { plan, keys, gates, session, operation: kind, preconditions, overrides, notify })
    }

    /// Says whether the gates let it pass.
    ///
    /// # Errors
    /// Names what stands in the way.
    pub fn verdict(&self) -> Result<(), Error> {
        refusal(&self.gates, &self.overrides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store without a bound takes any run; one with a bound refuses before anything is touched.
    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(fits(u64::MAX, None).is_ok());
        assert!(fits(15 << 20, Some(15 << 20)).is_ok());
        let refused = fits((15 << 20) + 1, Some(15 << 20)).unwrap_err();
        assert!(matches!(refused, Error::Refused { .. }), "{refused}");
    }
}
