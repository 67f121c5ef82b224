//! A rehearsal: a run that changes nothing, to see gates, journal and guardian at work.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{
    Build, Kind, Platform, Steps,
    preconditions::{self, Facts},
};
use crate::{
    error::Error,
    guard::{Blind, Gate, Look, Verdict},
    model::{Epoch, Span, Target},
    ports::{Clock, Permit, PortError},
};

/// What is rehearsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What is locked.
    pub name: String,
    /// How long it lasts.
    pub length: Span,
}

/// The only thing that it writes: whether the rehearsal is on, which nobody but itself knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key;

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("on")
    }
}

impl super::Key for Key {
    type Value = bool;

    fn parse(name: &str) -> Option<Self> {
        (name == "on").then_some(Self)
    }

    fn value(&self, stored: &serde_json::Value) -> serde_json::Result<bool> {
        bool::deserialize(stored)
    }
}

/// What its one watch waits for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Watch(Span);

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wait for {}", self.0)
    }
}

/// A rehearsal; it needs no platform.
pub struct Rehearsal {
    spec: Spec,
    clock: Arc<dyn Clock>,
    on: Mutex<bool>,
}

impl Rehearsal {
    /// Binds a rehearsal to its clock.
    #[must_use]
    pub fn new(spec: Spec, clock: Arc<dyn Clock>) -> Self {
        Self { spec, clock, on: Mutex::default() }
    }
}

#[async_trait]
impl Kind for Rehearsal {
    const NAME: &'static str = "rehearsal";
    const BLIND: Blind = Blind::Remove;

    type Spec = Spec;
    type Key = Key;
    type Watch = Watch;
    type Evidence = ();

    fn target(spec: &Spec) -> Result<Target, Error> {
        Target::parse(&format!("rehearsal.{}", spec.name)).map_err(|what| Error::usage(what, "name it otherwise"))
    }

    fn title(spec: &Spec) -> String {
        format!("rehearsal of {}", spec.name)
    }

    fn plan(spec: &Spec, steps: &mut Steps<Self>) -> Result<(), Error> {
        steps.change("begin", &Key, &true)?;
        steps.watch("wait", &Watch(spec.length))?;
        steps.change("end", &Key, &false)
    }

    async fn connect(spec: Spec, platform: &dyn Platform, _: Build) -> Result<Self, Error> {
        Ok(Self::new(spec, platform.clock()))
    }

    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn gates(&self, facts: &Facts) -> Vec<Gate> {
        let longest = self.spec.length.0;
        vec![preconditions::lock(facts), preconditions::freeze(facts, longest), preconditions::guardian(facts)]
    }

    async fn read(&self, _: &Key) -> Result<bool, PortError> {
        Ok(*self.on.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn fence(&self, key: &Key, _: Epoch) -> Result<bool, PortError> {
        Kind::read(self, key).await
    }

    async fn write(&self, _: &Key, _: bool, to: bool, _: &dyn Permit) -> Result<(), PortError> {
        *self.on.lock().unwrap_or_else(PoisonError::into_inner) = to;
        Ok(())
    }

    async fn observe(&self, watch: &Watch, look: &Look<'_>, (): &mut ()) -> (Verdict, String) {
        if look.spent >= watch.0.0 {
            return (Verdict::Pass { reserve: None }, format!("waited for {}", watch.0));
        }
        self.pause().await;
        (Verdict::Wait, format!("waiting for {}", watch.0))
    }

    async fn pause(&self) {
        self.clock.sleep(std::time::Duration::from_millis(100)).await;
    }
}
