//! The scripted services that a lab keeps up: what each is meant to run, and which of its replicas are missing or too many.

use std::path::{Path, PathBuf};

use super::part::{Kind, Part};
use crate::{
    error::Error,
    lab::{
        script::{ScriptedService, scripted},
        status::{ServiceRelease, ServiceStatus},
    },
};

/// The version that a service runs until it is deployed anew.
const FIRST: &str = "1.0.0";

/// All scripted services of a lab.
pub struct Scripted(Vec<(ScriptedService, ServiceRelease)>);

impl Scripted {
    /// The services in a folder; none without one.
    ///
    /// # Errors
    /// Where something is wrong with a script.
    pub fn read(folder: Option<&Path>) -> Result<Self, Error> {
        let services = folder.map(scripted).transpose()?.unwrap_or_default();
        let first = || ServiceRelease { version: FIRST.to_owned(), faults: Vec::new() };
        Ok(Self(services.into_iter().map(|service| (service, first())).collect()))
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(service, _)| service.name.as_str())
    }

    /// Whether a route of one of them requires a token.
    pub fn requires_tokens(&self) -> bool {
        self.0.iter().any(|(service, _)| service.requires_tokens)
    }

    /// What each is meant to be.
    pub fn desired(&self) -> Vec<ServiceStatus> {
        let status = |(service, release): &(ScriptedService, ServiceRelease)| ServiceStatus {
            name: service.name.clone(),
            release: release.clone(),
            replicas: service.replicas,
        };
        self.0.iter().map(status).collect()
    }

    /// The script of a service.
    pub fn file(&self, service: &str) -> Option<PathBuf> {
        self.0.iter().find(|(one, _)| one.name == service).map(|(one, _)| one.file.clone())
    }

    /// Sets what a service should run.
    ///
    /// # Errors
    /// Where there is no such service, or it has no such faults.
    pub fn set_release(&mut self, service: &str, release: ServiceRelease) -> Result<(), String> {
        let names = self.0.iter().map(|(one, _)| one.name.as_str()).collect::<Vec<_>>().join(", ");
        let Some((found, wanted)) = self.0.iter_mut().find(|(one, _)| one.name == service) else {
            let there = if names.is_empty() { "this lab has none".to_owned() } else { format!("there are {names}") };
            return Err(format!("there is no scripted service `{service}`; {there}"));
        };
        found.accepts(&release.faults)?;
        tracing::info!(service, version = release.version, faults = ?release.faults, "release set");
        *wanted = release;
        Ok(())
    }
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
    fn replica<'a>(&self, part: &'a Part) -> Option<(u32, &'a ServiceRelease)> {
        match &part.kind {
            Kind::Scripted { service, index, release } if *service == self.name => Some((*index, release)),
            _ => None,
        }
    }
}
