//! The scripted services that a lab keeps up: what each is meant to run, and which of its replicas are missing or too many.

use std::{collections::BTreeSet, path::Path};

use super::part::{Kind, Part};
use crate::{
    error::Error,
    lab::{
        backing::Backing,
        fault::Fault,
        script::{ScriptedService, scripted},
        status::{Release, ServiceStatus},
    },
};

/// The version that a service runs until it is deployed anew.
const FIRST: &str = "1.0.0";

/// All scripted services of a lab.
pub struct Scripted(Vec<(ScriptedService, Release)>);

impl Scripted {
    /// The services in a folder; none without one.
    ///
    /// # Errors
    /// Where something is wrong with a script.
    pub fn read(folder: Option<&Path>) -> Result<Self, Error> {
        let services = folder.map(scripted).transpose()?.unwrap_or_default();
        let first = || Release { version: FIRST.to_owned(), faults: Vec::new() };
        Ok(Self(services.into_iter().map(|service| (service, first())).collect()))
    }

    /// The service that stands behind the gateway, if it is one of these.
    pub fn in_slots(&self) -> Option<&ScriptedService> {
        self.0.iter().map(|(service, _)| service).find(|service| service.in_slots)
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(service, _)| service.name.as_str())
    }

    /// Whether a route of one of them requires a token.
    pub fn requires_tokens(&self) -> bool {
        self.0.iter().any(|(service, _)| service.requires_tokens)
    }

    /// What each of those that stand in no slots is meant to be.
    pub fn desired(&self) -> Vec<ServiceStatus> {
        let status = |(service, release): &(ScriptedService, Release)| ServiceStatus {
            name: service.name.clone(),
            release: release.clone(),
            replicas: service.replicas,
        };
        self.0.iter().filter(|(service, _)| !service.in_slots).map(status).collect()
    }

    /// The processes behind the doors that they use.
    pub fn backings(&self) -> BTreeSet<Backing> {
        self.0.iter().flat_map(|(service, _)| service.backings.iter().copied()).collect()
    }

    pub fn named(&self, service: &str) -> Option<&ScriptedService> {
        self.0.iter().map(|(one, _)| one).find(|one| one.name == service)
    }

    /// Sets what a service should run.
    ///
    /// # Errors
    /// Where there is no such service, or it has no such faults.
    pub fn set_release(&mut self, service: &str, release: Release) -> Result<(), String> {
        let names = self.0.iter().map(|(one, _)| one.name.as_str()).collect::<Vec<_>>().join(", ");
        let Some((found, wanted)) = self.0.iter_mut().find(|(one, _)| one.name == service) else {
            let there = if names.is_empty() { "this lab has none".to_owned() } else { format!("there are {names}") };
            return Err(format!("there is no scripted service `{service}`; {there}"));
        };
        if found.in_slots {
            return Err(format!("`{service}` stands in slots -> deploy it to blue or to green"));
        }
        found.accepts(&release.faults)?;
        tracing::info!(service, version = release.version, faults = ?release.faults, "release set");
        *wanted = release;
        Ok(())
    }
}

/// Whether a release of the slots can have these faults: the service in them is a script, else the tenant service.
///
/// # Errors
/// Why it cannot.
pub fn accepts(faults: &[String], script: Option<&ScriptedService>, is_full: bool) -> Result<(), String> {
    if let Some(script) = script {
        return script.accepts(faults);
    }
    for text in faults {
        if text.parse::<Fault>()?.wants_full() && !is_full {
            return Err(format!("the fault {text} acts in a full lab only"));
        }
    }
    Ok(())
}

impl ServiceStatus {
    /// The numbers of the replicas that are missing.
    pub(super) fn missing(&self, parts: &[Part]) -> Vec<u32> {
        let is_there = |index: u32| parts.iter().any(|part| self.replica(part).is_some_and(|(i, _)| i == index));
        (0..self.replicas).filter(|index| !is_there(*index)).collect()
    }

    /// Retires one replica at a time of those that run another release.
    pub(super) fn retire(&self, parts: &mut [Part]) {
        let mut busy = parts.iter().any(|part| self.replica(part).is_some() && part.is_changing());
        for part in parts.iter_mut().filter(|part| part.is_listed()) {
            let is_other = self.replica(part).is_some_and(|(_, release)| *release != self.release);
            if is_other && (!busy || !part.is_ready()) {
                part.retire();
                busy = true;
            }
        }
    }

    /// Number and release of a part that is a replica of this service.
    fn replica<'a>(&self, part: &'a Part) -> Option<(u32, &'a Release)> {
        match &part.kind {
            Kind::Scripted { service, index, release } if *service == self.name => Some((*index, release)),
            _ => None,
        }
    }
}
