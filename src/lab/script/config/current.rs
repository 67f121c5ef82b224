//! The configuration that one replica runs on, taken over as it is published.

use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Published, Setting, Settings, publish::Rejected};
use crate::lab::{
    page::{Kind, Page},
    script::redaction::{REDACTED, Redacted},
    state,
};

/// How often what is published is read anew.
const ROUND: Duration = Duration::from_millis(200);

/// The configuration that a replica runs on.
#[derive(Default)]
pub struct Current(RwLock<Arc<Taken>>);

/// A configuration as a replica has taken it over. A call of a handler sees one from its beginning to its end.
pub struct Taken {
    published: Published,
    /// Since when the replica runs on its generation.
    since: Timestamp,
}

impl Default for Taken {
    fn default() -> Self {
        Self { published: Published::default(), since: Timestamp::now() }
    }
}

impl Current {
    /// What the replica runs on now.
    #[must_use]
    pub fn taken(&self) -> Arc<Taken> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Follows what is published in `file`.
    pub async fn follow(&self, file: &Path, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(ROUND) => self.round(file),
            }
        }
    }

    /// Takes over what is published.
    pub fn round(&self, file: &Path) {
        match state::read::<Published>(file) {
            Ok(Some(published)) if published != self.taken().published => self.take(published),
            Ok(_) => {}
            Err(e) => tracing::warn!("the configuration: {e}"),
        }
    }

    fn take(&self, published: Published) {
        let before = self.taken();
        let is_new = published.generation != before.published.generation;
        if is_new {
            tracing::info!(generation = published.generation, "configuration taken over");
        }
        let since = if is_new { Timestamp::now() } else { before.since };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Taken { published, since });
    }
}

impl Taken {
    /// The value of a setting. What another release of the script takes is nothing to this one, which keeps its default.
    #[must_use]
    pub fn value(&self, service: &str, name: &str, setting: &Setting) -> Value {
        let said = self.published.document.value(service, name).and_then(|value| setting.takes(value));
        said.unwrap_or_else(|| setting.default().clone())
    }

    /// What the replica answers about it: the generation, since when, its values, and whether the last change was rejected.
    #[must_use]
    pub fn shown(&self, (service, replica): (&str, &str), settings: &Settings, redacted: &Redacted) -> Value {
        let hidden = |name: &str| name.split('.').any(|part| redacted.hides(part));
        let value = |name: &String, setting: &Setting| match hidden(name) {
            true => Value::from(REDACTED),
            false => self.value(service, name, setting),
        };
        let values = settings.iter().map(|(name, setting)| (name.clone(), value(name, setting)));
        let rejected =
            self.published.rejected.as_ref().map(
                |Rejected { at, place, what, hint }| json!({ "at": at, "place": place, "what": what, "hint": hint }),
            );
        json!({
            "service": service,
            "replica": replica,
            "generation": self.published.generation,
            "since": self.since,
            "values": values.collect::<serde_json::Map<_, _>>(),
            "rejected": rejected,
        })
    }

    /// The same as metrics.
    pub fn expose(&self, page: &mut Page) {
        let info = "script_config_generation_info";
        page.family(info, Kind::Gauge, "The generation of the configuration that the replica runs on.");
        page.sample(info, &[("generation", &self.published.generation)], 1);
        let since = "script_config_generation_timestamp_seconds";
        page.family(since, Kind::Gauge, "Since when it runs on that generation.");
        page.sample(since, &[], self.since.as_second());
        let successful = "script_config_last_reload_successful";
        page.family(successful, Kind::Gauge, "Whether the last change of the configuration was taken over.");
        page.sample(successful, &[], u8::from(self.published.rejected.is_none()));
    }
}
