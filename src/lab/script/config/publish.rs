//! From the document that people write to the one that replicas run on: only what fits all services is published.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{
    Settings,
    document::{self, Document, FILE},
};
use crate::{
    error::{Error, Fault, Place},
    lab::{
        script::{
            folder::files,
            place::Source,
            program::{self, Program},
        },
        state,
    },
};

/// How often document and scripts are read anew.
const ROUND: Duration = Duration::from_millis(250);

/// What replicas run on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// What tells it from what was published before.
    pub generation: String,
    pub document: Document,
    /// The last change, where it did not fit.
    pub rejected: Option<Rejected>,
}

/// A change that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    pub at: Timestamp,
    /// File, line and column.
    pub place: String,
    pub what: String,
    pub hint: String,
}

impl Default for Published {
    fn default() -> Self {
        let document = Document::default();
        Self { generation: document.generation(), document, rejected: None }
    }
}

/// Follows the document in a folder of scripts, and publishes it.
pub struct Publisher {
    folder: PathBuf,
    /// The file that replicas read.
    to: PathBuf,
    /// The scripts that could be read last, and what they declare.
    scripts: BTreeMap<String, (String, Option<Settings>)>,
    text: Option<String>,
    /// The document as the last round has found it.
    seen: Option<String>,
    published: Published,
}

impl Publisher {
    /// Publishes what the document says now.
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub fn begin(folder: &Path, to: PathBuf) -> Result<Self, Error> {
        let (folder, scripts) = (folder.to_owned(), BTreeMap::new());
        let mut publisher = Self { folder, to, scripts, text: None, seen: None, published: Published::default() };
        publisher.read_scripts()?;
        publisher.text = document::text(&publisher.folder)?;
        publisher.seen.clone_from(&publisher.text);
        publisher.judge();
        publisher.publish()?;
        Ok(publisher)
    }

    /// Follows document and scripts until `stop`.
    pub async fn follow(mut self, stop: CancellationToken) {
        let mut failed = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
            let round = tokio::task::spawn_blocking(move || {
                let done = self.round();
                (self, done)
            });
            let done;
            (self, done) = match round.await {
                Ok(round) => round,
                Err(e) => return tracing::error!("the configuration is followed no longer: {e}"),
            };
            // Once is enough, however long it lasts.
            let why = done.err().map(|e| e.to_string());
            if let Some(why) = why.as_ref().filter(|_| why != failed) {
                tracing::error!("the configuration cannot be followed: {why}");
            }
            failed = why;
        }
    }

    /// Takes a change over, or says why it does not fit. A document that was taken away changes nothing.
    fn round(&mut self) -> Result<(), Error> {
        let scripts_changed = self.read_scripts()?;
        let found = document::text(&self.folder)?.or_else(|| self.text.clone());
        // Who writes it may be in the middle of that: an editor begins with an empty file.
        let is_whole = found == self.seen;
        let text = if is_whole { found.clone() } else { self.text.clone() };
        self.seen = found;
        if !scripts_changed && text == self.text {
            return Ok(());
        }
        self.text = text;
        let before = self.published.clone();
        self.judge();
        if self.published == before { Ok(()) } else { self.publish() }
    }

    /// Reads the scripts that have changed, and says whether there were any. One that cannot run declares what it did before.
    fn read_scripts(&mut self) -> Result<bool, Error> {
        let files = files(&self.folder)?;
        let before = self.scripts.len();
        self.scripts.retain(|name, _| files.iter().any(|(one, _)| one == name));
        let mut changed = self.scripts.len() != before;
        for (name, path) in files {
            let text = program::text(&path)?;
            if self.scripts.get(&name).is_some_and(|(known, _)| *known == text) {
                continue;
            }
            let source = Source { file: path.display().to_string(), text: text.clone() };
            let settings = match Program::of(source) {
                Ok(program) => Some(program.declared.settings),
                Err(_) => self.scripts.remove(&name).and_then(|(_, settings)| settings),
            };
            self.scripts.insert(name, (text, settings));
            changed = true;
        }
        Ok(changed)
    }

    fn judge(&mut self) {
        let file = self.folder.join(FILE).display().to_string();
        let declared = self.scripts.iter().map(|(name, (_, settings))| (name.clone(), settings.clone())).collect();
        match document::read(&file, self.text.as_deref().unwrap_or_default(), &declared) {
            Ok(document) => {
                self.published = Published { generation: document.generation(), document, rejected: None };
            }
            Err(faults) => self.published.rejected = faults.first().map(rejected),
        }
    }

    fn publish(&self) -> Result<(), Error> {
        state::write(&self.to, &self.published)?;
        if self.published.rejected.is_none() {
            tracing::info!(generation = self.published.generation, "configuration published");
        }
        Ok(())
    }
}

