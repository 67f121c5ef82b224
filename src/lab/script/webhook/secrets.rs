//! The secrets of a lab: one for each service that may receive webhooks, made when the lab comes up.

use std::{collections::BTreeMap, path::Path};

use super::signature::Secret;
use crate::{
    error::Error,
    lab::state::{self, fault},
};

/// All secrets by receiver.
#[derive(Debug, Default)]
pub struct Secrets(BTreeMap<String, Secret>);

/// Makes a secret for each service, and writes them into a file that only its owner can read.
///
/// # Errors
/// Where it cannot be written.
pub fn make<'a>(file: &Path, services: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let secrets: BTreeMap<_, _> = services.map(|service| (service, Secret::text())).collect();
    state::write(file, &secrets)
}

impl Secrets {
    /// The secrets in a file.
    ///
    /// # Errors
    /// Where it cannot be read, or holds something else.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let texts: BTreeMap<String, String> = state::read(file)?.unwrap_or_default();
        let read = |(service, text): (String, String)| Some((service, Secret::read(&text)?));
        let secrets = texts.into_iter().map(read).collect::<Option<_>>();
        secrets.map(Self).ok_or_else(|| fault(file, &"one of the secrets is none"))
    }

    /// The secret of webhooks that a service receives.
    #[must_use]
    pub fn of(&self, service: &str) -> Option<&Secret> {
        self.0.get(service)
    }
}
