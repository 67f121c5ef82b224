//! Every kind of operation that there is. Whoever has to know which one a run is asks here.

use std::{marker::PhantomData, sync::Arc};

use async_trait::async_trait;
use serde_json::Value;

use super::{
    drill::Drill,
    kind::{Kind, spec},
    platform::{Build, Platform},
    report::{Report, Table},
    switchover::Switch,
};
use crate::{
    error::Error,
    guard::{Entry, Operation, Plan, Stored},
    journal::Record,
    ports::Footprint,
};

/// All of them.
pub const KINDS: [&dyn Registered; 2] = [&KindOf::<Switch>(PhantomData), &KindOf::<Drill>(PhantomData)];

/// A kind of operation, whose types are not known here.
#[async_trait]
pub trait Registered: Send + Sync {
    /// As journals and people call it.
    fn name(&self) -> &'static str;
    /// The most that a run of this kind may write of a service; `None` where it leaves services alone.
    fn footprint(&self) -> Option<Footprint>;
    /// Binds what a plan is to do to its platform.
    ///
    /// # Errors
    /// Where this release cannot read the plan, or the platform is not there.
    async fn rebuild(&self, plan: &Plan, platform: &dyn Platform, metrics: Build) -> Result<Arc<dyn Operation>, Error>;
    /// What a watch waits for, in the words of its kind.
    fn watch(&self, what: &Value) -> Option<String>;
    /// The table that closes a run.
    fn figures(&self, plan: &Plan, entries: &[Entry]) -> Option<Table>;
    /// The report of a run.
    ///
    /// # Errors
    /// Where its kind has none, or this release cannot read the plan.
    fn report(&self, stored: &Stored, records: &[Record]) -> Result<Report, Error>;
}

/// The kind of a plan.
///
/// # Errors
/// [`Error::Tampered`] where this release does not know it.
pub fn kind_of(plan: &Plan) -> Result<&'static dyn Registered, Error> {
    KINDS.into_iter().find(|kind| kind.name() == plan.operation).ok_or_else(|| Error::Tampered {
        what: format!("the plan is for `{}`, which this release of interlock does not know", plan.operation),
        hint: "use the release that wrote it, or a later one".to_owned(),
    })
}

/// Hides the types of a kind.
struct KindOf<K>(PhantomData<fn() -> K>);

#[async_trait]
impl<K: Kind> Registered for KindOf<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn footprint(&self) -> Option<Footprint> {
        K::footprint()
    }

    async fn rebuild(&self, plan: &Plan, platform: &dyn Platform, metrics: Build) -> Result<Arc<dyn Operation>, Error> {
        Ok(Arc::new(K::connect(spec::<K>(plan)?, platform, metrics).await?))
    }

    fn watch(&self, what: &Value) -> Option<String> {
        let watch: K::Watch = serde::Deserialize::deserialize(what).ok()?;
        Some(watch.to_string())
    }

    fn figures(&self, plan: &Plan, entries: &[Entry]) -> Option<Table> {
        K::figures(&spec::<K>(plan).ok()?, &found::<K>(entries))
    }

    fn report(&self, stored: &Stored, records: &[Record]) -> Result<Report, Error> {
        let report = K::report(&spec::<K>(&stored.plan)?, &found::<K>(&stored.entries), stored, records);
        report.ok_or_else(|| {
            Error::usage(
                format!("run {} is a {}, which has no report of its own", stored.run, K::NAME),
                format!("`interlock runs show {}` tells what happened", stored.run),
            )
        })
    }
}

/// What the looks of a run have found last.
pub fn found<K: Kind>(entries: &[Entry]) -> K::Evidence {
    let last = entries.iter().rev().find_map(|entry| match entry {
        Entry::Observed { evidence, .. } => serde::Deserialize::deserialize(evidence).ok(),
        _ => None,
    });
    last.unwrap_or_default()
}
