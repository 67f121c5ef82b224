//! The one shape of an operation: what each kind brings, in types of its own.

use std::{collections::BTreeMap, fmt::Display, marker::PhantomData, time::Duration};

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    platform::{Build, Platform},
    preconditions::{Facts, Remembered},
    report::{Report, Table},
};
use crate::{
    error::Error,
    guard::{Action, Gate, NoData, ObserveContext, Plan, Step, Stored, Strength, Verdict, value},
    journal::Record,
    model::{Epoch, HumanDuration, Target},
    ports::{Fencing, Footprint, Means, Permit, PortError},
};

/// The name of something that a kind writes, such as `scale/blue`.
pub trait Key: Display + Sized + Send + Sync {
    /// What stands at the keys; people read its `Display`, journals its JSON.
    type Value: Display + Serialize + Send + Sync;

    /// Reads a key's name.
    fn parse(name: &str) -> Option<Self>;

    /// Reads what a journal says of this key.
    ///
    /// # Errors
    /// Where no such value can stand at it.
    fn value(&self, stored: &serde_json::Value) -> serde_json::Result<Self::Value>;
}

/// A kind of operation, bound to its platform.
///
/// Every call is bounded in time by the kind itself. What the guard drives is made of it by the one adapter of this room.
#[async_trait]
pub trait Kind: Sized + Send + Sync + 'static {
    /// As journals and people call it.
    const NAME: &'static str;
    /// Where it goes when it cannot see.
    const NO_DATA: NoData;
    /// Whether its gates want to know when the last run on the same target ended.
    const RESTS: bool = false;

    /// What of its evidence grows with the platform, as JSON pointers; it is kept apart, see [`crate::guard::Operation::apart`].
    const APART: &'static [&'static str] = &[];

    /// What is to be done, resolved; as journals keep it.
    type Spec: Clone + Serialize + DeserializeOwned + Send + Sync;
    /// What it writes.
    type Key: Key;
    /// What its steps wait for; people read its `Display`.
    type Watch: Display + Serialize + DeserializeOwned + Send + Sync;
    /// What its looks have found so far.
    type Evidence: Default + Serialize + DeserializeOwned + Send + Sync;

    /// What is locked while it runs.
    ///
    /// # Errors
    /// Where its name is none that can be locked.
    fn target(spec: &Self::Spec) -> Result<Target, Error>;
    /// One line for people.
    fn title(spec: &Self::Spec) -> String;
    /// The most bytes that its looks may write into a journal.
    fn writes(spec: &Self::Spec) -> u64 {
        let _ = spec;
        0
    }
    /// Turns what is to be done into steps.
    ///
    /// # Errors
    /// Where it makes no sense.
    fn plan(spec: &Self::Spec, steps: &mut Steps<Self>) -> Result<(), Error>;
    /// The most that a run of this kind may write of a service; `None` where it leaves services alone.
    fn footprint() -> Option<Footprint> {
        None
    }

    /// Binds it to its platform.
    ///
    /// # Errors
    /// Where the platform is not there, or is not configured in a way that can work.
    async fn connect(spec: Self::Spec, platform: &dyn Platform, metrics: Build) -> Result<Self, Error>;
    /// What is to be done.
    fn spec(&self) -> &Self::Spec;
    /// The objectives whose past its gates want to know.
    fn remembered(&self) -> Option<Remembered<'_>> {
        None
    }
    /// The database that it is about, by its name in the platform file.
    fn database(&self) -> Option<&str> {
        None
    }
    /// Asks all gates; one that cannot be asked is in the answer as well. Changes nothing.
    async fn gates(&self, facts: &Facts) -> Vec<Gate>;

    /// What keeps a write at a key, that is still under way, from landing once the run has another owner.
    fn fencing(&self, key: &Self::Key) -> Fencing;
    /// The keys that going back may have to write beside those that the plan writes.
    fn prepares(&self) -> Vec<Self::Key> {
        Vec::new()
    }

    /// Reads what stands at a key.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn read(&self, key: &Self::Key) -> Result<Of<Self>, PortError>;
    /// The highest epoch that the object at a key bears; 0 where it bears none.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn epoch(&self, key: &Self::Key) -> Result<Epoch, PortError> {
        let _ = key;
        Ok(Epoch(0))
    }
    /// What tells the object at a key from any other that will ever have its name; `None` where the platform knows no such thing.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn object(&self, key: &Self::Key) -> Result<Option<String>, PortError> {
        let _ = key;
        Ok(None)
    }
    /// From here on nothing but this very object is fenced or written at a key; `marked` where it bears a mark of the run.
    fn bind(&self, key: &Self::Key, object: &str, marked: bool) {
        let _ = (key, object, marked);
    }
    /// Raises the epoch at a key, keeps what stands there, and reads it.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has written; where the platform cannot be asked.
    async fn fence(&self, key: &Self::Key, epoch: Epoch) -> Result<Of<Self>, PortError>;
    /// Replaces `from` by `to` at a key; repeating the call changes nothing more.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has written, [`PortError::Conflict`] where `from` does not
    /// stand there.
    async fn write(&self, key: &Self::Key, from: Of<Self>, to: Of<Self>, permit: &dyn Permit) -> Result<(), PortError>;
    /// Ends what was intended in an earlier term, or waits for its end, at most `within`.
    ///
    /// # Errors
    /// [`PortError::MayAct`] where it still may do something; where the platform cannot be asked.
    async fn settle(&self, means: &Means, within: Duration) -> Result<(), PortError> {
        let _ = within;
        Err(means.never_used())
    }
    /// Keys at which nothing may be under way any more before this one is put back.
    fn awaits(&self, key: &Self::Key) -> Vec<Self::Key> {
        let _ = key;
        Vec::new()
    }
    /// Whether the platform can take `prior` back at a key as it stands; only reads.
    async fn can_return(&self, key: &Self::Key, prior: &Of<Self>) -> bool {
        let _ = (key, prior);
        true
    }
    /// Prepares the platform to take `prior` back at a key, where it cannot as it stands.
    ///
    /// # Errors
    /// Says why going back would do more harm.
    async fn prepare_return(&self, key: &Self::Key, prior: &Of<Self>, permit: &dyn Permit) -> Result<(), String> {
        let _ = (key, prior, permit);
        Ok(())
    }
    /// Looks once, for one interval at most, and adds what it finds to the evidence. The line is for people.
    async fn observe(
        &self,
        watch: &Self::Watch,
        look: &ObserveContext<'_>,
        evidence: &mut Self::Evidence,
    ) -> (Verdict, String);
    /// Waits as long as from one look to the next.
    async fn pause(&self);

    /// The table that closes a run; `None` where nothing was counted.
    fn figures(spec: &Self::Spec, evidence: &Self::Evidence) -> Option<Table> {
        let _ = (spec, evidence);
        None
    }
    /// Who serves once a run is over, from the values in which it has left the keys that it has touched; null where nobody knows.
    fn serves(spec: &Self::Spec, left: &BTreeMap<String, serde_json::Value>) -> String;
    /// A report of its own, of one run; `None` where it has none.
    fn report(spec: &Self::Spec, evidence: &Self::Evidence, stored: &Stored, records: &[Record]) -> Option<Report> {
        let _ = (spec, evidence, stored, records);
        None
    }
}