fn rejected(fault: &Fault) -> Rejected {
    let Fault { place, what, hint, .. } = fault;
    let Place { file, line, column } = place;
    tracing::error!(file, line, column, hint, "configuration rejected, the one before goes on: {what}");
    Rejected { at: Timestamp::now(), place: place.to_string(), what: what.clone(), hint: hint.clone() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.path().join(name), text).unwrap();
        }

        fn published(&self) -> Published {
            state::read(&self.0.path().join("published.json")).unwrap().unwrap()
        }
    }

    const ORDERS: &str = "setting(\"limit\", 3);\nget(\"/limit\", |request| config::get(\"limit\"));\n";

    fn begun() -> (Folder, Publisher) {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.write("orders.rhai", ORDERS);
        let publisher = Publisher::begin(folder.0.path(), folder.0.path().join("published.json")).unwrap();
        (folder, publisher)
    }

    fn after(publisher: &mut Publisher, folder: &Folder, document: &str) -> (Option<i64>, Option<String>) {
        folder.write(FILE, document);
        (0..2).for_each(|_| publisher.round().unwrap());
        let Published { document, rejected, .. } = folder.published();
        let limit = document.value("orders", "limit").and_then(serde_json::Value::as_i64);
        (limit, rejected.map(|rejected| rejected.what))
    }

    #[test]
    fn a_change_that_does_not_fit_leaves_what_was_and_going_back_ends_that() {
        let (folder, mut publisher) = begun();
        let good = "all: {limit: 5}\n";
        assert_eq!(after(&mut publisher, &folder, good), (Some(5), None));
        let generation = folder.published().generation;
        let bad = after(&mut publisher, &folder, "all: {limit: many}\n");
        assert_eq!(bad, (Some(5), Some("the setting `limit` is a whole number".to_owned())));
        assert_eq!(after(&mut publisher, &folder, good), (Some(5), None));
        assert_eq!(folder.published().generation, generation, "it says the same as before");
    }

    #[test]
    fn a_document_that_is_gone_or_a_script_that_is_broken_changes_nothing() {
        let (folder, mut publisher) = begun();
        after(&mut publisher, &folder, "all: {limit: 5}\n");
        let before = folder.published();
        fs::remove_file(folder.0.path().join(FILE)).unwrap();
        folder.write("orders.rhai", "get(");
        (0..2).for_each(|_| publisher.round().unwrap());
        assert_eq!(folder.published(), before);
        assert_eq!(after(&mut publisher, &folder, "all: {limit: 6}\n"), (Some(6), None));
    }

    #[test]
    fn a_document_that_is_being_written_is_not_taken_over_yet() {
        let (folder, mut publisher) = begun();
        after(&mut publisher, &folder, "all: {limit: 5}\n");
        let before = folder.published();
        for part in ["", "all: {limit: 6}\n"] {
            folder.write(FILE, part);
            publisher.round().unwrap();
            assert_eq!(folder.published(), before, "after {part:?}");
        }
        publisher.round().unwrap();
        assert_eq!(folder.published().document.value("orders", "limit"), Some(&6.into()));
    }

    #[test]
    fn a_document_that_came_before_its_script_fits_once_that_is_there() {
        let (folder, mut publisher) = begun();
        let (_, refused) = after(&mut publisher, &folder, "all: {limit: 5, rate: 0.5}\n");
        assert_eq!(refused.unwrap(), "no service has the setting `rate`");
        folder.write("orders.rhai", &ORDERS.replace("setting(\"limit", "setting(\"rate\", 1.0);\nsetting(\"limit"));
        publisher.round().unwrap();
        assert_eq!(folder.published().rejected, None);
        assert_eq!(folder.published().document.value("orders", "limit"), Some(&5.into()));
    }
}
