//! An operation of any kind, as the guard sees it: values at keys, each of which fences in its own way.

use std::time::Duration;

use async_trait::async_trait;
use interlock::{
    guard::{Observation, ObserveContext, Operation, Verdict},
    model::Epoch,
    ports::{Clock as _, Means, Permit, PortError},
};
use serde_json::{Value, json};

use crate::{
    mutants::Mutant,
    node::Node,
    platform::{Request, Seen},
};

/// How often a fence is tried that others come before.
const TRIES: u32 = 5;
/// How many acts a command has, and the pause between them.
const ACTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(5);

/// The operation, as one process has it.
pub struct Keys(pub Node);

impl Node {
    /// A name that no command had before.
    pub fn name_of_command(&self) -> String {
        let commands = &mut self.state().platform.commands;
        *commands += 1;
        commands.to_string()
    }

    /// Reads an object as whoever writes there next; whoever has lost it finds that out here already.
    pub async fn seen(&self, call: &'static str, key: &str, epoch: u64) -> Result<Seen, PortError> {
        let seen = self.ask(call, key, Request::Get).await?;
        if seen.epoch > epoch {
            return Err(PortError::Superseded { ours: epoch, theirs: seen.epoch });
        }
        Ok(seen)
    }

    /// Fences an object: at once, or by the version that was read, as API servers have it.
    pub async fn fence(&self, key: &str, epoch: u64, by_version: bool) -> Result<Seen, PortError> {
        if self.world.mutant == Mutant::FenceReads {
            return self.ask("fence", key, Request::Get).await;
        }
        if !by_version {
            return self.ask("fence", key, Request::Fence { epoch, version: None }).await;
        }
        let mut last = PortError::unreachable(key, "never tried");
        for _ in 0..TRIES {
            let seen = self.seen("fence", key, epoch).await?;
            match self.ask("fence", key, Request::Fence { epoch, version: Some(seen.version) }).await {
                Err(e @ PortError::Conflict { .. }) => last = e,
                other => return other,
            }
        }
        Err(last)
    }

    /// Writes at the version that was read, where `from` stands.
    pub async fn put(&self, key: &str, from: &Value, to: &Value, epoch: u64) -> Result<(), PortError> {
        let seen = self.seen("write", key, epoch).await?;
        let overwrites = self.world.mutant == Mutant::Overwrites;
        if seen.value != *from && seen.value != *to && !overwrites {
            return Err(PortError::Conflict { found: seen.value, expected: from.clone() });
        }
        self.ask("write", key, Request::Put { to: to.clone(), epoch, version: seen.version }).await.map(drop)
    }
}

impl Keys {
    /// A command waits at its gate until its intent outlasts a power cut; with that fix taken out it asks nobody.
    async fn intends(&self, id: &str, permit: &dyn Permit) -> Result<(), PortError> {
        if self.0.world.mutant == Mutant::IgnoresLoss {
            return Ok(());
        }
        permit.intend(Means::Request { what: id.to_owned(), primary: String::new() }).await
    }
}

#[async_trait]
impl Operation for Keys {
    async fn read(&self, key: &str) -> Result<Value, PortError> {
        self.0.ask("read", key, Request::Get).await.map(|seen| seen.value)
    }

    async fn epoch(&self, key: &str) -> Result<Epoch, PortError> {
        self.0.ask("read", key, Request::Get).await.map(|seen| Epoch(seen.epoch))
    }

    async fn object(&self, key: &str) -> Result<Option<String>, PortError> {
        if key == "host" { Ok(None) } else { self.0.uid(key).await }
    }

    fn bind(&self, key: &str, object: &str, marked: bool) {
        self.0.bind(key, object, marked);
    }

    async fn fence(&self, key: &str, epoch: Epoch) -> Result<Value, PortError> {
        let seen = match key {
            "host" => self.0.ask("fence", key, Request::ObserveContext { epoch: epoch.0 }).await,
            _ => self.0.fence(key, epoch.0, key == "b").await,
        };
        seen.map(|seen| seen.value)
    }

    async fn write(&self, key: &str, from: &Value, to: &Value, permit: &dyn Permit) -> Result<(), PortError> {
        let epoch = permit.epoch();
        if key != "host" {
            return self.0.put(key, from, to, epoch.0).await;
        }
        let found = self.read(key).await?;
        if found != *from && found != *to {
            return Err(PortError::Conflict { found, expected: from.clone() });
        }
        for act in 1..=ACTS {
            let id = self.0.name_of_command();
            self.intends(&id, permit).await?;
            let request = Request::Command { id, to: to.clone(), epoch: epoch.0, last: act == ACTS };
            self.0.ask("command", key, request).await?;
            if act < ACTS {
                interlock::ports::Clock::sleep(&self.0, PAUSE).await;
            }
        }
        Ok(())
    }

    async fn settle(&self, means: &Means, _: Duration) -> Result<(), PortError> {
        if self.0.world.mutant == Mutant::SettlesNothing {
            return Ok(());
        }
        if self.0.world.scenario.beyond {
            self.0.ask("settle", "host", Request::Get).await?;
            // Who can tell?
            self.0.state().trouble = true;
            return Err(means.never_used());
        }
        self.0.ask("settle", "host", Request::End { id: means.what().to_owned() }).await.map(drop)
    }

    async fn can_return(&self, key: &str, _: &Value) -> bool {
        self.0.ask("read", key, Request::Get).await.is_ok() && !self.0.world.scenario.unready
    }

    async fn prepare_return(&self, key: &str, _: &Value, _: &dyn Permit) -> Result<(), String> {
        self.0.ask("read", key, Request::Get).await.map(drop).map_err(|e| e.to_string())
    }

    async fn observe(&self, look: ObserveContext<'_>) -> Observation {
        let length = Duration::from_secs(if look.held { 10 } else { 1 });
        interlock::ports::Clock::sleep(&self.0, length).await;
        let seen = look.evidence.and_then(Value::as_u64).unwrap_or(0) + 1;
        let which = match look.what.as_str() {
            Some("before") => 0,
            Some("middle") => 1,
            _ => 2,
        };
        let why = || format!("look {seen}");
        let verdict = match self.0.world.scenario.verdicts[which] {
            // A release that fails while a person thinks.
            _ if look.held && self.0.world.scenario.verdicts[0] == 3 => Verdict::Breach { why: why() },
            _ if look.held || look.first => Verdict::Wait,
            0 => Verdict::Pass { warning: None },
            1 if which == 0 => Verdict::Unfit { why: why() },
            1 => Verdict::Breach { why: why() },
            2 => Verdict::NoData { why: why() },
            _ => Verdict::Pass { warning: Some("something hangs".to_owned()) },
        };
        let _ = self.0.now();
        Observation { evidence: json!(seen), verdict, line: String::new() }
    }

    fn say(&self, _: &str, value: &Value) -> String {
        value.to_string()
    }
}
