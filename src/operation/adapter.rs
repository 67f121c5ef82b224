//! The one adapter from a kind to what the guard drives: names and JSON here, types of the kind's own behind it.
//!
//! What cannot be read is never taken for nothing: evidence that begins anew would forget what counts against the release.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

use super::kind::{Key, Kind, Of};
use crate::{
    guard::{Observation, ObserveContext, Operation, Verdict},
    model::Epoch,
    ports::{Means, Permit, PortError},
};

#[async_trait]
impl<K: Kind> Operation for K {
    async fn read(&self, key: &str) -> Result<Value, PortError> {
        json(&Kind::read(self, &known::<K>(key)?).await?)
    }

    async fn epoch(&self, key: &str) -> Result<Epoch, PortError> {
        Kind::epoch(self, &known::<K>(key)?).await
    }

    async fn object(&self, key: &str) -> Result<Option<String>, PortError> {
        Kind::object(self, &known::<K>(key)?).await
    }

    fn bind(&self, key: &str, object: &str, marked: bool) {
        if let Some(key) = K::Key::parse(key) {
            Kind::bind(self, &key, object, marked);
        }
    }

    async fn fence(&self, key: &str, epoch: Epoch) -> Result<Value, PortError> {
        json(&Kind::fence(self, &known::<K>(key)?, epoch).await?)
    }

    async fn write(&self, key: &str, from: &Value, to: &Value, permit: &dyn Permit) -> Result<(), PortError> {
        let key = known::<K>(key)?;
        let (from, to) = (parsed::<K>(&key, from)?, parsed::<K>(&key, to)?);
        Kind::write(self, &key, from, to, permit).await
    }

    async fn settle(&self, means: &Means, within: Duration) -> Result<(), PortError> {
        Kind::settle(self, means, within).await
    }

    fn awaits(&self, key: &str) -> Vec<String> {
        let awaited = K::Key::parse(key).map(|key| Kind::awaits(self, &key)).unwrap_or_default();
        awaited.iter().map(ToString::to_string).collect()
    }

    async fn can_return(&self, key: &str, prior: &Value) -> bool {
        match known::<K>(key).and_then(|key| Ok((parsed::<K>(&key, prior)?, key))) {
            Ok((prior, key)) => Kind::can_return(self, &key, &prior).await,
            Err(_) => false,
        }
    }

    async fn prepare_return(&self, key: &str, prior: &Value, permit: &dyn Permit) -> Result<(), String> {
        let key = known::<K>(key).map_err(|e| e.to_string())?;
        let prior = parsed::<K>(&key, prior).map_err(|e| e.to_string())?;
        Kind::prepare_return(self, &key, &prior, permit).await
    }

    fn apart(&self) -> &'static [&'static str] {
        K::APART
    }

    async fn observe(&self, look: ObserveContext<'_>) -> Observation {
        match handed::<K>(&look) {
            Ok((watch, mut evidence)) => {
                let (verdict, line) = Kind::observe(self, &watch, &look, &mut evidence).await;
                match serde_json::to_value(&evidence) {
                    Ok(evidence) => Observation { evidence, verdict, line },
                    Err(e) => unreadable(&look, format!("what was found cannot be written down: {e}")),
                }
            }
            Err(why) => {
                self.pause().await;
                unreadable(&look, why)
            }
        }
    }

    fn say(&self, key: &str, value: &Value) -> String {
        let said = known::<K>(key).and_then(|key| parsed::<K>(&key, value));
        said.map_or_else(|_| value.to_string(), |value| value.to_string())
    }
}

fn known<K: Kind>(name: &str) -> Result<K::Key, PortError> {
    K::Key::parse(name).ok_or_else(|| PortError::NotFound { what: format!("key `{name}` in a {}", K::NAME) })
}

fn parsed<K: Kind>(key: &K::Key, stored: &Value) -> Result<Of<K>, PortError> {
    key.value(stored).map_err(|e| PortError::unexpected(key.to_string(), e))
}

fn json(value: &impl Serialize) -> Result<Value, PortError> {
    serde_json::to_value(value).map_err(|e| PortError::unexpected("a value", e))
}

/// What a look is to look at, and what the looks before it have found.
fn handed<K: Kind>(look: &ObserveContext<'_>) -> Result<(K::Watch, K::Evidence), String> {
    let watch = serde::Deserialize::deserialize(look.what)
        .map_err(|e| format!("the plan has a watch that this release does not know: {e}"))?;
    let evidence = match look.evidence {
        None => K::Evidence::default(),
        Some(found) => serde::Deserialize::deserialize(found)
            .map_err(|e| format!("what the looks before have found cannot be read by this release: {e}"))?,
    };
    Ok((watch, evidence))
}

/// A look that leaves the evidence as it is, for a release that can read it.
fn unreadable(look: &ObserveContext<'_>, why: String) -> Observation {
    let evidence = look.evidence.cloned().unwrap_or(Value::Null);
    // A held run waits for a person already.
    let verdict = if look.held { Verdict::Wait } else { Verdict::NoData { why: why.clone() } };
    Observation { evidence, verdict, line: why }
}
