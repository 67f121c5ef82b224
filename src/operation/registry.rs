//! Every kind of operation that there is. Whoever has to know which one a run is asks here.

use std::{collections::BTreeMap, marker::PhantomData, sync::Arc};

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
    guard::{Action, Entry, Operation, Plan, Stored},
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
    /// Who serves now, as far as a run that is over can tell.
    fn serves(&self, plan: &Plan, entries: &[Entry]) -> Option<String>;
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

    fn serves(&self, plan: &Plan, entries: &[Entry]) -> Option<String> {
        Some(K::serves(&spec::<K>(plan).ok()?, &left(plan, entries)))
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

/// The values in which a run has left the keys that it has touched; null where it cannot know.
fn left(plan: &Plan, entries: &[Entry]) -> BTreeMap<String, Value> {
    let change = |step: &usize| match &plan.steps.get(*step)?.action {
        Action::Change { key, to, .. } => Some((key, to)),
        Action::Watch { .. } => None,
    };
    let (mut left, mut before) = (BTreeMap::new(), BTreeMap::new());
    for entry in entries {
        match entry {
            // The change may have been made from here on.
            Entry::Captured { step, prior, .. } => {
                if let Some((key, _)) = change(step) {
                    before.entry(key.clone()).or_insert(prior);
                    left.insert(key.clone(), Value::Null);
                }
            }
            Entry::Applied { step } => left.extend(change(step).map(|(key, to)| (key.clone(), to.clone()))),
            Entry::Undone { step } => {
                let prior = |(key, _): (&String, _)| Some((key.clone(), (*before.get(key)?).clone()));
                left.extend(change(step).and_then(prior));
            }
            Entry::Stuck { step, .. } => left.extend(change(step).map(|(key, _)| (key.clone(), Value::Null))),
            _ => {}
        }
    }
    left
}

/// What the looks of a run have found last.
pub fn found<K: Kind>(entries: &[Entry]) -> K::Evidence {
    let last = entries.iter().rev().find_map(|entry| match entry {
        Entry::Observed { evidence, .. } => serde::Deserialize::deserialize(evidence).ok(),
        _ => None,
    });
    last.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        guard::{NoData, Step, Strength},
        model::{HumanDuration, Target},
    };

    #[test]
    fn what_a_run_has_left_is_what_it_wrote_last_and_nobody_knows_what_it_may_have_written() {
        let step = |key: &str, to: u32| Step::change(format!("{key} {to}"), key, &to, None).unwrap();
        let plan = Plan {
            operation: "switchover".to_owned(),
            target: Target::parse("tenant").unwrap(),
            title: String::new(),
            platform: Value::Null,
            spec: Value::Null,
            steps: vec![step("weights", 1), step("weights", 2), step("scale", 3)],
            no_data: NoData::Hold,
            guard: Strength::None,
            ttl: HumanDuration::secs(1),
        };
        let captured = |step, prior: u32| Entry::Captured { step, prior: json!(prior), object: None };
        let mut entries = Vec::new();
        let mut after = |entry| {
            entries.push(entry);
            json!(left(&plan, &entries)).to_string()
        };
        let told = [
            after(captured(0, 0)),
            after(Entry::Applied { step: 0 }),
            after(captured(1, 1)),
            after(Entry::Applied { step: 1 }),
            after(captured(2, 7)),
            after(Entry::Undone { step: 2 }),
            after(Entry::Undone { step: 0 }),
            after(Entry::Stuck { step: 0, why: String::new() }),
        ];
        insta::assert_snapshot!(told.join("\n"), @r#"
        {"weights":null}
        {"weights":1}
        {"weights":null}
        {"weights":2}
        {"scale":null,"weights":2}
        {"scale":7,"weights":2}
        {"scale":7,"weights":0}
        {"scale":7,"weights":null}
        "#);
    }
}
