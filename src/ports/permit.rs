//! Leave to act: what every effect asks before each of its acts on the platform.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PortError;
use crate::{model::Epoch, process::Group};

/// By what something is about to be done that no epoch can hold back; whoever goes back ends it, or waits for its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Means {
    /// A command, which is the first of a group of processes.
    Command {
        /// What it does, for people.
        what: String,
        /// The group.
        group: Group,
    },
    /// A session at one node of a database.
    Session {
        /// What it does, for people.
        what: String,
        /// The node.
        node: String,
        /// Who has opened it.
        user: String,
        /// What names it at its server for good.
        id: String,
    },
    /// A request that whoever gets it carries out by itself, whatever becomes of us.
    Request {
        /// What it asks for, for people.
        what: String,
        /// The node that shall have become the primary once it is carried out.
        primary: String,
    },
}

impl Means {
    /// What is done by it, for people.
    #[must_use]
    pub fn what(&self) -> &str {
        match self {
            Self::Command { what, .. } | Self::Session { what, .. } | Self::Request { what, .. } => what,
        }
    }

    /// What to say where nobody uses such means, and so cannot settle them.
    #[must_use]
    pub fn never_used(&self) -> PortError {
        PortError::MayAct {
            what: self.what().to_owned(),
            why: "it was begun in a way that is not known here".to_owned(),
        }
    }
}

/// Leave to act in an owner's term.
#[async_trait]
pub trait Permit: Send + Sync {
    /// The term; a platform that knows terms refuses what comes with an older one.
    fn epoch(&self) -> Epoch;
    /// Asked before each act.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where the run has another owner now; where its store cannot be asked.
    async fn check(&self) -> Result<(), PortError>;
    /// Asked before each act that no epoch can hold back, once its means wait for nothing but the word to go: returns when
    /// the means are in the journal for good.
    ///
    /// # Errors
    /// As [`Permit::check`]; the act must not begin then.
    async fn intend(&self, means: Means) -> Result<(), PortError>;
    /// Asked before the way back writes at another key than the one that goes back: returns when what stands there, and what is
    /// about to be written over it, are in the journal for good. The write has to be one that leaves anything but `prior` alone.
    ///
    /// # Errors
    /// As [`Permit::check`]; nothing must be written then.
    async fn capture(&self, key: &str, prior: &Value, to: &Value) -> Result<(), PortError>;
    /// Tells that what was intended is over for certain, though what it was for has failed.
    ///
    /// # Errors
    /// As [`Permit::check`].
    async fn over(&self, means: Means) -> Result<(), PortError>;
}

/// Leave that nobody takes back: for what a person does by hand, outside of any run.
#[derive(Debug, Clone, Copy)]
pub struct ByHand(pub Epoch);

#[async_trait]
impl Permit for ByHand {
    fn epoch(&self) -> Epoch {
        self.0
    }

    async fn check(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn intend(&self, _: Means) -> Result<(), PortError> {
        Ok(())
    }

    async fn capture(&self, _: &str, _: &Value, _: &Value) -> Result<(), PortError> {
        Ok(())
    }

    async fn over(&self, _: Means) -> Result<(), PortError> {
        Ok(())
    }
}