/// What stands at the keys of a kind.
pub type Of<K> = <<K as Kind>::Key as Key>::Value;

/// The steps of a plan, as they are put together.
#[derive(Debug)]
pub struct Steps<K>(Vec<Step>, PhantomData<fn() -> K>);

impl<K: Kind> Steps<K> {
    /// A step that writes a value at a key.
    ///
    /// # Errors
    /// Where the value cannot be written down.
    pub fn change(&mut self, name: impl Into<String>, key: &K::Key, to: &Of<K>) -> Result<(), Error> {
        self.0.push(Step::change(name.into(), &key.to_string(), to, None)?);
        Ok(())
    }

    /// The same, skipped unless the watch of that name has passed without reserve.
    ///
    /// # Errors
    /// Where the value cannot be written down.
    pub fn change_if_clean(
        &mut self,
        name: impl Into<String>,
        key: &K::Key,
        to: &Of<K>,
        watch: &str,
    ) -> Result<(), Error> {
        self.0.push(Step::change(name.into(), &key.to_string(), to, Some(watch.to_owned()))?);
        Ok(())
    }

    /// A step that looks until it is clear how things stand.
    ///
    /// # Errors
    /// Where what is looked at cannot be written down.
    pub fn watch(&mut self, name: impl Into<String>, what: &K::Watch) -> Result<(), Error> {
        self.0.push(Step::watch(name.into(), what)?);
        Ok(())
    }
}

/// A key that a run may write, and what holds back there what is still under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FencedKey {
    /// The key's name.
    pub key: String,
    /// The plan writes it; else only going back may have to.
    pub planned: bool,
    /// What holds it back.
    pub fence: Fencing,
    /// What that means when the run's owner dies.
    pub meaning: &'static str,
}

/// All keys that a run may write: those of its plan in their order, then those that going back may need.
pub fn fenced_keys<K: Kind>(kind: &K, plan: &Plan) -> Vec<FencedKey> {
    let planned = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Change { key, .. } => Some((K::Key::parse(key)?, true)),
        Action::Watch { .. } => None,
    });
    let mut keys: Vec<FencedKey> = Vec::new();
    for (key, planned) in planned.chain(kind.prepares().into_iter().map(|key| (key, false))) {
        let (name, fence) = (key.to_string(), kind.fencing(&key));
        if !keys.iter().any(|known| known.key == name) {
            keys.push(FencedKey { key: name, planned, fence, meaning: fence.meaning() });
        }
    }
    keys
}

/// Turns what is to be done into a plan.
///
/// # Errors
/// Where it makes no sense.
pub fn plan<K: Kind>(
    spec: &K::Spec,
    platform: serde_json::Value,
    guard: Strength,
    ttl: HumanDuration,
) -> Result<Plan, Error> {
    let mut steps = Steps::<K>(Vec::new(), PhantomData);
    K::plan(spec, &mut steps)?;
    Ok(Plan {
        operation: K::NAME.to_owned(),
        target: K::target(spec)?,
        title: K::title(spec),
        platform,
        spec: value(spec)?,
        steps: steps.0,
        no_data: K::NO_DATA,
        guard,
        ttl,
    })
}

/// Reads what a plan is to do.
///
/// # Errors
/// [`Error::Tampered`] where this release cannot read it.
pub fn spec<K: Kind>(plan: &Plan) -> Result<K::Spec, Error> {
    serde::Deserialize::deserialize(&plan.spec).map_err(|e| Error::Tampered {
        what: format!("the plan is not one that this release of interlock can read: {e}"),
        hint: "use the release that wrote it, or a later one".to_owned(),
    })
}
