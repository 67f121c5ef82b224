//! What an operation brings to the guard: how to read and write a key, and how to look.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    model::Epoch,
    ports::{Means, Permit, PortError},
};

/// How things stand after a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Verdict {
    /// Not clear yet: look again.
    Wait,
    /// What this step waits for has come.
    Pass {
        /// What nevertheless was not as it should be, such as a request that still hangs on the old slot.
        #[serde(rename = "reserve")]
        warning: Option<String>,
    },
    /// The platform fails the check: put things back.
    Breach {
        /// With the evidence.
        why: String,
    },
    /// The platform is not fit for the operation; given only before anything was touched.
    Unfit {
        /// What is missing.
        why: String,
    },
    /// It cannot be known, and the time for it is over.
    #[serde(rename = "blind")]
    NoData {
        /// What could not be seen, and the smallest fault that could be excluded.
        why: String,
    },
}

/// What a look is told.
#[derive(Debug, Clone, Copy)]
pub struct ObserveContext<'a> {
    /// The step's `what`.
    pub what: &'a Value,
    /// What the looks before this one have found, in this step or an earlier one.
    pub evidence: Option<&'a Value>,
    /// The time that this step's looks have taken so far.
    pub spent: Duration,
    /// Whether this is the step's first look, by this owner or any before.
    pub first: bool,
    /// The run is held: only what acts at once (a fuse, a probe of our own) may give a [`Verdict::Breach`].
    pub held: bool,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// All that was found so far; the next look gets it, also after a restart.
    pub evidence: Value,
    /// How things stand.
    pub verdict: Verdict,
    /// One line for people: what is awaited, the evidence so far against the bound, the time left.
    pub line: String,
}

/// One kind of guarded operation, bound to its platform.
///
/// Every call is bounded in time by the operation itself.
#[async_trait]
pub trait Operation: Send + Sync {
    /// Reads what stands at a key.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn read(&self, key: &str) -> Result<Value, PortError>;
    /// The highest epoch that the object at a key bears; 0 where it bears none.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn epoch(&self, key: &str) -> Result<Epoch, PortError> {
        let _ = key;
        Ok(Epoch(0))
    }
    /// What tells the object at a key from any other that will ever have its name, such as its uid; `None` where the platform
    /// knows no such thing.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn object(&self, key: &str) -> Result<Option<String>, PortError> {
        let _ = key;
        Ok(None)
    }
    /// From here on nothing but this very object is fenced or written at a key; and where it is `marked` by an earlier fence of
    /// the run, only as long as it bears a mark. Only the first call for a key counts.
    fn bind(&self, key: &str, object: &str, marked: bool) {
        let _ = (key, object, marked);
    }
    /// Raises the epoch at a key, keeps what stands there, and reads it: whatever an earlier epoch still has under way there
    /// is refused once this returns, but for what was intended and is settled. Nothing is concluded from a value that was not read this way.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has written; where the platform cannot be asked.
    async fn fence(&self, key: &str, epoch: Epoch) -> Result<Value, PortError>;
    /// Replaces `from` by `to` at a key; repeating the call changes nothing more.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has written, [`PortError::Conflict`] where `from` does not
    /// stand there.
    async fn write(&self, key: &str, from: &Value, to: &Value, permit: &dyn Permit) -> Result<(), PortError>;
    /// Ends what was intended in an earlier term, or waits for its end, at most `within`.
    ///
    /// # Errors
    /// [`PortError::MayAct`] where it still may do something; where the platform cannot be asked.
    async fn settle(&self, means: &Means, within: Duration) -> Result<(), PortError> {
        let _ = within;
        Err(means.never_used())
    }
    /// Keys at which nothing may be under way any more before this one is put back: what was intended there is settled first, and
    /// where it may still act nothing is done here. Elsewhere what can only be awaited delays nothing for long.
    fn awaits(&self, key: &str) -> Vec<String> {
        let _ = key;
        Vec::new()
    }
    /// Whether the platform can take `prior` back at a key as it stands; only reads.
    async fn can_return(&self, key: &str, prior: &Value) -> bool;
    /// Prepares the platform to take `prior` back at a key, where it cannot as it stands.
    ///
    /// # Errors
    /// Says why going back would do more harm: the old side is dead.
    async fn prepare_return(&self, key: &str, prior: &Value, permit: &dyn Permit) -> Result<(), String>;
    /// What of the evidence grows with the platform, as JSON pointers: it is kept apart from the journal, in a snapshot that may be
    /// older than the rest. Nothing may be lost or counted twice by that.
    fn apart(&self) -> &'static [&'static str] {
        &[]
    }
    /// Looks once, for one interval at most.
    async fn observe(&self, look: ObserveContext<'_>) -> Observation;
    /// Says a value for people, such as `blue 100 %, green 0 %`.
    fn say(&self, key: &str, value: &Value) -> String;
}
